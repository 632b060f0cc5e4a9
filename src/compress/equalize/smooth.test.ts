import { afterAll, beforeAll, expect, test } from 'vitest'
import { outputsOf, stream } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { applySteps, type RecipeStep } from '../recipes.js'
import { smoothingScales } from './smooth.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const WIDTH = 24

/**
 * x [n, 24] → LayerNormalization, whose second channel is 100 times the others → two products → one that adds what
 * entered. `residual`: the normalized value is added too, so that nothing before the products can take a scale in.
 */
function outlierModel(residual: boolean): Model {
  const b = builder()
  b.input('x', value('float32', ['n', WIDTH]))
  const gain = f32(
    [WIDTH],
    Float32Array.from({ length: WIDTH }, (_, c) => (c === 1 ? 100 : 1)),
  )
  const normal = b.op('LayerNormalization', ['x', b.constant(gain, 'gain'), b.constant(weights([WIDTH], 4), 'shift')])
  // Rows that read the large channel are small, so that it counts no more than another.
  const even = (seed: number, columns: number) =>
    f32(
      [WIDTH, columns],
      floats(weights([WIDTH, columns], seed)).map((v, i) => (Math.floor(i / columns) === 1 ? v / 100 : v)),
    )
  const one = b.op('MatMul', [normal, b.constant(even(1, 20), 'w1')], { name: 'one' })
  const two = b.op('Gemm', [normal, b.constant(even(2, 20), 'w2'), b.constant(weights([20], 3), 'b2')], { name: 'two' })
  const sum = b.op('Add', [b.op('Relu', [one]), two])
  b.output(sum, value('float32', ['n', 20]))
  if (residual) b.output(b.op('Sigmoid', [normal]), value('float32', ['n', WIDTH]))
  return modelOf(b.graph())
}

const r = random(11)
const feeds: readonly Feeds[] = Array.from({ length: 4 }, () => ({
  x: f32(
    [6, WIDTH],
    Float32Array.from({ length: 6 * WIDTH }, () => r.normal()),
  ),
}))
const samples: Samples = {
  name: 'rows',
  count: feeds.length,
  read: () => stream(feeds.map((f, i) => ({ feeds: f, name: `${i}` }))),
}

const applied = (model: Model, steps: readonly RecipeStep[]): Promise<Model> =>
  applySteps(model, steps, { engine: async () => engine, samples })

async function errorOf(before: Model, after: Model): Promise<number> {
  const name = before.graph.outputs[0]!
  let [error, norm] = [0, 0]
  for (const feed of feeds) {
    const want = floats((await outputsOf(engine, before, feed, 'off'))[name]!)
    const got = floats((await outputsOf(engine, after, feed))[name]!)
    want.forEach((v, i) => {
      error += (v - got[i]!) ** 2
      norm += v ** 2
    })
  }
  return Math.sqrt(error / norm)
}

const SMOOTH: RecipeStep = { transform: 'equalize/smooth', params: {} }
const INSERT: RecipeStep = { transform: 'equalize/smooth', params: { insert: true } }
const DYNAMIC: RecipeStep = { transform: 'quantize/dynamic', params: { perChannel: false } }

test('the scale goes into the normalization: outputs stay, and one grid serves all channels', async () => {
  const model = outlierModel(false)
  const smooth = await applied(model, [SMOOTH])
  expect(smooth.graph.nodes.map((n) => n.op)).toEqual(model.graph.nodes.map((n) => n.op))
  expect(await errorOf(model, smooth)).toBeLessThan(1e-5)
  const [plain, smoothed] = [await applied(model, [DYNAMIC]), await applied(model, [SMOOTH, DYNAMIC])]
  expect(await errorOf(model, smoothed)).toBeLessThan(0.3 * (await errorOf(model, plain)))
})

test('where nothing takes the scale in, one Mul does, if it may', async () => {
  const model = outlierModel(true)
  expect(await applied(model, [SMOOTH])).toBe(model)
  const smooth = await applied(model, [INSERT])
  expect(smooth.graph.nodes.filter((n) => n.op === 'Mul')).toHaveLength(1)
  expect(await errorOf(model, smooth)).toBeLessThan(1e-5)
  const [plain, smoothed] = [await applied(model, [DYNAMIC]), await applied(model, [INSERT, DYNAMIC])]
  expect(await errorOf(model, smoothed)).toBeLessThan(0.3 * (await errorOf(model, plain)))
})

test('excluded nodes keep their weights, and without samples nothing is smoothed', async () => {
  const model = outlierModel(false)
  expect(await applied(model, [{ transform: 'equalize/smooth', params: { exclude: ['two'] } }])).toBe(model)
  expect(await applySteps(model, [SMOOTH], { engine: async () => engine })).toBe(model)
})

test('scales are those of the paper', () => {
  const [x, w] = [Float64Array.of(16, 1, 0, 4), Float64Array.of(0.25, 4, 1, 0)]
  expect([...smoothingScales(x, w, 0.5)]).toEqual([8, 0.5, 1, 1])
  // All of the activations' range moves: each of their channels reaches to 1.
  expect([...smoothingScales(x, w, 1)]).toEqual([16, 1, 1, 1])
  // All of the weights' range is evened.
  expect([...smoothingScales(x, w, 0)]).toEqual([4, 0.25, 1, 1])
})

test('rows of one head of an image are scaled with their channel', async () => {
  const b = builder()
  b.input('x', value('float32', [1, 3, 4, 4]))
  const a = b.op('Relu', [
    b.op('Conv', ['x', b.constant(weights([4, 3, 1, 1], 1), 'w'), b.constant(weights([4], 2), 'b')]),
  ])
  const flat = b.op('Flatten', [a], { attrs: { axis: int(1) } })
  b.output(b.op('MatMul', [flat, b.constant(weights([64, 5], 3), 'v')]), value('float32', [1, 5]))
  const model = modelOf(b.graph())
  const picture = {
    x: f32(
      [1, 3, 4, 4],
      Float32Array.from({ length: 48 }, () => r.normal()),
    ),
  }
  const one: Samples = { name: 'one', count: 1, read: () => stream([{ feeds: picture, name: '0' }]) }
  const smooth = await applySteps(model, [SMOOTH], { engine: async () => engine, samples: one })
  expect(smooth).not.toBe(model)
  const [want, got] = [await outputsOf(engine, model, picture), await outputsOf(engine, smooth, picture)]
  const name = model.graph.outputs[0]!
  floats(got[name]!).forEach((v, i) => {
    expect(v).toBeCloseTo(floats(want[name]!)[i]!, 4)
  })
})
