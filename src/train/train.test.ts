import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int, tensorAttr } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floatTensor, i64, numbers, scalar } from '../ir/tensor.js'
import type { Model, Value } from '../ir/types.js'
import { decodeModel, encodeModel } from '../onnx/codec.js'
import { groupLasso } from '../penalties/group-lasso.js'
import { l1 } from '../penalties/l1.js'
import { l2 } from '../penalties/l2.js'
import { mcp } from '../penalties/mcp.js'
import type { Penalty } from '../penalties/penalty.js'
import { random } from '../util/random.js'
import type { Augment } from './augment.js'
import type { Checkpoint } from './checkpoint.js'
import { type Dataset, readDataset } from './dataset.js'
import { withDropout } from './dropout.js'
import { scoreOf } from './evaluate.js'
import {
  batchNorm,
  conv,
  dense,
  dropout,
  embedding,
  flatten,
  layerNorm,
  maxPool,
  positions,
  relu,
  reshape,
  residual,
  scale,
  tanh,
  transformerBlock,
} from './layers/index.js'
import { sequential } from './layers/sequential.js'
import { binaryCrossEntropy, hinge } from './losses/binary-cross-entropy.js'
import { crossEntropy } from './losses/cross-entropy.js'
import type { Loss } from './losses/loss.js'
import { squaredError } from './losses/squared.js'
import { mixingShare } from './mixup.js'
import { scoresOf } from './objective.js'
import { withOpenBatch } from './open-batch.js'
import { adam } from './optimizers/adam.js'
import { adagrad, lion, rmsprop } from './optimizers/adaptive.js'
import { OPTIMIZERS } from './optimizers/index.js'
import { sgd } from './optimizers/sgd.js'
import { parametersOf, valuesOf } from './parameters.js'
import { constant, cosine, oneCycle, stepDecay, warmUp } from './schedules.js'
import { trainingStep } from './step.js'
import { type TrainOptions, train } from './train.js'
import { withBatchSize } from './training-form.js'

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
const datasetOf = (rows: Parameters<typeof samplesOf>[0], loss: Loss, model: Model): Promise<Dataset> =>
  readDataset(samplesOf(rows), { loss, model })

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
    data: await datasetOf(ring(400), loss, classifier()),
    validation: await datasetOf(ring(200, 2), loss, classifier()),
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
    const line = sequential([dense(1)], { input: [3] })
    const { model } = await train(line, {
      engine,
      loss,
      data: await datasetOf(rows, loss, line),
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

  test.each([undefined, 'int8'] as const)('groups of a MatMul are its columns, rounded to %s too', async (grid) => {
    const { normal } = random(9)
    const b = builder()
    b.input('input', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    const drawn = () => Float32Array.from({ length: 32 }, () => normal())
    const hidden = b.op('Tanh', [b.op('MatMul', ['input', b.constant(f32([2, 16], drawn()), 'first')])])
    b.ops('MatMul', [hidden, b.constant(f32([16, 2], drawn()), 'last')], { outputs: ['scores'] })
    b.output('scores', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    const penalties = [{ penalty: groupLasso(0.2), on: ['first'] }]
    const options = await settings({ validation: null, penalties, ...(grid && { grid }) })
    const targets = new Map([['scores', [...options.data.targets.values()][0]!]])
    const { model } = await train(modelOf(b.graph()), { ...options, data: { ...options.data, targets } })
    const first = numbers(model.graph.constants.get('first')!)
    const zeros = Array.from({ length: 16 }, (_, n) => [first[n] === 0, first[16 + n] === 0])
    expect(zeros.every(([up, down]) => up === down)).toBe(true)
    expect(new Set(zeros.flat())).toEqual(new Set([true, false]))
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
    // A group is what makes one of the 16 outputs: a column of two.
    const grouped = await zeros(groupLasso(0.05))
    expect([grouped > 0, grouped % 2]).toEqual([true, 0])
    expect(await zeros(l2(0.01))).toBe(0)
    const nothing = { penalty: l1(1), on: ['nobody'] }
    await expect(train(classifier(), await settings({ penalties: [nothing] }))).rejects.toMatchObject({
      code: 'TRAIN_PENALTY',
    })
  })

  test('a ridge pulls weights as its formula says: the gradient of λ/2 w² is λ w', async () => {
    const weight = async (penalties: TrainOptions['penalties']) => {
      const loss = squaredError()
      const one = sequential([dense(1)], { input: [1] })
      const data = await datasetOf([[[0], [0]]], loss, one)
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
      const { model } = await train(one, {
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
    const before = sequential([dense(1)], { input: [2] })
    const data = await datasetOf([[[1, 2], [1000]]], loss, before)
    const options = { engine, loss, data, validation: null, epochs: 1, batchSize: 1, optimizer: sgd(), learningRate: 1 }
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
      reshape(1, 6, 6),
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
    const data = await datasetOf(rows, loss, model)
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

describe('what happens in training alone', () => {
  test('dropout drops while it trains, and is gone in the end; one seed, one run', async () => {
    const layers = [dense(16), tanh(), dropout(0.3), dense(2)]
    const model = sequential(layers, { input: [2] })
    const once = async (seed: number) => train(model, await settings({ epochs: 6, seed }))
    const [first, again, other] = [await once(1), await once(1), await once(2)]
    expect(first.model.graph.nodes.map((n) => n.op)).not.toContain('Dropout')
    expect(first.epochs.map((e) => e.trainingLoss)).toEqual(again.epochs.map((e) => e.trainingLoss))
    expect(first.epochs[0]!.trainingLoss).not.toBe(other.epochs[0]!.trainingLoss)
    // What judges does not drop, so it is better than what trains says.
    const last = first.epochs.at(-1)!
    expect(last.validation!.loss).toBeLessThan(last.trainingLoss)
    const without = await train(model, await settings({ epochs: 6, seed: 1, isTraining: false }))
    expect(without.epochs[0]!.trainingLoss).not.toBe(first.epochs[0]!.trainingLoss)
  })

  test('a mask keeps the share that it should, scaled so that the mean stays', async () => {
    const count = 4000
    const b = builder()
    b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, count] })
    b.output(b.op('Dropout', ['x', b.constant(scalar(0.25))]), { kind: 'tensor', dtype: 'float32', shape: [1, count] })
    const { model, places, ranges } = withDropout(modelOf(b.graph()))
    const session = await engine.load(encodeModel(model).bytes)
    const results = await session.run({ x: f32([1, count], new Float32Array(count).fill(1)), [places!]: i64([1], [7]) })
    await session.close()
    const y = numbers(results[model.graph.outputs[0]!]!)
    expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.75)]))
    expect(y.filter((v) => v === 0).length / count).toBeCloseTo(0.25, 1)
    expect(ranges[0]).toBeGreaterThan(2 * count)
  })

  test('mixup trains on mixtures, and still learns', async () => {
    const { epochs } = await train(classifier(), await settings({ mixup: 0.2 }))
    expect(epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.85)
    expect(epochs.at(-1)!.trainingLoss).toBeGreaterThan(epochs.at(-1)!.validation!.loss)
    const { integer } = random(1)
    const draws = Array.from({ length: 2000 }, (_, i) => mixingShare(random(i), 0.4))
    expect(draws.every((v) => v >= 0 && v <= 1)).toBe(true)
    expect(draws.reduce((a, v) => a + v, 0) / 2000).toBeCloseTo(0.5, 1)
    // Beta(α, α) has the variance 1 / (4 (2α + 1)).
    expect(draws.reduce((a, v) => a + (v - 0.5) ** 2, 0) / 2000).toBeCloseTo(1 / (4 * 1.8), 1)
    expect(integer(2)).toBeLessThan(2)
  })

  test('the mean of the weights is what is judged and handed back', async () => {
    const plain = await train(classifier(), await settings({ epochs: 3, optimizer: sgd(), learningRate: 0.5 }))
    const mean = await train(
      classifier(),
      await settings({ epochs: 3, optimizer: sgd(), learningRate: 0.5, averaging: 0.99 }),
    )
    // The steps are the same, the weights are not.
    expect(mean.epochs.map((e) => e.trainingLoss)).toEqual(plain.epochs.map((e) => e.trainingLoss))
    expect(weightsOf(mean.model)).not.toEqual(weightsOf(plain.model))
  })

  test('samples are changed anew each time', async () => {
    const seen: number[] = []
    const augment: TrainOptions['augment'] = (values, { input, shape }, { uniform }) => {
      expect([input, shape]).toEqual(['input', [2]])
      seen.push(Number(values[0]))
      ;(values as Float32Array)[0]! += uniform() - 0.5
    }
    const options = await settings({ augment, epochs: 2 })
    const before = options.data.inputs.get('input')!.data.slice()
    await train(classifier(), options)
    expect(options.data.inputs.get('input')!.data).toEqual(before)
    expect(seen).toHaveLength(2 * 400)
    expect(new Set(seen).size).toBeLessThanOrEqual(400)
  })

  test('the learning rate falls where the loss stands still', async () => {
    const plateau = { patience: 2, factor: 0.5 }
    const { epochs } = await train(classifier(), await settings({ learningRate: 0.5, epochs: 30, plateau }))
    const rates = epochs.map((e) => e.learningRate)
    expect(rates[0]).toBe(0.5)
    expect(rates.at(-1)).toBeLessThan(0.5)
    expect(new Set(rates.slice(1).map((r, i) => r / rates[i]!))).toEqual(new Set([1, 0.5]))
  })

  test('a weight that no loss depends on stays', async () => {
    const b = builder()
    b.input('input', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    const w = b.constant(f32([2, 2], [0.1, 0.2, 0.3, 0.4]), 'w')
    b.output(b.op('MatMul', ['input', w], { outputs: ['scores'] }), {
      kind: 'tensor',
      dtype: 'float32',
      shape: ['N', 2],
    })
    const unused = b.constant(f32([2, 2], [1, 2, 3, 4]), 'unused')
    b.output(b.op('MatMul', ['input', unused], { outputs: ['other'] }), {
      kind: 'tensor',
      dtype: 'float32',
      shape: ['N', 2],
    })
    const loss = [{ output: 'scores', loss: crossEntropy() }]
    const two = modelOf(b.graph())
    const data = await readDataset(samplesOf(ring(100)), { loss, model: two })
    const { model } = await train(two, { engine, loss, data, validation: null, epochs: 1 })
    expect(numbers(model.graph.constants.get('unused')!)).toEqual(Float32Array.of(1, 2, 3, 4))
    expect(numbers(model.graph.constants.get('w')!)[0]).not.toBeCloseTo(0.1, 3)
  })
})

const weightsOf = ({ graph }: Model): readonly number[][] => [...graph.constants.values()].map((t) => [...numbers(t)])

describe('odd models', () => {
  const loss = crossEntropy()
  const float = (...shape: (string | number)[]) => ({ kind: 'tensor', dtype: 'float32', shape }) as const
  const quick = async (model: Model, more: Partial<TrainOptions> = {}) => {
    const data = await readDataset(samplesOf(ring(100)), { loss: more.loss ?? loss, model })
    return train(model, { engine, loss, data, validation: null, epochs: 1, ...more })
  }
  const linear = (b: ReturnType<typeof builder>, x: string, hint = 'w') =>
    b.op('MatMul', [x, b.constant(f32([2, 2], [1, 0.5, -0.5, 1]), hint)])

  test('masks, exponents and scales of data are no weights; biases of one product are', () => {
    const model = sequential([embedding(5, 4), positions(), transformerBlock({ heads: 2 }), dense(1)], {
      input: [6],
      inputType: 'int64',
    })
    const names = parametersOf(model)
    expect(names.filter((name) => name.includes('mask') || name.includes('scale.'))).toEqual([])
    expect(names).toContain('layer0.table')
    expect(names).toContain('layer3.bias')
    const b = builder()
    b.input('x', float('N', 2))
    b.output(b.op('Pow', ['x', b.constant(f32([1], [2]), 'two')]))
    expect(parametersOf(modelOf(b.graph()))).toEqual([])
  })

  test('a mask of infinities trains along, and stays', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    const mask = b.constant(f32([2], [0, Number.NEGATIVE_INFINITY]), 'mask')
    b.output(b.op('Add', [linear(b, 'input'), mask]), float('N', 2))
    const rows = ring(40).map(([x]) => [x, 0] as const)
    const model = modelOf(b.graph())
    const data = await readDataset(samplesOf(rows), { loss, model })
    const { model: trained } = await train(model, { engine, loss, data, validation: null, epochs: 1 })
    expect(numbers(trained.graph.constants.get('mask')!)[1]).toBe(Number.NEGATIVE_INFINITY)
  })

  test('weights that a newer opset writes in another form are not lost', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    const [s, t] = [b.constant(f32([1], [1]), 's'), b.constant(f32([1], [0]), 't')]
    const wide = b.op('Unsqueeze', [linear(b, 'input'), b.constant(i64([1], [2]))])
    const group = b.op('GroupNormalization', [wide, s, t], { attrs: { num_groups: int(1) } })
    b.output(b.op('Squeeze', [group, b.constant(i64([1], [2]))]), float('N', 2))
    const model = modelOf(b.graph(), { '': 18 })
    const validation = await readDataset(samplesOf(ring(60, 2)), { loss, model })
    const { model: trained, epochs, best } = await quick(model, { epochs: 5, learningRate: 0.05, validation })
    const { loss: scored } = await scoreOf(trained, { engine, data: validation, loss })
    expect(best).toBeGreaterThan(0)
    expect(scored).toBeCloseTo(epochs[best - 1]!.validation!.loss, 5)
  })

  test('weights that are listed as inputs, and weights in Constant nodes', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    const w = b.op('Constant', [], { attrs: { value: tensorAttr(f32([2, 2], [1, 0.5, -0.5, 1])) } })
    const product = b.op('MatMul', ['input', w])
    const bias = b.constant(f32([2], [0, 0]), 'bias')
    b.output(b.op('Add', [product, bias]), float('N', 2))
    const graph = b.graph()
    const listed = {
      ...graph,
      inputs: [...graph.inputs, 'bias'],
      values: new Map<string, Value>([...graph.values, ['bias', float(2)]]),
    }
    const model = modelOf(listed)
    const { model: trained } = await quick(model, { learningRate: 0.1 })
    expect([...trained.graph.constants.values()].some((t) => t.shape.join() === '2,2' && numbers(t)[0] !== 1)).toBe(
      true,
    )
  })

  test('a Dropout whose mask has a name drops; one whose mask is read is refused', async () => {
    const make = (isRead: boolean) => {
      const b = builder()
      b.input('input', float('N', 2))
      const [y, mask] = b.ops('Dropout', [linear(b, 'input')], { outputs: 2 })
      b.output(b.op('Add', [y!, b.constant(f32([2], [0, 0]), 'bias')]), float('N', 2))
      if (isRead) b.output(mask!, { kind: 'tensor', dtype: 'bool', shape: ['N', 2] })
      return modelOf(b.graph())
    }
    const { model } = await quick(make(false))
    expect(model.graph.nodes.map((n) => n.op)).not.toContain('Dropout')
    const two = make(true)
    const objectives = [{ output: two.graph.outputs[0]!, loss }]
    await expect(quick(two, { loss: objectives })).rejects.toMatchObject({ code: 'TRAIN_DROPOUT' })
  })

  test('a loss of the scores before a Softmax that a Dropout stands before', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    const dropped = b.op('Dropout', [linear(b, 'input')])
    b.output(b.op('Softmax', [dropped], { attrs: { axis: int(-1) } }), float('N', 2))
    const model = modelOf(b.graph())
    const objectives = [{ output: scoresOf(model, model.graph.outputs[0]!), loss }]
    const data = await readDataset(samplesOf(ring(100)), { loss: objectives, model })
    const targets = new Map([[[...data.targets.keys()][0]!, [...data.targets.values()][0]!]])
    await train(model, { engine, loss: objectives, data: { ...data, targets }, epochs: 1 })
  })

  test('scores that are equal are right for the first class alone', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    b.output(b.op('MatMul', ['input', b.constant(f32([2, 3], new Float32Array(6)), 'w')]), float('N', 3))
    const model = modelOf(b.graph())
    const rows = [0, 1, 2, 0].map((label) => [[1, 2], label] as const)
    const data = await readDataset(samplesOf(rows), { loss, model })
    expect((await scoreOf(model, { engine, data, loss })).accuracy).toBe(0.5)
  })

  test('a batch size that is fixed at 1 does not hold where nothing depends on it; where something does, steps have many of them', async () => {
    const make = (...shapes: readonly (readonly number[])[]) => {
      const b = builder()
      b.input('input', float(1, 2))
      const last = shapes.reduce(
        (value, shape) => b.op('Reshape', [value, b.constant(i64([shape.length], shape), 'shape')]),
        linear(b, 'input'),
      )
      b.output(last, float(1, 2))
      return modelOf(b.graph())
    }
    const warnings: string[] = []
    const onWarning = (w: string) => void warnings.push(w)
    for (const shape of [
      [-1, 2],
      [1, 2],
    ]) {
      const free = await quick(make(shape), { batchSize: 20, onWarning })
      expect([free.steps, warnings]).toEqual([5, []])
      expect(free.model.graph.values.get('input')).toMatchObject({ shape: [1, 2] })
    }
    // Constants may be reshaped too.
    const b = builder()
    b.input('input', float(1, 2))
    const row = b.op('Reshape', [b.constant(f32([2], [1, 2]), 'row'), b.constant(i64([2], [1, 2]), 'shape')])
    const one = b.op('Reshape', [b.constant(f32([], [3]), 'one'), b.constant(i64([1], [1]), 'shape')])
    b.output(b.op('Mul', [b.op('Add', [linear(b, 'input'), row]), one]), float(1, 2))
    expect((await quick(modelOf(b.graph()), { batchSize: 20, onWarning })).steps).toBe(5)
    expect(warnings).toEqual([])
    const kept = await quick(make([2], [1, 2]), { batchSize: 20, onWarning })
    expect([kept.steps, warnings]).toEqual([5, []])
    const [wanted, got] = [await quick(make([1, 2]), { batchSize: 20 }), kept].map(({ model: { graph } }) =>
      numbers(graph.constants.get('w')!),
    )
    for (const [i, v] of wanted!.entries()) expect(got![i]).toBeCloseTo(v, 5)
  })

  test('a batch size that is fixed goes into steps as often as it fits, and a warning says what is left', async () => {
    const b = builder()
    b.input('input', float(8, 2))
    b.output(linear(b, 'input'), float(8, 2))
    const model = modelOf(b.graph())
    const warnings: string[] = []
    const onWarning = (w: string) => void warnings.push(w)
    expect((await quick(model, { batchSize: 24, onWarning })).steps).toBe(4)
    expect(warnings.filter((w) => w.startsWith('The model'))).toEqual([])
    expect((await quick(model, { batchSize: 20, onWarning })).steps).toBe(6)
    expect(warnings.at(-1)).toBe('The model takes batches of 8: 16 samples take the place of a batch of 20.')
  })

  test('many layers hide nothing of the batch, nor do weights that are levels', async () => {
    const r = random(5)
    const DEPTH = 30
    const tower = (scale: number) => {
      const b = builder()
      b.input('input', float(1, 2))
      const layer = (value: string, i: number): string => {
        const [rows, columns] = [i === 0 ? 2 : 16, i === DEPTH - 1 ? 2 : 16]
        const w = Float32Array.from({ length: rows * columns }, () => r.normal(0, scale / Math.sqrt(rows)))
        return b.op('MatMul', [value, b.constant(f32([rows, columns], w), `w${i}`)])
      }
      b.output(
        Array.from({ length: DEPTH }, (_, i) => i).reduce((value, i) => layer(value, i), 'input'),
        float(1, 2),
      )
      return modelOf(b.graph())
    }
    expect((await quick(tower(1), { batchSize: 20 })).steps).toBe(5)
    // In steps of a hundredth.
    const levels = tower(100)
    const grids = [...levels.graph.constants].map(([name, { shape }]) => {
      const count = shape.reduce((n, d) => n * d, 1)
      const steps = new Float32Array(count).fill(0.01)
      return [name, { steps, low: -300, high: 300, pinned: new Uint8Array(count) }] as const
    })
    const grid = { weights: new Map(grids), travel: 0.1 }
    expect((await quick(levels, { batchSize: 20, grid })).steps).toBe(5)
  })

  test('what depends on the batch is not opened, though zeros hide it', async () => {
    const trial = async (model: Model, rows: readonly (readonly number[])[]) => {
      const input = {
        dtype: 'float32',
        shape: model.graph.values.get('x')!.kind === 'tensor' ? [1, 3] : [],
        data: Float32Array.from(rows.flat()),
      } as const
      const data = { count: rows.length, inputs: new Map([['x', input]]), targets: new Map() }
      return withOpenBatch(model, { data, engine, values: [], weights: valuesOf(model, parametersOf(model)) })
    }
    const rows = Array.from({ length: 8 }, (_, i) => (i < 3 ? [0, 0, 0] : [i, 1, -i]))
    // The first axis is that of time; the head is all zeros.
    const b = builder()
    b.input('x', float(1, 1, 3))
    const wave = (shape: readonly number[]) =>
      f32(
        shape,
        Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i)),
      )
    const cell = b.op('RNN', ['x', b.constant(wave([1, 2, 3]), 'w'), b.constant(wave([1, 2, 2]), 'r')], {
      attrs: { hidden_size: int(2) },
    })
    const flat = b.op('Squeeze', [cell, b.constant(i64([1], [1]), 'axes')])
    b.output(b.op('MatMul', [flat, b.constant(f32([2, 2], [0, 0, 0, 0]), 'head')]), float(1, 1, 2))
    expect(await trial(modelOf(b.graph()), rows)).toBeNull()

    const mean = builder()
    mean.input('x', float(1, 1, 3))
    const all = mean.op('ReduceMean', ['x', mean.constant(i64([1], [0]), 'axes')], { attrs: { keepdims: int(1) } })
    mean.output(mean.op('Sub', ['x', all]), float(1, 1, 3))
    expect(await trial(modelOf(mean.graph()), rows)).toBeNull()

    const free = builder()
    free.input('x', float(1, 1, 3))
    free.output(free.op('Tanh', ['x']), float(1, 1, 3))
    expect((await trial(modelOf(free.graph()), rows))?.graph.values.get('x')).toMatchObject({ shape: ['N', 1, 3] })
  })

  test('statistics that are one constant with a scale train apart from it', async () => {
    const b = builder()
    b.input('input', float('N', 2))
    const [ones, zeros] = [b.constant(f32([2], [1, 1]), 'ones'), b.constant(f32([2], [0, 0]), 'zeros')]
    b.output(b.op('BatchNormalization', [linear(b, 'input'), ones, zeros, zeros, ones]), float('N', 2))
    const { model } = await quick(modelOf(b.graph()), { learningRate: 0.1, isTraining: false })
    const node = model.graph.nodes.find((n) => n.op === 'BatchNormalization')!
    const at = (i: number) => [...numbers(model.graph.constants.get(node.inputs[i]!)!)]
    expect([at(3), at(4)]).toEqual([
      [0, 0],
      [1, 1],
    ])
    expect(at(1)).not.toEqual([1, 1])
  })

  test('a pattern names a node that reads a weight through another one', () => {
    const b = builder()
    b.input('input', float('N', 2))
    const turned = b.op('Transpose', [b.constant(f32([2, 2], [1, 2, 3, 4]), 'w')])
    b.output(b.op('MatMul', ['input', turned], { name: 'head' }))
    const model = modelOf(b.graph())
    expect(parametersOf(model)).toEqual(['w'])
    expect(parametersOf(model, ['head'])).toEqual([])
  })

  test('what cannot be is said before the first step', async () => {
    const model = classifier()
    const { data } = await settings()
    const [name, column] = [...data.targets][0]!
    const bad = {
      ...data,
      targets: new Map([[name, { ...column, data: BigInt64Array.from({ length: data.count }, () => -1n) }]]),
    }
    await expect(quick(model, { data: bad })).rejects.toMatchObject({ code: 'TRAIN_CLASS' })
    await expect(quick(model, { freeze: ['nobody'] })).rejects.toMatchObject({ code: 'TRAIN_FREEZE' })
    await expect(quick(model, { averaging: 0.9, penalties: [{ penalty: l1(0.1) }] })).rejects.toMatchObject({
      code: 'TRAIN_PENALTY',
    })
    await expect(quick(model, { schedule: () => -1 })).rejects.toMatchObject({ code: 'TRAIN_RATE' })
    const twice = [
      { output: name, loss },
      { output: name, loss },
    ]
    await expect(train(model, { engine, loss: twice, data })).rejects.toMatchObject({ code: 'TRAIN_OUTPUT' })
    const tall: Samples = {
      name: 'tall',
      count: null,
      async *read() {
        yield { feeds: { input: f32([4, 2], new Float32Array(8)) }, label: 0, name: 'one' }
      },
    }
    await expect(readDataset(tall, { loss, model })).rejects.toMatchObject({ code: 'TRAIN_SHAPE' })
  })
})

describe('workers', () => {
  test('two engines train as well as one, and the same way each time', async () => {
    const other = await openEngine({ threads: 1 })
    const one = async () => train(classifier(), await settings({ workers: [other] }))
    const [first, again] = [await one(), await one()]
    await other.close()
    expect(first.epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.9)
    expect(weightsOf(again.model)).toEqual(weightsOf(first.model))
    expect(first.steps).toBe((await train(classifier(), await settings())).steps)
  })

  test('with one step a block and plain gradient descent: the mean of the gradients', async () => {
    const loss = squaredError()
    const model = sequential([dense(1)], { input: [1] })
    const data = await datasetOf(
      [
        [[1], [2]],
        [[3], [-1]],
      ],
      loss,
      model,
    )
    const options = { engine, loss, data, validation: null, epochs: 1, optimizer: sgd(), learningRate: 0.1 }
    const other = await openEngine({ threads: 1 })
    const parted = await train(model, { ...options, batchSize: 1, workers: [other] })
    await other.close()
    const whole = await train(model, { ...options, batchSize: 2 })
    for (const [i, values] of weightsOf(parted.model).entries())
      for (const [j, v] of values.entries()) expect(v).toBeCloseTo(weightsOf(whole.model)[i]![j]!, 5)
  })
})

describe('a run that was stopped', () => {
  test('goes on as if it had not been: the same weights, bit for bit', async () => {
    const model = sequential([dense(16), tanh(), dropout(0.2), dense(2)], { input: [2] })
    const options = { mixup: 0.2, averaging: 0.9, plateau: { patience: 1 }, epochs: 6 }
    const kept: Checkpoint[] = []
    const whole = await train(model, await settings({ ...options, onCheckpoint: (c) => void kept.push(c) }))
    expect(kept).toHaveLength(6)
    const rest = await train(model, await settings({ ...options, resume: kept[2]! }))
    expect(weightsOf(rest.model)).toEqual(weightsOf(whole.model))
    expect(rest.epochs.map((e) => e.trainingLoss)).toEqual(whole.epochs.map((e) => e.trainingLoss))
    const nothingLeft = await train(model, await settings({ ...options, resume: kept[5]! }))
    expect(weightsOf(nothingLeft.model)).toEqual(weightsOf(whole.model))
  })

  test('does not go on with other choices or another model', async () => {
    const kept: Checkpoint[] = []
    await train(classifier(), await settings({ epochs: 1, onCheckpoint: (c) => void kept.push(c) }))
    const resume = kept[0]!
    const refused = async (model: Model, more: Partial<TrainOptions>) =>
      expect(train(model, await settings({ epochs: 1, resume, ...more }))).rejects.toMatchObject({
        code: 'TRAIN_CHECKPOINT',
      })
    await refused(classifier(), { seed: 5 })
    await refused(classifier(), { optimizer: sgd() })
    await refused(sequential([dense(8), tanh(), dense(2)], { input: [2] }), {})
  })

  test('nor with another change of samples, be it rare, and the first sample blank', async () => {
    const { data } = await settings()
    for (const { data: values } of data.inputs.values()) values.fill(0 as never, 0, 2)
    /** Turns every twentieth sample by a factor, which zeros do not show. */
    const rare = (factor: number): Augment => {
      return (values, _, { uniform }) => {
        if (uniform() < 0.05) for (let i = 0; i < values.length; i++) values[i] = factor * Number(values[i])
      }
    }
    const kept: Checkpoint[] = []
    const options = { data, epochs: 1, augment: rare(-1) }
    await train(classifier(), await settings({ ...options, onCheckpoint: (c) => void kept.push(c) }))
    const resume = kept[0]!
    await train(classifier(), await settings({ ...options, augment: rare(-1), resume }))
    await expect(train(classifier(), await settings({ ...options, augment: rare(-2), resume }))).rejects.toMatchObject({
      code: 'TRAIN_CHECKPOINT',
    })
  })
})

describe('a loss that is no number', () => {
  test('names the step and the node where it began', async () => {
    const b = builder()
    b.input('input', { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    const scores = b.op('MatMul', ['input', b.constant(f32([2, 2], [1, 0, 0, 1]), 'w')], { name: 'product' })
    // The logarithm of the first input: finite until a sample is not above 0.
    const bent = b.op('Log', [scores], { name: 'logarithm' })
    b.output(bent, { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    const model = modelOf(b.graph())
    const loss = squaredError()
    const rows = [1, 2, 3, 4, -1].map(
      (x) =>
        [
          [x, 1],
          [0, 0],
        ] as const,
    )
    const data = await datasetOf(rows, loss, model)
    const options = { engine, loss, data, validation: null, batchSize: 1, epochs: 1, learningRate: 1e-6 }
    await expect(train(model, options)).rejects.toMatchObject({
      code: 'TRAIN_DIVERGED',
      detail: { where: expect.stringContaining('logarithm') },
    })
  })

  test('names the weight where that is no number', async () => {
    const loss = squaredError()
    const model = sequential([dense(1)], { input: [1] })
    const data = await datasetOf([[[1e20], [1e20]]], loss, model)
    const options = { engine, loss, data, validation: null, batchSize: 1, epochs: 1, optimizer: sgd(), learningRate: 1 }
    await expect(train(model, options)).rejects.toMatchObject({ code: 'TRAIN_DIVERGED' })
  })
})

describe('other models', () => {
  test('float64 throughout', async () => {
    const model = sequential([dense(1)], { input: [2], float: 'float64' })
    const loss = squaredError()
    const samples: Samples = {
      name: 'rows',
      count: 4,
      async *read() {
        for (let i = 0; i < 4; i++)
          yield { feeds: { input: floatTensor('float64', [1, 2], [i, 1 / (i + 1)]) }, label: [3 * i - 1], name: `${i}` }
      },
    }
    const data = await readDataset(samples, { model, loss })
    const { model: trained } = await train(model, {
      engine,
      loss,
      data,
      validation: null,
      optimizer: sgd({ momentum: 0.9 }),
      learningRate: 0.05,
      batchSize: 4,
      epochs: 2000,
      penalties: [{ penalty: l2(0) }, { penalty: groupLasso(0) }],
    })
    expect(trained.graph.constants.get('layer0.weight')!.dtype).toBe('float64')
    const [slope, other] = numbers(trained.graph.constants.get('layer0.weight')!)
    expect(slope).toBeCloseTo(3, 6)
    expect(other).toBeCloseTo(0, 6)
    expect(numbers(trained.graph.constants.get('layer0.bias')!)[0]).toBeCloseTo(-1, 6)
  })

  test('a small transformer learns to repeat what stood two places before', async () => {
    const [length, letters] = [8, 5]
    const model = sequential([embedding(letters, 16), positions(), transformerBlock({ heads: 2 }), dense(letters)], {
      input: [length],
      inputType: 'int64',
    })
    const { integer } = random(4)
    const samples: Samples = {
      name: 'texts',
      count: 300,
      async *read() {
        for (let k = 0; k < 300; k++) {
          const text = Array.from({ length }, () => integer(letters))
          const label = text.map((_, i) => text[Math.max(0, i - 2)]!)
          yield { feeds: { input: i64([1, length], text) }, label, name: `${k}` }
        }
      },
    }
    const loss = crossEntropy()
    const data = await readDataset(samples, { model, loss })
    const { epochs } = await train(model, { engine, loss, data, validation: data, epochs: 25, learningRate: 0.01 })
    expect(epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.95)
  })
})

describe('one step', () => {
  /** y = w x of one weight, squared error against 0: the gradient is 2 w x². */
  const model = withBatchSize(sequential([dense(1)], { input: [1], seed: 4 }), 1)
  const weight = numbers(model.graph.constants.get('layer0.weight')!)[0]!

  async function weightAfter(optimizer: ReturnType<typeof sgd>, steps: number, rate: number): Promise<number> {
    const trainable = ['layer0.weight']
    const output = model.graph.outputs[0]!
    const step = trainingStep(model, {
      objectives: [{ output, loss: squaredError(), weight: 1 }],
      trainable,
      optimizer,
    })
    const session = await engine.load(encodeModel({ ...model, graph: step.graph }).bytes)
    let states = Object.fromEntries(step.states.map((s) => [s.name, s.initial]))
    for (let t = 1; t <= steps; t++) {
      const results = await session.run({
        input: f32([1, 1], [1]),
        [step.targets.get(output)!]: f32([1, 1], [0]),
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
  const refusal = (rows: Parameters<typeof samplesOf>[0], l: Loss = loss) =>
    expect(datasetOf(rows, l, classifier())).rejects
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
    await refusal([[[1, 2], [1]]], squaredError()).toMatchObject({ code: 'TRAIN_LABELS' })
    await refusal(
      [
        [
          [1, 2],
          [1, 0],
        ],
      ],
      hinge(),
    ).toMatchObject({ code: 'TRAIN_TARGET' })
    await refusal(
      [
        [
          [1, 2],
          [1, 2],
        ],
      ],
      binaryCrossEntropy(),
    ).toMatchObject({ code: 'TRAIN_TARGET' })
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
        classifier(),
      ),
      validation: null,
    }
    const diverges = { ...far, learningRate: 1e6, optimizer: sgd(), batchSize: 1 }
    await (await refused(diverges)).toMatchObject({ code: 'TRAIN_DIVERGED', message: expect.stringContaining('step') })
    await (await refused({ loss: [{ output: 'nobody', loss }] })).toMatchObject({ code: 'TRAIN_OUTPUT' })
    await (await refused({ epochs: 0 })).toMatchObject({ code: 'TRAIN_OPTION' })
    await (await refused({ learningRate: Number.NaN })).toMatchObject({ code: 'TRAIN_OPTION' })
    await (await refused({ penalties: [{ penalty: mcp(0.1, 1.5) }], learningRate: 2 })).toMatchObject({
      code: 'PENALTY_STEP',
    })
    const { data } = await settings()
    await (await refused({ data: { ...data, inputs: new Map() } })).toMatchObject({ code: 'TRAIN_INPUT' })
    await (await refused({ data: { ...data, targets: new Map() } })).toMatchObject({ code: 'TRAIN_LABELS' })
    const wide = new Map([['input', { ...data.inputs.get('input')!, shape: [4] }]])
    await (await refused({ data: { ...data, inputs: wide } })).toMatchObject({ code: 'TRAIN_SHAPE' })
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
