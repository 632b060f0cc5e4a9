import { expect, test } from 'vitest'
import { cutNeurons, spareModel } from '../../../test/prunable.js'
import { rowSamples } from '../../../test/search-models.js'
import { TRANSFORMS } from '../../compress/index.js'
import { checkParams, type Transform } from '../../compress/transform.js'
import { random } from '../../util/random.js'
import type { Step, TrialResult } from '../trial.js'
import { nameOf } from './names.js'
import { onRung, RUNGS } from './rungs.js'
import { bred } from './samplers.js'
import { drawSteps, gridOf, inOrder, openSpace, stageOf } from './space.js'

const model = spareModel()
const all = [...TRANSFORMS, cutNeurons as unknown as Transform]
const env = { engine: () => Promise.reject(new Error('none')), samples: rowSamples(8), teacher: model }
const space = await openSpace(all, model, env, { activations: 'int8' })
const ORDER = ['equalize', 'lighten', 'recover', 'quantize', 'store', 'correct']

/** Stages in order, each transform once with parameters that it takes, recovery only with a change or a grid, correction only after rounding. */
function isSound(steps: readonly Step[]): void {
  const stages = steps.map((s) => ORDER.indexOf(stageOf(s.transform)!))
  expect(stages).toEqual(stages.toSorted((a, b) => a - b))
  expect(new Set(steps.map((s) => s.transform)).size).toBe(steps.length)
  const recovery = steps.find((s) => s.transform === 'recover/distill')
  if (recovery) {
    expect(recovery.params.grid ?? 'none').toBe(gridOf(steps))
    if (recovery.params.grid === undefined) expect(stages).toContain(1)
  }
  if (stages.includes(5)) expect(stages.some((s) => s === 3 || s === 4)).toBe(true)
  for (const s of steps) checkParams(all.find((t) => t.id === s.transform)!, s.params)
}

test('recipes are sound, of many kinds, and the same for one seed', () => {
  const drawn = Array.from({ length: 200 }, (_, i) => drawSteps(space, random(i)))
  for (const steps of drawn) isSound(steps)
  expect(new Set(drawn.map(nameOf)).size).toBeGreaterThan(60)
  expect(drawn.flat().some((s) => s.transform === 'prune/neurons')).toBe(true)
  expect(drawn.flat().some((s) => s.transform === 'recover/distill')).toBe(true)
  expect(drawn.flat().every((s) => s.params.activations !== 'uint8')).toBe(true)
  expect(drawSteps(space, random(3))).toEqual(drawn[3])
})

test('recovery rounds as most weights will be rounded', () => {
  const grid = (...steps: readonly (readonly [string, Step['params']?])[]): string =>
    gridOf(steps.map(([transform, params = {}]) => ({ transform, params })))
  expect(grid(['quantize/nbits'], ['quantize/static'])).toBe('int4')
  expect(grid(['quantize/nbits', { bits: '8' }], ['quantize/static'])).toBe('int8')
  expect(grid(['quantize/dynamic'], ['store/int4'])).toBe('int8')
  expect(grid(['store/int3'], ['store/f16'])).toBe('store-int3')
  expect(grid(['prune/channels'], ['store/f16'])).toBe('none')
  // The first in order takes all that it can.
  expect(grid(['store/int4'], ['store/int2'])).toBe('store-int2')
  expect(grid(['store/codebook'], ['store/int3'])).toBe('none')
  const two = ['store/int4', 'store/int2'].map((transform) => ({ transform, params: {} }))
  expect(inOrder(space, two).map((s) => s.transform)).toEqual(['store/int2', 'store/int4'])
})

test('what has nothing to do is left out with its reason', async () => {
  const reasons = new Map(space.refused.map((r) => [r.transform, r.reason]))
  expect(reasons.get('store/binary')).toContain('two values')
  expect(space.stages.flatMap((s) => s.transforms.map((t) => t.id))).not.toContain('store/binary')
  const { samples: _, ...none } = env
  const without = await openSpace(all, model, none)
  expect(without.refused).toContainEqual({ transform: 'quantize/static', reason: 'it needs samples' })
})

test('what is bred is sound too, and takes after its parents', () => {
  const parent: readonly Step[] = [
    { transform: 'prune/neurons', params: { ratio: 0.5 } },
    { transform: 'recover/distill', params: { steps: 300 } },
    { transform: 'store/int8', params: {} },
  ]
  const results = Array.from(
    { length: 5 },
    (_, i): TrialResult => ({
      trial: { id: String(i), name: '', model: '', steps: parent, seed: 0 },
      status: 'ok',
      sha256: String(i),
      bytes: 50,
      latency: { p50: 1, p95: 1, ratio: 0.5 + i / 10, interval: [0.5, 1] },
      quality: { value: 1, drop: 0, outputs: [] },
      seconds: 0,
    }),
  )
  const goal = { originalBytes: 100, maxDrop: 0.01, limits: {} }
  const children = Array.from({ length: 200 }, (_, i) => bred(space, random(i), results, goal))
  for (const steps of children) isSound(steps)
  const near = children.filter((c) => c.filter((s) => parent.some((p) => p.transform === s.transform)).length >= 2)
  expect(near.length).toBeGreaterThan(100)
})

test('a cheap rung recovers for a shorter while, and nothing else is other', () => {
  const steps: readonly Step[] = [
    { transform: 'prune/neurons', params: { ratio: 0.5 } },
    { transform: 'recover/distill', params: { steps: 900 } },
  ]
  expect(onRung(steps, RUNGS[0]!)).toEqual([steps[0], { transform: 'recover/distill', params: { steps: 100 } }])
  expect(onRung(steps, RUNGS.at(-1)!)).toEqual(steps)
})
