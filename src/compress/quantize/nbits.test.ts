import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { feedsOf, outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { difference } from '../../../test/difference.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { packNibbles, quantizeBlocks } from '../../grids/blocks.js'
import { float, int, intAttr } from '../../ir/attrs.js'
import { type Builder, builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Attr, Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { checkParams } from '../transform.js'
import { quantizeNBits } from './nbits.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const apply = (model: Model, params: Readonly<Record<string, unknown>> = {}): Promise<Model> =>
  quantizeNBits.apply(model, checkParams(quantizeNBits, { minElements: 1, ...params }), { engine: async () => engine })

function product(w: Tensor, rows = 5, attrs?: Parameters<Builder['op']>[2], bias?: Tensor): Model {
  const b = builder()
  const transposed = attrs?.attrs?.transB !== undefined
  b.input('x', value('float32', [rows, w.shape[transposed ? 1 : 0]!]))
  const op = attrs === undefined ? 'MatMul' : 'Gemm'
  const inputs = ['x', b.constant(w, 'w'), ...(bias ? [b.constant(bias, 'b')] : [])]
  b.ops(op, inputs, { ...attrs, outputs: ['y'] })
  b.output('y', value('float32', null))
  return modelOf(b.graph())
}

const nodeOf = (model: Model): Node => model.graph.nodes.find((n) => n.op === 'MatMulNBits')!
const constantsOf = (model: Model): readonly [Tensor, Tensor] => {
  const [, b, s] = nodeOf(model).inputs
  return [model.graph.constants.get(b!)!, model.graph.constants.get(s!)!]
}

describe('blocks', () => {
  test('the element of largest magnitude becomes the lowest integer exactly', () => {
    const { values, scales } = quantizeBlocks(Float32Array.of(1, -2, 4, 0.4, 3, -6, 1, 0), 1, 8, 4, 4)
    expect([...scales]).toEqual([-0.5, 0.75])
    expect([...values]).toEqual([-2, 4, -8, -1, 4, -8, 1, 0])
  })

  test('every element is within a step of its value, and within half a step unless it is at the far end', () => {
    const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true }), {
      minLength: 1,
      maxLength: 70,
    })
    fc.assert(
      fc.property(values, fc.constantFrom(16, 32), fc.constantFrom(4 as const, 8 as const), (list, block, bits) => {
        const data = Float32Array.from(list)
        const low = -(2 ** (bits - 1))
        const q = quantizeBlocks(data, 1, data.length, block, bits)
        expect(q.blocksPerRow).toBe(Math.ceil(data.length / block))
        data.forEach((v, i) => {
          const s = q.scales[Math.floor(i / block)]!
          expect(q.values[i]).toBeGreaterThanOrEqual(low)
          expect(q.values[i]).toBeLessThanOrEqual(-low - 1)
          const error = Math.abs(v - q.values[i]! * s)
          const far = v / s > -low - 0.5
          expect(error).toBeLessThanOrEqual((far ? 1 : 0.5) * Math.abs(s) * (1 + 1e-5) + 1e-40)
        })
      }),
    )
  })

  test('rows have blocks of their own, the last one padded with zeros', () => {
    const data = Float32Array.from({ length: 10 }, (_, i) => i + 1)
    const { values, scales, blocksPerRow } = quantizeBlocks(data, 2, 5, 4, 4)
    expect(blocksPerRow).toBe(2)
    expect([...values]).toEqual([-2, -4, -6, -8, -8, 0, 0, 0, -5, -6, -7, -8, -8, 0, 0, 0])
    expect([...scales]).toEqual([4 / -8, 5 / -8, 9 / -8, 10 / -8])
  })

  test('a block of zeros has scale 0 and integers 0', () => {
    const { values, scales } = quantizeBlocks(new Float32Array(8), 1, 8, 4, 4)
    expect([...scales].map((s) => s + 0)).toEqual([0, 0])
    expect([...values]).toEqual(new Array(8).fill(0))
  })

  test('nibbles are packed low half first, two’s complement or with an offset', () => {
    expect([...packNibbles([1, 2, -1, -8, 7])]).toEqual([0x21, 0x8f, 0x07])
    expect([...packNibbles([-8, -1, 0, 7], 8)]).toEqual([0x70, 0xf8])
  })
})

describe('packing', () => {
  // Two columns of five: the first reaches −8, so its step is 1; the second reaches 8, so its step is −1.
  const columns = [
    [-8, -4, 0, 4, 7],
    [1, -2, 3, -4, 8],
  ]
  const asMatrix = f32(
    [5, 2],
    columns[0]!.flatMap((v, k) => [v, columns[1]![k]!]),
  )
  // 4 bits, offset 8: 0 4 8 12 15 | 8 …, and 7 10 5 12 0 | 8 ….
  const four = [0x40, 0xc8, 0x8f, 0x88, 0x88, 0x88, 0x88, 0x88, 0xa7, 0xc5, 0x80, 0x88, 0x88, 0x88, 0x88, 0x88]

  test('of 4 bits is that of a computation by hand', async () => {
    const [bytes, scales] = constantsOf(await apply(product(asMatrix), { block: '16' }))
    expect(bytes.dtype).toBe('uint8')
    expect(bytes.shape).toEqual([2, 1, 8])
    expect([...bytes.bytes()]).toEqual(four)
    expect(scales.shape).toEqual([2])
    expect([...floats(scales)]).toEqual([1, -1])
  })

  test('of a transposed Gemm weight is the same', async () => {
    const [bytes] = constantsOf(
      await apply(product(f32([2, 5], columns.flat()), 5, { attrs: { transB: int(1) } }), { block: '16' }),
    )
    expect([...bytes.bytes()]).toEqual(four)
  })

  test('of 8 bits is that of a computation by hand', async () => {
    const [bytes, scales] = constantsOf(await apply(product(asMatrix), { block: '16', bits: '8' }))
    expect(bytes.shape).toEqual([2, 1, 16])
    // Steps of 1/16: −128 −64 0 64 112, and with −1/16: −16 32 −48 64 −128; 128 is added.
    const pad = new Array(11).fill(128)
    expect([...bytes.bytes()]).toEqual([0, 64, 128, 192, 240, ...pad, 112, 160, 80, 192, 0, ...pad])
    expect([...floats(scales)]).toEqual([1 / 16, -1 / 16])
  })
})

describe('the engine computes the product with the dequantized weight', () => {
  /** The weight [depth, columns] that blocks of it stand for. */
  function dequantized(w: Tensor, block: number, bits: 4 | 8): Tensor {
    const [depth, columns] = w.shape as [number, number]
    const data = floats(w)
    const turned = Float32Array.from(
      { length: data.length },
      (_, i) => data[(i % depth) * columns + Math.floor(i / depth)]!,
    )
    const q = quantizeBlocks(turned, columns, depth, block, bits)
    const at = (k: number, n: number): number =>
      q.values[n * q.blocksPerRow * block + k]! * q.scales[n * q.blocksPerRow + Math.floor(k / block)]!
    return f32(
      w.shape,
      Float32Array.from({ length: data.length }, (_, i) => at(Math.floor(i / columns), i % columns)),
    )
  }
  const withLevel = (model: Model, level: number): Model => ({
    ...model,
    graph: {
      ...model.graph,
      nodes: model.graph.nodes.map((n) =>
        n.op === 'MatMulNBits' ? { ...n, attrs: { ...n.attrs, accuracy_level: int(level) } } : n,
      ),
    },
  })

  const shapes = [
    [64, 24],
    [45, 7],
    [130, 33],
  ] as const
  test.each(
    shapes.flatMap((shape) =>
      (['4', '8'] as const).flatMap((bits) =>
        (['16', '32', '64', '128'] as const).map((block) => ({ shape, bits, block })),
      ),
    ),
  )('%j', async ({ shape, bits, block }) => {
    const w = weights(shape, 1)
    const model = product(w)
    const result = await apply(model, { bits, block })
    const [feeds] = await feedsOf(engine, model, [2])
    const reference = await outputsOf(
      engine,
      product(dequantized(w, Number(block), Number(bits) as 4 | 8)),
      feeds!,
      'off',
    )
    // At level 0 the engine multiplies floats: the packing must hold to rounding. At 4 it rounds activations to int8.
    const exact = await outputsOf(engine, withLevel(result, 0), feeds!)
    expect(difference(reference.y!, exact.y!)).toBeLessThan(1e-5)
    const fast = await outputsOf(engine, result, feeds!)
    expect(difference(reference.y!, fast.y!)).toBeLessThan(0.015)
  })

  test('with a bias behind', async () => {
    const model = product(weights([24, 64], 1), 5, { attrs: { transB: int(1) } }, weights([24], 3, 5))
    const result = await apply(model, { bits: '8' })
    const [feeds] = await feedsOf(engine, model, [2])
    const [a, b] = [await outputsOf(engine, model, feeds!, 'off'), await outputsOf(engine, result, feeds!)]
    expect(difference(a.y!, b.y!)).toBeLessThan(0.02)
  })
})

test('the kernel that runs is MatMulNBits with int8 products', async () => {
  const result = await apply(product(weights([64, 24], 1)))
  const optimized = await optimizedGraph(engine, encodeModel(result).bytes)
  expect(optimized.graph.nodes.map((n) => n.op)).toEqual(['MatMulNBits'])
  const node = optimized.graph.nodes[0]!
  expect(node.domain).toBe('com.microsoft')
  expect(['accuracy_level', 'bits', 'block_size', 'K', 'N'].map((name) => intAttr(node, name))).toEqual([
    4, 4, 32, 64, 24,
  ])
  expect(result.opsets.get('com.microsoft')).toBe(1)
})

test('Gemm that scales, and weights below minElements, stay', async () => {
  const variants: readonly Readonly<Record<string, Attr>>[] = [
    { alpha: float(2) },
    { beta: float(2) },
    { transA: int(1) },
  ]
  for (const attrs of variants) {
    const model = product(weights([5, 24], 1), 5, { attrs }, weights([24], 2))
    expect(quantizeNBits.refuses(model, {})).not.toBe(null)
    expect(await apply(model)).toBe(model)
  }
  const model = product(weights([32, 24], 1))
  expect(await apply(model, { minElements: 769 })).toBe(model)
  expect(await apply(model, { minElements: 768 })).not.toBe(model)
})
