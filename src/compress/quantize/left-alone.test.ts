/** What static, dynamic and block quantization must leave as it is, each for a reason of its own. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibratedEnv, outputsOf, staticModel } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int, ints } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, i64, tensor } from '../../ir/tensor.js'
import type { Attr, Model, Tensor } from '../../ir/types.js'
import { checkParams, type Transform } from '../transform.js'
import { quantizeDynamic } from './dynamic.js'
import { quantizeNBits } from './nbits.js'
import { quantizeStatic } from './static.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const IMAGE = [1, 4, 6, 6]
const ROWS = [3, 32]

function build(shape: readonly number[], body: (b: Builder) => readonly string[]): Model {
  const b = builder()
  b.input('x', value('float32', shape))
  for (const out of body(b)) b.output(out, value('float32', null))
  return modelOf(b.graph())
}

/** Inputs that are all one number, or follow a wave. */
const filled = (shape: readonly number[], of: number): Feeds => ({
  x: f32(shape, new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(of)),
})
const wave = (shape: readonly number[], phase = 0): Feeds => ({
  x: f32(
    shape,
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 1.7 + phase)),
  ),
})
const positive = (shape: readonly number[]): Tensor =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => 0.1 + (i % 7) / 10),
  )
const conv = (b: Builder, x: string, w: Tensor, bias: readonly Tensor[] = []): string =>
  b.op('Conv', [x, b.constant(w, 'w'), ...bias.map((t) => b.constant(t, 'b'))], { attrs: { pads: ints([1, 1, 1, 1]) } })
const kernel = (seed = 1): Tensor => weights([4, 4, 3, 3], seed, 0.1)

describe('static', () => {
  test('a layer whose input is infinite, though a Relu hides what it makes of it', async () => {
    const model = build(IMAGE, (b) => [b.op('Relu', [conv(b, 'x', positive([4, 4, 3, 3]))])])
    const result = await staticModel(engine, model, [filled(IMAGE, Number.NEGATIVE_INFINITY), wave(IMAGE)])
    expect(result).toBe(model)
  })

  test('a layer whose output overflows, though all that enters is finite', async () => {
    const model = build(IMAGE, (b) => [conv(b, 'x', f32([4, 4, 3, 3], new Float32Array(144).fill(3e38)))])
    expect(await staticModel(engine, model, [filled(IMAGE, 1), wave(IMAGE)])).toBe(model)
  })

  test('a layer with an infinite bias, though a Relu hides it', async () => {
    const bias = f32([4], [Number.NEGATIVE_INFINITY, 0, 1, 2])
    const model = build(IMAGE, (b) => [b.op('Relu', [conv(b, 'x', kernel(), [bias])])])
    expect(await staticModel(engine, model, [wave(IMAGE), wave(IMAGE, 1)])).toBe(model)
  })

  test('a map with an infinite constant, though a Relu hides it', async () => {
    const mask = f32([4, 1, 1], [Number.NEGATIVE_INFINITY, 0, 0, 0])
    const model = build(IMAGE, (b) => {
      const sum = b.op('Add', [conv(b, 'x', kernel()), b.constant(mask, 'mask')], { name: 'masked' })
      return [conv(b, b.op('Relu', [sum]), kernel(2))]
    })
    const feeds = [wave(IMAGE), wave(IMAGE, 1)]
    const result = await staticModel(engine, model, feeds)
    expect(result).not.toBe(model)
    expect(result.graph.nodes.find((n) => n.name === 'masked')!.inputs).toContain('mask')
    const [name] = model.graph.outputs
    const [before, after] = [
      await outputsOf(engine, model, feeds[0]!, 'off'),
      await outputsOf(engine, result, feeds[0]!),
    ]
    expect(difference(before[name!]!, after[name!]!)).toBeLessThan(0.1)
  })

  test('a map of constants alone, which nothing puts on a grid', async () => {
    const model = build(IMAGE, (b) => {
      const made = b.op('Add', [b.constant(positive(IMAGE), 'c'), b.constant(positive([1]), 'd')], { name: 'made' })
      return [conv(b, made, kernel()), conv(b, 'x', kernel(2))]
    })
    const result = await staticModel(engine, model, [wave(IMAGE)])
    expect(result.graph.nodes.find((n) => n.name === 'made')).toEqual(model.graph.nodes.find((n) => n.name === 'made'))
  })

  test('a weight that something else reads in float', async () => {
    const model = build(IMAGE, (b) => {
      const w = b.constant(kernel(), 'w')
      return [b.op('Conv', ['x', w]), b.op('ReduceSum', [w, b.constant(i64([3], [1, 2, 3]), 'axes')])]
    })
    expect(await staticModel(engine, model, [wave(IMAGE)])).toBe(model)
  })

  test('a weight that two layers read along different axes', async () => {
    const model = build(ROWS, (b) => {
      const w = b.constant(weights([32, 32], 1, 0.1), 'w')
      return [b.op('MatMul', [b.op('Gemm', ['x', w], { attrs: { transB: int(1) } }), w])]
    })
    expect(await staticModel(engine, model, [wave(ROWS)])).toBe(model)
  })

  test('a weight that is an output of the model', async () => {
    const model = build(IMAGE, (b) => {
      const w = b.constant(kernel(), 'w')
      return [b.op('Conv', ['x', w]), w]
    })
    expect(await staticModel(engine, model, [wave(IMAGE)])).toBe(model)
  })

  test('but not a map behind moves of values on a grid', async () => {
    const model = build(IMAGE, (b) => {
      const pool = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }
      const moved = (seed: number) => b.op('MaxPool', [conv(b, 'x', kernel(seed))], { attrs: pool })
      return [conv(b, b.op('Add', [moved(1), moved(2)], { name: 'sum' }), kernel(3))]
    })
    const result = await staticModel(engine, model, [wave(IMAGE)])
    const { inputs } = result.graph.nodes.find((n) => n.name === 'sum')!
    const made = new Map(result.graph.nodes.flatMap((n) => n.outputs.map((o) => [o, n.op])))
    expect(inputs.map((name) => made.get(name))).toEqual(['DequantizeLinear', 'DequantizeLinear'])
  })

  test('a bias that layers share is written for each scale of input and of weight', async () => {
    const model = build(IMAGE, (b) => {
      const bias = b.constant(f32([4], [1, -1, 2, 0.5]), 'shared')
      const attrs = { pads: ints([1, 1, 1, 1]) }
      const [w, other] = [b.constant(kernel(1), 'w'), b.constant(kernel(2), 'other')]
      const small = b.op('Tanh', ['x'])
      const far = b.op('Neg', [b.op('Exp', ['x'])])
      const of = (x: string, weight: string) => b.op('Conv', [x, weight, bias], { attrs })
      return [of(small, w), of(far, w), of(small, other), of(small, w)]
    })
    const feeds = [wave(IMAGE), wave(IMAGE, 1)]
    const result = await staticModel(engine, model, feeds)
    // Three pairs of scales; the fourth layer has those of the first.
    const layers = result.graph.nodes.filter((n) => n.op === 'Conv')
    expect(new Set(layers.map((n) => n.inputs[2])).size).toBe(3)
    expect(layers[3]!.inputs[2]).toBe(layers[0]!.inputs[2])
    const [before, after] = [
      await outputsOf(engine, model, feeds[0]!, 'off'),
      await outputsOf(engine, result, feeds[0]!),
    ]
    for (const name of model.graph.outputs) expect(difference(before[name]!, after[name]!), name).toBeLessThan(0.05)
  })

  test.each([
    [4, false, 0],
    [32, false, 1],
    [32, true, 0],
  ])('the scales of %d biases, portable %s, by %d products of constants', async (channels, portable, products) => {
    const bias = weights([channels], 3, 0.1)
    const model = build(IMAGE, (b) => [conv(b, 'x', weights([channels, 4, 3, 3], 1, 0.1), [bias])])
    const env = { ...(await calibratedEnv(engine, model, [wave(IMAGE)])), portable }
    const result = await quantizeStatic.apply(model, checkParams(quantizeStatic, {}), env)
    expect(result.graph.nodes.filter((n) => n.op === 'Mul')).toHaveLength(products)
  })

  test('what calibration counted nothing for', async () => {
    const model = build(IMAGE, (b) => [conv(b, 'x', kernel())])
    const env = await calibratedEnv(engine, model, [wave(IMAGE)])
    const histograms = new Map([...env.calibration!.histograms].filter(([name]) => name === 'x'))
    const calibration = { ...env.calibration!, histograms }
    const params = checkParams(quantizeStatic, {})
    expect(await quantizeStatic.apply(model, params, { ...env, calibration })).toBe(model)
  })
})

type Given = Readonly<Record<string, unknown>>
/** These two need no calibration, and look at the graph alone. */
const applied = (t: Transform, model: Model, given: Given = {}): Promise<Model> =>
  t.apply(model, checkParams(t, given), { engine: async () => engine })

const matmul = (b: Builder, x: string, w: string, name = 'product'): string => b.op('MatMul', [x, w], { name })
const square = (b: Builder, edit: (v: number, i: number) => number = (v) => v): string =>
  b.constant(f32([32, 32], new Float32Array(weights([32, 32], 1, 0.1).bytes().slice().buffer).map(edit)), 'weight')
const withInput = (model: Model, name: string): Model => ({
  ...model,
  graph: {
    ...model.graph,
    inputs: [...model.graph.inputs, name],
    values: new Map([...model.graph.values, [name, value('float32', [32, 32])]]),
  },
})

describe.each<{ readonly id: string; readonly t: Transform; readonly kernel: string }>([
  { id: 'dynamic', t: quantizeDynamic, kernel: 'MatMulInteger' },
  { id: 'blocks', t: quantizeNBits, kernel: 'MatMulNBits' },
])('$id', ({ t, kernel: op }) => {
  const count = (model: Model): number => model.graph.nodes.filter((n) => n.op === op).length
  const plain = build(ROWS, (b) => [matmul(b, 'x', square(b))])

  test('takes a product with a constant', async () => {
    expect(count(await applied(t, plain))).toBe(1)
  })

  test('an excluded product', async () => {
    expect(await applied(t, plain, { exclude: ['product'] })).toBe(plain)
  })

  test('weights that are infinite or NaN', async () => {
    for (const bad of [Number.POSITIVE_INFINITY, Number.NaN]) {
      const model = build(ROWS, (b) => [
        matmul(
          b,
          'x',
          square(b, (v, i) => (i === 77 ? bad : v)),
        ),
      ])
      expect(await applied(t, model)).toBe(model)
    }
  })

  test('a weight that is an input with a default, which a caller may replace', async () => {
    const model = withInput(plain, 'weight')
    expect(await applied(t, model)).toBe(model)
  })

  test('a weight that is an output of the model', async () => {
    const model = build(ROWS, (b) => {
      const w = square(b)
      return [matmul(b, 'x', w), w]
    })
    expect(await applied(t, model)).toBe(model)
  })

  test('a weight that something else reads in float', async () => {
    const model = build(ROWS, (b) => {
      const w = square(b)
      return [matmul(b, 'x', w), b.op('Neg', [w])]
    })
    expect(await applied(t, model)).toBe(model)
  })

  test('but a weight that products share is written once', async () => {
    const model = build(ROWS, (b) => {
      const w = square(b)
      return [matmul(b, 'x', w), matmul(b, b.op('Neg', ['x']), w, 'other')]
    })
    const result = await applied(t, model)
    const products = result.graph.nodes.filter((n) => n.op === op)
    expect(products).toHaveLength(2)
    expect(products[0]!.inputs[1]).toBe(products[1]!.inputs[1])
  })

  test('a product in a domain of its own', async () => {
    const model = build(ROWS, (b) => [b.op('MatMul', ['x', square(b)], { domain: 'example' })])
    expect(await applied(t, model)).toBe(model)
  })
})

test('dynamic: a weight read as it is and transposed is written both ways, and both are right', async () => {
  const model = build(ROWS, (b) => {
    const w = square(b)
    return [matmul(b, 'x', w), b.op('Gemm', ['x', w], { attrs: { transB: int(1) } })]
  })
  const result = await applied(quantizeDynamic, model)
  expect(new Set(result.graph.nodes.filter((n) => n.op === 'MatMulInteger').map((n) => n.inputs[1])).size).toBe(2)
  const [before, after] = [
    await outputsOf(engine, model, wave(ROWS), 'off'),
    await outputsOf(engine, result, wave(ROWS)),
  ]
  for (const name of model.graph.outputs) expect(difference(before[name]!, after[name]!), name).toBeLessThan(0.03)
})

test('blocks: a weight read as it is and transposed', async () => {
  const model = build(ROWS, (b) => {
    const w = square(b)
    return [matmul(b, 'x', w), b.op('Gemm', ['x', w], { attrs: { transB: int(1) } })]
  })
  expect(await applied(quantizeNBits, model)).toBe(model)
})

test('blocks: where it must be portable', () => {
  const model = build(ROWS, (b) => [matmul(b, 'x', square(b))])
  expect(quantizeNBits.refuses(model, { portable: true })).toContain('ONNX standard')
  expect(quantizeNBits.refuses(model, {})).toBe(null)
})

describe('dynamic: a recurrent layer', () => {
  interface Layer {
    readonly op?: string
    readonly domain?: string
    readonly attrs?: Readonly<Record<string, Attr>>
    /** What makes W and R of the tensors for them. */
    readonly made?: (b: Builder, t: Tensor, i: number) => string
  }
  const HIDDEN = 8
  const STEPS = [3, 1, 16]
  const layer = ({ op = 'LSTM', domain = '', attrs = {}, made = (b, t) => b.constant(t) }: Layer): Model =>
    build(STEPS, (b) => {
      const gates = op === 'LSTM' ? 4 : 3
      const [w, r] = [weights([1, gates * HIDDEN, 16], 1, 0.2), weights([1, gates * HIDDEN, HIDDEN], 2, 0.2)]
      const inputs = ['x', made(b, w, 0), made(b, r, 1)]
      return [b.op(op, inputs, { domain, attrs: { hidden_size: int(HIDDEN), ...attrs } })]
    })
  const half = (t: Tensor): Tensor => tensor('float16', t.shape, new Uint16Array(t.byteLength / 4))

  test('becomes one of integers', async () => {
    expect((await applied(quantizeDynamic, layer({}))).graph.nodes.map((n) => n.op)).toEqual(['DynamicQuantizeLSTM'])
  })

  test.each<readonly [string, Layer]>([
    ['of another kind', { op: 'GRU' }],
    ['of another domain', { domain: 'example' }],
    ['with its batch in front', { attrs: { layout: int(1) } }],
    ['with weights that are computed', { made: (b, t, i) => (i === 0 ? b.op('Neg', [b.constant(t)]) : b.constant(t)) }],
    [
      'with recurrent weights that are computed',
      { made: (b, t, i) => (i === 1 ? b.op('Neg', [b.constant(t)]) : b.constant(t)) },
    ],
    ['of float16', { made: (b, t) => b.constant(half(t)) }],
  ])('%s stays', async (_, own) => {
    const model = layer(own)
    expect(await applied(quantizeDynamic, model)).toBe(model)
  })
})
