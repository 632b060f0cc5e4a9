import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bias, graphOf, qdq, weight } from '../../test/quantized-graphs.js'
import { bytesOf } from '../../test/small-models.js'
import { int } from '../ir/attrs.js'
import { type Builder, modelOf } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import { addPair, differenceOf, NO_SUMS } from './compare.js'
import type { Engine } from './engine.js'
import { hazards } from './hazards.js'
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

describe('the engine errs, and the node is named', () => {
  const cases: readonly Case[] = [
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
  test.each(cases)('%s', async (_, shape, body) => {
    const { error, found } = await engineError(shape, body)
    expect(error).toBeGreaterThan(0.01)
    expect(found).toHaveLength(1)
  })
})

describe('the engine keeps its word, and nothing is named', () => {
  const cases: readonly Case[] = [
    ['float Conv without Q', IMAGE, (b, x) => [floatConv(b, qdq(b, x))]],
    ['float Conv on float input', IMAGE, (b, x) => [qdq(b, floatConv(b, x), { scale: 0.3 })]],
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
  test.each(cases)('%s', async (_, shape, body) => {
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
