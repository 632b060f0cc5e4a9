/** A recipe's last step stores what is still float: never the scales that the steps before it wrote. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { outputsOf, stream } from '../../../test/calibrated.js'
import { randomFeeds } from '../../../test/random-feeds.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { quantize } from '../quantize/index.js'
import { applySteps } from '../recipes.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const DEPTH = 64
const COLUMNS = 256
/** Columns of large weights; the others are 200 times smaller. */
const LARGE = 8

function unevenColumns(): Model {
  const r = random(1)
  const w = Float32Array.from({ length: DEPTH * COLUMNS }, (_, i) => r.normal(0, i % COLUMNS < LARGE ? 10 : 0.05))
  const b = builder()
  b.input('x', value('float32', [4, DEPTH]))
  b.output(b.op('MatMul', ['x', b.constant(f32([DEPTH, COLUMNS], w), 'w')]), value('float32', null))
  return modelOf(b.graph())
}

const inputs = [{ name: 'x', dtype: 'float32', shape: [4, DEPTH] }] as const
const feeds = randomFeeds(inputs, { seed: 3 })
const samples: Samples = {
  name: 'random',
  count: 1,
  read: () => stream([{ feeds, name: '0' }]),
}

test.each([
  ['int8', undefined, 0.05],
  ['int8', samples, 0.05],
  ['int4', undefined, 0.15],
] as const)('%s: columns of small weights keep scales of their own', async (to, given, bound) => {
  const model = unevenColumns()
  const result = await quantize(model, { to, ...(given && { samples: given }) }, { engine: async () => engine })
  const [a, b] = [await outputsOf(engine, model, feeds), await outputsOf(engine, result, feeds)].map((outputs) =>
    floats(Object.values(outputs)[0]!),
  )
  const small = a!.map((v, i) => (i % COLUMNS < LARGE ? 0 : v))
  const errors = small.map((v, i) => (i % COLUMNS < LARGE ? 0 : v - b![i]!))
  expect(Math.hypot(...errors) / Math.hypot(...small)).toBeLessThan(bound)
})

test('many scales of one store are no weights to the next', async () => {
  const r = random(2)
  const COLUMNS = 600
  const weights = (): Float32Array => Float32Array.from({ length: DEPTH * COLUMNS }, () => r.normal(0, r.uniform()))
  const b = builder()
  b.input('x', value('float32', [4, DEPTH]))
  const product = (name: string): string =>
    b.op('MatMul', ['x', b.constant(f32([DEPTH, COLUMNS], weights()), `${name}.w`)], { name })
  b.output(b.op('Add', [product('fine'), product('coarse')]), value('float32', null))
  const model = modelOf(b.graph())
  const step = (transform: string, ...exclude: readonly string[]) => ({
    transform,
    params: { small: 'float32', minElements: 512, exclude },
  })
  const env = { engine: async () => engine }
  const apart = [
    await applySteps(model, [step('store/int8', 'coarse')], env),
    await applySteps(model, [step('store/int2', 'fine')], env),
  ]
  const both = await applySteps(model, [step('store/int8', 'coarse'), step('store/int2', 'fine')], env)
  const answers = async (m: Model) => floats(Object.values(await outputsOf(engine, m, feeds))[0]!)
  const [own, of8, of2, whole] = [
    await answers(model),
    await answers(apart[0]!),
    await answers(apart[1]!),
    await answers(both),
  ]
  const sum = own.map((v, i) => of8[i]! + of2[i]! - v)
  expect(Math.hypot(...whole.map((v, i) => v - sum[i]!)) / Math.hypot(...own)).toBeLessThan(1e-5)
})
