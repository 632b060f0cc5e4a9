import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { type BlockRange, fitsHalf } from '../../grids/block-ranges.js'
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

interface How {
  readonly block: string
  readonly range: BlockRange
  readonly zeroPoints: boolean
}

/** (q − zero) · scale, from the grids alone. */
function onBlocks(w: Tensor, bits: number, given: How): Float32Array {
  const { rows, depth, block } = blockLayout(w.shape, Number(given.block))
  const round = fitsHalf(floats(w)) ? (s: number) => halfToFloat(floatToHalf(s)) : Math.fround
  const choice = { range: given.range, hasZeros: given.zeroPoints }
  const q = quantizeBlocks(floats(w), rows, depth, block, bits, round, choice)
  return floats(w).map((_, i) => {
    const [row, k] = [Math.floor(i / depth), i % depth]
    const at = row * q.blocksPerRow + Math.floor(k / block)
    return (q.values[row * q.blocksPerRow * block + k]! - (q.zeros?.[at] ?? 0)) * q.scales[at]! + 0
  })
}

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
        const wanted = onBlocks(w, bits, given)
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

describe('pools', () => {
  /** y = x + Σ weights, of several shapes. */
  function several(tensors: readonly Tensor[]): Model {
    const b = builder()
    b.input('x', value('float32', [1]))
    const sums = tensors.map((t, i) =>
      b.op('Mul', [b.constant(t, `w${i}`), b.constant(f32([1], [1 + i]), `f${i}`)], { name: `read${i}` }),
    )
    sums.forEach((sum, i) => {
      b.ops('Add', ['x', sum], { outputs: [`y${i}`] })
      b.output(`y${i}`, value('float32', null))
    })
    return modelOf(b.graph(), { '': 14 })
  }

  test('weights of blocks of any lengths, padded or not, with scales of either type, come back each in its shape', async () => {
    const tiny = weights([16, 64], 9)
    const tensors = [
      weights([16, 72], 1),
      weights([900], 2),
      weights([8, 89], 3),
      weights([24, 64], 4),
      weights([20, 5, 3, 3], 5),
      f32(
        tiny.shape,
        floats(tiny).map((v) => v * 1e-7),
      ),
    ]
    const plain = several(tensors)
    const env = { engine: async () => engine }
    for (const { bits, store } of STORES)
      for (const zeroPoints of [false, true]) {
        const model = await store.apply(plain, checkParams(store, { minElements: 1, zeroPoints }), env)
        expect(model.graph.nodes.filter((n) => n.op === 'Split').length).toBeGreaterThan(0)
        const got = await outputsOf(engine, model, { x: f32([1], [0]) })
        for (const [i, t] of tensors.entries()) {
          expect(got[`y${i}`]!.shape).toEqual(t.shape)
          const wanted = onBlocks(t, bits, { block: '32', range: bits < 4 ? 'mse' : 'absmax', zeroPoints })
          floats(got[`y${i}`]!).forEach((v, j) => {
            expect(v / (i + 1)).toBeCloseTo(wanted[j]!, 5)
          })
        }
      }
  })

  test('no pool is larger than a million weights', async () => {
    const t = weights([1024, 640], 1)
    const model = await storeInt6.apply(several([t, weights([1024, 640], 2)]), checkParams(storeInt6, {}), {
      engine: async () => engine,
    })
    const packed = [...model.graph.constants.values()].filter((c) => c.dtype === 'uint8' && c.byteLength > 1000)
    // Two planes each.
    expect(packed).toHaveLength(4)
  })
})
