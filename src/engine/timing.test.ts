import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { ratio, summary } from './timing.js'

test('a summary interpolates between readings', () => {
  expect(summary([4, 1, 3, 2, 5])).toEqual({ p50: 3, p95: 4.8, mean: 3, min: 1 })
  expect(summary([7])).toEqual({ p50: 7, p95: 7, mean: 7, min: 7 })
  expect(() => summary([])).toThrow(/no readings/)
})

/** Readings of two models that drift together: the clock halves its rate on the way, a tenth of them is disturbed. */
function drifting(rounds: number, factor: number, seed: number) {
  const { normal, uniform } = random(seed)
  const drift = Array.from({ length: rounds }, (_, i) => 1 + i / rounds)
  const noise = () => Math.exp(normal(0, 0.03)) * (uniform() < 0.1 ? 3 : 1)
  return [drift.map((d) => d * noise()), drift.map((d) => d * factor * noise())] as const
}

test('a ratio is found through drift and outliers', () => {
  const [a, b] = drifting(60, 0.8, 1)
  const r = ratio(a, b)
  expect(r.verdict).toBe('faster')
  expect(r.ratio).toBeCloseTo(0.8, 1)
  expect(r.low).toBeLessThan(r.ratio)
  expect(r.high).toBeGreaterThan(r.ratio)
  expect(ratio(b, a).verdict).toBe('slower')
  expect(ratio(a, b)).toEqual(r)
  expect(ratio(a, b, { seed: 2 })).not.toEqual(r)
})

test('the interval holds the true ratio, and equal models are the same, in at least nine of ten trials', () => {
  let inside = 0
  let same = 0
  for (let seed = 0; seed < 40; seed++) {
    const [a, b] = drifting(40, 1.1, seed)
    const { low, high } = ratio(a, b)
    if (low <= 1.1 && 1.1 <= high) inside++
    const [c, d] = drifting(40, 1, 1000 + seed)
    if (ratio(c, d).verdict === 'same') same++
  }
  expect(inside).toBeGreaterThanOrEqual(36)
  expect(same).toBeGreaterThanOrEqual(36)
})

test('a difference within the margin is no difference', () => {
  const a = Array.from({ length: 50 }, () => 1)
  const b = a.map(() => 1.015)
  expect(ratio(a, b).verdict).toBe('same')
  expect(ratio(a, b, { margin: 0.01 }).verdict).toBe('slower')
  expect(() => ratio([], [])).toThrow(/no readings/)
})
