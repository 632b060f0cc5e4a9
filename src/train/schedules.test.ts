import { expect, test } from 'vitest'
import { milestones, type Schedule, warmUpCosine } from './schedules.js'

const over = (schedule: Schedule, total: number): readonly number[] =>
  Array.from({ length: total }, (_, step) => schedule(step, total))

test('milestones: a tenth at half of the steps, and again at three quarters', () => {
  const [first, second, third] = [
    over(milestones(), 8).slice(0, 4),
    over(milestones(), 8).slice(4, 6),
    over(milestones(), 8).slice(6),
  ]
  expect(first).toEqual([1, 1, 1, 1])
  for (const v of second!) expect(v).toBeCloseTo(0.1, 12)
  for (const v of third!) expect(v).toBeCloseTo(0.01, 12)
  expect(over(milestones({ at: [0.25], factor: 0.5 }), 4)).toEqual([1, 0.5, 0.5, 0.5])
})

test('warm-up and a cosine: up in a straight line, then down to nothing', () => {
  const rates = over(warmUpCosine(0.2), 100)
  expect(rates.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) / 20))
  expect(rates[20]).toBe(1)
  expect(rates[60]).toBeCloseTo(0.5, 12)
  expect(rates.slice(20).every((v, i, all) => i === 0 || v < all[i - 1]!)).toBe(true)
  expect(rates[99]).toBeLessThan(0.001)
  expect(over(warmUpCosine(), 3).every((v) => v > 0 && v <= 1)).toBe(true)
})
