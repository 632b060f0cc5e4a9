/** How far a candidate's outputs lie from the original's on the same samples. */

import type { ClassScores } from '../samples/scores.js'

export interface Outputs {
  /** By output name: one flat array a sample. */
  readonly [output: string]: readonly Float32Array[]
}

export interface Agreement {
  /** By output: ‖candidate − original‖ / ‖original‖ over all samples together; NaN where the candidate gives NaN. */
  readonly relativeL2: Readonly<Record<string, number>>
  /** The largest of them. */
  readonly worst: number
  /** What `compress` counts as the drop: the worst of 1 − top-1 agreement in class scores and the others' errors. */
  readonly drop: number
  /** Share of rows of class scores whose largest element is the same; null for models without class scores. */
  readonly top1: number | null
  /** Share of samples whose largest element is the label; null without labels. */
  readonly accuracy: number | null
}

export function agreement(
  candidate: Outputs,
  original: Outputs,
  scores: ClassScores | null,
  labels: readonly number[] | null,
): Agreement {
  const errors = Object.keys(original).map((name) => [name, relativeL2(candidate[name]!, original[name]!)] as const)
  const predicted = scores === null ? null : firstOf(candidate, scores)
  const expected = scores === null ? null : firstOf(original, scores)
  const top1 = predicted === null ? null : share(predicted, expected!)
  // Math.max is NaN where one of them is.
  const drops = errors.map(([name, error]) => (name === scores?.output && !Number.isNaN(error) ? 1 - top1! : error))
  return {
    relativeL2: Object.fromEntries(errors),
    worst: Math.max(0, ...errors.map(([, error]) => error)),
    drop: Math.max(0, ...drops),
    top1,
    accuracy: predicted === null || labels === null ? null : share(predicted, labels),
  }
}

function relativeL2(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let difference = 0
  let norm = 0
  for (const [i, reference] of b.entries()) {
    const given = a[i]!
    if (given.length !== reference.length) return Number.NaN
    for (let j = 0; j < reference.length; j++) {
      difference += (given[j]! - reference[j]!) ** 2
      norm += reference[j]! ** 2
    }
  }
  return Math.sqrt(difference / norm)
}

const share = (a: readonly number[], b: readonly number[]): number =>
  a.filter((value, i) => value === b[i]).length / a.length

/** The class that comes first in each row. */
function firstOf(outputs: Outputs, { output, classes }: ClassScores): readonly number[] {
  return outputs[output]!.flatMap((scores) =>
    Array.from({ length: scores.length / classes }, (_, row) =>
      argmax(scores.subarray(classes * row, classes * (row + 1))),
    ),
  )
}

function argmax(scores: Float32Array): number {
  let best = 0
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i
  return best
}
