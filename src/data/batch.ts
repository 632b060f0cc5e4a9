/** Samples stacked into batches, for models whose first dimension is free. */

import type { Feeds, ValueInfo } from '../engine/engine.js'
import type { Tensor } from '../ir/types.js'
import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { stringTensor } from './convert.js'
import type { ReadOptions, Sample, Samples } from './samples.js'

export interface Batch {
  /** Stacked along axis 0. */
  readonly feeds: Feeds
  /** The samples in it, in order, without their arrays. */
  readonly items: readonly Omit<Sample, 'feeds'>[]
}

/** Whether every input has a free first dimension, so that samples can share a run. */
const isBatchable = (inputs: readonly ValueInfo[]): boolean =>
  inputs.length > 0 && inputs.every(({ shape }) => typeof shape?.[0] === 'string')

/**
 * Batches of up to `size` fitted samples (`fitSamples`), the last one possibly smaller; batches of one where the model
 * has an input without a free first dimension. Samples of differing lengths go to batches of their own. Throws
 * `BATCH_SIZE`.
 */
export async function* batches(
  samples: Samples,
  size: number,
  inputs: readonly ValueInfo[],
  options?: ReadOptions,
): AsyncGenerator<Batch> {
  if (!Number.isInteger(size) || size < 1) {
    throw new PareError('BATCH_SIZE', 'a batch needs a whole number of samples', {
      value: size,
      remedy: 'Give e.g. 1.',
    })
  }
  const limit = isBatchable(inputs) ? size : 1
  let held: Sample[] = []
  for await (const sample of samples.read(options)) {
    if (held.length === limit || (held.length > 0 && !stackable(held[0]!, sample))) {
      yield batchOf(held)
      held = []
    }
    held.push(sample)
  }
  if (held.length > 0) yield batchOf(held)
}

/** Same inputs, types, and lengths of all axes but the first. */
function stackable(a: Sample, b: Sample): boolean {
  const names = Object.keys(a.feeds)
  if (names.length !== Object.keys(b.feeds).length) return false
  return names.every((name) => {
    const [x, y] = [a.feeds[name]!, b.feeds[name]]
    return y !== undefined && x.dtype === y.dtype && x.shape.slice(1).join() === y.shape.slice(1).join()
  })
}

function batchOf(samples: readonly Sample[]): Batch {
  const [first] = samples
  const items = samples.map(({ feeds: _, ...rest }) => rest)
  if (samples.length === 1) return { feeds: first!.feeds, items }
  const names = Object.keys(first!.feeds)
  return { feeds: Object.fromEntries(names.map((n) => [n, stack(samples.map((s) => s.feeds[n]!))])), items }
}

/** Joins tensors along axis 0; all other lengths and the types are equal. */
function stack(tensors: readonly Tensor[]): Tensor {
  const { dtype, shape } = tensors[0]!
  const joined = [tensors.reduce((n, t) => n + t.shape[0]!, 0), ...shape.slice(1)]
  if (dtype === 'string') {
    return stringTensor(
      joined,
      tensors.flatMap((t) => t.strings?.() ?? []),
    )
  }
  const bytes = concatBytes(tensors.map((t) => t.bytes()))
  return { dtype, shape: joined, byteLength: bytes.byteLength, bytes: () => bytes }
}
