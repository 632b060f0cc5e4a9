import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldsOf } from './folds.js'

describe('folds', () => {
  test('every row is left out once, by folds whose sizes differ by one at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 2, max: 10 }), fc.nat(99), (rows, folds, seed) => {
        fc.pre(folds <= rows)
        const found = foldsOf(rows, { folds, seed })
        expect(found).toHaveLength(folds)
        expect(found.flatMap((f) => [...f.test]).sort((a, b) => a - b)).toEqual(
          Array.from({ length: rows }, (_, i) => i),
        )
        for (const { train, test: left } of found) {
          expect(new Set([...train, ...left]).size).toBe(rows)
          expect(train.length + left.length).toBe(rows)
        }
        const sizes = found.map((f) => f.test.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
      { numRuns: 50 },
    )
  })

  test('one seed, the same folds; another, others', () => {
    expect(foldsOf(30, { seed: 1 })).toEqual(foldsOf(30, { seed: 1 }))
    expect(foldsOf(30, { seed: 1 })).not.toEqual(foldsOf(30, { seed: 2 }))
  })

  test('groups stay together, and classes are shared out evenly', () => {
    const groups = Array.from({ length: 24 }, (_, i) => `g${i % 6}`)
    for (const { test: left } of foldsOf(24, { folds: 3, groups }))
      for (const row of left) expect([...left].filter((i) => groups[i] === groups[row])).toHaveLength(4)
    const strata = Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? 'rare' : 'common'))
    for (const { test: left } of foldsOf(40, { folds: 5, strata }))
      expect([...left].filter((i) => strata[i] === 'rare')).toHaveLength(2)
  })

  test('ordered folds are judged by what came before', () => {
    for (const { train, test: left } of foldsOf(22, { folds: 4, isOrdered: true }))
      expect(Math.max(...train)).toBe(Math.min(...left) - 1)
  })

  test.each([
    { folds: 1 },
    { folds: 11 },
    { folds: 2.5 },
    { foldIds: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    { foldIds: [0, 1] },
    { foldIds: [0, 2, 0, 2, 0, 2, 0, 2, 0, 2] },
    { foldIds: [0, 1, 0, 1, -1, 1, 0, 1, 0, 1] },
    { folds: 3, groups: Array.from({ length: 10 }, (_, i) => i % 2) },
    { strata: ['a'] },
    { folds: 10, isOrdered: true },
    { foldIds: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1], isOrdered: true },
    { folds: 2, groups: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], isOrdered: true },
  ])('no folds: %j', (options) => {
    expect(() => foldsOf(10, options)).toThrow(expect.objectContaining({ code: 'FOLDS' }))
  })
})
