import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { f32, numbers, scalar } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { decodeModel, encodeModel } from '../onnx/codec.js'
import { groupLasso } from '../penalties/group-lasso.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import type { Penalty } from '../penalties/penalty.js'
import { random } from '../util/random.js'
import { type Dataset, readDataset } from './dataset.js'
import {
  batchNorm,
  conv,
  dense,
  flatten,
  layerNorm,
  maxPool,
  relu,
  residual,
  scale,
  sequential,
  tanh,
} from './layers.js'
import { crossEntropy } from './losses/cross-entropy.js'
import type { Loss } from './losses/loss.js'
import { squaredError } from './losses/squared.js'
import { adam } from './optimizers/adam.js'
import { adagrad, lion, rmsprop } from './optimizers/adaptive.js'
import { OPTIMIZERS } from './optimizers/index.js'
import { sgd } from './optimizers/sgd.js'
import { constant, cosine, oneCycle, stepDecay, warmUp } from './schedules.js'
import { trainingStep } from './step.js'
import { type TrainOptions, train } from './train.js'
import { parametersOf, withBatchSize } from './training-form.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function samplesOf(rows: readonly (readonly [readonly number[], number | readonly number[]])[]): Samples {
  return {
    name: 'rows',
    count: rows.length,
    async *read() {
      for (const [i, [x, label]] of rows.entries())
        yield { feeds: { input: f32([1, x.length], x) }, label, name: `row ${i}` }
    },
  }
}
const datasetOf = (
  rows: Parameters<typeof samplesOf>[0],
  loss: Loss,
  outputShape: readonly number[],
): Promise<Dataset> => readDataset(samplesOf(rows), { loss, outputShape })

/** Two classes that a ring parts: no straight line does. */
function ring(count: number, seed = 1): readonly (readonly [readonly number[], number])[] {
  const { normal } = random(seed)
  return Array.from({ length: count }, () => {
    const x = [normal(), normal()]
    return [x, Number(Math.hypot(...x) > 1.2)] as const
  })
}
const classifier = (seed = 0): Model => sequential([dense(16), tanh(), dense(2)], { input: [2], seed })

async function settings(more: Partial<TrainOptions> = {}): Promise<TrainOptions> {
  const loss = crossEntropy()
  return {
    engine,
    loss,
    data: await datasetOf(ring(400), loss, [2]),
    validation: await datasetOf(ring(200, 2), loss, [2]),
    learningRate: 0.01,
    epochs: 20,
    batchSize: 16,
    ...more,
  }
}

describe('training', () => {
  test('learns what no straight line parts; the model that comes out has the interface of the one that went in', async () => {
    const model = classifier()
    const { model: trained, epochs, best } = await train(model, await settings())
    expect(epochs).toHaveLength(20)
    expect(epochs[best - 1]!.validation!.accuracy).toBeGreaterThan(0.93)
    expect(epochs[0]!.trainingLoss).toBeGreaterThan(2 * epochs.at(-1)!.trainingLoss)
    expect(trained.graph.inputs).toEqual(model.graph.inputs)
    expect(trained.graph.nodes).toEqual(model.graph.nodes)
    const [a, b] = [model, trained].map(({ graph }) => [...graph.constants.values()].map(({ shape }) => shape))
    expect(b).toEqual(a)
    // What comes out is a plain model, and is as good as was said.
    const session = await engine.load(encodeModel(decodeModel(encodeModel(trained).bytes)).bytes)
    let right = 0
    for (const [x, label] of ring(200, 2)) {
      const [p, q] = numbers((await session.run({ input: f32([1, 2], x) }))[trained.graph.outputs[0]!]!)
      if (Number(q! > p!) === label) right++
    }
    await session.close()
    expect(right / 200).toBeCloseTo(epochs[best - 1]!.validation!.accuracy!, 10)
  })

  test('one seed, the same weights bit for bit; another seed, others', async () => {
    const weights = async (seed: number) => {
      const { model } = await train(classifier(), await settings({ epochs: 2, seed }))
      return [...model.graph.constants.values()].map((t) => [...t.bytes()])
    }
    const first = await weights(1)
    expect(await weights(1)).toEqual(first)
    expect(await weights(2)).not.toEqual(first)
  })

  test('a line is found by least squares, with plain gradient descent', async () => {
    const { normal } = random(5)
    const rows = Array.from({ length: 128 }, () => {
      const x = [normal(), normal(), normal()]
      return [x, [2 * x[0]! - x[1]! + 0.5]] as const
    })
    const loss = squaredError()
    const { model } = await train(sequential([dense(1)], { input: [3] }), {
      engine,
      loss,
      data: await datasetOf(rows, loss, [1]),
      validation: null,
      optimizer: sgd({ momentum: 0.9 }),
      learningRate: 0.05,
      epochs: 100,
    })
    const [weight, bias] = [...model.graph.constants.values()].map((t) => [...numbers(t)])
    for (const [i, v] of [2, -1, 0].entries()) expect(weight![i]).toBeCloseTo(v, 4)
    expect(bias![0]).toBeCloseTo(0.5, 4)
  })

  test('weights that are frozen stay', async () => {
    const model = classifier()
    const { model: trained } = await train(model, await settings({ epochs: 1, freeze: ['layer0*'] }))
    for (const [name, t] of model.graph.constants) {
      const same = Buffer.compare(t.bytes(), trained.graph.constants.get(name)!.bytes()) === 0
      expect([name, same]).toEqual([name, name.startsWith('layer0')])
    }
  })

  test('a proximal penalty makes exact zeros, whole rows of them with groups; biases stay free', async () => {
    const zeros = async (penalty: Penalty) => {
      const { model } = await train(
        classifier(),
        await settings({ penalties: [{ penalty }], optimizer: sgd(), learningRate: 0.1 }),
      )
      return numbers(model.graph.constants.get('layer0.weight')!).filter((w) => w === 0).length
    }
    expect(await zeros(l1(0.02))).toBeGreaterThan(0)
    expect(await zeros(l1(10))).toBe(32)
    expect([0, 16, 32]).toContain(await zeros(groupLasso(0.05)))
    expect(await zeros(l2(0.01))).toBe(0)
    const nothing = { penalty: l1(1), on: ['nobody'] }
    await expect(train(classifier(), await settings({ penalties: [nothing] }))).rejects.toMatchObject({
      code: 'TRAIN_PENALTY',
    })
  })

  test('a ridge pulls weights as its formula says: the gradient of λ/2 w² is λ w', async () => {
    const weight = async (penalties: TrainOptions['penalties']) => {
      const loss = squaredError()
      const data = await datasetOf([[[0], [0]]], loss, [1])
      const options = {
        engine,
        loss,
        data,
        validation: null,
        epochs: 1,
        batchSize: 1,
        optimizer: sgd(),
        learningRate: 0.5,
      }
      const { model } = await train(sequential([dense(1)], { input: [1] }), {
        ...options,
        ...(penalties && { penalties }),
      })
      return numbers(model.graph.constants.get('layer0.weight')!)[0]!
    }
    // The input is 0, so the loss moves no weight.
    const free = await weight(undefined)
    expect((await weight([{ penalty: l2(0.2) }])) / free).toBeCloseTo(1 - 0.5 * 0.2, 5)
    expect((await weight([{ penalty: l2(0.2), proximal: true }])) / free).toBeCloseTo(1 / (1 + 0.5 * 0.2), 5)
  })

  test('gradients are clipped to one norm', async () => {
    const loss = squaredError()
    const data = await datasetOf([[[1, 2], [1000]]], loss, [1])
    const options = { engine, loss, data, validation: null, epochs: 1, batchSize: 1, optimizer: sgd(), learningRate: 1 }
    const before = sequential([dense(1)], { input: [2] })
    const { model } = await train(before, { ...options, clipNorm: 0.5 })
    const moved = ['layer0.weight', 'layer0.bias'].flatMap((name) => {
      const [a, b] = [before, model].map(({ graph }) => numbers(graph.constants.get(name)!))
      return [...a!].map((v, i) => v - b![i]!)
    })
    expect(Math.hypot(...moved)).toBeCloseTo(0.5, 4)
  })

  test('stops when the validation loss falls no more, and hands back the best', async () => {
    const { epochs, best } = await train(classifier(), await settings({ learningRate: 0.3, epochs: 200, patience: 3 }))
    expect(epochs.length).toBeLessThan(200)
    expect(epochs.length - best).toBe(3)
    const losses = epochs.map((e) => e.validation!.loss)
    expect(losses[best - 1]).toBe(Math.min(...losses))
  })

  test('convolutions, normalizations and a branch train; running statistics move', async () => {
    const { uniform, integer } = random(3)
    // A bright pixel in the upper or the lower half.
    const rows = Array.from({ length: 96 }, () => {
      const at = integer(36)
      return [Array.from({ length: 36 }, (_, i) => (i === at ? 200 : 20 * uniform())), Number(at >= 18)] as const
    })
    const layers = [
      scale(1 / 255),
      reshaped(),
      conv(4, 3),
      batchNorm(),
      relu(),
      residual(conv(4, 3), relu()),
      maxPool(2),
      flatten(),
      layerNorm(),
      dense(2),
    ]
    const model = sequential(layers, { input: [36] })
    const loss = crossEntropy({ labelSmoothing: 0.05 })
    const data = await datasetOf(rows, loss, [2])
    const { model: trained, epochs } = await train(model, {
      engine,
      loss,
      data,
      validation: data,
      epochs: 25,
      batchSize: 16,
      learningRate: 0.01,
    })
    expect(epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.9)
    expect([...numbers(trained.graph.constants.get('layer3.mean')!)]).not.toEqual([0, 0, 0, 0])
  })

  test('can be cancelled', async () => {
    const stop = new AbortController()
    const onEpoch = () => stop.abort(new Error('enough'))
    await expect(train(classifier(), await settings({ signal: stop.signal, onEpoch }))).rejects.toThrow()
  })
})

const reshaped =
  () =>
  (b: Parameters<ReturnType<typeof relu>>[0], { name }: { readonly name: string }) => ({
    name: b.op('Reshape', [name, b.constant({ ...int64([-1, 1, 6, 6]) }, 'shape')]),
    shape: [1, 6, 6],
  })
const int64 = (values: readonly number[]): Tensor => {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
  return { dtype: 'int64', shape: [values.length], byteLength: data.byteLength, bytes: () => data }
}

describe('one step', () => {
  /** y = w x of one weight, squared error against 0: the gradient is 2 w x². */
  const model = withBatchSize(sequential([dense(1)], { input: [1], seed: 4 }), 1)
  const weight = numbers(model.graph.constants.get('layer0.weight')!)[0]!

  async function weightAfter(optimizer: ReturnType<typeof sgd>, steps: number, rate: number): Promise<number> {
    const trainable = ['layer0.weight']
    const step = trainingStep(model, { loss: squaredError(), output: model.graph.outputs[0]!, trainable, optimizer })
    const session = await engine.load(encodeModel({ ...model, graph: step.graph }).bytes)
    let states = Object.fromEntries(step.states.map((s) => [s.name, s.initial]))
    for (let t = 1; t <= steps; t++) {
      const results = await session.run({
        input: f32([1, 1], [1]),
        [step.target]: f32([1, 1], [0]),
        [step.learningRate]: scalar(rate),
        [step.step]: scalar(t),
        ...states,
      })
      states = Object.fromEntries(step.states.map((s) => [s.name, results[s.next]!]))
    }
    await session.close()
    return numbers(states['layer0.weight']!)[0]!
  }

  /** The same in plain numbers. */
  function reference(steps: number, update: (w: number, g: number, t: number, kept: number[]) => number): number {
    let w = weight
    const kept = [0, 0]
    for (let t = 1; t <= steps; t++) w = update(w, 2 * w, t, kept)
    return w
  }

  test('gradient descent', async () => {
    expect(await weightAfter(sgd(), 3, 0.1)).toBeCloseTo(
      reference(3, (w, g) => w - 0.1 * g),
      6,
    )
  })
  test.each([false, true])('momentum, nesterov %s', async (nesterov) => {
    const wanted = reference(4, (w, g, _, kept) => {
      kept[0] = 0.9 * kept[0]! + g
      return w - 0.1 * (nesterov ? g + 0.9 * kept[0]! : kept[0]!)
    })
    expect(await weightAfter(sgd({ momentum: 0.9, nesterov }), 4, 0.1)).toBeCloseTo(wanted, 5)
  })
  test.each([0, 0.1])('Adam, weight decay %d', async (weightDecay) => {
    const wanted = reference(5, (w, g, t, kept) => {
      kept[0] = 0.9 * kept[0]! + 0.1 * g
      kept[1] = 0.999 * kept[1]! + 0.001 * g * g
      const [m, v] = [kept[0]! / (1 - 0.9 ** t), kept[1]! / (1 - 0.999 ** t)]
      return w - 0.01 * (m / (Math.sqrt(v) + 1e-8) + weightDecay * w)
    })
    expect(await weightAfter(adam({ weightDecay }), 5, 0.01)).toBeCloseTo(wanted, 5)
  })

  test('RMSProp, Adagrad and Lion', async () => {
    const rms = reference(5, (w, g, _, kept) => {
      kept[0] = 0.9 * kept[0]! + 0.1 * g * g
      return w - (0.01 * g) / (Math.sqrt(kept[0]!) + 1e-8)
    })
    expect(await weightAfter(rmsprop(), 5, 0.01)).toBeCloseTo(rms, 5)
    const ada = reference(5, (w, g, _, kept) => {
      kept[0]! += g * g
      return w - (0.1 * g) / (Math.sqrt(kept[0]!) + 1e-10)
    })
    expect(await weightAfter(adagrad(), 5, 0.1)).toBeCloseTo(ada, 5)
    const sign = reference(5, (w, g, _, kept) => {
      const next = w - 0.01 * (Math.sign(0.9 * kept[0]! + 0.1 * g) + 0.1 * w)
      kept[0] = 0.99 * kept[0]! + 0.01 * g
      return next
    })
    expect(await weightAfter(lion({ weightDecay: 0.1 }), 5, 0.01)).toBeCloseTo(sign, 5)
  })
})

describe('every optimizer', () => {
  test.each(Object.entries(OPTIMIZERS))('%s makes the loss smaller', async (_, make) => {
    const optimizer = make()
    const rate = { learningRate: optimizer.name === 'adagrad' ? 0.1 : optimizer.name === 'sgd' ? 0.1 : 3e-3 }
    const { epochs } = await train(classifier(), await settings({ optimizer, ...rate, epochs: 12 }))
    expect(epochs.at(-1)!.trainingLoss).toBeLessThan(0.9 * epochs[0]!.trainingLoss)
  })
})

describe('bad input is refused before the first step', () => {
  const loss = crossEntropy()
  const refusal = (rows: Parameters<typeof samplesOf>[0], l: Loss = loss, shape: readonly number[] = [2]) =>
    expect(datasetOf(rows, l, shape)).rejects
  test('samples and labels', async () => {
    await refusal([]).toMatchObject({ code: 'TRAIN_EMPTY' })
    await refusal([[[1, 2], 2]]).toMatchObject({ code: 'TRAIN_CLASS', detail: { where: 'row 0', value: 2 } })
    await refusal([[[1, 2], 0.5]]).toMatchObject({ code: 'TRAIN_CLASS' })
    await refusal([[[1, Number.NaN], 0]]).toMatchObject({
      code: 'TRAIN_FINITE',
      detail: { where: 'row 0, input input' },
    })
    await refusal([[[1, 2], Number.NaN]]).toMatchObject({ code: 'TRAIN_FINITE' })
    await refusal([
      [
        [1, 2],
        [0, 1],
      ],
    ]).toMatchObject({ code: 'TRAIN_LABELS' })
    await refusal([[[1, 2], [1]]], squaredError(), [2]).toMatchObject({ code: 'TRAIN_LABELS' })
  })

  test('what is asked for', async () => {
    const refused = async (more: Partial<TrainOptions>) => expect(train(classifier(), await settings(more))).rejects
    await (await refused({ freeze: ['*'] })).toMatchObject({ code: 'TRAIN_FROZEN' })
    await (await refused({ batchSize: 1000 })).toMatchObject({ code: 'TRAIN_EMPTY' })
    const far = {
      loss: squaredError(),
      data: await datasetOf(
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
        squaredError(),
        [2],
      ),
      validation: null,
    }
    const diverges = { ...far, learningRate: 1e6, optimizer: sgd(), batchSize: 1 }
    await (await refused(diverges)).toMatchObject({ code: 'TRAIN_DIVERGED', message: expect.stringContaining('step') })
    await (await refused({ output: 'nobody' })).toMatchObject({ code: expect.stringMatching(/^TRAIN_|^GRADIENT_/) })
  })

  test('layers that do not fit', () => {
    expect(() => sequential([conv(4, 3)], { input: [5] })).toThrow(/LAYER|layer/)
    expect(() => sequential([dense(0)], { input: [5] })).toThrow(/units/)
  })
})

test('parameters are the weights, not bounds and rates', () => {
  const model = sequential([conv(2, 3), batchNorm(), relu(), flatten(), dense(3)], { input: [1, 4, 4] })
  expect(parametersOf(model).toSorted()).toEqual([
    'layer0.bias',
    'layer0.weight',
    'layer1.bias',
    'layer1.scale',
    'layer4.bias',
    'layer4.weight',
  ])
  expect(parametersOf(model, ['layer0.*', '*.bias']).toSorted()).toEqual(['layer1.scale', 'layer4.weight'])
})

test('schedules begin and end where they should', () => {
  expect([0, 50, 100].map((s) => constant()(s, 100))).toEqual([1, 1, 1])
  expect([0, 50, 100].map((s) => cosine()(s, 100))).toEqual([1, expect.closeTo(0.5), expect.closeTo(0)])
  expect([0, 30, 100].map((s) => oneCycle()(s, 100))).toEqual([expect.closeTo(0.04), 1, expect.closeTo(1e-4)])
  expect([0, 9, 10, 20].map((s) => stepDecay(10, 0.5)(s, 100))).toEqual([1, 1, 0.5, 0.25])
  expect([0, 1, 3, 4].map((s) => warmUp(4)(s, 100))).toEqual([0.25, 0.5, 1, 1])
  expect(() => stepDecay(0)).toThrow(/whole number/)
})
