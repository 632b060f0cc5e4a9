/** What a first reading of labelled samples tells: enough to build a model for them, or to choose a loss. */

import type { Label } from '../data/labels.js'
import type { Samples } from '../data/samples.js'
import { numbers } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { noSamples } from './dataset.js'
import { type Spread, type Tally, tally } from './spread.js'

export interface DataFacts {
  readonly count: number
  /** Of one sample, without a batch axis. */
  readonly shape: readonly number[]
  /** How many classes the labels name; null where they are not class indices. */
  readonly classes: number | null
  /** Values of a label. */
  readonly width: number
  /** Of the inputs: of each value where a sample is a vector, else of all values alike. A deviation of 0 is given as 1. */
  readonly input: Spread
  /** Of the labels, value by value; likewise. */
  readonly target: Spread
}

/** More different numbers than this are no classes. */
const MOST_CLASSES = 10_000

/** Reads all samples of one input. Throws `TRAIN_EMPTY`, `TRAIN_LABELS`. */
export async function dataFacts(samples: Samples, signal?: AbortSignal): Promise<DataFacts> {
  let shape: readonly number[] | null = null
  const classes = classTally()
  let count = 0
  let input: Tally | null = null
  let target: Tally | null = null
  for await (const { feeds, label, name } of samples.read({ ...(signal && { signal }) })) {
    const [first] = Object.values(feeds)
    if (first === undefined) continue
    if (label === undefined) throw noLabel(name)
    const values = valuesOf(label)
    shape ??= first.shape[0] === 1 && first.shape.length > 1 ? first.shape.slice(1) : first.shape
    input ??= tally(shape.length === 1 ? shape[0]! : 1)
    target ??= tally(values.length)
    input.add(numbers(first))
    target.add(values)
    classes.add(values)
    count++
  }
  if (shape === null || input === null || target === null) throw noSamples(samples.name)
  return {
    count,
    shape,
    classes: classes.count(samples.classes),
    width: target.width,
    input: scaleOf(input),
    target: scaleOf(target),
  }
}

/**
 * `classes` of the facts alone: where labels can be read without the samples, `limit` of them at most, nothing else is
 * read. Throws `TRAIN_EMPTY`, `TRAIN_LABELS`.
 */
export async function countClasses(
  samples: Samples,
  {
    limit = Number.POSITIVE_INFINITY,
    signal,
  }: { readonly limit?: number | undefined; readonly signal?: AbortSignal } = {},
): Promise<number | null> {
  const classes = classTally()
  const options = { ...(signal && { signal }) }
  let read = 0
  if (samples.labels) {
    for await (const label of samples.labels.read(options)) {
      classes.add(valuesOf(label))
      if (++read >= limit) break
    }
  } else {
    for await (const { label, name } of samples.read(options)) {
      if (label === undefined) throw noLabel(name)
      classes.add(valuesOf(label))
      read++
    }
  }
  if (read === 0) throw noSamples(samples.name)
  return classes.count(samples.classes)
}

const valuesOf = (label: Label): readonly number[] => (typeof label === 'number' ? [label] : label)

/** Tells class indices from amounts. */
function classTally() {
  let largest = -1
  let areClasses = true
  let labels = 0
  const seen = new Set<number>()
  return {
    add(values: readonly number[]): void {
      labels++
      if (values.length === 1 && Number.isInteger(values[0]) && values[0]! >= 0) {
        largest = Math.max(largest, values[0]!)
        if (seen.size < MOST_CLASSES) seen.add(values[0]!)
      } else areClasses = false
    },
    /** Null where they are amounts; of classes with names there are at least so many. */
    count(names: readonly string[] | undefined): number | null {
      // Whole numbers may be amounts: classes are few, and most of them occur.
      const areFew = seen.size >= (largest + 1) / 2 && largest + 1 <= Math.max(10, labels / 2)
      return areClasses && (areFew || names) ? Math.max(largest + 1, names?.length ?? 0) : null
    },
  }
}

/** What to divide by: a value that never changes is left as it is. */
const scaleOf = (values: Tally): Spread => {
  const { mean, deviation } = values.spread()
  return { mean, deviation: deviation.map((d) => d || 1) }
}

const noLabel = (where: string): PareError =>
  new PareError('TRAIN_LABELS', 'the sample has no label', {
    where,
    remedy: 'Give labels with --labels, or name their column with --data-option label=NAME.',
  })
