/** A search of every lever that goes on: what its journal holds stands, whatever the limits are by then. */

import { readFileSync, writeFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import { TRANSFORMS } from '../../compress/index.js'
import { type Compressed, type CompressOptions, compress } from '../compress.js'
import type { Outcome } from '../outcome.js'
import { stageOf } from './space.js'

// Everything is twice as fast as the original: no noise decides what is promoted, or handed back.
vi.mock('../../engine/timing.js', async (original) => ({
  ...(await original<typeof import('../../engine/timing.js')>()),
  ratio: () => ({ ratio: 0.5, low: 0.49, high: 0.51 }),
}))

interface Line {
  readonly key: string
  readonly value: unknown
  readonly at: number
}

const HOUR = 3600
/** What nothing but making a candidate applies. */
const LAST = TRANSFORMS.filter((t) => ['quantize', 'store'].includes(stageOf(t.id)!))
let base: string
let run: string
let first: Compressed
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pare-levers-'))
  run = join(base, 'first')
  first = await searched({ minutes: 60, trials: 14 })
}, 120_000)
afterAll(() => rm(base, { recursive: true }))
beforeEach(async () => {
  run = await mkdtemp(join(base, 'run-'))
  await cp(join(base, 'first', 'journal.jsonl'), join(run, 'journal.jsonl'))
})
afterEach(() => vi.restoreAllMocks())

const searched = (options: CompressOptions): Promise<Compressed> =>
  compress(spareModel(), {
    samples: rowSamples(40),
    maxDrop: 1,
    for: 'size',
    threads: 1,
    rounds: 3,
    budgetMs: 5,
    recover: 0.05,
    seed: 4,
    runFolder: run,
    ...options,
  })

const lines = (): readonly Line[] =>
  readFileSync(join(run, 'journal.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const write = (all: readonly Line[]): void =>
  writeFileSync(join(run, 'journal.jsonl'), all.map((line) => `${JSON.stringify(line)}\n`).join(''))
const idsOf = ({ trials }: Outcome): readonly string[] => trials.map((t) => t.trial.id)
const unfinished = (): readonly Line[] => lines().filter((line) => line.key !== 'finished')
/** The same, but the time of the search was over with the last of them. */
const late = (all: readonly Line[]): readonly Line[] => [...all.slice(0, -1), { ...all.at(-1)!, at: HOUR + 1 }]

test('killed at its end, when its time is over, gives the same front', async () => {
  write(late(unfinished()))
  const { outcome } = await searched({ minutes: 60, trials: 14, resume: true })
  expect([outcome.trials, outcome.front, outcome.chosen]).toEqual([
    first.outcome.trials,
    first.outcome.front,
    first.outcome.chosen,
  ])
  expect(outcome.search!.drawn).toBe(14)
})

test('draws no more than its time let it answer', async () => {
  const screened = lines().findIndex((line) => line.key.startsWith('screen 0'))
  write(late(lines().slice(0, screened + 5)))
  const { outcome } = await searched({ minutes: 60, trials: 14, resume: true })
  expect(outcome.search!.drawn).toBe(5)
  expect(lines().filter((line) => /^(screen|trial) /.test(line.key))).toHaveLength(5)
})

test('given more trials, keeps those that were measured', async () => {
  const { outcome } = await searched({ trials: 24, resume: true })
  expect(outcome.search!.drawn).toBe(24)
  expect(idsOf(outcome)).toEqual(expect.arrayContaining([...idsOf(first.outcome)]))
  // A bracket that a limit cut short has not grown: each of the brackets, of 12, 2 and 10, promotes its own third.
  expect(outcome.search!.screened.filter((s) => s.rung === 1)).toHaveLength(4 + 1 + 4)
})

test('given more time and killed, is not given it again', async () => {
  const end = lines().at(-1)!
  const limit = { key: 'limit', value: { seconds: end.at + 1, trials: null, more: 1 / 60 }, at: end.at }
  write([...lines(), limit, { key: 'memory of nothing', value: 1, at: end.at + 2 }])
  const { outcome } = await searched({ more: 1 / 60 })
  expect(outcome.search!.drawn).toBe(14)
  expect(lines().filter((line) => line.key === 'limit')).toHaveLength(2)
  // Now it came to its end: what is asked for is more.
  await searched({ more: 1 / 60 })
  expect(lines().filter((line) => line.key === 'limit')).toHaveLength(3)
})

test('asked again, makes nothing but what it hands back', async () => {
  const spies = LAST.map((t) => vi.spyOn(t, 'apply'))
  const again = await searched({ minutes: 60, trials: 14, resume: true })
  expect(again.bytes).toEqual(first.bytes)
  const chosen = first.outcome.trials.find((t) => t.trial.id === first.outcome.chosen)!
  expect(first.outcome.trials.filter((t) => t.keeps).length).toBeGreaterThan(1)
  const made = spies.reduce((n, spy) => n + spy.mock.calls.length, 0)
  // A step that finds nothing to do is passed over.
  expect(made).toBeGreaterThan(0)
  expect(made).toBeLessThanOrEqual(chosen.trial.steps.filter((s) => LAST.some((t) => t.id === s.transform)).length)
})

test('what cannot be made again is measured anew', async () => {
  const { sha256 } = first.outcome.trials.find((t) => t.trial.id === first.outcome.chosen)!
  const other = 'f'.repeat(64)
  write(JSON.parse(JSON.stringify(lines()).replaceAll(sha256!, other)))
  const { outcome, bytes } = await searched({ minutes: 60, trials: 14, resume: true })
  expect(bytes).not.toBe(null)
  expect(outcome.trials.some((t) => t.sha256 === sha256)).toBe(true)
  expect(outcome.trials.find((t) => t.trial.id === outcome.chosen)!.sha256).not.toBe(other)
})
