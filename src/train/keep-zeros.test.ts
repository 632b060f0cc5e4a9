/** Pruned weights stay pruned while the others train, whatever moves them. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floats, i64 } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import { random } from '../util/random.js'
import type { Dataset } from './dataset.js'
import { dense, tanh } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { crossEntropy } from './losses/cross-entropy.js'
import { adam } from './optimizers/adam.js'
import { lion, rmsprop } from './optimizers/adaptive.js'
import { sgd } from './optimizers/sgd.js'
import { withParameters } from './parameters.js'
import { type TrainOptions, train } from './train.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const isPruned = (i: number): boolean => i % 5 > 1

/** Three fifths of its weights are zero, and so are all of its biases. */
function pruned(): Model {
  const model = sequential([dense(12), tanh(), dense(2)], { input: [2] })
  const weights = [...model.graph.constants].filter(([, t]) => t.dtype === 'float32' && t.shape.length === 2)
  expect(weights).toHaveLength(2)
  const cut = weights.map(([name, t]) => {
    const values = floats(t).map((v, i) => (isPruned(i) ? 0 : v))
    return [name, f32(t.shape, values)] as const
  })
  return withParameters(model, new Map(cut))
}

const { normal } = random(1)
const rows = Array.from({ length: 96 }, () => [normal(), normal()] as const)
const data: Dataset = {
  count: rows.length,
  inputs: new Map([['input', { dtype: 'float32', shape: [2], data: Float32Array.from(rows.flat()) }]]),
  targets: new Map([
    [
      pruned().graph.outputs[0]!,
      { dtype: 'int64', shape: [], data: BigInt64Array.from(rows, ([x, y]) => (x + y > 0.3 ? 1n : 0n)) },
    ],
  ]),
}

const trainedWith = async (more: Partial<TrainOptions>): Promise<Model> => {
  const settings = {
    engine,
    data,
    validation: null,
    loss: crossEntropy(),
    epochs: 3,
    batchSize: 16,
    learningRate: 0.01,
  }
  return (await train(pruned(), { ...settings, ...more })).model
}

/** Of each weight of two axes: the pruned elements and the others; and all biases. */
function parts(model: Model) {
  const own = [...model.graph.constants.values()].filter((t) => t.dtype === 'float32' && t.shape.length > 0)
  const weights = own.filter((t) => t.shape.length === 2).map((t) => [...floats(t)])
  return {
    cut: weights.flatMap((w) => w.filter((_, i) => isPruned(i))),
    kept: weights.flatMap((w) => w.filter((_, i) => !isPruned(i))),
    biases: own.filter((t) => t.shape.length === 1).flatMap((t) => [...floats(t)]),
  }
}

describe('keepZeros', () => {
  const ways: Readonly<Record<string, Partial<TrainOptions>>> = {
    sgd: { optimizer: sgd({ momentum: 0.9, nesterov: true }) },
    adamw: { optimizer: adam({ weightDecay: 0.1 }) },
    rmsprop: { optimizer: rmsprop() },
    lion: { optimizer: lion() },
    'clipped and averaged': { clipNorm: 0.1, averaging: 0.9 },
    'a decay in the loss': { penalties: [{ penalty: l2(0.01) }] },
    'parts of a batch': { accumulate: 2 },
    'an int8 grid': { grid: 'int8' },
  }
  test.each(Object.entries(ways))('%s: zeros stay, the rest and the biases move', async (_, more) => {
    const { cut, kept, biases } = parts(await trainedWith({ ...more, keepZeros: true }))
    expect(new Set(cut)).toEqual(new Set([0]))
    const before = parts(pruned()).kept
    // Units of which nothing is left behind them learn nothing.
    expect(kept.filter((v, i) => v !== before[i]).length).toBeGreaterThan(kept.length / 2)
    expect(biases.filter((v) => v !== 0).length).toBeGreaterThan(biases.length / 2)
  })

  test('without it they move', async () => {
    const { cut } = parts(await trainedWith({}))
    expect(cut.filter((v) => v !== 0).length).toBeGreaterThan(cut.length / 2)
  })

  test('what a proximal penalty brings to zero stays there', async () => {
    const { kept } = parts(await trainedWith({ keepZeros: true, penalties: [{ penalty: l1(3) }], epochs: 6 }))
    expect(kept.filter((v) => v === 0).length).toBeGreaterThan(3)
  })

  test('biases of two axes move, of cells and of sums too', async () => {
    const b = builder()
    b.input('input', { kind: 'tensor', dtype: 'float32', shape: ['n', 2] })
    const drawn = (...shape: number[]): string =>
      b.constant(
        f32(
          shape,
          Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(7 * i + 1)),
        ),
        'w',
      )
    const zeros = (...shape: number[]): string =>
      b.constant(f32(shape, new Float32Array(shape.reduce((n, d) => n * d, 1))), 'zeros')
    const frames = b.op('Unsqueeze', ['input', b.constant(i64([1], [0]), 'axis')])
    const cell = zeros(1, 32)
    const [, h] = b.ops('LSTM', [frames, drawn(1, 16, 2), drawn(1, 16, 4), cell], {
      outputs: 3,
      attrs: { hidden_size: int(4) },
    })
    const rows = b.op('Squeeze', [h!, b.constant(i64([1], [0]), 'axis')])
    const shift = zeros(1, 3)
    const whole = b.op('Add', [b.op('MatMul', [rows, drawn(4, 3)]), shift])
    const mixed = b.op('Gemm', [whole, drawn(3, 2), zeros(1, 2)])
    b.output(mixed)
    const model = modelOf(b.graph())
    const targets = new Map([[mixed, [...data.targets.values()][0]!]])
    const settings = { engine, data: { ...data, targets }, validation: null, loss: crossEntropy(), epochs: 2 }
    const trained = (await train(model, { ...settings, batchSize: 16, keepZeros: true })).model
    const constants = [...trained.graph.constants].filter(([name]) => name.startsWith('zeros'))
    expect(constants.map(([, t]) => t.shape)).toEqual([
      [1, 32],
      [1, 3],
      [1, 2],
    ])
    for (const [name, t] of constants)
      expect([...floats(t)].filter((v) => v === 0).length, name).toBeLessThan(t.shape[1]! / 3)
  })

  test('is refused where no weight can be zero', async () => {
    await expect(trainedWith({ keepZeros: true, grid: 'binary' })).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
  })
})
