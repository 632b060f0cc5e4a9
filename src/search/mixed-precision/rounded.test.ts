import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../../test/search-models.js'
import { buildCandidate, judged } from '../evaluate.js'
import { layersOf } from '../layers.js'
import { openSetup, type Setup } from '../setup.js'
import { formsFor, mixedPrecision } from './mixed-precision.js'
import { type RoundedOptions, roundedMixed } from './rounded.js'

let folder: string
let setup: Setup
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-rounded-'))
  setup = await openSetup(fragileModel(), { samples: rowSamples(120), threads: 1, maxDrop: 0.05 }, folder)
})
afterAll(async () => {
  await setup?.close()
  await rm(folder, { recursive: true })
})

const asked = new Map<string, unknown>()
const remember: RoundedOptions['remember'] = async (key, make) => {
  if (!asked.has(key)) asked.set(key, await make())
  return asked.get(key) as Awaited<ReturnType<typeof make>>
}
const options = (): RoundedOptions => ({ layers: layersOf(setup.prepared), rounding: 'gptq', remember })

test('keeps the budget in fewer bytes than rounding to the nearest', async () => {
  const mixed = (await roundedMixed(setup, options()))!
  const bytes = await buildCandidate(setup, mixed.steps)
  expect((await judged(setup, bytes))!.drop).toBeLessThanOrEqual(setup.maxDrop)
  const nearest = (await mixedPrecision(setup, {
    forms: formsFor(setup),
    layers: layersOf(setup.prepared),
    cost: (b) => b.byteLength,
    goal: 'quality',
    remember,
  }))!
  expect(bytes.byteLength).toBeLessThan((await buildCandidate(setup, nearest.steps)).byteLength)
})

test('asks each layer about one width, and the same of it as mixed precision that rounds to the nearest does', async () => {
  await roundedMixed(setup, options())
  const forms = [...asked.keys()].filter((key) => key.startsWith('form '))
  expect(forms).toHaveLength(formsFor(setup).length * layersOf(setup.prepared).length)
})

test('hands back nothing where time is up', async () => {
  expect(await roundedMixed(setup, { ...options(), isOver: () => true })).toBe(null)
})
