import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { builder, modelOf } from '../../ir/builder.js'
import { elementCount, f32, floats, floatToHalf, halfToFloat } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { checkParams } from '../transform.js'
import { storeInt2, storeInt3, storeInt5, storeInt6 } from './blocks.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const STORES = [
  { bits: 2, store: storeInt2 },
  { bits: 3, store: storeInt3 },
  { bits: 5, store: storeInt5 },
  { bits: 6, store: storeInt6 },
] as const

function shown(w: Tensor, name = 'w'): Model {
  const b = builder()
  b.input('x', value('float32', w.shape))
  b.ops('Add', ['x', b.constant(w, name)], { outputs: ['y'] })
  b.output('y', value('float32', null))
  return modelOf(b.graph(), { '': 14 })
}
const stored = (
  t: (typeof STORES)[number]['store'],
  w: Tensor,
  given: Readonly<Record<string, unknown>>,
  name = 'w',
): Promise<Model> =>
  t.apply(shown(w, name), checkParams(t, { minElements: 1, ...given }), { engine: async () => engine })

async function expanded(model: Model, { shape }: Tensor): Promise<Float32Array> {
  const zeros = f32(shape, new Float32Array(elementCount(shape)))
  return floats((await outputsOf(engine, model, { x: zeros })).y!)
}

test('blocks divide rows, near the size that was asked for, or all weights are one row', () => {
  const shape = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(shape, fc.constantFrom(16, 32, 64, 128), (dims, size) => {
      const { rows, depth, block } = blockLayout(dims, size)
      expect(rows * depth).toBe(elementCount(dims))
      if (rows > 1) expect(depth % block).toBe(0)
      expect(block).toBeLessThanOrEqual(2 * size)
      if (block < size / 2) expect(block).toBe(depth)
    }),
  )
  const blockOf = (depth: number): number => blockLayout([64, depth], 32).block
  expect([9, 40, 45, 48, 64, 72, 144].map(blockOf)).toEqual([9, 40, 45, 24, 32, 36, 36])
  expect(blockLayout([64, 89], 32)).toEqual({ rows: 1, depth: 64 * 89, block: 32 })
  expect(blockLayout([64, 4], 32)).toEqual({ rows: 1, depth: 256, block: 32 })
})

describe.each(STORES)('store/int$bits', ({ bits, store }) => {
  test('gives back (q − zero) · scale, bit by bit, whatever the shape', async () => {
    const shape = fc.oneof(
      fc.tuple(fc.integer({ min: 300, max: 700 })),
      fc.tuple(fc.integer({ min: 9, max: 40 }), fc.integer({ min: 30, max: 90 })),
      fc.tuple(fc.integer({ min: 8, max: 12 }), fc.integer({ min: 4, max: 9 }), fc.constant(3), fc.constant(3)),
    )
    const how = fc.record({
      block: fc.constantFrom('16', '32', '64'),
      range: fc.constantFrom('absmax', 'mse', 'hqq'),
      zeroPoints: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(shape, how, fc.nat(99), async (dims, given, seed) => {
        const w = weights(dims, seed)
        const model = await stored(store, w, given)
        if (model.graph.nodes.length === 1) return
        const { rows, depth, block } = blockLayout(dims, Number(given.block))
        const half = (s: number) => halfToFloat(floatToHalf(s))
        const choice = { range: given.range, hasZeros: given.zeroPoints } as const
        const q = quantizeBlocks(floats(w), rows, depth, block, bits, half, choice)
        const wanted = floats(w).map((_, i) => {
          const [row, k] = [Math.floor(i / depth), i % depth]
          const at = row * q.blocksPerRow + Math.floor(k / block)
          return (q.values[row * q.blocksPerRow * block + k]! - (q.zeros?.[at] ?? 0)) * q.scales[at]! + 0
        })
        expect((await expanded(model, w)).map((v) => v + 0)).toEqual(wanted)
      }),
      { numRuns: 12 },
    )
  })

  test.each([false, true])('nothing is left to do at run time; zero points %s', async (zeroPoints) => {
    const w = weights([48, 100], 3)
    const model = await stored(store, w, { zeroPoints })
    const { graph } = await optimizedGraph(engine, encodeModel(model).bytes, { optimization: 'basic' })
    expect(graph.nodes.map((n) => n.op)).toEqual(['Add'])
  })

  test('takes its bits and a float16 scale a block, and zero points as many bits again', async () => {
    const w = weights([128, 320], 3)
    const blocks = 128 * 10
    const own = (32 * blocks * bits) / 8 + 2 * blocks
    const plain = encodeModel(await stored(store, w, {})).byteLength
    expect(plain - own).toBeGreaterThan(0)
    expect(plain - own).toBeLessThan(2000)
    const zeros = encodeModel(await stored(store, w, { zeroPoints: true })).byteLength
    expect(zeros - own - (blocks * bits) / 8).toBeGreaterThan(0)
    expect(zeros - own - (blocks * bits) / 8).toBeLessThan(2500)
  })

  test('keeps float32 scales where float16 has no digits for them', async () => {
    const w = f32(
      [32, 64],
      floats(weights([32, 64], 1)).map((v) => v * 1e-7),
    )
    const model = await stored(store, w, {})
    expect(Math.max(...(await expanded(model, w)).map(Math.abs))).toBeGreaterThan(1e-8)
  })

  test('never makes a file larger, whatever the size and the length of names', async () => {
    for (const shape of [[40], [1, 20], [128], [13, 11], [4, 4, 3, 3], [300], [16, 16], [1, 32, 8]])
      for (const name of ['w', 'a/long/path/of/modules/as/exporters/write/it/weight'])
        for (const zeroPoints of [false, true]) {
          const w = weights(shape, 1)
          const model = await stored(store, w, { zeroPoints, block: '16' }, name)
          if (model.graph.nodes.length > 1)
            expect(encodeModel(model).byteLength, `${shape} ${name}`).toBeLessThan(
              encodeModel(shown(w, name)).byteLength,
            )
        }
  })
})
