import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { BLOCK_RANGES, type BlockRange } from '../../grids/block-ranges.js'
import { blockLayout, quantizeBlocks } from '../../grids/blocks.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats, floatToHalf, halfToFloat } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { random } from '../../util/random.js'
import { applySteps } from '../recipes.js'
import { summarizeQuantization } from '../summary.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const ROWS = 24

/** y = W·1-hot rows = W itself, of weights around `mean`. */
function weightModel(depth: number, mean: number): { readonly model: Model; readonly w: Float32Array } {
  const r = random(3)
  const w = Float32Array.from({ length: ROWS * depth }, () => r.normal(mean, 0.3))
  const b = builder()
  b.input('x', value('float32', [ROWS, ROWS]))
  b.ops('MatMul', ['x', b.constant(f32([ROWS, depth], w), 'w')], { outputs: ['y'], name: 'product' })
  b.output('y', value('float32', [ROWS, depth]))
  return { model: modelOf(b.graph()), w }
}

const IDENTITY = {
  x: f32(
    [ROWS, ROWS],
    Float32Array.from({ length: ROWS ** 2 }, (_, i) => (i % (ROWS + 1) === 0 ? 1 : 0)),
  ),
}

const errorOf = (w: Float32Array, got: Float32Array): number => Math.hypot(...w.map((v, i) => v - got[i]!))

describe.each([64, 45, 89])('int4 in blocks, %i weights a row', (depth) => {
  const stored = async (model: Model, transform: string, params: Readonly<Record<string, unknown>>) => {
    const result = await applySteps(model, [{ transform, params }], { engine: async () => engine })
    expect(result).not.toBe(model)
    expect(encodeModel(result).byteLength).toBeLessThan(encodeModel(model).byteLength)
    return { result, got: floats((await outputsOf(engine, result, IDENTITY)).y!) }
  }

  test.each(BLOCK_RANGES.flatMap((range) => [false, true].map((zeros) => [range, zeros] as const)))(
    '%s, zero points %s: the engine gives back what is on the grids',
    async (range: BlockRange, zeros) => {
      const { model, w } = weightModel(depth, zeros ? 0.5 : 0)
      const { result, got } = await stored(model, 'store/int4', { range, zeroPoints: zeros })
      const half = (s: number) => halfToFloat(floatToHalf(s))
      const layout = blockLayout([ROWS, depth], 32)
      const { block } = layout
      const q = quantizeBlocks(w, layout.rows, layout.depth, block, 4, half, { range, hasZeros: zeros })
      const blocks = q.blocksPerRow
      const expected = w.map((_, i) => {
        const [row, column] = [Math.floor(i / layout.depth), i % layout.depth]
        const at = row * blocks + Math.floor(column / block)
        return (q.values[row * blocks * block + column]! - (q.zeros?.[at] ?? 0)) * q.scales[at]!
      })
      got.forEach((v, i) => {
        expect(v).toBeCloseTo(expected[i]!, 5)
      })
      expect(summarizeQuantization(model, result).storedInt4).toBe(1)
    },
  )

  test('zero points lower the error of weights on one side of zero, here and in MatMulNBits', async () => {
    const { model, w } = weightModel(depth, 1)
    for (const [id, rest] of [
      ['store/int4', {}],
      ['quantize/nbits', { minElements: 1 }],
    ] as const) {
      const plain = errorOf(w, (await stored(model, id, { ...rest })).got)
      const moved = errorOf(w, (await stored(model, id, { ...rest, zeroPoints: true })).got)
      const fitted = errorOf(w, (await stored(model, id, { ...rest, zeroPoints: true, range: 'mse' })).got)
      expect(moved, id).toBeLessThan(0.75 * plain)
      expect(fitted, id).toBeLessThanOrEqual(moved * 1.02)
    }
  })
})
