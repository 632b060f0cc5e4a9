/** Samples as one .npz: for each input an array of every sample's tensor, stacked along a new first axis. */

import { type Zippable, zipSync } from 'fflate'
import type { Sample } from '../../src/data/samples.js'
import { tensor } from '../../src/ir/tensor.js'
import type { Tensor } from '../../src/ir/types.js'
import { PareError } from '../../src/util/errors.js'

const DESCRIPTIONS: Readonly<Record<string, string>> = { float32: '<f4', int32: '<i4', int64: '<i8' }

/** The bytes of an .npz file. The archive carries no time of day, so equal samples give equal bytes. */
export function npzOf(samples: readonly Sample[]): Uint8Array {
  const entries: Zippable = {}
  for (const name of Object.keys(samples[0]!.feeds)) {
    const tensors = samples.map((sample) => sample.feeds[name]!)
    entries[`${name}.npy`] = [npyOf(stacked(name, tensors)), { level: 1, mtime: '1980-01-02' }]
  }
  return zipSync(entries)
}

/** The labels of the samples as an .npy of int64, or null where there are none. */
export function labelsNpyOf(samples: readonly Sample[]): Uint8Array | null {
  const labels = samples.map((sample) => sample.label)
  if (!labels.every((label) => typeof label === 'number')) return null
  return npyOf(tensor('int64', [labels.length], BigInt64Array.from(labels, BigInt)))
}

function stacked(name: string, tensors: readonly Tensor[]): Tensor {
  const first = tensors[0]!
  const each = first.byteLength
  const bytes = new Uint8Array(each * tensors.length)
  for (const [i, t] of tensors.entries()) {
    if (t.dtype !== first.dtype || t.shape.join() !== first.shape.join()) {
      throw new PareError('SAMPLE_SHAPE', 'the samples differ in shape or type', {
        where: name,
        value: t.shape,
        remedy: `Give ${first.dtype}[${first.shape.join(',')}] as in the first.`,
      })
    }
    bytes.set(t.bytes(), i * each)
  }
  return { dtype: first.dtype, shape: [tensors.length, ...first.shape], byteLength: bytes.length, bytes: () => bytes }
}

/** NumPy's format 1.0: magic, version, header length, header padded with blanks to a multiple of 64, data. */
function npyOf(t: Tensor): Uint8Array {
  const dims = `(${t.shape.join(', ')}${t.shape.length === 1 ? ',' : ''})`
  const header = `{'descr': '${DESCRIPTIONS[t.dtype]}', 'fortran_order': False, 'shape': ${dims}, }`
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`
  const out = new Uint8Array(10 + padded.length + t.byteLength)
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8])
  out.set(new TextEncoder().encode(padded), 10)
  out.set(t.bytes(), 10 + padded.length)
  return out
}
