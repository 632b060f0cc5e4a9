/** CIFAR-10 in its binary form: a byte of label and 3,072 of a picture, channel by channel. */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Dataset } from '../../src/node.js'

const PIXELS = 3 * 32 * 32

/** Images `from` to `to` of the file. */
export function readCifar(path: string, from: number, to: number, output: string): Dataset {
  const bytes = gunzipSync(readFileSync(path))
  const count = to - from
  const images = new Float32Array(count * PIXELS)
  const labels = new BigInt64Array(count)
  for (let i = 0; i < count; i++) {
    const at = (from + i) * (PIXELS + 1)
    labels[i] = BigInt(bytes[at]!)
    images.set(bytes.subarray(at + 1, at + 1 + PIXELS), i * PIXELS)
  }
  return {
    count,
    inputs: new Map([['input', { dtype: 'float32', shape: [3, 32, 32], data: images }]]),
    targets: new Map([[output, { dtype: 'int64', shape: [], data: labels }]]),
  }
}
