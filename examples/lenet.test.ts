/** A short version: what it reaches in full is in `lenet.ts`. */

import { expect, test } from 'vitest'
import { dataPath } from '../test/data.js'
import { lenet } from './lenet.js'

const folder = dataPath('mnist')

test.skipIf(folder === null)(
  'LeNet-300-100 on some of MNIST: 30 times smaller for little',
  async () => {
    const steps = await lenet({ folder: folder!, epochs: [2, 1, 2, 1], rounds: 4, limit: 6000 })
    const [trained, sparse, stored] = steps
    expect(trained!.nonzeros).toBeGreaterThan(266_000)
    // 6 % of 784 x 300, 9 % of 300 x 100, 25 % of 100 x 10.
    expect(Math.abs(sparse!.nonzeros - (0.06 * 235_200 + 0.09 * 30_000 + 0.25 * 1000))).toBeLessThan(5)
    expect(stored!.nonzeros).toBe(sparse!.nonzeros)
    expect(trained!.bytes / sparse!.bytes).toBeGreaterThan(10)
    expect(trained!.bytes / stored!.bytes).toBeGreaterThan(30)
    expect(stored!.accuracy).toBeGreaterThan(trained!.accuracy - 0.02)
  },
  120_000,
)
