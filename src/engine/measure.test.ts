import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { timeCalls } from './measure.js'
import { ratio } from './timing.js'

/** Calls that take as long as `ms` says on a clock that only they move, so that no other work on the machine counts. */
function onOwnClock(...ms: readonly ((call: number) => number)[]) {
  let time = 0
  const counts = ms.map(() => 0)
  const calls = ms.map((length, i) => async () => {
    time += length(counts[i]!++)
  })
  return { calls, counts, now: () => time }
}

const time = ({ calls, now }: ReturnType<typeof onOwnClock>, options: Parameters<typeof timeCalls>[1]) =>
  timeCalls(calls, options, async () => {}, now)

test('each reading is the time of one call', async () => {
  const own = onOwnClock(
    () => 2,
    () => 7,
  )
  expect(await time(own, { rounds: 6 })).toEqual([Array(6).fill(2), Array(6).fill(7)])
})

test('a call shorter than the clock shows is read in many repeats', async () => {
  const own = onOwnClock(() => 0.01)
  const [runs] = await time(own, { rounds: 20 })
  for (const ms of runs!) expect(ms).toBeCloseTo(0.01, 6)
  expect(own.counts[0]).toBeGreaterThanOrEqual(20 * 100)
})

test('two calls of one length are read in equally many repeats, though the first was cold', async () => {
  const cold = (call: number) => (call < 10 ? 0.4 : 0.05)
  const own = onOwnClock(cold, () => 0.05)
  const runs = await time(own, { rounds: 20, budgetMs: 60_000 })
  expect(runs.map((r) => r.length)).toEqual([20, 20])
  expect(own.counts[0]).toBe(own.counts[1])
  expect(own.counts[0]).toBeGreaterThan(20 * 10)
})

test('a call that is much longer than its neighbour is not repeated for its sake', async () => {
  const own = onOwnClock(
    () => 0.05,
    () => 60,
  )
  await time(own, { rounds: 5, budgetMs: 0, warmup: 2 })
  expect(own.counts[1]).toBe(2 + 1 + 5)
  expect(own.counts[0]).toBeGreaterThan(5 * 10)
})

test('the budget ends the rounds, but five are read', async () => {
  const rounds = async (budgetMs: number) =>
    (
      await time(
        onOwnClock(() => 10),
        { rounds: 1e6, budgetMs },
      )
    )[0]!.length
  expect(await rounds(0)).toBe(5)
  // Four warm-up calls come before the first round.
  expect(await rounds(200)).toBe(17)
})

/** Readings that go up and down by a tenth, of calls `factor` times as long as the first. */
const rough = (factor: number, ms = 300) => {
  const { normal } = random(5)
  return onOwnClock(
    () => ms * Math.exp(normal(0, 0.1)),
    () => factor * ms * Math.exp(normal(0, 0.1)),
  )
}

test('with patience, rounds go on while the calls are not told apart, up to a limit', async () => {
  const options = { rounds: 60, budgetMs: 3000 }
  const usual = await time(rough(1.1), options)
  expect(usual[0]!.length).toBeLessThan(7)
  const patient = await time(rough(1.1), { ...options, patience: 20 })
  expect(patient[0]!.length).toBeGreaterThan(2 * usual[0]!.length)
  expect(ratio(patient[0]!, patient[1]!).verdict).toBe('slower')
  const alike = await time(rough(1), { ...options, patience: 20 })
  // 60 s of rounds of 600 ms.
  expect(alike[0]!.length).toBeGreaterThan(90)
  expect(alike[0]!.length).toBeLessThan(110)
})

test('patience is not called for where the usual rounds tell', async () => {
  const options = { rounds: 60, budgetMs: 3000, patience: 20 }
  expect((await time(rough(3), options))[0]!.length).toBeLessThan(10)
  const even = onOwnClock(
    () => 2,
    () => 2,
  )
  expect((await time(even, options))[0]).toHaveLength(60)
})
