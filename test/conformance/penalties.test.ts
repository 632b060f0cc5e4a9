/** Certificates of every penalty: the proximal step is a minimum, and the graph computes what the plain code does. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { builder, modelOf } from '../../src/ir/builder.js'
import { f32, numbers, scalar } from '../../src/ir/tensor.js'
import { encodeModel } from '../../src/onnx/codec.js'
import { elasticNet } from '../../src/penalties/elastic-net.js'
import { PENALTIES } from '../../src/penalties/index.js'
import { l1 } from '../../src/penalties/l1.js'
import { mcp } from '../../src/penalties/mcp.js'
import type { Penalty } from '../../src/penalties/penalty.js'
import { scad } from '../../src/penalties/scad.js'
import { random } from '../../src/util/random.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const FACTORS = [1, 0, 2, 0.5, 3, 1, 1, 0.1, 1, 1, 5, 1]
const CASES: readonly (readonly [string, Penalty])[] = [
  ...Object.entries(PENALTIES).map(([name, make]) => [name, make(0.3)] as const),
  ['l1 with factors', l1(0.3, FACTORS)],
  ['elastic-net, mostly ridge', elasticNet(0.8, 0.2)],
  ['mcp, strong', mcp(1.5, 2)],
  ['scad, strong', scad(1.2, 3)],
  ['none', l1(0)],
]

/** [3, 4]: some far, some near, some at zero. */
const weights = Float64Array.of(2.5, -0.1, 0.7, 0, -3, 0.31, 0.05, -0.9, 1.1, 0.02, -0.02, 0.4)
const GROUP = 4
const groupsOf = (w: Float64Array): readonly Float64Array[] =>
  [0, 1, 2].map((g) => w.subarray(g * GROUP, (g + 1) * GROUP))

describe.each(CASES)('%s', (name, penalty) => {
  const isGrouped = name === 'group-lasso'
  const costOf = (w: Float64Array): number => penalty.value(w, isGrouped ? GROUP : undefined)

  function stepped(step: number): Float64Array {
    const w = weights.slice()
    if (isGrouped) for (const group of groupsOf(w)) penalty.prox(group, step)
    else penalty.prox(w, step)
    return w
  }

  test.each([0, 0.1, 0.7])('no point near or far does better than the proximal step of %d', (step) => {
    const z = stepped(step)
    const goal = (at: Float64Array): number =>
      at.reduce((sum, v, j) => sum + (v - weights[j]!) ** 2 / 2, 0) + step * costOf(at)
    const best = goal(z)
    const { normal, uniform } = random(7)
    for (let k = 0; k < 400; k++) {
      const size = 10 ** -uniform(0, 5)
      expect(goal(z.map((v) => v + size * normal()))).toBeGreaterThanOrEqual(best - 1e-12)
      expect(goal(z.map((v) => (uniform() < 0.2 ? 0 : v)))).toBeGreaterThanOrEqual(best - 1e-12)
    }
    expect(goal(weights)).toBeGreaterThanOrEqual(best - 1e-12)
  })

  test('costs nothing at zero, and never less than nothing', () => {
    expect(costOf(new Float64Array(12))).toBe(0)
    expect(costOf(weights)).toBeGreaterThanOrEqual(0)
  })

  test('the graph gives the same value and the same step, exact zeros too', async () => {
    const b = builder()
    b.input('w', { kind: 'tensor', dtype: 'float32', shape: [3, 4] })
    b.input('step', { kind: 'tensor', dtype: 'float32', shape: [] })
    const weight = { name: 'w', shape: [3, 4], channelAxis: 0 }
    const [value, next] = [penalty.emit(b, weight), penalty.emitProx(b, weight, 'step')]
    b.output(value)
    b.output(next)
    const session = await engine.load(encodeModel(modelOf(b.graph())).bytes)
    const results = await session.run({ w: f32([3, 4], Float32Array.from(weights)), step: scalar(0.7) })
    await session.close()
    expect(numbers(results[value]!)[0]).toBeCloseTo(costOf(weights), 4)
    const wanted = stepped(0.7)
    for (const [j, v] of numbers(results[next]!).entries()) {
      expect(v).toBeCloseTo(wanted[j]!, 5)
      expect(v === 0).toBe(wanted[j] === 0)
    }
  })
})

test('strengths and shapes that make no sense are refused', () => {
  const codes = [() => l1(-1), () => l1(Number.NaN), () => elasticNet(1, 2), () => mcp(1, 0.5), () => scad(1, 2)].map(
    (make) => {
      try {
        make()
        return 'none'
      } catch (error) {
        return (error as { code: string }).code
      }
    },
  )
  expect(codes).toEqual(['PENALTY_STRENGTH', 'PENALTY_STRENGTH', 'PENALTY_RATIO', 'PENALTY_SHAPE', 'PENALTY_SHAPE'])
  expect(() => mcp(1, 3).prox(Float64Array.of(1), 4)).toThrow(/below 3/)
})
