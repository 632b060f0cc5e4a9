import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bias, graphOf, type Q, qdq, weight } from '../../test/quantized-graphs.js'
import { bytesOf, value } from '../../test/small-models.js'
import { float, int, ints, str } from '../ir/attrs.js'
import { type Builder, builder, modelOf, type NodeOptions } from '../ir/builder.js'
import { f32, i64 } from '../ir/tensor.js'
import type { Attr, Graph } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { Engine } from './engine.js'
import { INTEGER_KERNELS, missedKernels } from './kernels.js'
import { openEngine } from './node/open.js'
import { optimizedGraph } from './node/optimized.js'

const named = (attrs: Record<string, Attr> = {}): NodeOptions => ({ name: 'it', attrs })
const IMAGE = [1, 16, 8, 8]
const ROWS = [4, 32]

const conv = (b: Builder, x: string, input: Q = {}) =>
  b.op('Conv', [qdq(b, x, input), weight(b, [16, 16, 3, 3], 0), bias(b, 16)], named())

const gemm = (b: Builder, x: string, attrs: Record<string, Attr> = {}, axis = 0, third: 'int' | 'float' = 'int') =>
  b.op(
    'Gemm',
    [qdq(b, x), weight(b, [24, 32], axis), third === 'int' ? bias(b, 24) : b.constant(f32([24], new Float32Array(24)))],
    named({ transB: int(1), ...attrs }),
  )

let engine: Engine
beforeAll(async () => {
  engine = await openEngine()
})
afterAll(() => engine.close())

async function missed(graph: Graph) {
  const optimized = await optimizedGraph(engine, bytesOf(graph))
  return { ops: optimized.graph.nodes.map((n) => n.op), missed: missedKernels(modelOf(graph), optimized) }
}

type Body = (b: Builder, x: string) => readonly string[]
const clip = (b: Builder, x: string) => b.op('Clip', [x, b.constant(f32([], [0])), b.constant(f32([], [6]))])
const u0 = { kind: 'uint8', zero: 0 } as const

describe('these run in integers', () => {
  const cases: readonly (readonly [string, string, readonly number[], Body])[] = [
    ['Conv with Q', 'QLinearConv', IMAGE, (b, x) => [qdq(b, conv(b, x))]],
    ['Conv, Relu, uint8 zero point 0', 'QLinearConv', IMAGE, (b, x) => [qdq(b, b.op('Relu', [conv(b, x)]), u0)]],
    [
      'Conv, Relu, int8 zero point -128',
      'QLinearConv',
      IMAGE,
      (b, x) => [qdq(b, b.op('Relu', [conv(b, x)]), { kind: 'int8', zero: -128 })],
    ],
    [
      'Conv, Clip, Q that ends at 6',
      'QLinearConv',
      IMAGE,
      (b, x) => [qdq(b, clip(b, conv(b, x)), { ...u0, scale: 6 / 255 })],
    ],
    [
      'MatMul with Q',
      'QLinearMatMul',
      ROWS,
      (b, x) => [qdq(b, b.op('MatMul', [qdq(b, x), weight(b, [32, 24], 1)], named()))],
    ],
    [
      'MatMul without Q',
      'MatMulIntegerToFloat',
      ROWS,
      (b, x) => [b.op('MatMul', [qdq(b, x), weight(b, [32, 24], 1)], named())],
    ],
    ['Gemm with Q', 'QGemm', ROWS, (b, x) => [qdq(b, gemm(b, x))]],
    ['Gemm without Q', 'QGemm', ROWS, (b, x) => [gemm(b, x)]],
    ['Gemm with float bias and Q', 'QGemm', ROWS, (b, x) => [qdq(b, gemm(b, x, {}, 0, 'float'))]],
    ['Add', 'QLinearAdd', ROWS, (b, x) => [qdq(b, b.op('Add', [qdq(b, x), qdq(b, x, { scale: 0.1 })], named()))]],
    ['Mul', 'QLinearMul', ROWS, (b, x) => [qdq(b, b.op('Mul', [qdq(b, x), qdq(b, x, { scale: 0.1 })], named()))]],
    [
      'Concat',
      'QLinearConcat',
      ROWS,
      (b, x) => [qdq(b, b.op('Concat', [qdq(b, x), qdq(b, x, { scale: 0.1 })], named({ axis: int(1) })))],
    ],
    ...(['Sigmoid', 'Softmax', 'LeakyRelu', 'GlobalAveragePool'] as const).map(
      (op) => [op, `QLinear${op}`, IMAGE, (b: Builder, x: string) => [qdq(b, b.op(op, [qdq(b, x)], named()))]] as const,
    ),
    [
      'AveragePool',
      'QLinearAveragePool',
      IMAGE,
      (b, x) => [qdq(b, b.op('AveragePool', [qdq(b, x)], named({ kernel_shape: ints([2, 2]) })))],
    ],
    [
      'Where',
      'QLinearWhere',
      ROWS,
      (b, x) => [
        qdq(b, b.op('Where', [b.op('Greater', [x, b.constant(f32([], [0]))]), qdq(b, x), qdq(b, x)], named())),
      ],
    ],
  ]
  test.each(cases)('%s → %s', async (_, kernel, shape, body) => {
    const result = await missed(graphOf(shape, body))
    expect(result.ops).toContain(kernel)
    expect(result.missed).toEqual([])
  })
})

const MOVES: Readonly<Record<string, (b: Builder, x: string) => readonly string[]>> = {
  DepthToSpace: (b, x) => [b.op('DepthToSpace', [x], named({ blocksize: int(2) }))],
  Expand: (b, x) => [b.op('Expand', [x, b.constant(i64([4], [2, 16, 8, 8]))], named())],
  Flatten: (b, x) => [b.op('Flatten', [x], named())],
  Gather: (b, x) => [b.op('Gather', [x, b.constant(i64([1], [0]))], named({ axis: int(1) }))],
  GatherElements: (b, x) => [b.op('GatherElements', [x, b.constant(i64([1, 1, 1, 1], [0]))], named())],
  MaxPool: (b, x) => [b.op('MaxPool', [x], named({ kernel_shape: ints([2, 2]) }))],
  Reshape: (b, x) => [b.op('Reshape', [x, b.constant(i64([2], [1, -1]))], named())],
  Resize: (b, x) => [b.op('Resize', [x, '', b.constant(f32([4], [1, 1, 2, 2]))], named({ mode: str('nearest') }))],
  Slice: (b, x) => [
    b.op('Slice', [x, b.constant(i64([1], [0])), b.constant(i64([1], [2])), b.constant(i64([1], [1]))], named()),
  ],
  Split: (b, x) => b.ops('Split', [x], { name: 'it', outputs: 2, attrs: { axis: int(1), num_outputs: int(2) } }),
  Squeeze: (b, x) => [b.op('Squeeze', [x, b.constant(i64([1], [0]))], named())],
  Tile: (b, x) => [b.op('Tile', [x, b.constant(i64([4], [2, 1, 1, 1]))], named())],
  Transpose: (b, x) => [b.op('Transpose', [x], named({ perm: ints([0, 2, 3, 1]) }))],
  Unsqueeze: (b, x) => [b.op('Unsqueeze', [x, b.constant(i64([1], [0]))], named())],
}

describe('these move integers, where the scale stays', () => {
  test('the table of kernels and these tests list the same operators', () => {
    expect(
      Object.keys(INTEGER_KERNELS)
        .filter((op) => INTEGER_KERNELS[op]!.sameScale)
        .sort(),
    ).toEqual(Object.keys(MOVES))
  })

  test.each(Object.entries(MOVES))('%s', async (op, body) => {
    const moved = await missed(graphOf(IMAGE, (b, x) => body(b, qdq(b, x)).map((y) => qdq(b, y))))
    expect(moved.ops).toContain(op)
    expect(moved.ops.filter((o) => o === 'QuantizeLinear')).toHaveLength(1)
    expect(moved.missed).toEqual([])

    const changed = await missed(graphOf(IMAGE, (b, x) => body(b, qdq(b, x)).map((y) => qdq(b, y, { scale: 0.06 }))))
    expect(changed.missed).toEqual([{ node: 'it', op, reason: expect.stringContaining('scale and zero point') }])
  })
})

describe('these stay in float, and the reason is named', () => {
  const cases: readonly (readonly [string, RegExp, readonly number[], Body])[] = [
    ['Conv without Q', /no QuantizeLinear/, IMAGE, (b, x) => [conv(b, x)]],
    [
      'Conv with a second consumer',
      /2 consumers/,
      IMAGE,
      (b, x) => {
        const y = conv(b, x)
        return [qdq(b, y), b.op('Abs', [y])]
      },
    ],
    [
      'Conv before two Qs',
      /2 consumers/,
      IMAGE,
      (b, x) => {
        const y = conv(b, x)
        return [qdq(b, y), qdq(b, y, { scale: 0.1 })]
      },
    ],
    [
      'Conv, Relu, uint8 zero point 128',
      /zero point 128 before Relu/,
      IMAGE,
      (b, x) => [qdq(b, b.op('Relu', [conv(b, x)]))],
    ],
    [
      'Conv, Relu, int8 zero point 0',
      /zero point 0 before Relu/,
      IMAGE,
      (b, x) => [qdq(b, b.op('Relu', [conv(b, x)]), { kind: 'int8' })],
    ],
    [
      'Conv, Clip, Q beyond 6',
      /reaches 12\.75, beyond the Clip's 6/,
      IMAGE,
      (b, x) => [qdq(b, clip(b, conv(b, x)), u0)],
    ],
    ['Conv, Relu without Q', /Relu behind it needs/, IMAGE, (b, x) => [b.op('Relu', [conv(b, x)])]],
    ['Conv, Sigmoid', /Sigmoid stands between/, IMAGE, (b, x) => [qdq(b, b.op('Sigmoid', [conv(b, x)]))]],
    [
      'Conv with float input',
      /input x is not dequantized/,
      IMAGE,
      (b, x) => [qdq(b, b.op('Conv', [x, weight(b, [16, 16, 3, 3], 0)], named()))],
    ],
    [
      'Conv with a bias of another scale',
      /bias's scale/,
      IMAGE,
      (b, x) => [qdq(b, b.op('Conv', [qdq(b, x), weight(b, [16, 16, 3, 3], 0), bias(b, 16, 3)], named()))],
    ],
    ['Conv on 16 bits', /16 bits/, IMAGE, (b, x) => [qdq(b, conv(b, x, { kind: 'uint16' }), { kind: 'uint16' })]],
    [
      'Gemm, scales along the wrong axis',
      /along axis 1, the kernel takes axis 0/,
      ROWS,
      (b, x) => [qdq(b, gemm(b, x, {}, 1))],
    ],
    ['Gemm with alpha', /alpha and beta/, ROWS, (b, x) => [qdq(b, gemm(b, x, { alpha: float(0.5) }))]],
    ['Gemm with float bias, without Q', /float bias needs/, ROWS, (b, x) => [gemm(b, x, {}, 0, 'float')]],
    [
      'MatMul and float bias without Q',
      /Add of its bias needs/,
      ROWS,
      (b, x) => [
        b.op('Add', [
          b.op('MatMul', [qdq(b, x), weight(b, [32, 24], 1)], named()),
          b.constant(f32([24], new Float32Array(24))),
        ]),
      ],
    ],
    [
      'linear Resize',
      /mode nearest/,
      IMAGE,
      (b, x) => [
        qdq(b, b.op('Resize', [qdq(b, x), '', b.constant(f32([4], [1, 1, 2, 2]))], named({ mode: str('linear') }))),
      ],
    ],
    ...(['Tanh', 'Sqrt', 'HardSigmoid', 'Erf', 'Softplus'] as const).map(
      (op) =>
        [op, /no integer kernel/, IMAGE, (b: Builder, x: string) => [qdq(b, b.op(op, [qdq(b, x)], named()))]] as const,
    ),
    [
      'Sub',
      /no integer kernel/,
      ROWS,
      (b, x) => [qdq(b, b.op('Sub', [qdq(b, x), qdq(b, x, { scale: 0.1 })], named()))],
    ],
  ]
  test.each(cases)('%s', async (_, reason, shape, body) => {
    const { missed: found } = await missed(graphOf(shape, body))
    expect(found).toEqual([{ node: 'it', op: expect.any(String), reason: expect.stringMatching(reason) }])
  })

  test('a Conv whose float value is an output of the model', async () => {
    const b = builder()
    b.input('x', value('float32', IMAGE))
    const y = conv(b, 'x')
    b.output(y, value('float32', null))
    b.output(qdq(b, y), value('float32', null))
    const { missed: found } = await missed(b.graph())
    expect(found).toEqual([{ node: 'it', op: 'Conv', reason: expect.stringContaining('is an output of the model') }])
  })
})

test('integer kernels appear from level extended on', async () => {
  const model = encodeModel(modelOf(graphOf(IMAGE, (b, x) => [qdq(b, conv(b, x))]))).bytes
  const ops = async (optimization: 'basic' | 'extended' | 'all') =>
    (await optimizedGraph(engine, model, { optimization })).graph.nodes.map((n) => n.op)
  expect(await ops('basic')).not.toContain('QLinearConv')
  expect(await ops('extended')).toContain('QLinearConv')
  expect(await ops('all')).toContain('QLinearConv')
})
