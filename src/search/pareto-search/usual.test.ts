import { expect, test } from 'vitest'
import { findTransform, TRANSFORMS } from '../../compress/index.js'
import { checkParams, type Transform } from '../../compress/transform.js'
import { inOrder, type Space, type StageName, stageOf } from './space.js'
import { usualRecipes } from './usual.js'

const PACE = { steps: 300, roundingSteps: 200, batch: 32 }
const NAMES: readonly StageName[] = ['equalize', 'lighten', 'recover', 'quantize', 'store', 'correct']
const spaceOf = (transforms: readonly Transform[]): Space => ({
  stages: NAMES.map((name) => ({
    name,
    transforms: transforms.filter((t) => stageOf(t.id) === name),
    most: 2,
    chance: 1,
  })),
  refused: [],
  learnsRounding: transforms.some((t) => t.id === 'recover/round'),
  fixed: { activations: 'int8' },
})

test('each is a sound recipe: known parameters, in the order of the stages, none twice', () => {
  const space = spaceOf(TRANSFORMS)
  const recipes = usualRecipes(space, PACE, 'scores')
  expect(recipes).toHaveLength(18)
  expect(new Set(recipes.map((steps) => JSON.stringify(steps))).size).toBe(18)
  for (const steps of recipes) {
    expect(inOrder(space, steps)).toEqual(steps)
    for (const { transform, params } of steps) checkParams(findTransform(transform), params)
    const recovery = steps.find((s) => s.transform === 'recover/distill')
    if (recovery === undefined) continue
    expect(recovery.params).toMatchObject({ aim: 'scores' })
    expect(recovery.params.steps).toBeGreaterThanOrEqual(300)
    const isSparse = steps.some((s) => s.transform === 'store/sparse')
    expect(isSparse ? [undefined] : ['int8', 'int4', 'store-int4']).toContain(recovery.params.grid)
  }
  const fixed = recipes[0]!.find((s) => s.transform === 'quantize/static')!
  expect(fixed.params).toEqual({ activations: 'int8' })
})

test('what the model has nothing for is left out, and without recovery rounding alone is left', () => {
  const without = (...ids: readonly string[]) => spaceOf(TRANSFORMS.filter((t) => !ids.includes(t.id)))
  const few = usualRecipes(without('quantize/static', 'quantize/nbits', 'store/int4'), null, 'outputs')
  const cut = ['prune/channels', 'recover/distill', 'store/int8']
  expect(few.map((steps) => steps.map((s) => s.transform)).filter((s) => s[2] === 'store/int8')).toEqual([
    cut,
    cut,
    cut,
  ])
  expect(few.flat().find((s) => s.transform === 'recover/distill')!.params).not.toHaveProperty('steps')
  const whole = usualRecipes(without('prune/channels'), PACE, 'outputs')
  expect(whole.map((steps) => steps[0]!.transform)).toEqual([
    'recover/distill',
    'recover/distill',
    'recover/round',
    'recover/round',
    'store/int8',
    'store/int4',
  ])
  const unrecovered = usualRecipes(without('recover/distill'), PACE, 'outputs')
  expect(unrecovered.map((steps) => steps.map((s) => s.transform))).toEqual([['store/int8'], ['store/int4']])
})
