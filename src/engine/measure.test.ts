import { expect, test } from 'vitest'
import { timeCalls } from './measure.js'

/** Keeps the processor busy for so long. */
function work(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('two calls of one length are read in equally many repeats, though the first was cold', async () => {
  const counts = [0, 0]
  const call = (i: number) => async () => {
    counts[i]!++
    work(counts[0]! + counts[1]! <= 20 ? 0.4 : 0.05)
  }
  const runs = await timeCalls([call(0), call(1)], { rounds: 20, budgetMs: 60_000 }, async () => {})
  expect(runs.map((r) => r.length)).toEqual([20, 20])
  // An interruption may lengthen a warm-up call and save the batch of 16 that measures a short one.
  expect(Math.abs(counts[0]! - counts[1]!)).toBeLessThanOrEqual(2 * 16)
  expect(counts[0]).toBeGreaterThan(20 * 10)
})

test('a call that is much longer than its neighbour is not repeated for its sake', async () => {
  const counts = [0, 0]
  const call = (i: number, ms: number) => async () => {
    counts[i]!++
    work(ms)
  }
  await timeCalls([call(0, 0.05), call(1, 60)], { rounds: 5, budgetMs: 0, warmup: 2 }, async () => {})
  expect(counts[1]).toBeLessThanOrEqual(2 + 1 + 5)
  expect(counts[0]).toBeGreaterThan(5 * 10)
})
