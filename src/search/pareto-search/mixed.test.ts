import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import { buildCandidate } from '../evaluate.js'
import { type Journal, openJournal } from '../journal.js'
import { openSetup, type Setup } from '../setup.js'
import type { Step, TrialResult } from '../trial.js'
import { baseOf, mixedOver, nextBase } from './mixed.js'

let folder: string
let setup: Setup
let journal: Journal
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-mixed-over-'))
  setup = await openSetup(spareModel(), { samples: rowSamples(120), threads: 1, maxDrop: 0.5 }, folder)
  journal = await openJournal(join(folder, 'journal.jsonl'), {}, false)
})
afterAll(async () => {
  await setup?.close()
  await rm(folder, { recursive: true })
})

const BASE: readonly Step[] = [
  { transform: 'prune/channels', params: { ratio: 0.25 } },
  { transform: 'recover/distill', params: { steps: 60 } },
]

test('layers of what was cut and recovered get their bits; what was begun comes to the same file as the whole recipe', async () => {
  const mixed = (await mixedOver({ setup, journal }, baseOf(setup, BASE), () => false))!
  expect(mixed.steps.slice(0, 2)).toEqual(BASE)
  expect(mixed.steps.slice(2).every((s) => s.transform.startsWith('store/'))).toBe(true)
  expect(mixed.begun!.losses.length).toBeGreaterThan(0)
  const losses: number[] = []
  const env = { ...setup.env, onRecovered: (curve: readonly number[]) => losses.push(...curve) }
  const begun = await buildCandidate({ ...setup, env, begun: mixed.begun! }, mixed.steps)
  expect(losses).toEqual(mixed.begun!.losses)
  expect(begun).toEqual(await buildCandidate(setup, mixed.steps))
})

test('what the journal knows is not asked again, even where time is up', async () => {
  const { begun, ...known } = (await mixedOver({ setup, journal }, baseOf(setup, BASE), () => true))!
  expect(begun).toBe(undefined)
  expect(known.steps.slice(0, 2)).toEqual(BASE)
  expect(await mixedOver({ setup, journal }, baseOf(setup, BASE.slice(0, 1)), () => true)).toBe(null)
})

test('with rounding that is learned bits are chosen for a larger loss, each layer for the store that takes it', async () => {
  const over = baseOf(setup, BASE)
  const plain = (await mixedOver({ setup, journal }, over, () => false))!
  const learned = (await mixedOver({ setup, journal }, over, () => false, { slack: 1.5, params: { steps: 20 } }))!
  const [rounding, ...stores] = learned.steps.slice(BASE.length)
  expect(rounding).toMatchObject({ transform: 'recover/round', params: { steps: 20, width: 'none' } })
  expect(stores.every((s) => s.transform.startsWith('store/'))).toBe(true)
  for (const { transform, params } of stores.slice(0, -1)) {
    const own = (rounding!.params[transform.replace('store/', '')] ?? []) as readonly string[]
    for (const node of own) expect(params.exclude).not.toContain(node)
  }
  const bytes = async (steps: readonly Step[]) => (await buildCandidate(setup, steps)).byteLength
  expect(await bytes(learned.steps)).toBeLessThanOrEqual(await bytes(plain.steps))
})

const STORE: Step = { transform: 'store/int4', params: {} }
const result = (bytes: number, drop: number, steps: readonly Step[]): TrialResult => ({
  trial: { id: `${bytes}`, name: '', model: '', seed: 0, steps },
  status: 'ok',
  sha256: `${bytes}`,
  bytes,
  latency: { p50: 1, p95: 1, ratio: 1, interval: [1, 1] },
  quality: { value: drop, drop, outputs: [] },
  seconds: 0,
})

test('the next base is that of the smallest result near the budget that is not known yet', () => {
  const goal = { originalBytes: 100, maxDrop: 0.01, limits: {} }
  const [cut] = BASE as [Step]
  const results = [result(20, 0.1, [cut, STORE]), result(30, 0.015, [...BASE, STORE]), result(40, 0, [STORE])]
  expect(nextBase(goal, results, new Set())).toEqual(BASE)
  expect(nextBase(goal, results, new Set([JSON.stringify(BASE)]))).toEqual([])
  expect(nextBase(goal, results, new Set(['[]', JSON.stringify(BASE)]))).toBe(null)
  // Rounding is no step in float.
  const rounded: readonly Step[] = [
    cut,
    { transform: 'recover/distill', params: { steps: 60, grid: 'store-int4' } },
    { transform: 'recover/round', params: { width: 'int4' } },
    STORE,
  ]
  expect(nextBase(goal, [result(10, 0, rounded)], new Set())).toEqual(BASE.map((s, i) => (i === 0 ? cut : s)))
})
