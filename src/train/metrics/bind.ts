/** Which output of a model a metric reads, and how. */

import { elementCount, numbers } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import type { Aim } from '../objective.js'
import { METRICS } from './index.js'
import type { Answers, TrainMetric } from './metric.js'

interface Reading {
  /** Numbers in a row of the answers. */
  readonly width: number
  answers(outputs: Tensor, targets: Tensor): Answers
}

/** A metric with the output that it reads. */
export interface BoundMetric extends Reading {
  readonly metric: TrainMetric
  readonly output: string
}

/**
 * Each metric on the first output whose loss suits it, and accuracy wherever targets are classes. Throws `TRAIN_METRIC`
 * where none suits.
 */
export function bindMetrics(metrics: readonly TrainMetric[], aims: readonly Aim[]): readonly BoundMetric[] {
  const always = aims.some(({ loss }) => loss.target === 'class') ? [METRICS.accuracy()] : []
  const byName = new Map([...always, ...metrics].map((metric) => [metric.name, metric]))
  return [...byName.values()].map((metric) => bound(metric, aims) ?? unsuited(metric, aims))
}

function bound(metric: TrainMetric, aims: readonly Aim[]): BoundMetric | null {
  for (const aim of aims) {
    const reading = readingOf(metric, aim)
    if (reading === null) continue
    const reason = metric.refuses?.(reading.width) ?? null
    if (reason === null) return { metric, output: aim.output, ...reading }
    throw new PareError('TRAIN_METRIC', reason, {
      where: `output ${aim.output}`,
      value: metric.name,
      remedy: 'Leave this metric out.',
    })
  }
  return null
}

/**
 * Two class scores s₀ and s₁ are also one that says yes, s₁ − s₀; and one that says yes is also two class scores, 0
 * and s.
 */
function readingOf({ of }: TrainMetric, { loss, shape }: Aim): Reading | null {
  const kind = loss.target === 'class' ? 'classes' : loss.target === 'values' ? (loss.scores ?? 'values') : null
  if (kind === of) return { width: widthOf(of, shape), answers: kind === 'binary' ? decisions : plain(of, shape) }
  if (of === 'binary' && kind === 'classes' && shape.at(-1) === 2) return { width: 1, answers: differences }
  if (of === 'classes' && kind === 'binary') return { width: 2, answers: pairs }
  return null
}

const widthOf = (of: TrainMetric['of'], shape: readonly number[]): number =>
  of === 'binary' ? 1 : of === 'classes' ? shape.at(-1)! : elementCount(shape.slice(1))

const plain =
  (of: TrainMetric['of'], shape: readonly number[]): Reading['answers'] =>
  (outputs, targets) => ({ outputs: numbers(outputs), targets: numbers(targets), width: widthOf(of, shape) })

/** Targets are 0 and 1, −1 and 1, or shares, of which those above ½ are a yes. */
const decided = (targets: Tensor): ArrayLike<number> => numbers(targets).map((t) => Number(t > 0.5))

const decisions: Reading['answers'] = (outputs, targets) => ({
  outputs: numbers(outputs),
  targets: decided(targets),
  width: 1,
})

const differences: Reading['answers'] = (outputs, targets) => {
  const scores = numbers(outputs)
  const margins = Float64Array.from({ length: scores.length / 2 }, (_, i) => scores[2 * i + 1]! - scores[2 * i]!)
  return { outputs: margins, targets: numbers(targets), width: 1 }
}

const pairs: Reading['answers'] = (outputs, targets) => {
  const scores = numbers(outputs)
  const both = Float64Array.from({ length: 2 * scores.length }, (_, i) => (i % 2 === 0 ? 0 : scores[(i - 1) / 2]!))
  return { outputs: both, targets: decided(targets), width: 2 }
}

function unsuited({ name, of }: TrainMetric, aims: readonly Aim[]): never {
  const others = Object.entries(METRICS).flatMap(([other, make]) => {
    const metric: TrainMetric = make()
    const readings = aims.map((aim) => readingOf(metric, aim))
    return readings.some((r) => r !== null && (metric.refuses?.(r.width) ?? null) === null) ? [other] : []
  })
  const remedy = others.length === 0 ? 'Leave it out.' : `With this loss there are: ${others.join(', ')}.`
  const classes = of === 'binary' ? aims.find(({ loss }) => loss.target === 'class') : undefined
  if (classes !== undefined) {
    throw new PareError(
      'TRAIN_METRIC',
      `the metric is of two classes, and the output has ${classes.shape.at(-1)} scores`,
      {
        where: name,
        value: classes.output,
        remedy,
      },
    )
  }
  throw new PareError('TRAIN_METRIC', `the metric is of ${KINDS[of]}, and the loss is not`, {
    where: name,
    value: aims.map(({ loss }) => loss.name),
    remedy,
  })
}

const KINDS = { classes: 'classes', binary: 'scores of two classes', values: 'values' } as const
