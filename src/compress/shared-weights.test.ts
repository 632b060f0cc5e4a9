import { afterAll, beforeAll, expect, test } from 'vitest'
import { weights } from '../../test/compress-models.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floats, i64, numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { Dataset } from '../train/dataset.js'
import { dense, tanh } from '../train/layers/index.js'
import { sequential } from '../train/layers/sequential.js'
import { squaredError } from '../train/losses/squared.js'
import { sgd } from '../train/optimizers/sgd.js'
import { withParameters } from '../train/parameters.js'
import { train } from '../train/train.js'
import { random } from '../util/random.js'
import { sharedWeights } from './shared-weights.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const { normal } = random(5)
const COUNT = 64
const inputs = Float32Array.from({ length: COUNT * 6 }, () => normal())
const data = (model: Model): Dataset => ({
  count: COUNT,
  inputs: new Map([['input', { dtype: 'float32', shape: [6], data: inputs }]]),
  targets: new Map([
    [
      model.graph.outputs[0]!,
      { dtype: 'float32', shape: [1], data: Float32Array.from({ length: COUNT }, (_, i) => Math.sin(inputs[6 * i]!)) },
    ],
  ]),
})

/** Of the first weight every third element is zero. */
function sparse(model: Model): Model {
  const [[name, t]] = [...model.graph.constants].filter(([, c]) => c.shape.length === 2) as [
    [string, ReturnType<typeof f32>],
  ]
  return withParameters(
    model,
    new Map([
      [
        name,
        f32(
          t.shape,
          floats(t).map((v, i) => (i % 3 === 0 ? 0 : v)),
        ),
      ],
    ]),
  )
}
const weightOf = (model: Model): Float32Array =>
  floats([...model.graph.constants.values()].find((t) => t.shape.length === 2)!)

async function answers(model: Model): Promise<readonly number[]> {
  const session = await engine.load(encodeModel(model).bytes)
  const results = await session.run({ input: f32([COUNT, 6], inputs) })
  await session.close()
  return [...numbers(results[model.graph.outputs[0]!]!)]
}

test('the model with codebooks answers as the one with the weights that they stand for', async () => {
  const model = sparse(sequential([dense(40), tanh(), dense(1)], { input: [6] }))
  const shared = sharedWeights(model, { bits: 3 })
  const plain = shared.plain(shared.model)
  expect(new Set(weightOf(plain)).size).toBeLessThanOrEqual(8)
  const [a, b] = [await answers(shared.model), await answers(plain)]
  for (const [i, v] of a.entries()) expect(v).toBeCloseTo(b[i]!, 5)
  // 8 values for 160: no further than rounding to the nearest costs.
  expect(Math.max(...weightOf(plain).map((v, i) => Math.abs(v - weightOf(model)[i]!)))).toBeLessThan(0.3)
})

test('a step moves each entry by the sum of the gradients of its weights, and zeros stay', async () => {
  const given = sparse(sequential([dense(40), tanh(), dense(1)], { input: [6] }))
  const shared = sharedWeights(given, { bits: 2 })
  const start = shared.plain(shared.model)
  const options = {
    engine,
    data: data(given),
    validation: null,
    loss: squaredError(),
    optimizer: sgd(),
    learningRate: 0.01,
    epochs: 1,
    batchSize: COUNT,
  }
  const tuned = shared.plain((await train(shared.model, { ...options, keepZeros: true })).model)
  // The same step with all weights free tells the gradient of each.
  const free = (await train(start, options)).model
  const [before, after, loose] = [start, tuned, free].map(weightOf)
  const sums = new Map<number, number>()
  for (const [i, v] of before!.entries()) sums.set(v, (sums.get(v) ?? 0) + loose![i]! - v)
  expect(sums.size).toBe(4)
  for (const [i, v] of before!.entries()) {
    if (v === 0) expect(after![i]).toBe(0)
    else expect(after![i]! - v).toBeCloseTo(sums.get(v)!, 5)
  }
  expect([...sums].some(([v, sum]) => v !== 0 && Math.abs(sum) > 1e-4)).toBe(true)
})

test('small weights, biases and what is excluded share nothing', () => {
  const model = sequential([dense(40), tanh(), dense(1)], { input: [6] })
  const { graph } = sharedWeights(model, { bits: 3 }).model
  const codebooks = [...graph.constants.keys()].filter((name) => name.endsWith('_codebook'))
  expect(codebooks).toHaveLength(1)
  expect(sharedWeights(model, { bits: 3, exclude: ['*'] }).model.graph.nodes).toEqual(model.graph.nodes)
})

test('biases that an export gave two axes share nothing, one that a Reshape brings there too', () => {
  const b = builder()
  b.input('input', { kind: 'tensor', dtype: 'float32', shape: [4, 'n', 6] })
  const drawn = (...shape: number[]): string => b.constant(weights(shape, 1), 'w')
  const moved = b.op('Reshape', [drawn(2, 128), b.constant(i64([2], [1, 256]), 'shape')])
  const inputs = ['input', drawn(1, 128, 6), drawn(1, 128, 32), moved]
  const [y] = b.ops('LSTM', inputs, { outputs: 1, attrs: { hidden_size: int(32) } })
  const product = b.op('MatMul', [y!, drawn(32, 160)])
  b.output(b.op('Mul', [b.op('Add', [product, drawn(1, 160)]), drawn(160, 1, 1, 160)]))
  const { graph } = sharedWeights(modelOf(b.graph()), { bits: 3 }).model
  const own = [...graph.constants.values()].filter((t) => t.dtype === 'float32')
  expect(own.map(({ shape }) => shape.join('x')).sort()).toEqual(['1x160', '2x128', '8x1', '8x1', '8x1', '8x1'])
})

test.each([0, 9, 2.5])('%d bits are refused', (bits) => {
  const model = sequential([dense(40)], { input: [6] })
  expect(() => sharedWeights(model, { bits })).toThrow(expect.objectContaining({ code: 'SHARE_BITS' }))
})

test.each([Number.NaN, Number.POSITIVE_INFINITY])('a weight that holds %d shares nothing and stays', (bad) => {
  const given = sequential([dense(40), tanh(), dense(1)], { input: [6] })
  const [[name, t]] = [...given.graph.constants].filter(([, c]) => c.shape.length === 2) as [
    [string, ReturnType<typeof f32>],
  ]
  const values = floats(t).map((v, i) => (i === 7 ? bad : v))
  const model = withParameters(given, new Map([[name, f32(t.shape, values)]]))
  const shared = sharedWeights(model, { bits: 3 })
  expect(weightOf(shared.plain(shared.model))).toEqual(values)
})
