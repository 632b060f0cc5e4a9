/** Samples as one .npz: for each input an array of every sample's tensor, stacked along a new first axis. */

import { type Zippable, zipSync } from 'fflate'
import type { Sample } from '../../src/data/samples.js'
import { tensor } from '../../src/ir/tensor.js'
import type { Tensor } from '../../src/ir/types.js'
import { PareError } from '../../src/util/errors.js'

const DESCRIPTIONS: Readonly<Record<string, string>> = { float32: '<f4', int32: '<i4', int64: '<i8' }

/**
 * The bytes of an .npz file; class labels, where every sample has one, go to a member `labels`. The archive carries no
 * time of day, so equal samples give equal bytes.
 */
export function npzOf(samples: readonly Sample[]): Uint8Array {
  const entries: Zippable = {}
  const add = (name: string, array: Tensor): void => {
    entries[`${name}.npy`] = [npyOf(array), { level: 1, mtime: '1980-01-02' }]
  }
  for (const name of Object.keys(samples[0]!.feeds)) {
    add(
      name,
      stacked(
        name,
        samples.map((sample) => sample.feeds[name]!),
      ),
    )
  }
  const labels = samples.map((sample) => sample.label)
  if (labels.every((label) => typeof label === 'number')) {
    add('labels', tensor('int64', [labels.length], BigInt64Array.from(labels, BigInt)))
  }
  return zipSync(entries)
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
