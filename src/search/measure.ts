/** Deciding how quality is measured: by the user's metric, else by labels, else by agreement with the original. */

import { rowWidth } from '../engine/compare.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Measure } from './outcome.js'
import { first, type MetricRecord, type Reference } from './reference.js'

/** A metric of the user's own: sees every held-out sample with the model's outputs and gives one number. */
export interface Metric {
  readonly name?: string
  readonly higherIsBetter: boolean
  evaluate(results: AsyncIterable<MetricRecord>): Promise<number> | number
}

export interface MeasureOptions {
  readonly metric?: Metric
  /** Output that holds class scores. Default: the one whose rows are found to be probabilities. */
  readonly scores?: string
}

export async function chooseMeasure(reference: Reference, { metric, scores }: MeasureOptions): Promise<Measure> {
  if (metric !== undefined) {
    return {
      kind: 'metric',
      explanation: `Quality is ${metric.name ?? "the user's own metric"} on held-out samples.`,
      higherIsBetter: metric.higherIsBetter,
      baseline: null,
    }
  }
  const seen = await lookAtOutputs(reference, scores)
  if (reference.labelled) return labelMeasure(seen)
  if (seen.scores !== undefined) {
    return {
      kind: 'top-1 agreement',
      output: seen.scores,
      explanation: `No labels were given: quality is how often the candidate and the original put the same class first in output ${seen.scores}. It says nothing about how often either is right.`,
      higherIsBetter: true,
      baseline: null,
    }
  }
  const text = reference.texts.size > 0 ? ' (of strings, the share that changed)' : ''
  return {
    kind: 'relative error',
    explanation: `No labels were given: quality is the relative L2 error ‖candidate − original‖ / ‖original‖${text} of the worst output on held-out samples. It says nothing about how good the original is.`,
    higherIsBetter: false,
    baseline: null,
  }
}

interface Seen {
  /** The output that holds class scores, declared or detected. */
  readonly scores?: string
  /** The output that labels speak of: the scores, else the first float output; absent where there is none. */
  readonly output?: string
  /** `output` is one row of scores, and every label seen is the index of one of them. */
  readonly classes: boolean
}

/** Samples looked at to tell what outputs and labels are. */
const LOOKED_AT = 32

async function lookAtOutputs(reference: Reference, declared: string | undefined): Promise<Seen> {
  const seen: MetricRecord[] = []
  for await (const record of first(reference.records(), LOOKED_AT)) seen.push(record)
  const { outputs } = seen[0]!
  if (declared !== undefined) checkScores(outputs, declared)
  const floats = Object.keys(outputs).filter((name) => outputs[name]!.dtype.includes('float'))
  const scores = declared ?? floats.find((name) => seen.every((r) => isProbability(r.outputs[name]!)))
  const output = scores ?? floats[0]
  return {
    ...(scores !== undefined && { scores }),
    ...(output !== undefined && { output }),
    classes: output !== undefined && seen.every((r) => isClass(r.label, r.outputs[output]!.shape)),
  }
}

function isClass(label: MetricRecord['label'], shape: readonly number[]): boolean {
  const width = rowWidth(shape)
  if (width < 2 || elementCount(shape) !== width) return false
  return label === undefined || (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < width)
}

function checkScores(outputs: Readonly<Record<string, Tensor>>, declared: string): void {
  if (!Object.hasOwn(outputs, declared)) {
    throw new PareError('SCORES_UNKNOWN', 'the model has no such output', {
      value: declared,
      remedy: `It has: ${Object.keys(outputs).join(', ')}.`,
    })
  }
  const { dtype, shape } = outputs[declared]!
  if (dtype !== 'string' && rowWidth(shape) > 1) return
  throw new PareError('SCORES_UNKNOWN', 'the output holds no rows of class scores', {
    where: declared,
    value: `${dtype} [${shape.join(', ')}]`,
    remedy: 'Name an output with one number for each class.',
  })
}

/** Class scores are rows of two or more numbers, none negative, that add up to 1. */
function isProbability(t: Tensor): boolean {
  const width = rowWidth(t.shape)
  if (width < 2) return false
  const values = numbers(t)
  for (let at = 0; at < values.length; at += width) {
    let sum = 0
    for (let i = at; i < at + width; i++) {
      if (!(values[i]! >= -1e-6)) return false
      sum += values[i]!
    }
    if (Math.abs(sum - 1) > 1e-3) return false
  }
  return values.length > 0
}

function labelMeasure({ output, classes }: Seen): Measure {
  if (output === undefined) {
    throw new PareError(
      'LABEL_OUTPUT',
      'labels were given, but the model has no output of numbers to compare them with',
      {
        remedy: 'Name it with --scores, or measure quality with a metric of your own (--metric).',
      },
    )
  }
  return classes
    ? {
        kind: 'accuracy',
        output,
        explanation: `Quality is accuracy: how often the largest value of output ${output} is at the label, on held-out samples.`,
        higherIsBetter: true,
        baseline: null,
      }
    : {
        kind: 'rmse',
        output,
        explanation: `Quality is the root mean squared error of output ${output} against the labels, on held-out samples; the drop is its growth relative to the original's.`,
        higherIsBetter: false,
        baseline: null,
      }
}
