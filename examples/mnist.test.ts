/** Short versions of the MNIST examples: what they reach in full is in their own files. */

import { expect, test } from 'vitest'
import { dataPath } from '../test/data.js'
import { binaryWeights } from './binary-weights.js'
import { cnn, mlp, mnist } from './mnist.js'

const folder = dataPath('mnist')

test.skipIf(folder === null)(
  'a multilayer perceptron on some of MNIST',
  async () => {
    expect(await mnist(mlp(), { folder: folder!, epochs: 2, limit: 8000 })).toBeGreaterThan(0.92)
  },
  120_000,
)

test.skipIf(folder === null)(
  'a convolutional network on some of MNIST',
  async () => {
    expect(await mnist(cnn(), { folder: folder!, epochs: 1, limit: 6000 })).toBeGreaterThan(0.93)
  },
  120_000,
)

test.skipIf(folder === null)(
  'binary weights cost little, and their file is a 20th of that of float ones',
  async () => {
    const { float, binary, stored, bytes, storedBytes } = await binaryWeights(folder!, 2, 6000)
    expect(binary).toBeGreaterThan(float - 0.03)
    expect(stored).toBe(binary)
    const rounded = 4 * (64 * 256 + 256 * 256)
    expect(rounded - (bytes - storedBytes)).toBeLessThan(rounded / 20)
  },
  120_000,
)
