import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backward } from '../autodiff/backward.js'
import { joined } from '../autodiff/gradient.js'
import { quantizeWeight } from '../compress/quantize/weights.js'
import { storeInt2, storeInt3, storeInt4, storeInt5, storeInt6 } from '../compress/store/blocks.js'
import { storeInt8 } from '../compress/store/store.js'
import { checkParams, type Transform } from '../compress/transform.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { quantizeBlocks } from '../grids/blocks.js'
import { LEAST_INTEGER } from '../grids/least.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elements, f32, floats, i64, numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { factFinder } from '../passes/facts.js'
import { random } from '../util/random.js'
import type { Dataset } from './dataset.js'
import { scoreOf } from './evaluate.js'
import { type TrainedGrid, weightsOnGrid, withFakeQuantization } from './fake-quantize.js'
import { dense, tanh } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { crossEntropy } from './losses/cross-entropy.js'
import { withParameters } from './parameters.js'
import { train } from './train.js'

const NO_ENGINE = { engine: () => Promise.reject(new Error('none')) }

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const { normal } = random(4)
const [depth, columns] = [70, 6]
const weight = Float32Array.from({ length: depth * columns }, () => normal())

/** x · w, or x · wᵀ. */
function product(transposed: boolean): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [depth, depth] })
  const w = b.constant(f32(transposed ? [columns, depth] : [depth, columns], weight), 'w')
  b.output(b.op('Gemm', ['x', w], { attrs: { transB: int(transposed ? 1 : 0) } }))
  return modelOf(b.graph())
}

const unit = f32(
  [depth, depth],
  Array.from({ length: depth * depth }, (_, i) => (i % (depth + 1) === 0 ? 1 : 0)),
)

/** The unit matrix shows the weight that the product really takes: [depth, columns]. */
async function shown(model: Model): Promise<Float32Array | Float64Array> {
  const session = await engine.load(encodeModel(model).bytes)
  const results = await session.run({ x: unit })
  await session.close()
  return numbers(results[model.graph.outputs[0]!]!)
}

const at = (transposed: boolean, k: number, n: number): number => (transposed ? n * depth + k : k * columns + n)

describe.each([false, true])('the weight of a product, transposed %s', (transposed) => {
  test('int8: on the grid that quantization takes, channel by channel', async () => {
    const { model } = withFakeQuantization(product(transposed), { trainable: ['w'], grid: 'int8', float: 'float32' })
    const got = await shown(model)
    const q = quantizeWeight(weight, transposed ? [columns, depth] : [depth, columns], transposed ? 0 : 1)
    const [values, scale] = [elements(q.values) as Int8Array, floats(q.scale)]
    for (let k = 0; k < depth; k++)
      for (let n = 0; n < columns; n++)
        expect(got[k * columns + n]).toBeCloseTo(values[at(transposed, k, n)]! * scale[n]!, 5)
  })

  test('int4: in blocks, as MatMulNBits stores them', async () => {
    const { model } = withFakeQuantization(product(transposed), { trainable: ['w'], grid: 'int4', float: 'float32' })
    const got = await shown(model)
    const rows = Float32Array.from(
      { length: columns * depth },
      (_, i) => weight[at(transposed, i % depth, Math.floor(i / depth))]!,
    )
    const { values, scales, blocksPerRow } = quantizeBlocks(rows, columns, depth, 32, 4)
    for (let k = 0; k < depth; k++)
      for (let n = 0; n < columns; n++) {
        const block = Math.floor(k / 32)
        const wanted = values[n * blocksPerRow * 32 + k]! * scales[n * blocksPerRow + block]!
        expect(got[k * columns + n]).toBeCloseTo(wanted, 5)
      }
  })
})

describe.each([
  ['store-int8', storeInt8],
  ['store-int6', storeInt6],
  ['store-int5', storeInt5],
  ['store-int4', storeInt4],
  ['store-int3', storeInt3],
  ['store-int2', storeInt2],
] as const)('%s', (grid, store) => {
  const any = store as unknown as Transform
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [2, 4, 7, 7] })
  const filters = b.constant(f32([20, 4, 3, 3], Float32Array.from({ length: 720 }, normal)), 'filters')
  const rows = b.op('Reshape', [b.op('Conv', ['x', filters]), b.constant(i64([3], [5, 2, 100]))])
  const gates = (name: string, width: number): string =>
    b.constant(
      f32(
        [1, 16, width],
        Float32Array.from({ length: 16 * width }, () => 0.1 * normal()),
      ),
      name,
    )
  b.output(b.ops('LSTM', [rows, gates('w', 100), gates('r', 4)], { outputs: 1, attrs: { hidden_size: int(4) } })[0]!)
  const model = modelOf(b.graph())
  const trainable = ['filters', 'w', 'r']
  const x = f32(
    [2, 4, 7, 7],
    Float32Array.from({ length: 392 }, () => 0.1 * normal()),
  )
  const answer = async (m: Model): Promise<readonly number[]> => {
    const session = await engine.load(encodeModel(m).bytes)
    const results = await session.run({ x })
    await session.close()
    return [...numbers(results[m.graph.outputs[0]!]!)]
  }
  const near = (a: readonly number[], b: readonly number[], digits: number): void =>
    a.forEach((v, i) => {
      expect(v).toBeCloseTo(b[i]!, digits)
    })

  test('filters and gates as the transform of that name stores them; the small weight stays', async () => {
    const { model: forward } = withFakeQuantization(model, { trainable, grid, float: 'float32', isTraining: false })
    const settings = {
      ...checkParams(any, 'range' in any.params ? { range: 'absmax' } : {}),
      minElements: LEAST_INTEGER,
    }
    const stored = await any.apply(model, settings, { engine: async () => engine })
    expect(stored).not.toBe(model)
    // Scales are float16 in the file, and those of int8 may lie along another axis.
    near(await answer(forward), await answer(stored), 2)
    const apart = async (m: Model): Promise<number> => {
      const [a, b] = [await answer(m), await answer(stored)]
      return Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))
    }
    // In 8 bits another axis makes as much of a difference as rounding does.
    if (grid !== 'store-int8') expect(await apart(forward)).toBeLessThan(0.7 * (await apart(model)))
  })

  test('weights that are handed back are on the grid, and rounding these changes no bit', async () => {
    const weights = new Map(trainable.map((name) => [name, model.graph.constants.get(name)!]))
    const once = weightsOnGrid(model.graph, grid, weights, trainable)
    const twice = weightsOnGrid(model.graph, grid, once, trainable)
    for (const [name, t] of once) expect(floats(twice.get(name)!)).toEqual(floats(t))
    expect(once.get('r')).toBe(weights.get('r'))
    const held = withParameters(model, once)
    const stored = await any.apply(held, { ...checkParams(any, {}), minElements: LEAST_INTEGER }, NO_ENGINE)
    near(await answer(stored), await answer(held), 5)
  })
})

test.each([
  ['a bias', [1024]],
  ['a table of narrow rows', [300, 4]],
  ['a depthwise kernel', [520, 1, 3]],
] as const)('store-int8: %s has as many scales as the file will have', async (_, shape) => {
  const t = f32(shape, Float32Array.from({ length: shape.reduce((a: number, d) => a * d, 1) }, normal))
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [...shape] })
  b.output(b.op('Add', ['x', b.constant(t, 't')]))
  const plain = modelOf(b.graph())
  const held = weightsOnGrid(plain.graph, 'store-int8', new Map([['t', t]]), ['t']).get('t')!
  const env = NO_ENGINE
  const stored = await storeInt8.apply(withParameters(plain, new Map([['t', held]])), checkParams(storeInt8, {}), env)
  const zero = f32(shape, new Float32Array(held.byteLength / 4))
  const session = await engine.load(encodeModel(stored).bytes)
  const [got] = Object.values(await session.run({ x: zero }))
  await session.close()
  for (const [i, v] of floats(got!).entries()) expect(v).toBeCloseTo(floats(held)[i]!, 5)
})

test('a grid holds weights that are trained, and no running statistics beside them', () => {
  const [w, variance] = [
    f32([32, 32], Float32Array.from({ length: 1024 }, normal)),
    f32([600], new Float32Array(600).fill(0.01)),
  ]
  const weights = new Map([
    ['w', w],
    ['variance', variance],
  ])
  const held = weightsOnGrid(product(false).graph, 'store-int2', weights, [])
  expect(held.get('variance')).toBe(variance)
})

test('int8: a MatMul has one scale a channel too', async () => {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [depth, depth] })
  b.output(b.op('MatMul', ['x', b.constant(f32([depth, columns], weight), 'w')]))
  const { model } = withFakeQuantization(modelOf(b.graph()), { trainable: ['w'], grid: 'int8', float: 'float32' })
  const got = await shown(model)
  const q = quantizeWeight(weight, [depth, columns], 1)
  const [values, scale] = [elements(q.values) as Int8Array, floats(q.scale)]
  for (const [i, v] of values.entries()) expect(got[i]).toBeCloseTo(v * scale[i % columns]!, 5)
})

test('gradients go straight through the rounding', async () => {
  const { model, detached } = withFakeQuantization(product(false), { trainable: ['w'], grid: 'int4', float: 'float32' })
  const b = builder(allNames(model.graph))
  const total = b.op('ReduceSum', [model.graph.outputs[0]!], { attrs: { keepdims: int(0) } })
  const graph = joined(model.graph, b.graph())
  const found = backward(b, { graph, facts: factFinder({ ...model, graph }), of: total, wrt: ['w'], detached })
  const outputs = [found.get('w')!]
  const session = await engine.load(
    encodeModel({ ...model, graph: { ...joined(model.graph, b.graph()), outputs } }).bytes,
  )
  const results = await session.run({ x: unit })
  await session.close()
  // d Σ x w / dw = Σ over rows of x: 1 everywhere.
  expect(new Set(numbers(results[outputs[0]!]!))).toEqual(new Set([1]))
})

describe('training with rounding', () => {
  const rows = Array.from({ length: 300 }, () => [normal(), normal()] as const)
  const model = sequential([dense(24), tanh(), dense(24), tanh(), dense(2)], { input: [2] })
  const data: Dataset = {
    count: rows.length,
    inputs: new Map([['input', { dtype: 'float32', shape: [2], data: Float32Array.from(rows.flat()) }]]),
    targets: new Map([
      [
        model.graph.outputs[0]!,
        { dtype: 'int64', shape: [], data: BigInt64Array.from(rows, ([x, y]) => (Math.sin(3 * x) > y ? 1n : 0n)) },
      ],
    ]),
  }
  const loss = crossEntropy()
  const settings = () => ({ engine, data, validation: data, loss, epochs: 40, batchSize: 16, learningRate: 0.01 })
  /** The loss of the model with its weights on the grid. */
  async function roundedLoss(trained: Model, grid: TrainedGrid): Promise<number> {
    const names = [...trained.graph.constants.keys()].filter((name) => name.endsWith('weight'))
    const { model: onGrid } = withFakeQuantization(trained, {
      trainable: names,
      grid,
      float: 'float32',
      isTraining: false,
    })
    return (await scoreOf(onGrid, { engine, data, loss })).loss
  }

  test('int4: brings back what rounding cost a model that was trained without it', async () => {
    const plain = await train(model, settings())
    const aware = await train(plain.model, { ...settings(), learningRate: 1e-3, grid: 'int4' })
    const [before, after] = [await roundedLoss(plain.model, 'int4'), await roundedLoss(aware.model, 'int4')]
    expect(aware.before!.loss).toBeCloseTo(before, 4)
    expect(after).toBeLessThan(0.95 * before)
    // What judged while it was trained is the loss on the grid.
    expect(aware.epochs[aware.best - 1]!.validation!.loss).toBeCloseTo(after, 4)
  })

  test('int8 learns as well as without', async () => {
    const { epochs } = await train(model, { ...settings(), grid: 'int8' })
    expect(epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.93)
  })
})
