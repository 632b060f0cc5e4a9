import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backward } from '../../autodiff/backward.js'
import { joined } from '../../autodiff/gradient.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { affineGrid, dequantizeValue, quantizeValue } from '../../grids/affine.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { allNames } from '../../ir/graphs.js'
import { f32, numbers } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { factFinder } from '../../passes/facts.js'
import { random } from '../../util/random.js'
import type { Checkpoint } from '../checkpoint.js'
import type { Dataset } from '../dataset.js'
import { scoreOf } from '../evaluate.js'
import { withFakeQuantization } from '../fake-quantize.js'
import { batchNorm, dense, dropout, relu } from '../layers/index.js'
import { sequential } from '../layers/sequential.js'
import { crossEntropy } from '../losses/cross-entropy.js'
import { withParameters } from '../parameters.js'
import { type TrainOptions, train } from '../train.js'
import { batchRange, knownRange, movedRange, onRange } from './ranges.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

async function outputs(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<readonly (readonly number[])[]> {
  const session = await engine.load(encodeModel(model).bytes)
  const results = await session.run(feeds)
  await session.close()
  return model.graph.outputs.map((name) => [...numbers(results[name]!)])
}

/** x and a state; out come the state after the batch, and x on its grid. */
function rounding(isTraining: boolean): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [8] })
  b.input('state', { kind: 'tensor', dtype: 'float32', shape: [3] })
  const range = (isTraining ? movedRange : knownRange)(b, 'state', batchRange(b, 'x'))
  b.output(range)
  b.output(onRange(b, 'x', range).rounded)
  return modelOf(b.graph())
}

describe('a range', () => {
  const { normal } = random(3)
  const batches = Array.from({ length: 5 }, (_, i) => Float32Array.from({ length: 8 }, () => (i + 1) * normal()))

  test('of the first batch is its own; then the mean of all, later ones weighing more', async () => {
    let state: readonly number[] = [0, 0, 0]
    const ends: (readonly [number, number])[] = []
    for (const x of batches) {
      state = (await outputs(rounding(true), { x: f32([8], x), state: f32([3], state) }))[0]!
      ends.push([Math.min(0, ...x), Math.max(0, ...x)])
      const shares = ends.map((_, i) => 0.99 ** (ends.length - 1 - i))
      const total = shares.reduce((a, v) => a + v)
      for (const k of [0, 1] as const) {
        const mean = ends.reduce((sum, end, i) => sum + shares[i]! * end[k], 0) / total
        expect(state[k]! / state[2]!).toBeCloseTo(mean, 5)
      }
    }
  })

  test('rounds as the grid of that range does, and what lies outside goes to its ends', async () => {
    const x = Float32Array.of(-9, -1.004, -0.3, 0, 0.001, 1.237, 2, 7)
    const [, rounded] = await outputs(rounding(false), { x: f32([8], x), state: f32([3], [-0.1, 0.2, 0.1]) })
    const grid = affineGrid(Math.fround(-1), 2, { dtype: 'uint8' })
    for (const [i, v] of x.entries()) expect(rounded![i]).toBeCloseTo(dequantizeValue(quantizeValue(v, grid), grid), 5)
  })

  test('that has seen nothing is that of the batch', async () => {
    const x = f32([8], batches[4]!)
    const [state] = await outputs(rounding(false), { x, state: f32([3], [0, 0, 0]) })
    expect(state).toEqual([Math.min(...batches[4]!), Math.max(...batches[4]!), 1])
  })
})

test('gradients go through inside the range, and not outside', async () => {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, 4] })
  b.output(b.op('MatMul', ['x', b.constant(f32([4, 1], [1, 1, 1, 1]), 'w')]))
  const plain = modelOf(b.graph())
  const { model, detached } = withFakeQuantization(plain, { trainable: ['w'], grid: 'int8', float: 'float32' })
  const known = withParameters(model, new Map([['x.range', f32([3], [-99, 99, 99])]]))
  const outer = builder(allNames(known.graph))
  const of = outer.op('ReduceSum', [known.graph.outputs[0]!], { attrs: { keepdims: int(0) } })
  const graph = joined(known.graph, outer.graph())
  const found = backward(outer, { graph, facts: factFinder({ ...known, graph }), of, wrt: ['x', 'w'], detached })
  const whole = { ...joined(known.graph, outer.graph()), outputs: [found.get('x')!] }
  expect(await outputs({ ...known, graph: whole }, { x: f32([1, 4], [-3, -0.5, 0.5, 3]) })).toEqual([[0, 1, 1, 0]])
})

describe('training with running ranges', () => {
  const { normal } = random(8)
  const rows = Array.from({ length: 200 }, () => [normal(), normal()] as const)
  const model = sequential([dense(16), batchNorm(), relu(), dropout(0.2), dense(2)], { input: [2] })
  const data: Dataset = {
    count: rows.length,
    inputs: new Map([['input', { dtype: 'float32', shape: [2], data: Float32Array.from(rows.flat()) }]]),
    targets: new Map([
      [
        model.graph.outputs[0]!,
        { dtype: 'int64', shape: [], data: BigInt64Array.from(rows, ([x, y]) => (x > y ? 1n : 0n)) },
      ],
    ]),
  }
  const loss = crossEntropy()
  const settings: TrainOptions = { engine, data, validation: data, loss, epochs: 4, batchSize: 16, grid: 'int8' }
  const run = (more: Partial<TrainOptions> = {}) => train(model, { ...settings, engine, ...more })

  /** The states after the last epoch, ranges among them. */
  async function lastStates(more: Partial<TrainOptions> = {}) {
    const seen: Checkpoint[] = []
    await run({ ...more, onCheckpoint: (c) => void seen.push(c) })
    return { seen, states: new Map([...seen.at(-1)!.states].map(([name, t]) => [name, [...numbers(t)]] as const)) }
  }
  const isRange = (name: string): boolean => name.endsWith('.range')

  test('a score does not depend on how samples are put into batches', async () => {
    const { seen } = await lastStates()
    const { states } = seen.at(-1)!
    const trainable = [...model.graph.constants.keys()].filter((name) => name.endsWith('weight'))
    const form = withFakeQuantization(model, { trainable, grid: 'int8', float: 'float32', isTraining: false }).model
    const known = withParameters(form, states)
    const own = new Map([...states].filter(([name]) => !isRange(name)))
    const [few, many] = [7, 200]
    const scores = async (m: Model) =>
      Promise.all([few, many].map(async (batchSize) => (await scoreOf(m, { engine, data, loss, batchSize })).loss))
    const [a, b] = await scores(known)
    expect(a).toBeCloseTo(b!, 6)
    expect(a).toBeCloseTo(seen.at(-1)!.history.at(-1)!.validation!.loss, 6)
    // By the ranges of the batches it did.
    const [c, d] = await scores(withParameters(form, own))
    expect(Math.abs(c! - d!)).toBeGreaterThan(1e-5)
  })

  test('what is handed back has no ranges, and is the model that was given but for its weights', async () => {
    const { model: trained } = await run()
    expect([...trained.graph.constants.keys()]).toEqual([...model.graph.constants.keys()])
  })

  test('ranges are of what enters Dropout, and of the mixed samples', async () => {
    const { states } = await lastStates({ mixup: 0.2 })
    const ranges = [...states].filter(([name]) => isRange(name))
    expect(ranges).toHaveLength(2)
    for (const [name, [low, high, seen]] of ranges) {
      expect(seen).toBeCloseTo(1 - 0.99 ** 48, 5)
      // Relu's range starts at 0.
      expect(low === 0).toBe(name !== 'input.range')
      expect(high! / seen!).toBeLessThan(10)
    }
  })

  test('one seed, the same states bit for bit; so it is where training was stopped between', async () => {
    const { seen, states } = await lastStates()
    expect((await lastStates()).states).toEqual(states)
    expect((await lastStates({ resume: seen[1]! })).states).toEqual(states)
  })

  test('the states of workers are averaged: a mean of what each has seen', async () => {
    const worker = await openEngine({ threads: 1 })
    try {
      const { states } = await lastStates({ workers: [worker], epochs: 1, mixup: 0.2 })
      const ranges = [...states].filter(([name]) => isRange(name))
      // Twelve steps in all, six one after the other.
      for (const [, [, , share]] of ranges) expect(share).toBeCloseTo(1 - 0.99 ** 6, 5)
      expect((await run({ workers: [worker] })).epochs.at(-1)!.validation!.accuracy).toBeGreaterThan(0.9)
    } finally {
      await worker.close()
    }
  })
})
