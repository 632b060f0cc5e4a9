import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibratedEnv, feedsOf, outputsOf, staticModel } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import { comparison } from '../../engine/compare.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { hazards } from '../../engine/hazards.js'
import { missedKernels } from '../../engine/kernels.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { rangeOnly } from '../../grids/histogram.js'
import { graphAttr, int, intAttr, ints, str } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { consumers, producers } from '../../ir/graphs.js'
import { elements, f32, floats, i64, numbers } from '../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { checkParams } from '../transform.js'
import { quantizeStatic } from './static.js'
import { findUnits } from './units.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

type Body = (b: Builder, x: string) => readonly string[]
const IMAGE = [1, 16, 8, 8]
const ROWS = [6, 32]

function build(shape: readonly number[], body: Body): Model {
  const b = builder()
  b.input('x', value('float32', shape))
  for (const out of body(b, 'x')) b.output(out, value('float32', null))
  return modelOf(b.graph())
}

const conv = (b: Builder, x: string, channels = 16, attrs = {}, name?: string): string =>
  b.op(
    'Conv',
    [x, b.constant(weights([channels, 16, 3, 3], channels, 0.1), 'w'), b.constant(weights([channels], 5), 'b')],
    {
      attrs: { pads: ints([1, 1, 1, 1]), ...attrs },
      ...(name !== undefined && { name }),
    },
  )
const depthwise = (b: Builder, x: string): string =>
  b.op('Conv', [x, b.constant(weights([16, 1, 3, 3], 2), 'w'), b.constant(weights([16], 3), 'b')], {
    attrs: { pads: ints([1, 1, 1, 1]), group: int(16) },
  })
const clip6 = (b: Builder, x: string): string =>
  b.op('Clip', [x, b.constant(f32([], [0]), 'zero'), b.constant(f32([], [6]), 'six')])
const matmul = (b: Builder, x: string, shape: readonly number[], seed = 1): string =>
  b.op('MatMul', [x, b.constant(weights(shape, seed), 'w')])
const gemm = (b: Builder, x: string, rows: number, columns: number): string =>
  b.op('Gemm', [x, b.constant(weights([columns, rows], 1), 'w'), b.constant(weights([columns], 2), 'b')], {
    attrs: { transB: int(1) },
  })
const reshape = (b: Builder, x: string, shape: readonly number[]): string =>
  b.op('Reshape', [x, b.constant(i64([shape.length], shape), 'shape')])
const pool = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }

async function quantized(model: Model, params: Readonly<Record<string, unknown>> = {}, feeds?: readonly Feeds[]) {
  const all = feeds ?? (await feedsOf(engine, model))
  const result = await staticModel(engine, model, all, params)
  // On x86 the engine turns int8 into uint8 and misses values with several readers; ARM, which int8 is for, does not.
  const config = { 'session.qdqisint8allowed': '1' }
  const optimized = await optimizedGraph(engine, encodeModel(result).bytes, { config })
  return { result, feeds: all, optimized, ops: optimized.graph.nodes.map((n) => n.op) }
}

const count = (ops: readonly string[], op: string): number => ops.filter((o) => o === op).length
const FLOAT = ['Conv', 'FusedConv', 'MatMul', 'FusedMatMul', 'Gemm', 'FusedGemm']

/** Relative L2 error of the worst output over all inputs. */
async function errorOf(model: Model, result: Model, feeds: readonly Feeds[]): Promise<number> {
  const sums = comparison()
  for (const f of feeds) sums.add(await outputsOf(engine, model, f, 'off'), await outputsOf(engine, result, f))
  return Math.max(...[...sums.differences().values()].map((d) => d.relativeL2))
}

describe('placement: each of these runs in integers from the input on', () => {
  /** Body, kernels that must appear, and the operators that move integers. */
  const cases: readonly (readonly [string, readonly number[], Body, Readonly<Record<string, number>>])[] = [
    ['Conv', IMAGE, (b, x) => [conv(b, x)], { QLinearConv: 1 }],
    ['Conv, Relu', IMAGE, (b, x) => [b.op('Relu', [conv(b, x)])], { QLinearConv: 1 }],
    ['Conv, Clip', IMAGE, (b, x) => [clip6(b, conv(b, x))], { QLinearConv: 1 }],
    ['depthwise Conv, Relu', IMAGE, (b, x) => [b.op('Relu', [depthwise(b, x)])], { QLinearConv: 1 }],
    [
      '1-D Conv',
      [1, 8, 20],
      (b, x) => [b.op('Conv', [x, b.constant(weights([12, 8, 3], 1), 'w')])],
      { QLinearConv: 1 },
    ],
    [
      'grouped Conv',
      IMAGE,
      (b, x) => [b.op('Conv', [x, b.constant(weights([32, 4, 3, 3], 1), 'w')], { attrs: { group: int(4) } })],
      { QLinearConv: 1 },
    ],
    [
      'residual Add',
      IMAGE,
      (b, x) => {
        const a = b.op('Relu', [conv(b, x)])
        return [conv(b, b.op('Relu', [b.op('Add', [a, conv(b, a)])]))]
      },
      { QLinearConv: 3, QLinearAdd: 1 },
    ],
    [
      'Concat',
      IMAGE,
      (b, x) => [conv(b, b.op('Concat', [conv(b, x, 8), b.op('Relu', [conv(b, x, 8)])], { attrs: { axis: int(1) } }))],
      { QLinearConv: 3, QLinearConcat: 1 },
    ],
    [
      'Concat of a constant',
      IMAGE,
      (b, x) => [
        conv(
          b,
          b.op('Concat', [conv(b, x, 8), b.constant(weights([1, 8, 8, 8], 9), 'c')], { attrs: { axis: int(1) } }),
        ),
      ],
      { QLinearConv: 2, QLinearConcat: 1 },
    ],
    [
      'MaxPool',
      IMAGE,
      (b, x) => [conv(b, b.op('MaxPool', [b.op('Relu', [conv(b, x)])], { attrs: pool }))],
      { QLinearConv: 2, MaxPool: 1 },
    ],
    [
      'MaxPool, Reshape, Gemm',
      IMAGE,
      (b, x) => [gemm(b, reshape(b, b.op('MaxPool', [conv(b, x)], { attrs: pool }), [1, 256]), 256, 10)],
      { QLinearConv: 1, QGemm: 1, MaxPool: 1, Reshape: 1 },
    ],
    [
      'Transpose, Reshape, MatMul',
      IMAGE,
      (b, x) => [
        matmul(
          b,
          reshape(b, b.op('Transpose', [conv(b, x)], { attrs: { perm: ints([0, 2, 3, 1]) } }), [64, 16]),
          [16, 24],
        ),
      ],
      { QLinearConv: 1, MatMulIntegerToFloat: 1, Transpose: 1, Reshape: 1 },
    ],
    [
      'Split',
      IMAGE,
      (b, x) => {
        const [l, r] = b.ops('Split', [conv(b, x, 32)], { outputs: 2, attrs: { axis: int(1), num_outputs: int(2) } })
        return [conv(b, l!), conv(b, r!)]
      },
      { QLinearConv: 3, Split: 1 },
    ],
    [
      'Slice and Resize',
      IMAGE,
      (b, x) => {
        const c = conv(b, x, 32)
        const [from, to, axis] = [0, 16, 1].map((i) => b.constant(i64([1], [i]), 'i'))
        const half = b.op('Slice', [c, from!, to!, axis!])
        const up = b.op('Resize', [half, '', b.constant(f32([4], [1, 1, 2, 2]), 'scales')], {
          attrs: {
            mode: str('nearest'),
            coordinate_transformation_mode: str('asymmetric'),
            nearest_mode: str('floor'),
          },
        })
        return [conv(b, up)]
      },
      { QLinearConv: 2, Slice: 1, Resize: 1 },
    ],
    [
      'Sigmoid and Mul',
      IMAGE,
      (b, x) => {
        const c = conv(b, x)
        return [conv(b, b.op('Mul', [c, b.op('Sigmoid', [c])]))]
      },
      { QLinearConv: 2, QLinearSigmoid: 1, QLinearMul: 1 },
    ],
    [
      'LeakyRelu, AveragePool and GlobalAveragePool',
      IMAGE,
      (b, x) => {
        const p = b.op('AveragePool', [b.op('LeakyRelu', [conv(b, x)])], { attrs: pool })
        return [gemm(b, reshape(b, b.op('GlobalAveragePool', [p]), [1, 16]), 16, 10)]
      },
      { QLinearConv: 1, QLinearLeakyRelu: 1, QLinearAveragePool: 1, QLinearGlobalAveragePool: 1, QGemm: 1 },
    ],
    ['Gemm', ROWS, (b, x) => [gemm(b, x, 32, 24)], { QGemm: 1 }],
    ['Gemm, Relu, Gemm', ROWS, (b, x) => [gemm(b, b.op('Relu', [gemm(b, x, 32, 24)]), 24, 12)], { QGemm: 2 }],
    ['MatMul', ROWS, (b, x) => [matmul(b, x, [32, 24])], { MatMulIntegerToFloat: 1 }],
    [
      'MatMul, Relu, MatMul',
      ROWS,
      (b, x) => [matmul(b, b.op('Relu', [matmul(b, x, [32, 24])]), [24, 12])],
      { MatMulIntegerToFloat: 1 },
    ],
  ]

  describe.each([
    { activations: 'uint8' },
    { activations: 'int8' },
    { perChannel: false },
    { symmetric: true, activations: 'int8' },
    { range: 'mse' },
  ])('%j', (params) => {
    test.each(cases)('%s', async (_, shape, body, kernels) => {
      const model = build(shape, body)
      const { result, feeds, optimized, ops } = await quantized(model, params)
      expect(missedKernels(result, optimized)).toEqual([])
      expect(hazards(result)).toEqual([])
      for (const [op, n] of Object.entries(kernels)) expect(count(ops, op), `${op} in ${ops}`).toBeGreaterThanOrEqual(n)
      for (const op of FLOAT) expect(ops).not.toContain(op)
      expect(count(ops, 'Relu') + count(ops, 'Clip')).toBe(0)
      // Integers all the way: quantized once, where the input enters.
      expect(count(ops, 'QuantizeLinear'), `${ops}`).toBe(1)
      expect(await errorOf(model, result, feeds)).toBeLessThan(0.1)
    })
  })

  test('the integer kernels compute what Q and DQ around float operators say, to a step of the output grid', async () => {
    for (const [name, shape, body] of cases) {
      const { result, feeds } = await quantized(build(shape, body))
      const [plain, fused] = [
        await outputsOf(engine, result, feeds[0]!, 'off'),
        await outputsOf(engine, result, feeds[0]!),
      ]
      for (const out of Object.keys(plain)) expect(difference(plain[out]!, fused[out]!), name).toBeLessThan(2 / 128)
    }
  })
})

describe('what stays in float', () => {
  test('operators without an integer kernel', async () => {
    const model = build(IMAGE, (b, x) => [conv(b, b.op('Tanh', [conv(b, x)]))])
    const { ops } = await quantized(model)
    expect(ops).toContain('Tanh')
    expect(count(ops, 'QLinearConv')).toBe(2)
    expect(count(ops, 'QuantizeLinear')).toBe(2)
  })

  test('maps whose result no layer takes: the last values keep their precision', async () => {
    const model = build(IMAGE, (b, x) => [b.op('Sigmoid', [b.op('Add', [conv(b, x), conv(b, x)])])])
    const { ops } = await quantized(model)
    expect(ops).toContain('Add')
    expect(ops).not.toContain('QLinearAdd')
    expect(ops).not.toContain('QLinearSigmoid')
  })

  test('maps of a value that no layer put on a grid', async () => {
    const model = build(IMAGE, (b, x) => [conv(b, b.op('Add', [conv(b, x), b.op('Tanh', [x])]))])
    const { ops } = await quantized(model)
    expect(ops).toContain('Add')
    expect(count(ops, 'QuantizeLinear')).toBe(2)
  })

  test.each([
    ['depthwise', { depthwise: false }, { QLinearConv: 1, Conv: 1 }],
    ['maps', { maps: false }, { QLinearConv: 2, Add: 1, Tanh: 1 }],
    ['maps, by default,', {}, { QLinearConv: 2, QLinearAdd: 1, Tanh: 1 }],
    ['exclude', { exclude: ['first'] }, { QLinearConv: 1, Conv: 1 }],
  ] as const)('what %s says', async (name, params, kernels) => {
    const model = build(IMAGE, (b, x) => {
      if (name === 'depthwise') return [conv(b, depthwise(b, x))]
      const a = conv(b, x, 16, {}, 'first')
      if (name === 'exclude') return [conv(b, a)]
      // Two readers: the engine cannot take the Add into integers by itself.
      const sum = b.op('Add', [a, a])
      return [conv(b, sum), b.op('Tanh', [sum])]
    })
    const { ops, result, feeds } = await quantized(model, params)
    for (const [op, n] of Object.entries(kernels)) expect(count(ops, op), `${op} in ${ops}`).toBe(n)
    expect(await errorOf(model, result, feeds)).toBeLessThan(0.1)
  })

  test('products, where matmul is off', async () => {
    const model = build(ROWS, (b, x) => [gemm(b, matmul(b, x, [32, 24]), 24, 12)])
    const result = await staticModel(engine, model, await feedsOf(engine, model), { matmul: false })
    expect(result).toBe(model)
  })

  test('an excluded layer between quantized ones keeps its exact weights on the engine', async () => {
    // One channel's weights are tiny: the engine's own grid for the whole tensor would lose them.
    const w = weights([16, 16, 3, 3], 3, 0.1)
    const values = new Float32Array(w.bytes().buffer)
    for (let i = 0; i < 144; i++) values[i]! *= 1e-4
    const model = build(IMAGE, (b, x) => {
      const mid = b.op('Conv', [conv(b, x), b.constant(w, 'mid')], { name: 'mid', attrs: { pads: ints([1, 1, 1, 1]) } })
      return [conv(b, b.op('Relu', [mid])), mid]
    })
    const { result, feeds } = await quantized(model, { exclude: ['mid'] })
    const mid = model.graph.outputs[1]!
    const off = (await outputsOf(engine, result, feeds[0]!, 'off'))[mid]!
    const on = (await outputsOf(engine, result, feeds[0]!))[mid]!
    expect(floats(on).slice(0, 64)).not.toEqual(new Float32Array(64))
    expect(difference(off, on)).toBeLessThan(1e-5)
  })

  const behindLayer: Readonly<Record<string, (b: Builder, x: string) => string>> = {
    nothing: (_, x) => x,
    MaxPool: (b, x) => b.op('MaxPool', [x], { attrs: pool }),
    Transpose: (b, x) => b.op('Transpose', [x], { attrs: { perm: ints([0, 1, 3, 2]) } }),
    Reshape: (b, x) => reshape(b, x, [1, 16, 4, 16]),
    'Relu, MaxPool': (b, x) => b.op('MaxPool', [b.op('Relu', [x])], { attrs: pool }),
    'Relu, Clip': (b, x) => clip6(b, b.op('Relu', [x])),
  }
  const { nothing: _, 'Relu, MaxPool': __, 'Relu, Clip': ___, ...beforeLayer } = behindLayer
  test.each([
    ...Object.entries(behindLayer).map(
      ([name, move]) => [`${name} behind`, (_: Builder, x: string) => x, move] as const,
    ),
    ...Object.entries(beforeLayer).map(
      ([name, move]) => [`${name} before`, move, (_: Builder, x: string) => x] as const,
    ),
  ])('an excluded layer keeps its weights with %s', async (_, before, behind) => {
    // One large weight: on the engine's own grid for the whole tensor the others would lose their digits.
    const w = weights([16, 16, 3, 3], 77, 0.1)
    new Float32Array(w.bytes().buffer)[5] = 60
    const model = build(IMAGE, (b, x) => {
      const inputs = [before(b, conv(b, x)), b.constant(w, 'mid')]
      return [conv(b, behind(b, b.op('Conv', inputs, { name: 'mid', attrs: { pads: ints([1, 1, 1, 1]) } })))]
    })
    const { result, feeds, ops } = await quantized(model, { exclude: ['mid'] })
    expect(count(ops, 'QLinearConv')).toBe(2)
    expect(count(ops, 'Conv') + count(ops, 'FusedConv')).toBe(1)
    expect(hazards(result)).toEqual([])
    expect(await errorOf(model, result, feeds)).toBeLessThan(0.05)
  })
})

/** The QuantizeLinear nodes that come after a Relu or Clip. */
function behindActivations({ graph }: Model): readonly Node[] {
  const users = consumers(graph)
  return graph.nodes
    .filter((n) => n.op === 'Relu' || n.op === 'Clip')
    .flatMap((n) => users.get(n.outputs[0]!)!)
    .filter((n) => n.op === 'QuantizeLinear')
}

describe('zero points', () => {
  test.each([
    ['uint8', 'uint8', 0],
    ['int8', 'int8', -128],
  ] as const)('after Relu and Clip that of %s is the lowest integer', async (activations, dtype, zero) => {
    for (const symmetric of [false, true]) {
      const model = build(IMAGE, (b, x) => [conv(b, clip6(b, conv(b, b.op('Relu', [conv(b, x)]))))])
      const { result } = await quantized(model, { activations, symmetric })
      const points = behindActivations(result).map((q) => result.graph.constants.get(q.inputs[2]!)!)
      expect(points).toHaveLength(2)
      for (const z of points) {
        expect(z.dtype).toBe(dtype)
        expect(numbers(z)[0]).toBe(zero)
      }
    }
  })

  test('of weights and biases are 0, biases are int32 on the scale of input times weight', async () => {
    const model = build(IMAGE, (b, x) => [conv(b, x)])
    for (const perChannel of [true, false]) {
      const { result } = await quantized(model, { perChannel })
      const makers = producers(result.graph)
      const node = result.graph.nodes.find((n) => n.op === 'Conv')!
      const [dx, dw, db] = node.inputs.map((name) => makers.get(name)!)
      const evaluate = async (name: string): Promise<Float32Array> => {
        const known = result.graph.constants.get(name)
        if (known !== undefined) return floats(known)
        const maker = makers.get(name)!
        const [a, b] = maker.inputs.map((i) => floats(result.graph.constants.get(i)!))
        expect(maker.op).toBe('Mul')
        return a!.map((v, i) => v * b![b!.length === 1 ? 0 : i]!)
      }
      const [sx, sw, sb] = await Promise.all([dx!, dw!, db!].map((dq) => evaluate(dq.inputs[1]!)))
      expect(sw).toHaveLength(perChannel ? 16 : 1)
      expect(intAttr(dw!, 'axis')).toBe(perChannel ? 0 : undefined)
      expect(sb).toEqual(sw!.map((s) => s * sx![0]!))
      const bias = result.graph.constants.get(db!.inputs[0]!)!
      expect(bias.dtype).toBe('int32')
      const real = floats(model.graph.constants.get('b')!)
      numbers(bias).forEach((q, c) => {
        const s = sb![perChannel ? c : 0]!
        expect(Math.abs(q * s - real[c]!)).toBeLessThanOrEqual(0.5001 * s)
      })
      for (const dq of [dw!, db!]) {
        const zero = result.graph.constants.get(dq.inputs[2] ?? '')
        if (zero !== undefined) expect(numbers(zero).every((z) => z === 0)).toBe(true)
      }
    }
  })
})

describe('values that others need too stay right', () => {
  /** The extra float reader sees the value to within the grid; the layers stay integer. */
  async function check(model: Model, convs: number, quantizations = 1): Promise<void> {
    for (const activations of ['uint8', 'int8']) {
      const { result, ops, feeds, optimized } = await quantized(model, { activations })
      expect(result.graph.outputs).toEqual(model.graph.outputs)
      expect(missedKernels(result, optimized).filter((m) => m.op === 'Conv')).toEqual([])
      expect(count(ops, 'QLinearConv'), `${ops}`).toBe(convs)
      expect(count(ops, 'QuantizeLinear'), `${ops}`).toBe(quantizations)
      expect(await errorOf(model, result, feeds)).toBeLessThan(0.05)
      // Once more without the engine's rewriting: the graph itself must say the same.
      const sums = comparison()
      for (const f of feeds) {
        sums.add(await outputsOf(engine, model, f, 'off'), await outputsOf(engine, result, f, 'off'))
      }
      for (const d of sums.differences().values()) expect(d.relativeL2).toBeLessThan(0.05)
    }
  }

  test('an output of the model', () =>
    check(
      build(IMAGE, (b, x) => [conv(b, x)]),
      1,
    ))

  test('an output of the model that another layer takes', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        return [c, conv(b, c)]
      }),
      2,
    ))

  test('the output of a Conv before its Relu', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        return [c, conv(b, b.op('Relu', [c]))]
      }),
      2,
      2,
    ))

  test('two consumers, one in float', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        return [b.op('Tanh', [c]), conv(b, c)]
      }),
      2,
    ))

  test('two activations behind one Conv', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        return [conv(b, b.op('Relu', [c])), conv(b, b.op('Tanh', [c]))]
      }),
      3,
      3,
    ))

  test('one input of two layers', () =>
    check(
      build(IMAGE, (b, x) => [conv(b, x), conv(b, x)]),
      2,
    ))

  test('a value that a subgraph captures', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        const last = conv(b, c)
        const inner = (op: string) => {
          const i = builder([c])
          i.ops(op, [c], { outputs: [`${op}_y`] })
          i.output(`${op}_y`, value('float32', null))
          return graphAttr(i.graph(op))
        }
        const go = b.op('Greater', [
          b.op('ReduceMax', [last], { attrs: { keepdims: int(0) } }),
          b.constant(f32([], [0])),
        ])
        return [last, b.op('If', [go], { attrs: { then_branch: inner('Abs'), else_branch: inner('Neg') } })]
      }),
      2,
    ))

  test('the same value as both inputs of an Add', () =>
    check(
      build(IMAGE, (b, x) => {
        const c = conv(b, x)
        return [conv(b, b.op('Add', [c, c]))]
      }),
      2,
    ))

  test('a moved value that is an output too', () =>
    check(
      build(IMAGE, (b, x) => {
        const m = b.op('MaxPool', [conv(b, x)], { attrs: pool })
        return [m, conv(b, m)]
      }),
      2,
    ))
})

describe('the bias', () => {
  /** Biases of 1000, weights of 1e-7: on the scale of the products these biases would need 40 bits. */
  const tiny = (share: number) =>
    build(ROWS, (b, x) => {
      const w = f32(
        [24, 32],
        floats(weights([24, 32], 1)).map((v) => v * 1e-7),
      )
      const bias = Float32Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? 750 * share : -1000 * share))
      return [b.op('Gemm', [x, b.constant(w, 'w'), b.constant(f32([24], bias), 'b')], { attrs: { transB: int(1) } })]
    })

  test.each([true, false])(
    'stays within 32 bits, sums included, where the weights are tiny; per channel %s',
    async (perChannel) => {
      for (const share of [1, 2.7e-3, 1.0001]) {
        const model = tiny(share)
        const { result, feeds, ops } = await quantized(model, { perChannel })
        expect(ops).toContain('QGemm')
        const bias = [...result.graph.constants.values()].find((t) => t.dtype === 'int32')!
        for (const q of numbers(bias)) {
          expect(Math.abs(q)).toBeLessThanOrEqual(2 ** 30 * (1 + 1e-6))
          expect(Math.abs(q) + 32 * 255 * 127).toBeLessThan(2 ** 31)
        }
        expect(Math.sign(numbers(bias)[0]!)).toBe(1)
        expect(Math.sign(numbers(bias)[1]!)).toBe(-1)
        expect(await errorOf(model, result, feeds)).toBeLessThan(1e-5)
      }
    },
  )

  test('is left alone where it fits: its scale is that of the products', async () => {
    const model = build(ROWS, (b, x) => [gemm(b, x, 32, 24)])
    const { result } = await quantized(model, { activations: 'int8' })
    const scale = [...result.graph.constants].find(([name]) => name.startsWith('w_s'))![1]
    const w = floats(model.graph.constants.get('w')!)
    floats(scale).forEach((s, c) => {
      const peak = w.subarray(32 * c, 32 * (c + 1)).reduce((a, v) => Math.max(a, Math.abs(v)), 0)
      // Between the full and the reduced range, as saturation has it.
      expect(s * 127).toBeGreaterThanOrEqual(peak * (1 - 1e-6))
      expect(s * 64).toBeLessThanOrEqual(peak * (1 + 1e-6))
    })
  })

  test('of each layer that shares a weight fits', async () => {
    const model = build([6, 32], (b, x) => {
      const w = b.constant(
        f32(
          [32, 32],
          floats(weights([32, 32], 1)).map((v) => v * 1e-7),
        ),
        'w',
      )
      const layer = (from: string, size: number) =>
        b.op('Gemm', [from, w, b.constant(f32([32], new Float32Array(32).fill(size)), 'b')], {
          attrs: { transB: int(1) },
        })
      return [layer(x, 1e-6), layer(x, 1000)]
    })
    const { result } = await quantized(model)
    const biases = [...result.graph.constants.values()].filter((t) => t.dtype === 'int32')
    expect(biases).toHaveLength(2)
    expect(numbers(biases[0]!)[0]).toBe(1)
    for (const q of numbers(biases[1]!)) expect(Math.abs(q / 2 ** 30 - 1)).toBeLessThan(1e-6)
    expect([...result.graph.constants.values()].filter((t) => t.dtype === 'int8' && t.byteLength > 512)).toHaveLength(1)
  })
})

describe('pairs that AVX2 would saturate', () => {
  const int8Weights = (model: Model): readonly Tensor[] =>
    [...model.graph.constants.values()].filter((t) => t.dtype === 'int8' && t.byteLength > 24)
  const peak = (t: Tensor): number => Math.max(...numbers(t).map(Math.abs))
  /** Activations that fill their grid: mostly at its end, with a zero to fix the other. */
  const full = (shape: readonly number[]): Feeds => {
    const data = new Float32Array(shape.reduce((a, b) => a * b)).fill(1)
    data[data.length - 1] = 0
    return { x: f32(shape, data) }
  }
  async function peaks(model: Model, feeds: Feeds, params = {}): Promise<readonly number[]> {
    return int8Weights(await staticModel(engine, model, [feeds], params)).map(peak)
  }
  const layer = (w: Tensor, attrs = {}, op = 'Conv', shape: readonly number[] = [1, w.shape[1]!, 4, 4]) =>
    build(shape, (b, x) => [b.op(op, [x, b.constant(w, 'w')], { attrs })])

  const constant = (shape: readonly number[], at: (i: number) => number): Tensor =>
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => at(i)),
    )

  test('weights that fire get the reduced range', async () => {
    expect(await peaks(layer(constant([4, 16, 1, 1], () => 0.5)), full([1, 16, 4, 4]))).toEqual([64])
    expect(await peaks(layer(constant([4, 16, 1, 1], () => -0.5)), full([1, 16, 4, 4]))).toEqual([64])
  })

  test('weights that cannot fire keep the full range', async () => {
    // One large weight in each pair: 127 · 255 fits.
    const sparse = constant([4, 16, 1, 1], (i) => (i % 2 === 0 ? 0.5 : 0.001))
    expect(await peaks(layer(sparse), full([1, 16, 4, 4]))).toEqual([127])
  })

  test('weights that pull against each other keep the full range', async () => {
    const opposed = constant([4, 16, 1, 1], (i) => (i % 2 === 0 ? 0.5 : -0.5))
    expect(await peaks(layer(opposed), full([1, 16, 4, 4]))).toEqual([127])
  })

  test('weights that could fire and whose channels never come so far keep the full range', async () => {
    // Both channels of a pair are small, or one is.
    const small = {
      x: f32(
        [1, 16, 4, 4],
        Float32Array.from({ length: 256 }, (_, i) => (i < 16 ? 1 : 0.4)),
      ),
    }
    const firstSmall = constant([4, 16, 1, 1], (i) => (i % 16 < 2 ? 0.2 : 0.5))
    expect(await peaks(layer(firstSmall), small)).toEqual([127])
  })

  test('weights that fire a little are reduced a little', async () => {
    // The last pair: channels of 0.2 and 1 of a grid to 1, 127 · (51 + 255) = 38862, and 127 · 32767 / 38862 = 107.08.
    const data = Float32Array.from({ length: 256 }, (_, i) => (i === 255 ? 1 : i === 0 ? 0 : 0.2))
    expect(await peaks(layer(constant([4, 16, 1, 1], () => 0.5)), { x: f32([1, 16, 4, 4], data) })).toEqual([107])
  })

  test('pairs lie along the channels of one kernel position', async () => {
    // Channels agree at each position and positions cancel: pairs along the kernel would never fire.
    const along = constant([4, 16, 1, 2], (i) => (i % 2 === 0 ? 0.5 : -0.5))
    expect(await peaks(layer(along), full([1, 16, 4, 4]))).toEqual([64])
    // The other way round: neighbours cancel, positions agree.
    const across = constant([4, 16, 1, 2], (i) => (Math.floor(i / 2) % 2 === 0 ? 0.5 : -0.5))
    expect(await peaks(layer(across), full([1, 16, 4, 4]))).toEqual([127])
  })

  test('groups have their own channels', async () => {
    // The second group's input is small: its large weights never fire, those of the first do.
    const data = Float32Array.from({ length: 256 }, (_, i) => (i < 128 ? 1 : 0.05))
    data[0] = 0
    const feeds = { x: f32([1, 16, 4, 4], data) }
    const calm = constant([8, 8, 1, 1], (i) => (i < 32 && i % 2 === 0 ? 0.001 : 0.5))
    const wild = constant([8, 8, 1, 1], () => 0.5)
    const model = (w: Tensor) => layer(w, { group: int(2) }, 'Conv', [1, 16, 4, 4])
    const halves = async (w: Tensor, given: Feeds) => {
      const values = numbers(int8Weights(await staticModel(engine, model(w), [given]))[0]!).map(Math.abs)
      return [Math.max(...values.slice(0, 32)), Math.max(...values.slice(32))]
    }
    expect(await halves(wild, feeds)).toEqual([64, 127])
    expect(await halves(calm, feeds)).toEqual([127, 127])
    const turned = { x: f32([1, 16, 4, 4], [...data.slice(128), ...data.slice(0, 128)]) }
    expect(await halves(calm, turned)).toEqual([127, 64])
  })

  test.each([
    ['MatMul', {}, [16, 12]],
    ['Gemm', {}, [16, 12]],
    ['Gemm, transposed', { transB: int(1) }, [12, 16]],
  ] as const)('%s is asked along its depth', async (name, attrs, shape) => {
    const op = name.startsWith('Gemm') ? 'Gemm' : 'MatMul'
    const depthFirst = shape[0] === 16
    const at = (i: number): number => (depthFirst ? Math.floor(i / 12) : i % 16)
    const agree = constant(shape, () => 0.5)
    const cancel = constant(shape, (i) => (at(i) % 2 === 0 ? 0.5 : -0.5))
    const columns = constant(shape, (i) => ((depthFirst ? i % 12 : Math.floor(i / 16)) % 2 === 0 ? 0.5 : -0.5))
    const model = (w: Tensor) => layer(w, attrs, op, [5, 16])
    expect(await peaks(model(agree), full([5, 16]))).toEqual([64])
    expect(await peaks(model(cancel), full([5, 16]))).toEqual([127])
    expect(await peaks(model(columns), full([5, 16]))).toEqual([64])
  })

  test('output channels that do not fire keep the full range, where they have scales of their own', async () => {
    const w = constant([4, 16, 1, 1], (i) => (i < 16 ? 0.5 : i % 2 === 0 ? 0.5 : -0.5))
    const rows = async (params = {}) => {
      const [q] = int8Weights(await staticModel(engine, layer(w), [full([1, 16, 4, 4])], params))
      return [0, 1, 2, 3].map((r) =>
        Math.max(
          ...numbers(q!)
            .slice(16 * r, 16 * r + 16)
            .map(Math.abs),
        ),
      )
    }
    expect(await rows()).toEqual([64, 127, 127, 127])
    expect(await rows({ perChannel: false })).toEqual([64, 64, 64, 64])
  })

  test('grouped layers with several filters a channel are no depthwise ones', async () => {
    const w = constant([32, 1, 2, 2], () => 0.5)
    const model = layer(w, { group: int(16) }, 'Conv', [1, 16, 4, 4])
    expect(await peaks(model, full([1, 16, 4, 4]))).toEqual([64])
    expect(findUnits(model.graph).map((u) => u.kind)).toEqual(['conv'])
  })

  test('depthwise layers need no reduction; signed activations do as unsigned ones', async () => {
    const w = constant([16, 1, 2, 2], () => 0.5)
    expect(await peaks(layer(w, { group: int(16) }, 'Conv', [1, 16, 4, 4]), full([1, 16, 4, 4]))).toEqual([127])
    const plain = constant([4, 16, 1, 1], () => 0.5)
    expect(await peaks(layer(plain), full([1, 16, 4, 4]), { activations: 'int8' })).toEqual([64])
  })

  test('a shared weight is reduced where any of its layers fires', async () => {
    const w = constant([16, 16, 1, 1], () => 0.05)
    const data = new Float32Array(256).fill(0.1)
    data[0] = 1
    data[16] = 0
    // The first layer sees calm activations; the second ones that fill their grid.
    const model = build([1, 16, 4, 4], (b, x) => {
      const shared = b.constant(w, 'w')
      const calm = b.op('Conv', [x, shared])
      const ones = b.op('Clip', [
        b.op('Mul', [x, b.constant(f32([], [1e4]))]),
        b.constant(f32([], [0])),
        b.constant(f32([], [1])),
      ])
      return [calm, b.op('Conv', [ones, shared])]
    })
    expect(await peaks(model, { x: f32([1, 16, 4, 4], data) })).toEqual([64])
  })

  test('only the layers that fire are reduced, and results stay near', async () => {
    const model = build([1, 16, 4, 4], (b, x) => {
      const fires = b.constant(
        constant([4, 16, 1, 1], () => 0.5),
        'fires',
      )
      const calm = b.constant(
        constant([4, 16, 1, 1], (i) => (i % 2 === 0 ? 0.5 : -0.45)),
        'calm',
      )
      return [b.op('Conv', [x, fires]), b.op('Conv', [x, calm])]
    })
    const feeds = full([1, 16, 4, 4])
    const result = await staticModel(engine, model, [feeds])
    expect(int8Weights(result).map(peak)).toEqual([64, 127])
    expect(await errorOf(model, result, [feeds])).toBeLessThan(0.03)
  })
})

describe('what has no grid is left alone', () => {
  test('activations that are infinite on a sample', async () => {
    const model = build(IMAGE, (b, x) => [conv(b, x), conv(b, b.op('Tanh', [x]))])
    const [one, two] = await feedsOf(engine, model, [1, 2])
    const data = floats(one!.x!).slice()
    data[5] = Number.NEGATIVE_INFINITY
    const env = await calibratedEnv(engine, model, [{ x: f32(IMAGE, data) }, two!])
    const result = await quantizeStatic.apply(model, checkParams(quantizeStatic, {}), env)
    const convs = result.graph.nodes.filter((n) => n.op === 'Conv')
    const made = producers(result.graph)
    expect(convs.map((n) => made.get(n.inputs[1]!)?.op)).toEqual([undefined, 'DequantizeLinear'])
  })

  test('infinite weights, though a Relu hides what they do', async () => {
    const w = weights([4, 16, 1, 1], 1)
    new Float32Array(w.bytes().buffer)[3] = Number.NEGATIVE_INFINITY
    const model = build(IMAGE, (b, x) => [b.op('Relu', [b.op('Conv', [b.op('Exp', [x]), b.constant(w, 'w')])])])
    expect(await staticModel(engine, model, await feedsOf(engine, model))).toBe(model)
  })

  test('a model without units', () => {
    expect(
      quantizeStatic.refuses(
        build(IMAGE, (b, x) => [b.op('Tanh', [x])]),
        {},
      ),
    ).toContain('no Conv')
    expect(
      quantizeStatic.refuses(
        build(IMAGE, (b, x) => [conv(b, x)]),
        {},
      ),
    ).toBe(null)
  })

  test('values that calibration did not see', async () => {
    const model = build(IMAGE, (b, x) => [conv(b, x)])
    const env = await calibratedEnv(engine, model, await feedsOf(engine, model))
    const none = { ...env, calibration: { ...env.calibration!, histograms: new Map() } }
    expect(await quantizeStatic.apply(model, checkParams(quantizeStatic, {}), none)).toBe(model)
    const histograms = new Map([...env.calibration!.histograms.keys()].map((name) => [name, rangeOnly(0, 0, 0)]))
    const nothing = { ...env, calibration: { ...env.calibration!, histograms } }
    expect(await quantizeStatic.apply(model, checkParams(quantizeStatic, {}), nothing)).toBe(model)
  })
})

test('a constant that several maps read is written once', async () => {
  const model = build([1, 16, 32, 32], (b, x) => {
    const position = b.constant(weights([1, 16, 32, 32], 9), 'position')
    let at = conv(b, x)
    for (let i = 0; i < 3; i++) at = conv(b, b.op('Add', [at, position]))
    return [at]
  })
  const { result, ops } = await quantized(model)
  expect(count(ops, 'QLinearAdd')).toBe(3)
  expect([...result.graph.constants.values()].filter((t) => t.byteLength === 16384)).toHaveLength(1)
})

test('equal quantized constants and grids are written once', async () => {
  const model = build(IMAGE, (b, x) => {
    const w = b.constant(weights([16, 16, 3, 3], 1, 0.1), 'w')
    return [b.op('Conv', [x, w]), b.op('Conv', [b.op('Tanh', [x]), w])]
  })
  const { result } = await quantized(model)
  const weightsOf = [...result.graph.constants.values()].filter(
    (t) => t.dtype === 'int8' && elements(t).length === 2304,
  )
  expect(weightsOf).toHaveLength(1)
  expect([...result.graph.constants.values()].some((t) => t.dtype === 'float32' && t.byteLength > 64)).toBe(false)
})
