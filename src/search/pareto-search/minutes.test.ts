/** A search that minutes bound: it begins with quantization alone, and gives layers their bits. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import { type Compressed, type CompressOptions, compress } from '../compress.js'

// Everything is twice as fast as the original: no noise decides what may be handed back.
vi.mock('../../engine/timing.js', async (original) => ({
  ...(await original<typeof import('../../engine/timing.js')>()),
  ratio: () => ({ ratio: 0.5, low: 0.49, high: 0.51 }),
}))

// Time goes by with each answer that is written down, so that a busy machine gets as far as a quiet one.
vi.mock('../journal.js', async (original) => {
  const real = await original<typeof import('../journal.js')>()
  const openJournal: typeof real.openJournal = async (path, identity, resume) => {
    let answers = 0
    const journal = await real.openJournal(path, identity, resume, () => answers * SECONDS_AN_ANSWER)
    const record: typeof journal.record = (key, value) => {
      answers++
      return journal.record(key, value)
    }
    return { ...journal, record }
  }
  return { ...real, openJournal }
})
const SECONDS_AN_ANSWER = 0.1

const GIVEN = {
  samples: rowSamples(60),
  maxDrop: 0.1,
  for: 'size',
  threads: 1,
  rounds: 3,
  budgetMs: 5,
} as const satisfies CompressOptions

let folder: string
let alone: Compressed
let all: Compressed
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-minutes-'))
  alone = await compress(spareModel(), GIVEN)
  all = await compress(spareModel(), { ...GIVEN, minutes: 0.25, recover: 0.3, runFolder: folder })
}, 120_000)
afterAll(() => rm(folder, { recursive: true }))

const chosenOf = ({ outcome }: Compressed) => outcome.trials.find((t) => t.trial.id === outcome.chosen)!

test('has all that quantization alone has, and ends with no more bytes', () => {
  const names = all.outcome.trials.map((t) => t.trial.name)
  for (const { trial } of alone.outcome.trials) expect(names).toContain(trial.name)
  expect(chosenOf(all).bytes).toBeLessThanOrEqual(chosenOf(alone).bytes!)
})

test('gives the layers of the whole network their bits', () => {
  const mixed = all.outcome.trials.find((t) => /^mixed precision.*, gptq$/.test(t.trial.name))!
  expect(mixed.trial.steps.every((s) => s.transform.startsWith('store/'))).toBe(true)
  expect(mixed.keeps).toBe(true)
})

test('goes on after its end without asking anything anew', async () => {
  const again = await compress(spareModel(), { ...GIVEN, minutes: 0.25, recover: 0.3, runFolder: folder, resume: true })
  expect(again.outcome.trials).toEqual(all.outcome.trials)
  expect(again.bytes).toEqual(all.bytes)
})
