/** What judges while a model is trained: metrics beside the loss, and in its place. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { Model } from '../ir/types.js'
import { random } from '../util/random.js'
import type { Checkpoint } from './checkpoint.js'
import type { Dataset } from './dataset.js'
import { scoreOf } from './evaluate.js'
import { dense, tanh } from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { binaryCrossEntropy, crossEntropy, squaredError } from './losses/index.js'
import { accuracy, auc, f1, macroF1, mae, r2, rmse, topK } from './metrics/index.js'
import type { TrainMetric } from './metrics/metric.js'
import { type TrainOptions, train } from './train.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** One in five points lies outside a circle: what is rare is what metrics are for. */
function circle(count: number, seed: number, target: 'class' | 'values'): Dataset {
  const { normal } = random(seed)
  const x = Float32Array.from({ length: 2 * count }, () => normal())
  const isOut = Array.from({ length: count }, (_, i) => Math.hypot(x[2 * i]!, x[2 * i + 1]!) > 1.8)
  const targets =
    target === 'class'
      ? ({ dtype: 'int64', shape: [], data: BigInt64Array.from(isOut, BigInt) } as const)
      : ({ dtype: 'float32', shape: [1], data: Float32Array.from(isOut, Number) } as const)
  const inputs = new Map([['input', { dtype: 'float32', shape: [2], data: x } as const]])
  return { count, inputs, targets: new Map([[output(target), targets]]) }
}
const network = (target: 'class' | 'values'): Model =>
  sequential([dense(8), tanh(), dense(target === 'class' ? 2 : 1)], { input: [2], seed: 1 })
const output = (target: 'class' | 'values'): string => network(target).graph.outputs[0]!

const settings = (target: 'class' | 'values', more: Partial<TrainOptions> = {}): TrainOptions => ({
  engine,
  loss: target === 'class' ? crossEntropy() : binaryCrossEntropy(),
  data: circle(200, 1, target),
  validation: circle(101, 2, target),
  learningRate: 0.02,
  epochs: 4,
  batchSize: 20,
  ...more,
})

describe('metrics', () => {
  test('are told of each epoch, and are those that the result has', async () => {
    const metrics = [f1(), auc(), macroF1()]
    for (const target of ['class', 'values'] as const) {
      const own = target === 'class' ? metrics : [...metrics, accuracy()]
      const { model, epochs, best, before } = await train(
        network(target),
        settings(target, { metrics: own, epochs: 20 }),
      )
      const { loss } = settings(target)
      const score = await scoreOf(model, { engine, data: circle(101, 2, target), loss, metrics: own, batchSize: 7 })
      const told = best === 0 ? before! : epochs[best - 1]!.validation!
      expect(Object.keys(told.metrics!).sort()).toEqual(['auc', 'f1', 'macro-f1'])
      for (const name of ['auc', 'f1', 'macro-f1']) expect(score.metrics![name]).toBeCloseTo(told.metrics![name]!, 4)
      expect(score.accuracy).toBeCloseTo(told.accuracy!, 4)
      expect(epochs.at(-1)!.validation!.metrics!.auc).toBeGreaterThan(0.8)
    }
  })

  test('of values: rmse is the root of the squared error, and the weights are those that come without', async () => {
    const more = { loss: squaredError(), validation: circle(90, 2, 'values') }
    const metrics = [mae(), rmse(), r2()]
    const told = await train(network('values'), settings('values', { ...more, metrics }))
    for (const { validation } of told.epochs)
      expect(validation!.metrics!.rmse).toBeCloseTo(Math.sqrt(validation!.loss), 5)
    const plain = await train(network('values'), settings('values', more))
    expect(plain.epochs[0]!.validation!.metrics).toBeUndefined()
    expect(plain.epochs.map((e) => e.validation!.loss)).toEqual(told.epochs.map((e) => e.validation!.loss))
  })

  test('a metric that does not suit the loss is an error before the first step', async () => {
    let steps = 0
    const onProgress = () => {
      steps++
    }
    for (const metric of [r2(), topK(5)] as TrainMetric[])
      for (const validation of [circle(50, 2, 'class'), null])
        await expect(
          train(network('class'), settings('class', { metrics: [metric], validation, onProgress })),
        ).rejects.toMatchObject({ code: 'TRAIN_METRIC' })
    expect(steps).toBe(0)
  })

  test('what the samples allow no number of is left out', async () => {
    const only = { ...circle(4, 2, 'class') }
    const data = {
      ...only,
      targets: new Map([[output('class'), { ...[...only.targets.values()][0]!, data: new BigInt64Array(4) }]]),
    }
    const score = await scoreOf(network('class'), { engine, data, loss: crossEntropy(), metrics: [auc(), f1()] })
    expect(score.metrics).toEqual({ f1: expect.any(Number) })
    await expect(train(network('class'), settings('class', { validation: data, bestBy: auc() }))).rejects.toMatchObject(
      { code: 'TRAIN_METRIC' },
    )
  })
})

describe('bestBy', () => {
  /** Less of it is better, and it grows by one with each look: only the weights that were given are the best. */
  function worse(): TrainMetric {
    let looks = 0
    return { name: 'looks', of: 'classes', moreIsBetter: false, start: () => 0, add: () => {}, value: () => looks++ }
  }

  test('decides which weights are kept, and when to stop', async () => {
    const given = await train(network('class'), settings('class', { bestBy: worse(), patience: 2, epochs: 9 }))
    expect([given.best, given.epochs.length]).toEqual([0, 2])
    const last = await train(network('class'), settings('class', { bestBy: { ...worse(), moreIsBetter: true } }))
    expect(last.best).toBe(4)
    const { epochs, best } = await train(network('class'), settings('class', { bestBy: accuracy(), epochs: 6 }))
    const all = epochs.map((e) => e.validation!.accuracy!)
    expect(best).toBe(all.indexOf(Math.max(...all)) + 1)
  })

  test('lowers the rate where it stands still', async () => {
    const plateau = { patience: 1, factor: 0.5 }
    const { epochs } = await train(network('class'), settings('class', { bestBy: worse(), plateau }))
    expect(epochs.map((e) => e.learningRate)).toEqual([0.02, 0.01, 0.005, 0.0025])
  })

  test('is a part of what a checkpoint is of, and a run goes on by it', async () => {
    const kept: Checkpoint[] = []
    const options = settings('class', { bestBy: auc(), metrics: [f1()] })
    const onCheckpoint = (c: Checkpoint) => {
      kept.push(c)
    }
    const whole = await train(network('class'), { ...options, onCheckpoint })
    const rest = await train(network('class'), { ...options, resume: kept[1]! })
    expect([rest.best, rest.epochs.at(-1)!.validation]).toEqual([whole.best, whole.epochs.at(-1)!.validation])
    await expect(train(network('class'), { ...options, bestBy: f1(), resume: kept[1]! })).rejects.toMatchObject({
      code: 'TRAIN_CHECKPOINT',
    })
  })

  test('needs samples that judge, and a metric that suits, which is found before anything is loaded', async () => {
    let loads = 0
    const counting: Engine = {
      ...engine,
      load: (...args) => {
        loads++
        return engine.load(...args)
      },
    }
    for (const more of [{ validation: null, bestBy: auc() }, { metrics: [r2()] }, { bestBy: mae() }]) {
      const options = { ...settings('class', more), engine: counting }
      await expect(train(network('class'), options)).rejects.toMatchObject({ code: 'TRAIN_METRIC' })
    }
    expect(loads).toBe(0)
  })
})
