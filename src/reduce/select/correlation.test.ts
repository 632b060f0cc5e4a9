/** Correlations and variances against their textbook formulas. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CategoryColumn, NumberColumn, TableColumn } from '../../data/columns.js'
import { random } from '../../util/random.js'
import { correlation } from './correlation.js'
import { variance } from './variance.js'

const number = (name: string, values: ArrayLike<number>): NumberColumn => {
  return { kind: 'number', name, values: Float64Array.from(values) }
}
const category = (name: string, codes: readonly number[]): CategoryColumn => {
  return { kind: 'category', name, codes: Int32Array.from(codes), levels: ['p', 'q', 'r', 's'] }
}

const mean = (v: readonly number[]): number => v.reduce((s, u) => s + u, 0) / v.length

function pearson(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)]
  const products = mean(a.map((v, i) => (v - ma) * (b[i]! - mb)))
  return products / Math.sqrt(mean(a.map((v) => (v - ma) ** 2)) * mean(b.map((v) => (v - mb) ** 2)))
}

/** 1 + how many are less + half of how many others are equal. */
const ranks = (v: readonly number[]): number[] =>
  v.map((a) => 1 + v.filter((b) => b < a).length + (v.filter((b) => b === a).length - 1) / 2)

const lists = fc
  .record({ rows: fc.integer({ min: 5, max: 40 }), seed: fc.nat(), isCoarse: fc.boolean() })
  .map(({ rows, seed, isCoarse }) => {
    const { normal, integer } = random(seed)
    const value = (): number => (isCoarse ? integer(4) : 100 + 10 * normal())
    const [a, b, kinds, other] = [value, value, () => integer(3), () => integer(4)].map((of) =>
      Array.from({ length: rows }, of),
    ) as [number[], number[], number[], number[]]
    // No column is constant.
    for (const [k, list] of [a, b, kinds, other].entries()) list.splice(0, 2, 0, k === 0 ? 2 : 1)
    return { rows, a, b, kinds, other }
  })

describe('the strength of two columns', () => {
  test('numbers: |r|, and Spearman is that of the ranks', () => {
    fc.assert(
      fc.property(lists, ({ a, b }) => {
        const x = [number('a', a)]
        expect(correlation(x, b).scores[0]).toBeCloseTo(Math.abs(pearson(a, b)), 10)
        expect(correlation(x, b, { kind: 'spearman' }).scores[0]).toBeCloseTo(Math.abs(pearson(ranks(a), ranks(b))), 10)
      }),
    )
  })

  test('numbers and classes: the share of the variance between classes', () => {
    fc.assert(
      fc.property(lists, ({ a, kinds }) => {
        const of = kinds.map((kind) => mean(a.filter((_, i) => kinds[i] === kind)))
        const between = mean(of.map((v) => (v - mean(a)) ** 2))
        const eta = Math.sqrt(between / mean(a.map((v) => (v - mean(a)) ** 2)))
        expect(correlation([number('a', a)], category('k', kinds)).scores[0]).toBeCloseTo(eta, 10)
        expect(correlation([category('k', kinds)], a).scores[0]).toBeCloseTo(eta, 10)
      }),
    )
  })

  test("classes and classes: Cramér's V from χ²", () => {
    fc.assert(
      fc.property(lists, ({ rows, kinds, other }) => {
        const levels = (v: readonly number[]): number[] => [...new Set(v)]
        const among = (v: readonly number[], level: number): number => v.filter((u) => u === level).length
        let chi = 0
        for (const k of levels(kinds))
          for (const l of levels(other)) {
            const expected = (among(kinds, k) * among(other, l)) / rows
            chi += (kinds.filter((v, i) => v === k && other[i] === l).length - expected) ** 2 / expected
          }
        const v = Math.sqrt(chi / rows / (Math.min(levels(kinds).length, levels(other).length) - 1))
        expect(correlation([category('k', kinds)], category('o', other)).scores[0]).toBeCloseTo(v, 10)
      }),
    )
  })

  test('of two classes all of them are |r|', () => {
    const { normal, integer } = random(3)
    const flags = Array.from({ length: 50 }, () => integer(2))
    const others = flags.map((f) => (integer(3) === 0 ? 1 - f : f))
    const values = flags.map((f) => f + normal())
    const r = correlation([number('v', values), number('o', others)], number('f', flags)).scores
    const same = correlation([number('v', values), category('o', others)], category('f', flags)).scores
    for (const j of [0, 1]) expect(same[j]).toBeCloseTo(r[j]!, 12)
  })

  test('a constant column has none; squares of any size are not lost', () => {
    const found = correlation([number('c', [7, 7, 7]), number('t', [1e-200, 3e-200, 2e-200])], [1e140, 3e140, 2e140])
    expect(found.scores[0]).toBe(0)
    expect(found.scores[1]).toBeCloseTo(1, 12)
    expect([...correlation([category('k', [1, 1, 1])], category('l', [0, 1, 2])).scores]).toEqual([0])
  })
})

test('a column that correlates with a better one is passed over, and which that is is said', () => {
  const { normal } = random(6)
  const a = Array.from({ length: 200 }, () => normal())
  const x: TableColumn[] = [
    number(
      'far',
      a.map((v) => v + 3 * normal()),
    ),
    number(
      'near',
      a.map((v) => v + 0.1 * normal()),
    ),
    number(
      'twin',
      a.map((v) => 2 - v),
    ),
    category(
      'sign',
      a.map((v) => Number(v > 0)),
    ),
  ]
  const found = correlation(x, a, { maxCorrelation: 0.9 })
  expect(found).toMatchObject({ names: ['far', 'near', 'twin', 'sign'], passedFor: [null, 2, null, null] })
  expect(found.order).toEqual([2, 3, 0])
  expect(correlation(x, a).order).toEqual([2, 1, 3, 0])
  expect(correlation(x, a, { maxCorrelation: 0 }).order).toEqual([2])
  expect(() => correlation(x, a, { maxCorrelation: 1.5 })).toThrow(expect.objectContaining({ code: 'SELECT_OPTION' }))
})

test('variances: of numbers, of indicators of classes, and 0 of what is constant', () => {
  const { normal, integer } = random(7)
  const values = Array.from({ length: 99 }, () => 1e6 + normal())
  const codes = Array.from({ length: 99 }, () => integer(4) - 1)
  const found = variance([number('c', new Array(99).fill(0.1)), number('v', values), category('k', codes)])
  expect(found.names).toEqual(['c', 'v', 'k'])
  expect(found.scores[0]).toBe(0)
  expect(found.scores[1]).toBeCloseTo(mean(values.map((v) => (v - mean(values)) ** 2)), 9)
  const indicators = [-1, 0, 1, 2].map((code) => codes.map((c) => Number(c === code)))
  const wanted = indicators.map((of) => mean(of) - mean(of) ** 2).reduce((s, v) => s + v, 0)
  expect(found.scores[2]).toBeCloseTo(wanted, 12)
  expect(found.order).toEqual(found.scores[1]! > found.scores[2]! ? [1, 2, 0] : [2, 1, 0])
})
