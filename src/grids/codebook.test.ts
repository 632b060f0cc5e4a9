import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { codebookOf } from './codebook.js'

const errorOf = (values: readonly number[], entries: readonly number[], importance = values.map(() => 1)): number =>
  values.reduce((sum, v, i) => sum + importance[i]! * Math.min(...entries.map((e) => (v - e) ** 2)), 0)

/** The least error over all ways to part sorted values into runs, each at its mean. */
function leastError(values: readonly number[], importance: readonly number[], k: number): number {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const runError = (from: number, to: number): number => {
    const run = order.slice(from, to)
    const total = run.reduce((n, i) => n + importance[i]!, 0)
    const mean = run.reduce((n, i) => n + importance[i]! * values[i]!, 0) / total
    return run.reduce((n, i) => n + importance[i]! * (values[i]! - mean) ** 2, 0)
  }
  const best = (from: number, left: number): number => {
    if (from === values.length) return 0
    if (left === 1) return runError(from, values.length)
    let least = Number.POSITIVE_INFINITY
    for (let to = from + 1; to <= values.length; to++) least = Math.min(least, runError(from, to) + best(to, left - 1))
    return least
  }
  return best(0, k)
}

const value = fc.double({ min: -4, max: 4, noNaN: true }).map(Math.fround)

describe('a codebook', () => {
  test('has the least error of all, with and without importance', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, fc.double({ min: 0.1, max: 9, noNaN: true })), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 4 }),
        (pairs, size) => {
          const [values, importance] = [pairs.map(([v]) => v), pairs.map(([, w]) => w)]
          for (const weights of [values.map(() => 1), importance]) {
            const { codebook } = codebookOf(values, { size, importance: weights })
            expect(codebook.length).toBeLessThanOrEqual(size)
            const least = leastError(values, weights, size)
            expect(errorOf(values, [...codebook], weights)).toBeLessThanOrEqual(least * (1 + 1e-6) + 1e-10)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('is given with the nearest entry of each value', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (values, size) => {
        const { codebook, indices } = codebookOf(values, { size })
        for (const [i, v] of values.entries()) {
          const nearest = Math.min(...codebook.map((e) => Math.abs(v - e)))
          expect(Math.abs(v - codebook[indices[i]!]!)).toBeLessThanOrEqual(nearest + 1e-7)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('keeps zeros, and nothing else, at zero', () => {
    const { normal } = random(1)
    const values = Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? 0 : normal()))
    const { codebook, indices } = codebookOf(values, { size: 4, keepZero: true })
    expect(codebook[0]).toBe(0)
    expect(codebook).toHaveLength(4)
    for (const [i, v] of values.entries()) expect(indices[i] === 0).toBe(v === 0)
  })

  test('of values that are as few as its entries loses nothing', () => {
    const few = [0.5, -1.25, 3, 0, 0.5, 3, -1.25]
    for (const keepZero of [false, true]) {
      const { codebook, indices } = codebookOf(few, { size: 4, keepZero })
      expect([...indices].map((i) => codebook[i])).toEqual(few)
    }
  })

  test.each([
    ['on one side', [50]],
    ['on both sides', [-1000, 1000]],
    ['of another order', [1e7]],
    ['far below', [-1e7]],
  ])('spends its entries on the many values, not on few that are far: %s', (_, far) => {
    const { normal } = random(3)
    const near = Array.from({ length: 6000 }, () => Math.fround(normal()))
    for (const size of [32, 256]) {
      const { codebook, indices } = codebookOf([...near, ...far], { size })
      expect(codebook).toHaveLength(size)
      expect(codebook.every(Number.isFinite)).toBe(true)
      expect(new Set(indices).size).toBe(size)
      // What is left to the others: the far ones take an entry each.
      const alone = errorOf(near, [...codebookOf(near, { size: size - far.length }).codebook])
      expect(errorOf([...near, ...far], [...codebook])).toBeLessThanOrEqual(alone * 1.02)
    }
  })

  test('of more values than are looked at one by one is as good as Lloyd’s iteration from many starts', () => {
    const r = random(2)
    const values = Float32Array.from({ length: 20_000 }, () => r.normal() ** 3)
    const own = errorOf([...values], [...codebookOf(values, { size: 8 }).codebook])
    for (let start = 0; start < 3; start++) {
      let entries = Array.from({ length: 8 }, () => values[r.integer(values.length)]!)
      for (let round = 0; round < 60; round++) {
        const sums = entries.map(() => [0, 0] as [number, number])
        for (const v of values) {
          let best = 0
          for (let e = 1; e < 8; e++) if (Math.abs(v - entries[e]!) < Math.abs(v - entries[best]!)) best = e
          sums[best]![0] += v
          sums[best]![1]++
        }
        entries = entries.map((e, i) => (sums[i]![1] === 0 ? e : sums[i]![0] / sums[i]![1]))
      }
      expect(own).toBeLessThanOrEqual(errorOf([...values], entries) * (1 + 1e-4))
    }
  })
})
