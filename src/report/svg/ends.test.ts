import fc from 'fast-check'
import { expect, test } from 'vitest'
import { spread } from './ends.js'

const places = fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 12 })

test('names keep apart and inside, and stay where nothing is in the way', () => {
  fc.assert(
    fc.property(places, (list) => {
      const wanted = list.toSorted((a, b) => a - b)
      const found = spread(wanted, 16, [0, 300])
      for (const [i, place] of found.entries()) {
        expect(place).toBeGreaterThanOrEqual(0)
        expect(place).toBeLessThanOrEqual(300 + 1e-9)
        if (i > 0) expect(place - found[i - 1]!).toBeGreaterThanOrEqual(16 - 1e-9)
      }
    }),
  )
  expect(spread([10, 50, 90], 16, [0, 100])).toEqual([10, 50, 90])
})

test('names move as little as possible', () => {
  // Three at one place part to both sides of it.
  expect(spread([50, 50, 50], 16, [0, 100])).toEqual([34, 50, 66])
  expect(spread([98, 98], 16, [0, 100])).toEqual([84, 100])
  fc.assert(
    fc.property(places, fc.integer({ min: 0, max: 11 }), fc.constantFrom(-1, 1), (list, at, move) => {
      const wanted = list.toSorted((a, b) => a - b)
      const cost = (p: readonly number[]): number => p.reduce((sum, v, i) => sum + (v - wanted[i]!) ** 2, 0)
      const found = spread(wanted, 16, [0, 300])
      // No one of them, moved alone, is nearer without touching another or the edge.
      const other = found.map((v, i) => (i === at ? v + move * 0.01 : v))
      const isAllowed = other.every((v, i) => v >= 0 && v <= 300 && (i === 0 || v - other[i - 1]! >= 16))
      if (isAllowed) expect(cost(other)).toBeGreaterThanOrEqual(cost(found) - 1e-9)
    }),
  )
})
