/** Deciding how quality is measured: by the user's metric, else by labels, else by agreement with the original. */

import { rowWidth } from '../engine/compare.js'
import { checkScores, LOOKED_AT, scoreFinder } from '../engine/scores.js'
import { elementCount } from '../ir/tensor.js'
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
      ...(seen.allScores.length > 1 && { scores: seen.allScores }),
      ...(seen.others && { judgesOthers: true }),
      explanation: `No labels were given: quality is how often the candidate and the original put the same class first in output ${seen.scores}.${ofOthers(seen)} It says nothing about how often either is right.`,
      higherIsBetter: true,
      baseline: null,
    }
  }
  const text = reference.texts.size > 0 ? ' (of strings, the share that changed)' : ''
  const hint =
    seen.row === undefined
      ? ''
      : ` Should output ${seen.row} hold class scores, name it with --scores: quality is then how often the first class stays the same.`
  return {
    kind: 'relative error',
    explanation: `No labels were given: quality is the relative L2 error ‖candidate − original‖ / ‖original‖${text} of the worst output on held-out samples. It says nothing about how good the original is.${hint}`,
    higherIsBetter: false,
    baseline: null,
  }
}

/** What the other outputs are held to: the budget is for the worst of all. */
function ofOthers({ allScores, others }: Seen): string {
  const parts = [
    ...(allScores.length > 1 ? [`so are ${allScores.slice(1).join(', ')}`] : []),
    ...(others
      ? ['the others are judged by their relative L2 error, whole numbers and strings by the share that changed']
      : []),
  ]
  return parts.length === 0 ? '' : ` The worst output decides: ${parts.join('; ')}.`
}

interface Seen {
  /** The output that holds class scores, declared or detected. */
  readonly scores?: string
  /** That one first, then all others whose rows are found to be probabilities. */
  readonly allScores: readonly string[]
  /** There are outputs of another kind. */
  readonly others: boolean
  /** The output that labels speak of: the scores, else the first float output; absent where there is none. */
  readonly output?: string
  /** `output` is one row of numbers, and a label is one number: it can only say which of them should be the largest. */
  readonly classes: boolean
  /** The first float output that is a row of numbers, as logits are, and much else. */
  readonly row?: string
}

async function lookAtOutputs(reference: Reference, declared: string | undefined): Promise<Seen> {
  const seen: MetricRecord[] = []
  for await (const record of first(reference.records(), LOOKED_AT)) seen.push(record)
  const { outputs } = seen[0]!
  if (declared !== undefined) checkScores(outputs, declared)
  const floats = Object.keys(outputs).filter((name) => outputs[name]!.dtype.includes('float'))
  const finder = scoreFinder()
  for (const record of seen) finder.see(record.outputs)
  const found = finder.found()
  const scores = declared ?? found[0]
  const output = scores ?? floats[0]
  const row = floats.find((name) => isRow(outputs[name]!.shape))
  const allScores = scores === undefined ? [] : [...new Set([scores, ...found])]
  return {
    allScores,
    others: Object.keys(outputs).length > allScores.length,
    ...(row !== undefined && { row }),
    ...(scores !== undefined && { scores }),
    ...(output !== undefined && { output }),
    classes: output !== undefined && seen.every((r) => !Array.isArray(r.label) && isRow(r.outputs[output]!.shape)),
  }
}

const isRow = (shape: readonly number[]): boolean => rowWidth(shape) > 1 && elementCount(shape) === rowWidth(shape)

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
