import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bias, graphOf, qdq, weight } from '../../test/quantized-graphs.js'
import { bytesOf } from '../../test/small-models.js'
import { int, ints, str } from '../ir/attrs.js'
import { type Builder, modelOf } from '../ir/builder.js'
import { f32, i64 } from '../ir/tensor.js'
import { addPair, differenceOf, NO_SUMS } from './compare.js'
import type { Engine } from './engine.js'
import { hazards, ownWeightSuspects } from './hazards.js'
import { openEngine } from './node/open.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine()
})
afterAll(() => engine.close())

const IMAGE = [1, 16, 8, 8]
const ROWS = [4, 32]

const wave = (shape: readonly number[], scale = 1) => {
  const count = shape.reduce((n, d) => n * d, 1)
  return f32(
    shape,
    Float32Array.from({ length: count }, (_, i) => scale * Math.sin(i * 1.7)),
  )
}
const floatConv = (b: Builder, x: string, op = 'Conv') =>
  b.op(op, [x, b.constant(wave([16, 16, 3, 3]))], { name: 'it' })

/** Relative L2 error of the optimised run against the graph as it stands. */
async function engineError(shape: readonly number[], body: (b: Builder, x: string) => readonly string[]) {
  const graph = graphOf(shape, body)
  const bytes = bytesOf(graph)
  const outputs = []
  for (const optimization of ['off', 'all'] as const) {
    const session = await engine.load(bytes, { optimization })
    outputs.push((await session.run({ x: wave(shape, 3) })).y0!)
    await session.close()
  }
  return {
    error: differenceOf(addPair(NO_SUMS, outputs[0]!, outputs[1]!)).relativeL2,
    found: hazards(modelOf(graph)).map(({ op }) => op),
  }
}

type Case = readonly [string, readonly number[], (b: Builder, x: string) => readonly string[]]

type Move = (b: Builder, x: string) => string
const op =
  (name: string, ...more: readonly (readonly number[])[]): Move =>
  (b, x) =>
    b.op(name, [x, ...more.map((values) => b.constant(i64([values.length], values)))])
const maxPool: Move = (b, x) => b.op('MaxPool', [x], { attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } })
const transpose: Move = (b, x) => b.op('Transpose', [x], { attrs: { perm: ints([0, 1, 3, 2]) } })
const pad = op('Pad', [0, 0, 1, 1, 0, 0, 1, 1])
const then =
  (...moves: readonly Move[]): Move =>
  (b, x) =>
    moves.reduce((at, move) => move(b, at), x)
const relu: Move = (b, x) => b.op('Relu', [x])
const before =
  (move: Move): Case[2] =>
  (b, x) => [qdq(b, floatConv(b, move(b, qdq(b, x))), { scale: 0.3 })]
const behind =
  (move: Move): Case[2] =>
  (b, x) => [qdq(b, move(b, floatConv(b, qdq(b, x))), { scale: 0.3 })]
const PASSED: Readonly<Record<string, Move>> = {
  Dropout: op('Dropout'),
  Identity: op('Identity'),
  MaxPool: maxPool,
  Reshape: op('Reshape', [1, 16, -1, 4]),
  Slice: op('Slice', [0], [5], [2]),
  'Squeeze of Unsqueeze': then(op('Unsqueeze', [0]), op('Squeeze', [0])),
  Transpose: transpose,
  'MaxPool, Transpose': then(maxPool, transpose),
}
const STOPPED: Readonly<Record<string, Move>> = {
  Expand: op('Expand', [2, 16, 1, 1]),
  Tile: op('Tile', [1, 1, 2, 1]),
  'DepthToSpace, SpaceToDepth': then(
    (b, x) => b.op('DepthToSpace', [x], { attrs: { blocksize: int(2) } }),
    (b, x) => b.op('SpaceToDepth', [x], { attrs: { blocksize: int(2) } }),
  ),
  'MaxPool, Relu': then(maxPool, relu),
}
const cases = (moves: Readonly<Record<string, Move>>, place: (move: Move) => Case[2], where: string): readonly Case[] =>
  Object.entries(moves).map(([name, move]) => [`float Conv, ${name} ${where}`, IMAGE, place(move)])

describe('the engine errs, and the node is named', () => {
  const named: readonly Case[] = [
    ...cases(PASSED, before, 'before'),
    ...cases(PASSED, behind, 'behind'),
    ...cases({ Pad: pad, 'MaxPool, Pad': then(maxPool, pad) }, before, 'before'),
    ...cases({ 'Relu, MaxPool': then(relu, maxPool) }, behind, 'behind'),
    [
      'float Conv, a reader of the shape beside',
      IMAGE,
      (b, x) => {
        const c = floatConv(b, qdq(b, x))
        return [qdq(b, c, { scale: 0.3 }), b.op('Cast', [b.op('Shape', [c])], { attrs: { to: int(1) } })]
      },
    ],
    ['float Conv between DQ and Q', IMAGE, (b, x) => [qdq(b, floatConv(b, qdq(b, x)), { scale: 0.3 })]],
    ['float Conv and Relu', IMAGE, (b, x) => [qdq(b, b.op('Relu', [floatConv(b, qdq(b, x))]), { scale: 0.3 })]],
    ['float ConvTranspose', IMAGE, (b, x) => [qdq(b, floatConv(b, qdq(b, x), 'ConvTranspose'), { scale: 0.3 })]],
    ['float Gemm', ROWS, (b, x) => [qdq(b, b.op('Gemm', [qdq(b, x), b.constant(wave([32, 24]))]), { scale: 0.2 })]],
    [
      'weights that folding makes constant',
      IMAGE,
      (b, x) => {
        const w = b.op('Mul', [b.constant(wave([16, 16, 3, 3])), b.constant(f32([], [2]))])
        return [qdq(b, b.op('Conv', [qdq(b, x), w]), { scale: 0.3 })]
      },
    ],
    [
      'Conv scales along the inputs',
      IMAGE,
      (b, x) => [qdq(b, b.op('Conv', [qdq(b, x), weight(b, [16, 16, 3, 3], 1)]), { scale: 3 })],
    ],
    [
      'Gemm, bias of another scale',
      ROWS,
      (b, x) => [b.op('Gemm', [qdq(b, x), weight(b, [24, 32], 0), bias(b, 24, 3)], { attrs: { transB: int(1) } })],
    ],
    [
      'MatMul and Add of a bias of another scale',
      ROWS,
      (b, x) => [
        qdq(b, b.op('Add', [b.op('MatMul', [qdq(b, x), weight(b, [32, 24], 1)]), bias(b, 24, 3)]), { scale: 3 }),
      ],
    ],
    ['MatMul scales along the rows', ROWS, (b, x) => [b.op('MatMul', [qdq(b, x), weight(b, [32, 32], 0)])]],
  ]
  test.each(named)('%s', async (_, shape, body) => {
    const { error, found } = await engineError(shape, body)
    expect(error).toBeGreaterThan(0.01)
    expect(found).toHaveLength(1)
  })
})

describe('the engine keeps its word, and nothing is named', () => {
  const unnamed: readonly Case[] = [
    ...cases(STOPPED, before, 'before'),
    ...cases(STOPPED, behind, 'behind'),
    ...cases(
      {
        'Pad of ones': (b, x) =>
          b.op('Pad', [x, b.constant(i64([8], [0, 0, 1, 1, 0, 0, 1, 1])), b.constant(f32([], [1]))]),
        'Pad of edges': (b, x) =>
          b.op('Pad', [x, b.constant(i64([8], [0, 0, 1, 1, 0, 0, 1, 1]))], { attrs: { mode: str('edge') } }),
        'Pad, Transpose': then(pad, transpose),
      },
      before,
      'before',
    ),
    [
      'float Conv, MaxPool behind, and others that read it',
      IMAGE,
      (b, x) => {
        const c = floatConv(b, qdq(b, x))
        return [qdq(b, maxPool(b, c), { scale: 0.3 }), c]
      },
    ],
    ['float Conv without Q', IMAGE, (b, x) => [floatConv(b, qdq(b, x))]],
    ['float Conv on float input', IMAGE, (b, x) => [qdq(b, floatConv(b, x), { scale: 0.317 })]],
    ['float MatMul', ROWS, (b, x) => [qdq(b, b.op('MatMul', [qdq(b, x), b.constant(wave([32, 24]))]), { scale: 0.2 })]],
    [
      'Conv scales along the outputs',
      IMAGE,
      (b, x) => [qdq(b, b.op('Conv', [qdq(b, x), weight(b, [16, 16, 3, 3], 0)]), { scale: 3 })],
    ],
    ['MatMul scales along the columns', ROWS, (b, x) => [b.op('MatMul', [qdq(b, x), weight(b, [32, 24], 1)])]],
    [
      'Gemm, bias of the right scale',
      ROWS,
      (b, x) => [b.op('Gemm', [qdq(b, x), weight(b, [24, 32], 0), bias(b, 24)], { attrs: { transB: int(1) } })],
    ],
    [
      'Conv, bias of another scale',
      IMAGE,
      (b, x) => [qdq(b, b.op('Conv', [qdq(b, x), weight(b, [16, 16, 3, 3], 0), bias(b, 16, 3)]), { scale: 3 })],
    ],
    [
      'Gemm, transposed, scales along the rows',
      ROWS,
      (b, x) => [b.op('Gemm', [qdq(b, x), weight(b, [24, 32], 0)], { attrs: { transB: int(1) } })],
    ],
  ]
  test.each(unnamed)('%s', async (_, shape, body) => {
    const { error, found } = await engineError(shape, body)
    expect(error).toBeLessThan(0.002)
    expect(found).toEqual([])
  })
})

test('weights that are doubled fifty times are looked at once each', () => {
  const graph = graphOf(IMAGE, (b, x) => {
    let w = b.constant(wave([16, 16, 3, 3]))
    for (let i = 0; i < 50; i++) w = b.op('Add', [w, w])
    return [qdq(b, b.op('Conv', [qdq(b, x), w]), { scale: 0.3 })]
  })
  expect(hazards(modelOf(graph)).map(({ op }) => op)).toEqual(['Conv'])
})

test('what others read in float too is suspected, though not named, unless a move stands between', () => {
  const beside = (move: Move) =>
    graphOf(IMAGE, (b, x) => {
      const c = floatConv(b, qdq(b, x))
      return [qdq(b, move(b, c), { scale: 0.3 }), c]
    })
  const graphs = [(_: Builder, x: string) => x, relu, maxPool].map(beside)
  expect(graphs.flatMap((graph) => hazards(modelOf(graph)))).toEqual([])
  expect(graphs.map((graph) => ownWeightSuspects(graph).size)).toEqual([1, 1, 0])
})
