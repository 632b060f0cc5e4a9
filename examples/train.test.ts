/** Training from scratch, and the raw gradient, with the public library. */

import { expect, test } from 'vitest'
import {
  decodeModel,
  encodeModel,
  gradient,
  layers,
  losses,
  openEngine,
  penalties,
  readDataset,
  type Samples,
  sequential,
  train,
} from '../src/node.js'

/** Points of the plane, labelled by whether their coordinates have one sign. */
const points: Samples = {
  name: 'points',
  count: 256,
  read: async function* () {
    for (let i = 0; i < 256; i++) {
      const [x, y] = [Math.sin(12.9898 * i), Math.sin(78.233 * i)]
      const bytes = new Uint8Array(Float32Array.of(x, y).buffer)
      const input = { dtype: 'float32', shape: [1, 2], byteLength: 8, bytes: () => bytes } as const
      yield { name: `point ${i}`, feeds: { input }, label: Number(x * y > 0) }
    }
  },
}

const { dense, relu } = layers

test('train a small network, with a penalty', async () => {
  const loss = losses.crossEntropy()
  const model = sequential([dense(16), relu(), dense(2)], { input: [2] })
  const data = await readDataset(points, { model, loss })
  const engine = await openEngine({ threads: 1 })
  const {
    model: trained,
    epochs,
    best,
  } = await train(model, {
    engine,
    data,
    validation: data,
    loss,
    penalties: [{ penalty: penalties.l2(1e-4) }],
    epochs: 60,
    learningRate: 0.02,
  })
  await engine.close()
  expect(epochs[best - 1]!.validation!.accuracy).toBeGreaterThan(0.9)
  expect(decodeModel(encodeModel(trained).bytes).graph.outputs).toEqual(['output'])
})

test('the gradient of a model is a model', async () => {
  const model = sequential([dense(1)], { input: [3] })
  // One sample, so that the output is one number.
  const { withShapes } = await import('../src/node.js')
  const { model: withGradient, gradients } = await gradient(withShapes(model, { N: 1 }), { wrt: ['input'] })
  expect(withGradient.graph.outputs).toEqual(['output', gradients.get('input')])
})
