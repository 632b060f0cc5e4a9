import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fragileModel, rowSamples } from '../../../test/search-models.js'
import { applySteps } from '../../compress/recipes.js'
import { encodeModel } from '../../onnx/codec.js'
import { judged } from '../evaluate.js'
import { layersOf } from '../layers.js'
import { openSetup, type Setup } from '../setup.js'
import type { Step } from '../trial.js'
import { formsFor, type MixedOptions, mixedPrecision } from './mixed-precision.js'

let folder: string
let setup: Setup
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-mixed-'))
  setup = await openSetup(fragileModel(), { samples: rowSamples(60), threads: 1, maxDrop: 0.12 }, folder)
})
afterAll(async () => {
  await setup?.close()
  await rm(folder, { recursive: true })
})

const asked = new Map<string, unknown>()
const options = (change: Partial<MixedOptions> = {}): MixedOptions => ({
  forms: formsFor(setup),
  layers: layersOf(setup.prepared),
  cost: (bytes) => bytes.byteLength,
  goal: 'quality',
  remember: async (key, make) => {
    if (!asked.has(key)) asked.set(key, await make())
    return asked.get(key) as Awaited<ReturnType<typeof make>>
  },
  ...change,
})

const built = async (steps: readonly Step[]) => encodeModel(await applySteps(setup.prepared, steps, setup.env)).bytes
const sizeOf = async (transform: string, params = {}) => (await built([{ transform, params }])).byteLength

describe('mixed precision', () => {
  test('has the forms that the model has something for', () => {
    const ids = formsFor(setup).map((f) => f.transform)
    expect(ids).toEqual(['quantize/nbits', 'store/int8', 'store/int4', 'store/int3', 'store/int2'])
    expect(formsFor(setup, ['store/int4']).map((f) => f.transform)).toEqual(['store/int4'])
    expect(formsFor({ ...setup, env: { ...setup.env, portable: true } }).map((f) => f.transform)).not.toContain(
      'quantize/nbits',
    )
  })

  test('keeps the budget, smaller than one form for all that keeps it', async () => {
    const mixed = (await mixedPrecision(setup, options()))!
    const bytes = await built(mixed.steps)
    expect((await judged(setup, bytes))!.drop).toBeLessThanOrEqual(setup.maxDrop)
    expect(bytes.byteLength).toBeLessThan(await sizeOf('store/int8'))
    expect(new Set(mixed.forms.values()).size).toBeGreaterThan(1)
  })

  test('comes within bytes that are asked for, with fewer moves where more bytes are allowed', async () => {
    const [coarse, fine] = [await sizeOf('store/int4', { range: 'mse' }), await sizeOf('store/int8')]
    const sizes: number[] = []
    for (const cost of [fine, (coarse + fine) / 2]) {
      const mixed = (await mixedPrecision(setup, options({ goal: { cost } })))!
      sizes.push((await built(mixed.steps)).byteLength)
      expect(sizes.at(-1)).toBeLessThanOrEqual(cost)
    }
    expect(sizes[0]).toBeGreaterThan(sizes[1]!)
    expect(await mixedPrecision(setup, options({ goal: { cost: 100 } }))).toBeNull()
  })

  test('asks each layer about each form once, and again never', async () => {
    const before = asked.size
    await mixedPrecision(setup, options())
    expect(asked.size).toBe(before)
    const forms = [...asked.keys()].filter((key) => key.startsWith('form '))
    expect(forms).toHaveLength(formsFor(setup).length * layersOf(setup.prepared).length)
  })

  test('without forms there is nothing to choose', async () => {
    expect(await mixedPrecision(setup, options({ forms: [] }))).toBeNull()
  })
})
