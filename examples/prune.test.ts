/** Pruning: units cut out by a score, and a ticket with the weights of the beginning. */

import { expect, test } from 'vitest'
import type { Samples } from '../src/node.js'
import {
  inspectModel,
  layers,
  losses,
  openEnv,
  prune,
  readDataset,
  rewind,
  scoreOf,
  sequential,
  train,
} from '../src/node.js'

const { dense, relu } = layers

/** Points of the plane: whether they lie within a ring. */
const points = (count: number): Samples => ({
  name: 'points',
  count,
  async *read() {
    for (let i = 0; i < count; i++) {
      const [angle, radius] = [2.4 * i, 2 * Math.sqrt((i + 0.5) / count)]
      const data = Float32Array.of(radius * Math.cos(angle), radius * Math.sin(angle))
      const input = {
        dtype: 'float32',
        shape: [1, 2],
        byteLength: 8,
        bytes: () => new Uint8Array(data.buffer),
      } as const
      yield { name: `point ${i}`, feeds: { input }, label: radius > 0.8 && radius < 1.5 ? 1 : 0 }
    }
  },
})

test('half of the units cut out by Fisher information, and trained again from the early weights', async () => {
  const early = sequential([dense(32), relu(), dense(32), relu(), dense(2)], { input: [2] })
  const env = openEnv({ threads: 1 })
  try {
    const engine = await env.engine()
    const loss = losses.crossEntropy()
    const data = await readDataset(points(400), { model: early, loss })
    const learn = { engine, data, loss, epochs: 30, learningRate: 0.01 }
    const { model } = await train(early, learn)

    const pruned = await prune(model, { amount: { ratio: 0.5 }, score: 'fisher', samples: points(100) }, env)
    expect(pruned.groups.map((g) => [g.kept, g.units])).toEqual([
      [16, 32],
      [16, 32],
    ])
    expect(inspectModel(pruned.model).parameters).toBeLessThan(inspectModel(model).parameters / 2)

    const { model: again } = await train(rewind(early, pruned.cuts), learn)
    const { accuracy } = await scoreOf(again, { engine, data, loss })
    expect(accuracy).toBeGreaterThan(0.9)
  } finally {
    await env.close()
  }
})
