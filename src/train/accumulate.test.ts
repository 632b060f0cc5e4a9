import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { numbers } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import { random } from '../util/random.js'
import type { Checkpoint } from './checkpoint.js'
import type { Dataset } from './dataset.js'
import { batchNorm, dense, dropout, tanh } from './layers/index.js'
import type { Layer } from './layers/layer.js'
import { sequential } from './layers/sequential.js'
import { squaredError } from './losses/squared.js'
import { adam } from './optimizers/adam.js'
import { type TrainOptions, train } from './train.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function waves(count: number): Dataset {
  const { normal } = random(3)
  const x = Float64Array.from({ length: 3 * count }, () => normal())
  const y = Float64Array.from({ length: count }, (_, i) => Math.sin(x[3 * i]!) + x[3 * i + 1]! * x[3 * i + 2]!)
  return {
    count,
    inputs: new Map([['input', { dtype: 'float64', shape: [3], data: x }]]),
    targets: new Map([['output', { dtype: 'float64', shape: [1], data: y }]]),
  }
}

const network = (...between: readonly Layer[]): Model =>
  sequential([dense(8), ...between, tanh(), dense(1)], { input: [3], float: 'float64', seed: 5 })

const settings = (more: Partial<TrainOptions>): TrainOptions => ({
  engine,
  data: waves(100),
  validation: null,
  loss: squaredError(),
  optimizer: adam(),
  learningRate: 0.01,
  epochs: 5,
  ...more,
})

const weights = (model: Model): readonly number[] => [...model.graph.constants.values()].flatMap((t) => [...numbers(t)])

test('four batches of 8 are one batch of 32: weights, losses, penalties, clipping', async () => {
  const more = {
    penalties: [{ penalty: l2(0.01) }, { penalty: l1(0.01) }],
    clipNorm: 0.5,
  }
  const whole = await train(network(), settings({ ...more, batchSize: 32 }))
  const parts = await train(network(), settings({ ...more, batchSize: 8, accumulate: 4 }))
  expect(parts.steps).toBe(15)
  expect(parts.steps).toBe(whole.steps)
  for (const [i, w] of weights(parts.model).entries()) expect(w).toBeCloseTo(weights(whole.model)[i]!, 12)
  for (const [i, e] of parts.epochs.entries()) expect(e.trainingLoss).toBeCloseTo(whole.epochs[i]!.trainingLoss, 12)
})

test('running statistics move once a part', async () => {
  const still = { learningRate: 1e-300, epochs: 1, data: waves(32) }
  const statistics = (model: Model): readonly number[] =>
    ['mean', 'variance'].flatMap((name) => [
      ...numbers(model.graph.constants.get([...model.graph.constants.keys()].find((n) => n.endsWith(name))!)!),
    ])
  const one = await train(network(batchNorm()), settings({ ...still, batchSize: 8 }))
  const parts = await train(network(batchNorm()), settings({ ...still, batchSize: 8, accumulate: 2 }))
  expect(statistics(parts.model)).toEqual(statistics(one.model))
  expect(statistics(network(batchNorm()))).not.toEqual(statistics(one.model))
})

test('dropout and mixup are drawn for each part; a run goes on from a checkpoint bit for bit', async () => {
  const options = settings({ batchSize: 4, accumulate: 3, mixup: 0.4, epochs: 4 })
  const model = network(dropout(0.3))
  const kept: Checkpoint[] = []
  const whole = await train(model, { ...options, onCheckpoint: (c) => void kept.push(c) })
  const rest = await train(model, { ...options, resume: kept[1]! })
  expect(weights(rest.model)).toEqual(weights(whole.model))
  expect(weights(whole.model)).not.toEqual(weights((await train(model, { ...options, mixup: 0.1 })).model))
})

test('a loss that is no number is traced in the part where it began', async () => {
  const data = waves(12)
  data.inputs.get('input')!.data[0] = 1e300
  const run = train(network(), settings({ data, batchSize: 2, accumulate: 6, learningRate: 1e300, epochs: 3 }))
  await expect(run).rejects.toMatchObject({ code: 'TRAIN_DIVERGED' })
})

test('fewer samples than all parts hold, and a number of parts that is none', async () => {
  await expect(train(network(), settings({ batchSize: 32, accumulate: 4 }))).rejects.toMatchObject({
    code: 'TRAIN_EMPTY',
    detail: { value: '100 samples, 4 batches of 32', remedy: expect.stringMatching(/accumulate fewer/) },
  })
  await expect(train(network(), settings({ accumulate: 0 }))).rejects.toMatchObject({ code: 'TRAIN_OPTION' })
})

test('samples that no step takes are told where they are many', async () => {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  await train(network(), settings({ batchSize: 8, accumulate: 8, epochs: 1, onWarning }))
  await train(network(), settings({ batchSize: 8, accumulate: 4, epochs: 1, onWarning }))
  expect(warnings).toEqual(['Steps of 64 samples leave 36 of 100 unused in each epoch, others each time.'])
})

test('the graph of a step holds no sums: it is as small as that of one batch', async () => {
  const sizes: number[] = []
  const watched: Engine = {
    ...engine,
    load: (model, options) => {
      if (model instanceof Uint8Array) sizes.push(model.byteLength)
      return engine.load(model, options)
    },
  }
  const wide = sequential([dense(2000), tanh(), dense(1)], { input: [3], float: 'float64' })
  for (const accumulate of [1, 4]) await train(wide, settings({ engine: watched, batchSize: 8, accumulate, epochs: 1 }))
  expect(sizes).toHaveLength(2)
  expect(sizes[1]! - sizes[0]!).toBeLessThan(4000)
})
