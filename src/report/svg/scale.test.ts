import fc from 'fast-check'
import { expect, test } from 'vitest'
import { innerLogScale, linearScale, logScale, niceTicks, paddedScale } from './scale.js'

test('ticks are round and cover the range', () => {
  expect(niceTicks(0, 1.31, 5)).toEqual([0, 0.5, 1, 1.5])
  expect(niceTicks(0, 1_047_549, 6)).toEqual([0, 2e5, 4e5, 6e5, 8e5, 1e6, 1.2e6])
  expect(niceTicks(-3, 7, 5)).toEqual([-4, -2, 0, 2, 4, 6, 8])
  expect(niceTicks(0, 0, 5).length).toBeGreaterThan(1)
  expect(logScale([0.001, 1], [0, 1], 4).ticks).toEqual([0.001, 0.01, 0.1, 1])
  expect(logScale([30, 160], [0, 1], 6).ticks).toEqual([20, 50, 100, 200])
})

test('every value of the range lands inside the pixels, in order', () => {
  const value = fc.double({ min: 1e-6, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(value, value, fc.integer({ min: 2, max: 9 }), (a, b, wanted) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)]
      for (const scale of [linearScale([low, high], [10, 110], wanted), logScale([low, high], [10, 110], wanted)]) {
        const [p, q] = [scale.at(low), scale.at(high)]
        expect(p).toBeGreaterThanOrEqual(10 - 1e-6)
        expect(q).toBeLessThanOrEqual(110 + 1e-6)
        expect(p).toBeLessThanOrEqual(q)
        expect(scale.ticks.length).toBeLessThanOrEqual(2 * wanted + 3)
      }
    }),
  )
})

test('scales that keep their domain have ticks inside it', () => {
  const pixels = [0, 100] as const
  expect(innerLogScale([8e-5, 0.8], pixels, 6).ticks).toEqual([1e-4, 1e-3, 1e-2, 1e-1])
  expect(innerLogScale([0.03, 3], pixels, 7).ticks).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2])
  expect(innerLogScale([3.1, 4.2], pixels, 4).ticks).toEqual([3.5, 4])
  expect(innerLogScale([0.7, 0.7], pixels).ticks).toEqual([0.7])
  expect(innerLogScale([0.7, 0.7], pixels).at(0.7)).toBeCloseTo(50)
  expect(innerLogScale([1, 100], [100, 0]).at(10)).toBeCloseTo(50)
  expect(paddedScale([0, 10], pixels).at(5)).toBeCloseTo(50)
  expect(paddedScale([7, 7], pixels).at(7)).toBeCloseTo(50)
  const value = fc.double({ min: 1e-6, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(value, value, fc.integer({ min: 2, max: 9 }), (a, b, wanted) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)]
      for (const scale of [innerLogScale([low, high], pixels, wanted), paddedScale([low, high], pixels, wanted)]) {
        expect(scale.ticks.length).toBeGreaterThan(0)
        expect(scale.ticks.length).toBeLessThanOrEqual(wanted + 4)
        for (const v of [low, high, ...scale.ticks]) {
          expect(scale.at(v)).toBeGreaterThanOrEqual(-1e-6)
          expect(scale.at(v)).toBeLessThanOrEqual(100 + 1e-6)
        }
      }
    }),
  )
})
