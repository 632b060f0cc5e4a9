import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { spareModel } from '../../test/prunable.js'
import { fragileModel, rowSamples } from '../../test/search-models.js'
import { sha256 } from '../util/hash.js'
import { applyRecipe } from './apply.js'
import { makeTrial, runTrial } from './evaluate.js'
import { parseRecipe, recipeOf, recipeText } from './recipe-file.js'
import { openSetup } from './setup.js'
import type { Step } from './trial.js'

const sound = { version: 1, steps: [{ transform: 'store/int8', params: { minElements: 64 } }], seed: 3 }

test('what is written is read again', () => {
  const trial = { id: 'a', name: 'b', model: 'c', seed: 7, steps: [{ transform: 'store/f16', params: {} }] }
  const plain = recipeOf(trial, { portable: false, shapes: {} })
  expect(plain).toEqual({ version: 1, steps: trial.steps, seed: 7 })
  for (const recipe of [plain, recipeOf(trial, { portable: true, shapes: { batch: 2, x: [1, 64] }, samples: true })])
    expect(parseRecipe(recipeText(recipe), 'file')).toEqual(recipe)
})

test.each<readonly [string, unknown, string, string]>([
  ['another version', { ...sound, version: 2 }, 'RECIPE_VERSION', 'r.json: version'],
  ['no steps', { version: 1, seed: 0 }, 'RECIPE_FORM', 'r.json: steps'],
  ['a seed that is no whole number', { ...sound, seed: 0.5 }, 'RECIPE_FORM', 'r.json: seed'],
  ['an entry of another name', { ...sound, sed: 1 }, 'RECIPE_FORM', 'r.json: sed'],
  ['a shape that is none', { ...sound, shapes: { x: null } }, 'RECIPE_FORM', 'r.json: shapes.x'],
  ['a shape of texts and nothing', { ...sound, shapes: { x: ['a', null] } }, 'RECIPE_FORM', 'r.json: shapes.x'],
  ['samples that are not there', { ...sound, samples: false }, 'RECIPE_FORM', 'r.json: samples'],
  ['a list', [], 'RECIPE_FORM', 'r.json'],
  ['a step that is a text', { ...sound, steps: ['store/int8'] }, 'RECIPE_FORM', 'r.json: steps[0]'],
  ['a step with more', { ...sound, steps: [{ transform: 'store/int8', x: 1 }] }, 'RECIPE_FORM', 'r.json: steps[0].x'],
  [
    'an unknown transform',
    { ...sound, steps: [...sound.steps, { transform: 'store/int7', params: {} }] },
    'TRANSFORM_UNKNOWN',
    'r.json: steps[1]',
  ],
  [
    'an unknown parameter',
    { ...sound, steps: [{ transform: 'store/int8', params: { bits: 3 } }] },
    'PARAM_INVALID',
    'r.json: steps[0], store/int8: bits',
  ],
  [
    'a parameter out of range',
    { ...sound, steps: [{ transform: 'recover/distill', params: { steps: 1.5 } }] },
    'PARAM_INVALID',
    'r.json: steps[0], recover/distill: steps',
  ],
])('%s is refused with its place', (_, given, code, where) => {
  expect(() => parseRecipe(JSON.stringify(given), 'r.json')).toThrow(
    expect.objectContaining({ code, detail: expect.objectContaining({ where }) }),
  )
})

test('what is no JSON is refused', () => {
  expect(() => parseRecipe('{', 'r.json')).toThrow(expect.objectContaining({ code: 'RECIPE_JSON' }))
})

test('a recipe makes the bytes again that a search measured', async () => {
  const model = spareModel()
  const samples = rowSamples(40)
  const recipes: readonly (readonly Step[])[] = [
    [],
    [
      { transform: 'quantize/static', params: { range: 'entropy' } },
      { transform: 'store/int8', params: {} },
    ],
    [{ transform: 'quantize/nbits', params: {} }],
  ]
  const folder = await mkdtemp(join(tmpdir(), 'pare-recipe-'))
  const setup = await openSetup(model, { samples, threads: 1, rounds: 2, budgetMs: 1, seed: 5 }, folder)
  try {
    for (const steps of recipes) {
      const { trial, sha256: hash, error } = await runTrial(setup, await makeTrial(setup, '', steps))
      expect(error).toBe(undefined)
      const { bytes } = await applyRecipe(model, recipeOf(trial, {}), { samples, threads: 1 })
      expect(await sha256(bytes), JSON.stringify(steps)).toBe(hash)
    }
  } finally {
    await setup.close()
    await rm(folder, { recursive: true })
  }
})

test('steps that find nothing to do are told, and samples that are missing', async () => {
  const model = fragileModel()
  const steps = ['store/f16', 'store/int8', 'store/ternary'].map((transform) => ({ transform, params: {} }))
  const applied = await applyRecipe(model, { version: 1, steps, seed: 0 }, { threads: 1 })
  expect(applied.steps.map((s) => s.refusal === undefined)).toEqual([true, true, false])
  const needy = { version: 1, steps: [{ transform: 'quantize/static', params: {} }], seed: 0 } as const
  await expect(applyRecipe(model, needy, { threads: 1 })).rejects.toMatchObject({ code: 'RECIPE_SAMPLES' })
  // Passed over without samples, it would leave another model than the search found.
  const found = recipeOf(
    { id: '', name: '', model: '', seed: 0, steps: [{ transform: 'sparsify/wanda', params: {} }] },
    { samples: true },
  )
  await expect(applyRecipe(model, found, { threads: 1 })).rejects.toMatchObject({ code: 'RECIPE_SAMPLES' })
})
