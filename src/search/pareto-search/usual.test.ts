import { expect, test } from 'vitest'
import { findTransform, TRANSFORMS } from '../../compress/index.js'
import { checkParams, type Transform } from '../../compress/transform.js'
import { inOrder, type Space, type StageName, stageOf } from './space.js'
import { usualRecipes } from './usual.js'

const NAMES: readonly StageName[] = ['equalize', 'lighten', 'recover', 'quantize', 'store', 'correct']
const spaceOf = (transforms: readonly Transform[]): Space => ({
  stages: NAMES.map((name) => ({
    name,
    transforms: transforms.filter((t) => stageOf(t.id) === name),
    most: 2,
    chance: 1,
  })),
  refused: [],
  fixed: { activations: 'int8' },
})

test('each is a sound recipe: known parameters, in the order of the stages, none twice', () => {
  const space = spaceOf(TRANSFORMS)
  const recipes = usualRecipes(space, 300, 'scores')
  expect(recipes).toHaveLength(6)
  expect(new Set(recipes.map((steps) => JSON.stringify(steps))).size).toBe(6)
  for (const steps of recipes) {
    expect(inOrder(space, steps)).toEqual(steps)
    for (const { transform, params } of steps) checkParams(findTransform(transform), params)
    expect(steps[1]).toMatchObject({ transform: 'recover/distill', params: { steps: 300, aim: 'scores' } })
  }
  const fixed = recipes[0]!.find((s) => s.transform === 'quantize/static')!
  expect(fixed.params).toEqual({ activations: 'int8' })
})

test('what the model has nothing for is left out, and without cutting or recovery there is none', () => {
  const without = (...ids: readonly string[]) => spaceOf(TRANSFORMS.filter((t) => !ids.includes(t.id)))
  const few = usualRecipes(without('quantize/static', 'quantize/nbits'), null, 'outputs')
  expect(few.map((steps) => steps.map((s) => s.transform))).toEqual(
    Array.from({ length: 3 }, () => ['prune/channels', 'recover/distill', 'store/int8']),
  )
  expect(few[0]![1]!.params).not.toHaveProperty('steps')
  expect(usualRecipes(without('prune/channels'), 300, 'outputs')).toEqual([])
  expect(usualRecipes(without('recover/distill'), 300, 'outputs')).toEqual([])
})
