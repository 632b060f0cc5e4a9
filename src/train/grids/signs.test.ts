import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { joined } from '../../autodiff/gradient.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { onSigns, type SignGrid, signsOf } from '../../grids/signs.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { allNames } from '../../ir/graphs.js'
import { f32, floats, numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { random } from '../../util/random.js'
import type { Dataset } from '../dataset.js'
import { scoreOf } from '../evaluate.js'
import { batchNorm, conv, dense, flatten, relu, reshape } from '../layers/index.js'
import { sequential } from '../layers/sequential.js'
import { crossEntropy } from '../losses/cross-entropy.js'
import { type TrainOptions, train } from '../train.js'
import { onSigns as nodesOnSigns } from './signs.js'
import { signedWeights } from './weighted.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const GRIDS: readonly SignGrid[] = ['binary', 'ternary']
const { normal } = random(6)

describe.each(GRIDS)('%s as nodes', (grid) => {
  test.each([null, 0, 1, 2])('along axis %s: what the loop gives', async (axis) => {
    const w = f32(
      [3, 4, 5],
      Array.from({ length: 60 }, (_, i) => (i < 20 && axis === 0 ? 0 : normal())),
    )
    const b = builder()
    b.input('w', { kind: 'tensor', dtype: 'float32', shape: [3, 4, 5] })
    b.output(nodesOnSigns(b, 'w', w.shape, axis, grid))
    const model = modelOf(b.graph())
    const session = await engine.load(encodeModel(model).bytes)
    const got = numbers((await session.run({ w }))[model.graph.outputs[0]!]!)
    await session.close()
    const wanted = onSigns(floats(w), w.shape, axis, grid)
    for (const [i, v] of wanted.entries()) expect(got[i]).toBeCloseTo(v, 6)
  })
})

describe('the weights that are held to signs', () => {
  function layersOf(second: Parameters<typeof f32>[1], ops: readonly string[]): Model {
    const b = builder()
    b.input('x', { kind: 'tensor', dtype: 'float32', shape: ['N', 4] })
    const names = ['a', 'b', 'c', 'd'].map((name) => b.constant(f32([4, 4], second), name))
    const chosen = ops.map((op) => names['abcd'.indexOf(op[0]!)]!)
    const turned = (op: string) => ({ transB: int(op.endsWith("'") ? 1 : 0) })
    b.output(chosen.reduce((x, w, i) => b.op('Gemm', [x, w], { attrs: turned(ops[i]!) }), 'x'))
    return modelOf(b.graph())
  }
  const held = (...ops: readonly string[]) => {
    const { graph } = layersOf(
      Array.from({ length: 16 }, () => normal()),
      ops,
    )
    return Object.fromEntries(signedWeights(graph, ['a', 'b', 'c', 'd']))
  }

  test('are all but those of the first and the last layer', () => {
    expect(held('a', 'b', "c'", 'd')).toEqual({ b: 1, c: 0 })
    expect(held('a', 'b')).toEqual({})
    expect(held('a')).toEqual({})
  })
  test('are none that the first or the last reads too, or layers along different axes', () => {
    expect(held('a', 'b', 'a', 'c', 'd')).toEqual({ b: 1, c: 1 })
    expect(held('a', 'b', "b'", 'c', 'd')).toEqual({ c: 1 })
    expect(held('a', 'b', 'b', 'd')).toEqual({ b: 1 })
  })
  test('are none that anything but a layer reads', () => {
    const { graph } = layersOf(new Float32Array(16), ['a', 'b', 'c', 'd'])
    const b = builder(allNames(graph))
    b.op('Transpose', ['b'])
    expect([...signedWeights(joined(graph, b.graph()), ['a', 'b', 'c']).keys()]).toEqual(['c'])
  })
  test('are none that stay as they are', () => {
    const { graph } = layersOf(new Float32Array(16), ['a', 'b', 'c', 'd'])
    expect([...signedWeights(graph, ['a', 'c', 'd']).keys()]).toEqual(['c'])
  })
})

describe.each(GRIDS)('training with %s weights', (grid) => {
  const model = sequential(
    [reshape(1, 4, 4), conv(6, 3), batchNorm(), relu(), conv(6, 3), relu(), flatten(), dense(24), relu(), dense(2)],
    { input: [16] },
  )
  const rows = Array.from({ length: 240 }, () => Float32Array.from({ length: 16 }, () => normal()))
  const data: Dataset = {
    count: rows.length,
    inputs: new Map([
      ['input', { dtype: 'float32', shape: [16], data: Float32Array.from(rows.flatMap((row) => [...row])) }],
    ]),
    targets: new Map([
      [
        model.graph.outputs[0]!,
        {
          dtype: 'int64',
          shape: [],
          data: BigInt64Array.from(rows, (row) => (row[5]! + row[6]! > row[9]! ? 1n : 0n)),
        },
      ],
    ]),
  }
  const loss = crossEntropy()
  const run = (more: Partial<TrainOptions> = {}) =>
    train(model, { engine, data, validation: data, loss, epochs: 12, batchSize: 16, learningRate: 0.01, grid, ...more })
  const weights = [...model.graph.constants].filter(([, t]) => t.shape.length > 1).map(([name]) => name)
  const isHeld = (trained: Model): readonly boolean[] =>
    weights.map((name) => {
      const t = trained.graph.constants.get(name)!
      return signsOf(floats(t), t.shape, grid) !== null
    })

  test('learns; layers between hold the grid exactly, and the score is that of the model handed back', async () => {
    const { model: trained, epochs, best } = await run()
    expect(isHeld(trained)).toEqual([false, true, true, false])
    const { loss: said, accuracy } = epochs[best - 1]!.validation!
    expect(accuracy).toBeGreaterThan(0.85)
    const own = await scoreOf(trained, { engine, data, loss, batchSize: 16 })
    // Weights that are constants run on other kernels than those that are inputs.
    expect(own.loss).toBeCloseTo(said, 6)
    expect(own.accuracy).toBe(accuracy)
  })

  test('also of the last weights, where nothing judges, and of means', async () => {
    expect(isHeld((await run({ validation: null, epochs: 2 })).model)).toEqual([false, true, true, false])
    const { model: mean, epochs, best } = await run({ averaging: 0.9, epochs: 4 })
    expect(isHeld(mean)).toEqual([false, true, true, false])
    const own = await scoreOf(mean, { engine, data, loss, batchSize: 16 })
    expect(own.loss).toBeCloseTo(epochs[best - 1]!.validation!.loss, 6)
  })

  test('the score before is that of the given weights on the grid', async () => {
    const { before, model: trained, best } = await run({ epochs: 1, learningRate: 1e-12 })
    const own = await scoreOf(trained, { engine, data, loss, batchSize: 16 })
    if (best === 0) expect(own.loss).toBeCloseTo(before!.loss, 6)
    expect((await scoreOf(model, { engine, data, loss, batchSize: 16 })).loss).not.toBeCloseTo(before!.loss, 3)
  })

  test('with too few layers there is nothing to round', async () => {
    const few = sequential([dense(8), relu(), dense(2)], { input: [16] })
    const targets = new Map([[few.graph.outputs[0]!, [...data.targets.values()][0]!]])
    await expect(train(few, { engine, data: { ...data, targets }, loss, epochs: 1, grid })).rejects.toMatchObject({
      code: 'TRAIN_GRID',
      message: expect.stringContaining('more layers'),
    })
  })
})
