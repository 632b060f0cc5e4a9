import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { feedsOf, outputsOf, stream } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Samples } from '../../data/samples.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, floats, i64 } from '../../ir/tensor.js'
import type { Dim, Model, Tensor } from '../../ir/types.js'
import { channelStats } from '../channel-stats.js'
import { applySteps } from '../recipes.js'
import { findFlows } from './flows.js'
import { rangesOf, slotsOf } from './rescale.js'
import { scaledBy } from './weights.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** Weights whose output channels (rows of the first dimension) differ by up to 200 times. */
const uneven = (shape: readonly number[], seed: number): Tensor => {
  const row = shape.slice(1).reduce((n, d) => n * d, 1)
  return f32(
    shape,
    floats(weights(shape, seed)).map((v, i) => v * 200 ** ((Math.floor(i / row) % 5) / 4 - 1)),
  )
}

function graphModel(input: readonly Dim[], build: (b: Builder) => string): Model {
  const b = builder()
  b.input('x', value('float32', input))
  b.output(build(b), value('float32', null))
  return modelOf(b.graph())
}

const conv = (b: Builder, x: string, shape: readonly number[], seed: number, group = 1, pad = 0): string =>
  b.op('Conv', [x, b.constant(uneven(shape, seed), 'w'), b.constant(weights([shape[0]!], seed + 50), 'b')], {
    name: `conv${seed}`,
    attrs: { group: int(group), pads: ints([pad, pad, pad, pad]) },
  })

const cases: Readonly<Record<string, () => Model>> = {
  'a depthwise layer between two others': () =>
    graphModel([1, 4, 9, 9], (b) => {
      const a = b.op('Relu', [conv(b, 'x', [8, 4, 1, 1], 1)])
      const d = b.op('Relu', [conv(b, a, [8, 1, 3, 3], 2, 8, 1)])
      return conv(b, d, [6, 8, 1, 1], 3)
    }),
  'groups, pools and a flattened image before Gemm': () =>
    graphModel(['n', 4, 8, 8], (b) => {
      const a = b.op('LeakyRelu', [conv(b, 'x', [8, 4, 3, 3], 1, 1, 1)])
      const g = b.op('MaxPool', [conv(b, a, [6, 4, 3, 3], 2, 2, 1)], {
        attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
      })
      const flat = b.op('Reshape', [g, b.constant(i64([2], [-1, 96]), 'shape')])
      const h = b.op('Gemm', [flat, b.constant(uneven([10, 96], 3), 'w'), b.constant(f32([1], [0.3]), 'b')], {
        attrs: { transB: int(1) },
      })
      return b.op('Gemm', [b.op('Relu', [h]), b.constant(uneven([10, 7], 4), 'w')])
    }),
  'squeeze and excitation': () =>
    graphModel([1, 4, 6, 6], (b) => {
      const a = b.op('Relu', [conv(b, 'x', [8, 4, 3, 3], 1, 1, 1)])
      const squeezed = b.op('Relu', [conv(b, b.op('GlobalAveragePool', [a]), [4, 8, 1, 1], 2)])
      const gate = b.op('Sigmoid', [conv(b, squeezed, [8, 4, 1, 1], 3)])
      return conv(b, b.op('Mul', [a, gate]), [5, 8, 1, 1], 4)
    }),
  'products with a bias beside them, transposed heads': () =>
    graphModel([2, 's', 6], (b) => {
      const h = b.op('Add', [
        b.constant(weights([12], 9), 'b'),
        b.op('MatMul', ['x', b.constant(uneven([6, 12], 1), 'w')]),
      ])
      return b.op('MatMul', [b.op('Relu', [h]), b.constant(uneven([12, 5], 2), 'w')])
    }),
}

const samplesOf = (feeds: readonly Feeds[]): Samples => ({
  name: 'feeds',
  count: feeds.length,
  read: () => stream(feeds.map((f, i) => ({ feeds: f, name: `${i}` }))),
})

/** The largest difference of the outputs, relative to the largest output. */
async function difference(before: Model, after: Model, feeds: readonly Feeds[]): Promise<number> {
  let worst = 0
  for (const feed of feeds) {
    const [a, b] = [await outputsOf(engine, before, feed, 'off'), await outputsOf(engine, after, feed, 'off')]
    for (const [name, t] of Object.entries(a)) {
      const [want, got] = [floats(t), floats(b[name]!)]
      const peak = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0)
      want.forEach((v, i) => {
        worst = Math.max(worst, Math.abs(v - got[i]!) / peak)
      })
    }
  }
  return worst
}

const equalized = (model: Model, params = {}, samples?: Samples): Promise<Model> =>
  applySteps(model, [{ transform: 'equalize/weights', params }], {
    engine: async () => engine,
    ...(samples && { samples }),
  })

describe.each(Object.entries(cases))('%s', (_, make) => {
  test('outputs stay, and the ranges on both sides of each flow are equal', async () => {
    const model = make()
    const result = await equalized(model)
    expect(result).not.toBe(model)
    const feeds = await feedsOf(engine, model, [1, 2])
    expect(await difference(model, result, feeds)).toBeLessThan(1e-5)
    const flows = findFlows(result)
    expect(flows.length).toBeGreaterThan(0)
    const slots = slotsOf(flows)
    for (const { made, read, channels } of flows) {
      const [first, second] = [rangesOf(slots, made, channels), rangesOf(slots, read, channels)]
      first.forEach((r, c) => {
        expect(Math.abs(Math.log(r / second[c]!))).toBeLessThan(0.02)
      })
    }
  })

  test('powers of two change no bit', async () => {
    const model = make()
    const result = await equalized(model, { powersOfTwo: true })
    expect(result).not.toBe(model)
    expect(await difference(model, result, await feedsOf(engine, model, [1, 2]))).toBe(0)
  })
})

describe('there is no flow', () => {
  test.each([
    ['through a sum of two values', (b: Builder, a: string) => b.op('Add', [a, 'x'])],
    ['through a sigmoid', (b: Builder, a: string) => b.op('Sigmoid', [a])],
    ['through a Clip with an upper end', (b: Builder, a: string) => b.op('Clip', [a, b.number(0), b.number(6)])],
    ['through the product of a value with itself', (b: Builder, a: string) => b.op('Mul', [a, a])],
    ['through the product of two values of one scale', (b: Builder, a: string) => b.op('Mul', [a, b.op('Relu', [a])])],
    ['into a divisor', (b: Builder, a: string) => b.op('Div', ['x', a])],
  ])('%s', async (_, middle) => {
    const model = graphModel([1, 8, 5, 5], (b) => conv(b, middle(b, conv(b, 'x', [8, 8, 1, 1], 1)), [8, 8, 1, 1], 2))
    expect(findFlows(model)).toEqual([])
    expect(await equalized(model)).toBe(model)
  })

  test('where the value between is an output, the weight has two readers, or a node is excluded', async () => {
    const shown = graphModel([1, 8, 5, 5], (b) => {
      const a = conv(b, 'x', [8, 8, 1, 1], 1)
      b.output(a, value('float32', null))
      return conv(b, a, [8, 8, 1, 1], 2)
    })
    expect(findFlows(shown)).toEqual([])
    const tied = graphModel([1, 8, 5, 5], (b) => {
      const w = b.constant(uneven([8, 8, 1, 1], 1), 'w')
      return b.op('Conv', [b.op('Relu', [b.op('Conv', ['x', w])]), w])
    })
    expect(findFlows(tied)).toEqual([])
    const model = cases['a depthwise layer between two others']!()
    expect(await equalized(model, { exclude: ['conv2'] })).toBe(model)
  })
})

test('a constant that others read is left to them', async () => {
  const model = graphModel([1, 8, 5, 5], (b) => {
    const bias = b.constant(weights([8], 3), 'shared')
    const layer = (x: string, seed: number) => b.op('Conv', [x, b.constant(uneven([8, 8, 1, 1], seed), 'w'), bias])
    return layer(b.op('Relu', [layer('x', 1)]), 2)
  })
  const result = await equalized(model)
  expect(floats(result.graph.constants.get('shared')!)).toEqual(floats(model.graph.constants.get('shared')!))
  expect(await difference(model, result, await feedsOf(engine, model, [1]))).toBeLessThan(1e-5)
})

test('scales of one leave the model as it is', () => {
  const model = cases['a depthwise layer between two others']!()
  const flows = findFlows(model)
  expect(
    scaledBy(
      model,
      flows,
      flows.map((f) => new Float64Array(f.channels).fill(1)),
    ),
  ).toBe(model)
})

test('a channel that never falls to zero gives its least value to the next bias', async () => {
  const model = graphModel([1, 4, 6, 6], (b) => {
    const high = b.constant(
      f32(
        [8],
        Float32Array.from({ length: 8 }, (_, c) => (c % 2) * 40),
      ),
      'high',
    )
    const a = b.op('Conv', ['x', b.constant(weights([8, 4, 1, 1], 1), 'w'), high])
    return b.op('Conv', [
      b.op('Relu', [a]),
      b.constant(weights([5, 8, 1, 1], 2), 'w'),
      b.constant(weights([5], 3), 'c'),
    ])
  })
  const feeds = await feedsOf(engine, model, [1, 2, 3])
  const result = await equalized(model, { powersOfTwo: true }, samplesOf(feeds))
  const plain = await equalized(model, { powersOfTwo: true, absorb: false }, samplesOf(feeds))
  expect(await difference(model, result, feeds)).toBeLessThan(1e-5)
  const between = [{ name: model.graph.nodes[0]!.outputs[0]!, rank: 4, axis: 1 }]
  const env = { engine: async () => engine }
  const seen = async (m: Model) => (await channelStats(m, between, samplesOf(feeds), env)).get(between[0]!.name)!
  const [before, after] = [await seen(plain), await seen(result)]
  for (let c = 0; c < 8; c++) {
    const least = Math.max(0, before.min[c]!)
    expect(after.min[c]! - before.min[c]!).toBeCloseTo(-0.9 * least, 3)
    expect(least > 0).toBe(c % 2 === 1)
  }
})
