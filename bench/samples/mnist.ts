/** MNIST digits as the model takes them, 0..255, with labels: 200 training images calibrate, the whole test set is held out. */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Sample } from '../../src/data/samples.js'
import { f32 } from '../../src/ir/tensor.js'
import { type ModelSamples, requiredPath, samplesOf } from './types.js'

export const mnist: ModelSamples = {
  model: 'mnist-cntk',
  about: 'MNIST: 200 training images calibrate, the 10,000 test images are held out',
  calibration: samplesOf('mnist training images', 200, () => digits('train', 200)),
  many: (count) => samplesOf('mnist training images', count, () => digits('train', count)),
  heldout: samplesOf('mnist test images', 10000, () => digits('t10k', 10000)),
}

async function* digits(set: 'train' | 't10k', count: number): AsyncGenerator<Sample> {
  const images = gunzipSync(readFileSync(requiredPath(`mnist/${set}-images-idx3-ubyte.gz`))).subarray(16)
  const labels = gunzipSync(readFileSync(requiredPath(`mnist/${set}-labels-idx1-ubyte.gz`))).subarray(8)
  for (let i = 0; i < count; i++) {
    const pixels = Float32Array.from(images.subarray(784 * i, 784 * (i + 1)))
    yield { feeds: { Input3: f32([1, 1, 28, 28], pixels) }, label: labels[i]!, name: `${set} ${i}` }
  }
}
