import fc from 'fast-check'
import { expect, test } from 'vitest'
import { paretoFront } from './pareto.js'

/** No worse anywhere and better somewhere. */
const beats = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((v, i) => v <= b[i]!) && a.some((v, i) => v < b[i]!)

const points = fc
  .integer({ min: 1, max: 4 })
  .chain((n) => fc.array(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: n, maxLength: n }), { maxLength: 30 }))

test('keeps no point that another beats, and drops only such', () => {
  fc.assert(
    fc.property(points, (list) => {
      const items = list.map((at, i) => ({ i, at }))
      const front = new Set(paretoFront(items, (p) => p.at))
      for (const item of items) expect(front.has(item)).toBe(!items.some((other) => beats(other.at, item.at)))
    }),
  )
})

test('keeps the order, equal points and at least one of any', () => {
  fc.assert(
    fc.property(points, (list) => {
      const items = list.map((at, i) => ({ i, at }))
      const front = paretoFront(items, (p) => p.at).map((p) => p.i)
      expect(front).toEqual([...front].sort((a, b) => a - b))
      if (items.length > 0) expect(front.length).toBeGreaterThan(0)
    }),
  )
  expect(
    paretoFront(
      [
        [1, 2],
        [1, 2],
        [2, 1],
        [2, 2],
      ],
      (p) => p,
    ),
  ).toEqual([
    [1, 2],
    [1, 2],
    [2, 1],
  ])
})
