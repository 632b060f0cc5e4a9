import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { type Levels, weightsOnLevels, withSoftRounding } from './soft.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const COUNT = 64
const LEVELS = Float32Array.from({ length: COUNT }, (_, i) => -9 + (i * 18) / (COUNT - 1))
const grid: Levels = {
  steps: new Float32Array(COUNT).fill(0.5),
  low: -8,
  high: 7,
  pinned: Uint8Array.from(LEVELS, (_, i) => Number(i === 3)),
}
const soft = { weights: new Map([['w', grid]]), travel: 1 }

/** y = w, of levels `w`. */
function shown(): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [COUNT] })
  b.output(b.op('Add', ['x', b.constant(f32([COUNT], LEVELS), 'w')]))
  return modelOf(b.graph())
}

/** The weights that the forward pass reads at a sharpness. */
async function softAt(sharpness: number): Promise<readonly number[]> {
  const { model, ranges } = withSoftRounding(shown(), soft, 'float32', 10)
  const [k] = [...ranges.keys()]
  const constants = new Map([...model.graph.constants, [k!, f32([1], [sharpness])]])
  const session = await engine.load(encodeModel({ ...model, graph: { ...model.graph, constants } }).bytes)
  const results = await session.run({ x: f32([COUNT], new Float32Array(COUNT)) })
  await session.close()
  return [...numbers(Object.values(results)[0]!)]
}

const within = (u: number): number => Math.min(7, Math.max(-8, u))
/** Gong et al. 2019, eq. 3. */
const staircase = (u: number, k: number): number => {
  const x = within(u) - Math.floor(within(u))
  return Math.floor(within(u)) + 0.5 + Math.tanh(k * (x - 0.5)) / (2 * Math.tanh(k / 2))
}

describe('the staircase', () => {
  test.each([0.1, 1, 8, 40])('is that of the formula at k = %d, and what is pinned stays where it is', async (k) => {
    const got = await softAt(k)
    LEVELS.forEach((u, i) => {
      expect(got[i]).toBeCloseTo(0.5 * (i === 3 ? u : staircase(u, k)), 4)
    })
  })

  test('is a line at a small k, and whole levels at a large one', async () => {
    const [line, steps] = [await softAt(0.1), await softAt(1000)]
    LEVELS.forEach((u, i) => {
      if (i === 3) return
      expect(line[i]).toBeCloseTo(0.5 * within(u), 2)
      if (Math.abs((within(u) % 1) - 0.5) > 0.05) expect((steps[i]! / 0.5) % 1).toBeCloseTo(0, 3)
    })
  })
})

test('weights are handed back at the level nearest to where they are, within the grid', () => {
  fc.assert(
    fc.property(fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: COUNT, maxLength: COUNT }), (u) => {
      const got = numbers(weightsOnLevels(soft, new Map([['w', f32([COUNT], u)]])).get('w')!)
      u.forEach((v, i) => {
        expect(Math.abs(got[i]! / 0.5 - within(v))).toBeLessThanOrEqual(0.5)
        expect(Number.isInteger(got[i]! / 0.5)).toBe(true)
      })
    }),
  )
})
