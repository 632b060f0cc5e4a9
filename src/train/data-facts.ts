/** What a first reading of labelled samples tells: enough to build a model for them. */

import type { Samples } from '../data/samples.js'
import { numbers } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { noSamples } from './dataset.js'

export interface DataFacts {
  readonly count: number
  /** Of one sample, without a batch axis. */
  readonly shape: readonly number[]
  /** How many classes the labels name; null where they are not class indices. */
  readonly classes: number | null
  /** Values of a label. */
  readonly width: number
  /** Of the inputs: of each value where a sample is a vector, else of all values alike. */
  readonly input: Spread
  /** Of the labels, value by value. */
  readonly target: Spread
}

export interface Spread {
  readonly mean: readonly number[]
  /** Standard deviations; 1 where a value never changes. */
  readonly deviation: readonly number[]
}

/** More different numbers than this are no classes. */
const MOST_CLASSES = 10_000

/** Reads all samples of one input. Throws `TRAIN_EMPTY`, `TRAIN_LABELS`. */
export async function dataFacts(samples: Samples, signal?: AbortSignal): Promise<DataFacts> {
  let shape: readonly number[] | null = null
  let largest = -1
  let areClasses = true
  const seen = new Set<number>()
  let count = 0
  let input: Tally | null = null
  let target: Tally | null = null
  for await (const { feeds, label, name } of samples.read({ ...(signal && { signal }) })) {
    const [first] = Object.values(feeds)
    if (first === undefined) continue
    if (label === undefined) throw noLabel(name)
    const values = typeof label === 'number' ? [label] : label
    shape ??= first.shape[0] === 1 && first.shape.length > 1 ? first.shape.slice(1) : first.shape
    input ??= tally(shape.length === 1 ? shape[0]! : 1)
    target ??= tally(values.length)
    input.add(numbers(first))
    target.add(values)
    if (values.length === 1 && Number.isInteger(values[0]) && values[0]! >= 0) {
      largest = Math.max(largest, values[0]!)
      if (seen.size < MOST_CLASSES) seen.add(values[0]!)
    } else areClasses = false
    count++
  }
  if (shape === null || input === null || target === null) throw noSamples(samples.name)
  // Whole numbers may be amounts: classes are few, and most of them occur.
  const areFew = seen.size >= (largest + 1) / 2 && largest + 1 <= Math.max(10, count / 2)
  const classes = areClasses && (areFew || samples.classes) ? Math.max(largest + 1, samples.classes?.length ?? 0) : null
  return { count, shape, classes, width: target.width, input: input.spread(), target: target.spread() }
}

interface Tally {
  readonly width: number
  add(values: ArrayLike<number>): void
  spread(): Spread
}

/** Mean and deviation in one pass (Welford 1962), which no large mean spoils. */
function tally(width: number): Tally {
  const [mean, squares] = [new Float64Array(width), new Float64Array(width)]
  let seen = 0
  return {
    width,
    add(values) {
      for (let i = 0; i < values.length; i++) {
        const at = i % width
        if (at === 0) seen++
        const off = values[i]! - mean[at]!
        mean[at]! += off / seen
        squares[at]! += off * (values[i]! - mean[at]!)
      }
    },
    spread: () => ({ mean: [...mean], deviation: [...squares].map((s) => Math.sqrt(s / seen) || 1) }),
  }
}

const noLabel = (where: string): PareError =>
  new PareError('TRAIN_LABELS', 'the sample has no label', {
    where,
    remedy: 'Give labels with --labels, or name their column with --data-option label=NAME.',
  })
