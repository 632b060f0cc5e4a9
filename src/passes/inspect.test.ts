import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { dataPath } from '../../test/data.js'
import { graphAttr, int, tensorAttr } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Dim, DType, Model, Value } from '../ir/types.js'
import { decodeModel } from '../onnx/codec.js'
import { inspectModel } from './inspect.js'

const value = (shape: readonly Dim[] | null, dtype: DType = 'float32'): Value => ({ kind: 'tensor', dtype, shape })
const zeros = (...shape: number[]) => f32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)))
const build = (make: (b: Builder) => void, opsets: Record<string, number> = { '': 21 }): Model => {
  const b = builder()
  make(b)
  return modelOf(b.graph(), opsets)
}

const read = (name: string): Model | null => {
  const path = dataPath(`models/${name}.onnx`)
  return path === null ? null : decodeModel(readFileSync(path))
}

/** Depthwise 3x3 and then 1x1, at this output size. */
const separable = (height: number, width: number, from: number, to: number): number =>
  height * width * (from * 9 + from * to)

describe('products of published networks, added up by hand', () => {
  const mnist = read('mnist-cntk')
  test.skipIf(mnist === null)('mnist-cntk', () => {
    const { macs, unknownMacs, parameters } = inspectModel(mnist!)
    expect(macs).toBe(28 * 28 * 8 * 25 + 14 * 14 * 16 * 8 * 25 + 256 * 10)
    expect(unknownMacs).toEqual([])
    expect(parameters).toBe(8 * 25 + 8 + 16 * 8 * 25 + 16 + 256 * 10 + 10)
  })

  const slim = read('ultraface-slim-320')
  test.skipIf(slim === null)('ultraface-slim-320', () => {
    const backbone =
      120 * 160 * 16 * 27 +
      separable(120, 160, 16, 32) +
      2 * separable(60, 80, 32, 32) +
      separable(30, 40, 32, 64) +
      3 * separable(30, 40, 64, 64) +
      separable(15, 20, 64, 128) +
      2 * separable(15, 20, 128, 128) +
      separable(8, 10, 128, 256) +
      separable(8, 10, 256, 256)
    const extra = 8 * 10 * 256 * 64 + separable(4, 5, 64, 256)
    // Two classes and four coordinates for each of 3, 2, 2 and 3 anchors; the last heads are plain 3x3 convolutions.
    const heads =
      separable(30, 40, 64, 6) +
      separable(30, 40, 64, 12) +
      separable(15, 20, 128, 4) +
      separable(15, 20, 128, 8) +
      separable(8, 10, 256, 4) +
      separable(8, 10, 256, 8) +
      4 * 5 * 256 * 9 * (6 + 12)
    const { macs, unknownMacs, unknownOps } = inspectModel(slim!)
    expect(macs).toBe(backbone + extra + heads)
    expect(unknownMacs).toEqual([])
    expect(unknownOps).toEqual([])
  })

  const dtln = read('dtln-1')
  test.skipIf(dtln === null)('dtln-1: two LSTMs of 128 units on 257 bins, then 257 masks', () => {
    expect(inspectModel(dtln!).macs).toBe(4 * 128 * (257 + 128) + 4 * 128 * (128 + 128) + 128 * 257)
  })

  const policy = read('go1-policy')
  test.skipIf(policy === null)('go1-policy: an MLP of 48, 512, 256, 128, 24', () => {
    expect(inspectModel(policy!).macs).toBe(48 * 512 + 512 * 256 + 256 * 128 + 128 * 24)
  })
})

test('the interface, weights and layers of a model, as JSON', () => {
  const model = build((b) => {
    b.input('x', value(['batch', 8]))
    const h = b.op('Gemm', ['x', b.constant(zeros(8, 4), 'w'), b.constant(zeros(4), 'bias')], { name: 'fc' })
    const shape = b.constant(i64([2], [-1, 2]), 'shape')
    b.output(b.ops('Reshape', [b.op('Relu', [h]), shape], { outputs: ['y'], name: 'reshape' })[0]!, value(null))
  })
  const found = inspectModel(model, { fileBytes: 1000 })
  expect(found).toMatchObject({
    inputs: [{ name: 'x', type: 'float32', shape: ['batch', 8] }],
    outputs: [{ name: 'y', type: 'float32', shape: [null, 2] }],
    opsets: { '': 21 },
    producer: 'pare',
    fileBytes: 1000,
    nodes: 3,
    parameters: 36,
    weightBytes: 36 * 4 + 16,
    macs: 32,
    assumed: { batch: 1 },
    ops: { Gemm: 1, Relu: 1, Reshape: 1 },
    unknownOps: [],
    unknownMacs: [],
    problems: [],
  })
  expect(found.layers).toEqual([
    {
      path: [],
      name: 'fc',
      op: 'Gemm',
      output: { name: 'fc_out', type: 'float32', shape: ['batch', 4] },
      parameters: 36,
      bytes: 144,
      macs: 32,
      macShare: 1,
      byteShare: 144 / 160,
    },
  ])
  expect(found.heavy.macs).toEqual([{ layer: 0, share: 1, cumulative: 1 }])
  expect(JSON.parse(JSON.stringify(found))).toEqual(found)
  expect(inspectModel(model, { dims: { batch: 3 } })).toMatchObject({ macs: 96, assumed: {} })
})

test('shared weights count once, at the first layer; those behind Transpose or DequantizeLinear at their layer', () => {
  const model = build((b) => {
    b.input('x', value([2, 4]))
    const w = b.constant(zeros(4, 4), 'w')
    const h = b.op('MatMul', ['x', w], { name: 'first' })
    const turned = b.op('Transpose', [w], { name: 'turn' })
    const g = b.op('MatMul', [h, turned], { name: 'second' })
    const q = b.constant(tensor('int8', [4, 3], new Int8Array(12)), 'q')
    const dq = b.op('DequantizeLinear', [q, b.constant(f32([], [0.1]), 'scale')], { name: 'dq' })
    b.output(b.ops('MatMul', [g, dq], { name: 'third', outputs: ['y'] })[0]!, value(null))
  })
  const { layers, weightBytes, parameters } = inspectModel(model)
  expect(layers.map((r) => [r.name, r.parameters, r.bytes])).toEqual([
    ['first', 16, 64],
    ['second', 0, 0],
    ['third', 13, 16],
  ])
  expect(weightBytes).toBe(80)
  expect(parameters).toBe(29)
})

test('layers of subgraphs carry their path, and the body of a loop counts as often as it runs', () => {
  const inner = builder(['x'])
  inner.input('i', value([], 'int64'))
  inner.input('go', value([], 'bool'))
  inner.output(inner.op('Identity', ['go']))
  const w = inner.ops('Constant', [], { outputs: ['w'], attrs: { value: tensorAttr(zeros(4, 2)) } })[0]!
  inner.output(inner.op('MatMul', ['x', w], { name: 'dense' }))
  const model = (trips: (b: Builder) => string) =>
    build((b) => {
      b.input('x', value([3, 4]))
      const attrs = { body: graphAttr(inner.graph()) }
      b.output(b.op('Loop', [trips(b), ''], { name: 'loop', outputs: ['y'], attrs }), value(null))
    })
  const { layers, macs, nodes } = inspectModel(model((b) => b.constant(i64([], [5]), 'five')))
  expect(layers.map((r) => [r.path, r.name, r.parameters, r.macs])).toEqual([
    [['loop.body'], 'dense', 8, 5 * 3 * 4 * 2],
  ])
  expect(macs).toBe(120)
  expect(nodes).toBe(4)
  const open = inspectModel(model((b) => b.input('trips', value([], 'int64'))))
  expect(open.macs).toBe(0)
  expect(open.unknownMacs.map((u) => [u.path, u.name, u.why])).toEqual([
    [['loop.body'], 'dense', 'number of runs unknown'],
  ])
})

test('what cannot be counted is named, with the reason', () => {
  const model = build(
    (b) => {
      b.input('x', value([null, 4, 1]))
      b.ops('Mystery', ['x'], { domain: 'org.example', name: 'm', outputs: ['a'] })
      b.ops('DFT', ['x'], { name: 'd', outputs: ['b'] })
      b.ops('MatMul', ['x', b.constant(zeros(1, 2), 'w')], { name: 'p', outputs: ['c'] })
      for (const name of ['a', 'b', 'c']) b.output(name, value(null))
    },
    { '': 21, 'org.example': 1 },
  )
  const { unknownMacs, unknownOps, macs } = inspectModel(model)
  expect(unknownOps).toEqual(['org.example.Mystery'])
  expect(unknownMacs.map((u) => [u.name, u.why])).toEqual([
    ['m', 'no record of the op'],
    ['d', 'no convention counts it'],
    ['p', 'sizes unknown'],
  ])
  expect(macs).toBe(0)
})

test('what does not fit in a branch is no problem of the model', () => {
  const model = build((b) => {
    b.input('cond', value([], 'bool'))
    b.input('x', value(['n', 4]))
    const squeezed = builder(['x'])
    squeezed.output(squeezed.op('Squeeze', ['x', squeezed.constant(i64([1], [0]))], { name: 'squeeze' }))
    const plain = builder(['x'])
    plain.output(plain.op('Identity', ['x']))
    const attrs = { then_branch: graphAttr(squeezed.graph()), else_branch: graphAttr(plain.graph()) }
    b.output(b.ops('If', ['cond'], { name: 'if', outputs: ['y'], attrs })[0]!, value(null))
  })
  expect(inspectModel(model)).toMatchObject({ problems: [], branchProblems: {} })
  const fixed = inspectModel(model, { feedShapes: { n: 3 } })
  expect(fixed.problems).toEqual([])
  expect(fixed.branchProblems).toEqual({ 'if (If)': [expect.stringContaining('squeeze')] })
})

test('the If of a voice model: branches apart, the dearer one counted', () => {
  const dense = (prefix: string, columns: number) => {
    const b = builder(['x'])
    const w = b.constant(zeros(4, columns), `${prefix}w`)
    b.output(b.op('MatMul', ['x', w], { name: `${prefix}dense` }))
    return graphAttr(b.graph())
  }
  const model = build((b) => {
    b.input('cond', value([], 'bool'))
    b.input('x', value([3, 4]))
    const attrs = { then_branch: dense('a', 5), else_branch: dense('b', 9), extra: int(0) }
    b.output(b.ops('If', ['cond'], { name: 'if', outputs: ['y'], attrs })[0]!, value(null))
  })
  const { layers, macs, heavy } = inspectModel(model)
  expect(macs).toBe(3 * 4 * 9)
  expect(layers.map((r) => [r.path[0], r.macs])).toEqual([
    ['if.then_branch', 60],
    ['if.else_branch', 108],
  ])
  expect(heavy.macs[0]).toMatchObject({ layer: 1, share: 1 })
})
