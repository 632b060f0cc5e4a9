import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floats, i64 } from '../ir/tensor.js'
import type { Dim, Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { random } from '../util/random.js'
import { withBatchAxis } from './batch-axis.js'
import { type Dataset, readDataset } from './dataset.js'
import { distillation } from './distill.js'
import { scoreOf } from './evaluate.js'
import { trainFullBatch } from './full-batch.js'
import { squaredError } from './losses/squared.js'
import { readied } from './ready.js'
import { train } from './train.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const FEATURES = 3
const UNITS = 4
const COUNT = 40

interface Shape {
  /** Of x, and of h. */
  readonly batch: readonly [Dim, Dim]
  /** A scalar that scales x. */
  readonly gain?: boolean
  readonly layers?: number
}

/** One step of a GRU: x [N, features] and its state h [layers, N, units] give y [N, units] and h_out [layers, N, units]. */
function stepped(noise: number, { batch: [front, middle], gain = false, layers = 1 }: Shape): Model {
  const { normal } = random(7)
  const b = builder()
  const value = (...shape: readonly Dim[]) => ({ kind: 'tensor', dtype: 'float32', shape }) as const
  const drawn = (seed: number, ...shape: readonly number[]) => {
    const own = random(seed)
    const size = shape.reduce((n, d) => n * d, 1)
    return b.constant(
      f32(
        shape,
        Array.from({ length: size }, () => 0.4 * own.normal() + noise * normal()),
      ),
      'w',
    )
  }
  b.input('x', value(front, FEATURES))
  b.input('h', value(layers, middle, UNITS))
  if (gain) b.input('gain', value())
  const scaled = gain ? b.op('Mul', ['x', 'gain']) : 'x'
  let at = b.op('Unsqueeze', [scaled, b.constant(i64([1], [0]), 'axis')])
  const states: string[] = []
  for (let k = 0; k < layers; k++) {
    const part = [k, k + 1].map((i) => b.constant(i64([1], [i]), 'part')) as [string, string]
    const own = b.op('Slice', ['h', ...part, b.constant(i64([1], [0]), 'axis')])
    const [w, r] = [drawn(2 * k + 1, 1, 3 * UNITS, k === 0 ? FEATURES : UNITS), drawn(2 * k + 2, 1, 3 * UNITS, UNITS)]
    const [, next] = b.ops('GRU', [at, w, r, '', '', own], { outputs: 2, attrs: { hidden_size: int(UNITS) } })
    at = next!
    states.push(next!)
  }
  b.output(b.op('Squeeze', [at, b.constant(i64([1], [0]), 'axis')], { outputs: ['y'] }), value(front, UNITS))
  b.output(b.op('Concat', states, { outputs: ['h_out'], attrs: { axis: int(0) } }), value(layers, middle, UNITS))
  return modelOf(b.graph())
}

const samplesOf = ({ gain = false, layers = 1 }: Shape): Samples => ({
  name: 'frames',
  count: COUNT,
  async *read() {
    const { normal } = random(5)
    const values = (...shape: readonly number[]) =>
      f32(
        shape,
        Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => normal()),
      )
    for (let i = 0; i < COUNT; i++) {
      const feeds = { x: values(1, FEATURES), h: values(layers, 1, UNITS), ...(gain && { gain: values() }) }
      yield { feeds, name: `frame ${i}` }
    }
  },
})

const CASES: readonly (readonly [string, Shape, number])[] = [
  ['two layers, batch of one', { batch: [1, 1], layers: 2 }, 8],
  ['one layer, open batch', { batch: ['N', 'N'] }, 8],
  ['two layers, open batch', { batch: ['N', 'N'], layers: 2 }, 8],
  ['a scalar beside, batch of one', { batch: [1, 1], layers: 2, gain: true }, 1],
]

describe.each(CASES)('%s', (_, shape, batch) => {
  const learned = async (noise: number) => {
    const [teacher, student] = [stepped(0, shape), stepped(noise, shape)]
    return { student, teacher, ...(await distillation(student, teacher, samplesOf(shape), { engine, links: [] })) }
  }

  test('in the form with a batch in front, a sample gets the answer that it gets without', async () => {
    const { teacher, data } = await learned(0)
    const form = withBatchAxis(teacher, data)
    const [own, framed] = await Promise.all([teacher, form].map((m) => engine.load(encodeModel(m).bytes)))
    let i = 0
    for await (const { feeds } of samplesOf(shape).read()) {
      const wanted = await own!.run(feeds)
      const batched = Object.fromEntries(
        Object.entries(feeds).map(([name, t]) => {
          const isWhole = data.inputs.get(name)!.isWhole === true
          return [name, isWhole ? f32([1, ...t.shape], floats(t)) : t]
        }),
      )
      const got = await framed!.run(batched)
      for (const [name, t] of Object.entries(wanted)) {
        expect(floats(got[name]!)).toEqual(floats(t))
        expect(got[name]!.shape[0]).toBe(1)
      }
      if (++i === 5) break
    }
    await own!.close()
    await framed!.close()
  })

  test(`it is trained in batches of ${batch}, and stays the model that it was`, async () => {
    const { student, data, objectives } = await learned(0.1)
    const options = { engine, data, loss: objectives, batchSize: 8, isTraining: false }
    expect((await readied(student, options)).form.batchSize).toBe(batch)
    const { model, before, epochs, best } = await train(student, { ...options, epochs: 40, learningRate: 0.01 })
    expect(epochs[best - 1]!.validation!.loss).toBeLessThan(0.2 * before!.loss)
    expect({ ...model.graph, constants: null }).toEqual({ ...student.graph, constants: null })
    expect([...model.graph.constants.keys()]).toEqual([...student.graph.constants.keys()])
    const left = await scoreOf(model, { engine, data, loss: objectives })
    expect(left.loss).toBeLessThan(0.2 * (await scoreOf(student, { engine, data, loss: objectives })).loss)
  })
})

test('batches are those of one by one', async () => {
  const shape: Shape = { batch: ['N', 'N'], layers: 2 }
  const [teacher, student] = [stepped(0, shape), stepped(0.1, shape)]
  const { data, objectives } = await distillation(student, teacher, samplesOf(shape), { engine, links: [] })
  const losses: number[] = []
  for (const batchSize of [1, 7, COUNT])
    losses.push((await scoreOf(student, { engine, data, loss: objectives, batchSize })).loss)
  for (const loss of losses) expect(loss).toBeCloseTo(losses[0]!, 6)
})

test('a scalar has no axis for the batch of the others', async () => {
  const shape: Shape = { batch: ['N', 'N'], gain: true }
  const model = stepped(0, shape)
  const { data, objectives } = await distillation(model, model, samplesOf(shape), { engine, links: [] })
  await expect(train(model, { engine, data, loss: objectives })).rejects.toMatchObject({ code: 'TRAIN_BATCH' })
})

describe.each([
  [1, 1],
  ['N', 'N'],
] as const)('batch %s', (...batch) => {
  const shape: Shape = { batch, layers: 2 }

  test('labels are learned with such states too, in batches or all at once', async () => {
    const given = stepped(0.1, shape)
    const model = { ...given, graph: { ...given.graph, outputs: ['y'] } }
    const labelled: Samples = {
      ...samplesOf(shape),
      async *read() {
        for await (const sample of samplesOf(shape).read()) yield { ...sample, label: [0.5, -0.5, 0.25, 0] }
      },
    }
    const loss = squaredError()
    const data: Dataset = await readDataset(labelled, { model, loss })
    expect(data.inputs.get('h')!.isWhole).toBe(true)
    const { before, epochs, best } = await train(model, { engine, data, loss, epochs: 20, learningRate: 0.02 })
    expect(epochs[best - 1]!.validation!.loss).toBeLessThan(before!.loss)
    const whole = await trainFullBatch(model, { engine, data, loss, iterations: 20 })
    expect(whole.losses.at(-1)).toBeLessThan(whole.losses[0]!)
    expect(whole.model.graph.values.get('h')).toEqual(model.graph.values.get('h'))
  })
})

test('a batch of fixed size is in front: samples are its rows', async () => {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [8, 2] })
  b.output(b.op('MatMul', ['x', b.constant(f32([2, 1], [1, 2]), 'w')]), {
    kind: 'tensor',
    dtype: 'float32',
    shape: [8, 1],
  })
  const rows: Samples = {
    name: 'rows',
    count: 16,
    async *read() {
      for (let i = 0; i < 16; i++) yield { feeds: { x: f32([1, 2], [i, 1]) }, label: [i], name: `row ${i}` }
    },
  }
  const data = await readDataset(rows, { model: modelOf(b.graph()), loss: squaredError() })
  expect(data.inputs.get('x')).toMatchObject({ shape: [2] })
  expect(data.inputs.get('x')!.isWhole).toBeUndefined()
})
