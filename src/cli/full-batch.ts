/** Training by L-BFGS, from options to what came of it. */

import { markedIterations, renderFullBatch } from '../report/full-batch.js'
import { withoutDropout } from '../train/dropout.js'
import type { Score } from '../train/evaluate.js'
import { checkPenalties, type FullBatchResult, trainFullBatch } from '../train/full-batch.js'
import { counted, significant } from '../util/format.js'
import { kebab } from './args.js'
import { unused } from './inputs.js'
import { penaltyOf } from './penalty.js'
import { table } from './table.js'
import { type Terminal, wrap } from './terminal.js'
import type { OtherChoices, TrainingChoices } from './training-options.js'
import { scoreIn, type Training, type Went, type World } from './training-run.js'
import { notBetter, scoreText } from './training-text.js'

const DEFAULT_ITERATIONS = 500

/** Whether an option means something where each step is of all samples, and how long it is follows from the loss. */
const MEANS_SOMETHING: Readonly<Record<keyof TrainingChoices | keyof OtherChoices, boolean>> = {
  data: true,
  dataKind: true,
  dataOption: true,
  limit: true,
  optimizer: true,
  epochs: true,
  penalty: true,
  select: false,
  folds: false,
  freeze: true,
  output: true,
  force: true,
  report: true,
  device: true,
  threads: true,
  seed: true,
  learningRate: false,
  schedule: false,
  batch: false,
  accumulate: false,
  clip: false,
  averaging: false,
  mixup: false,
  augment: false,
  keepZeros: false,
  roundTo: false,
  workers: false,
  patience: false,
  plateau: false,
  checkpoint: false,
  bestBy: false,
  batchStatistics: false,
}

/** Throws `OPTION_UNUSED`, `OPTION_VALUE`, `TRAIN_PENALTY`. */
export function checkFullBatch(options: TrainingChoices & OtherChoices): void {
  const isGiven = (value: unknown): boolean =>
    Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
  for (const [name, isOf] of Object.entries(MEANS_SOMETHING)) {
    if (isOf || !isGiven(options[name as keyof typeof options])) continue
    throw unused(
      `--${kebab(name)}`,
      'L-BFGS takes all samples at once, in steps whose length it finds itself',
      'Leave it out, or take another --optimizer.',
    )
  }
  checkPenalties(options.penalty.map(penaltyOf))
}

export async function fullBatch(
  training: Training,
  options: TrainingChoices,
  { engine, context }: World,
): Promise<Went> {
  const { model, loss, data, validation, neverWorse = false, more } = training
  const judge = scoreIn(training, engine, context)
  const { signal, onProgress, warn } = context
  // Metrics that do not suit the loss are found here, before the first step.
  const before = await judge(model, validation ?? data)
  const iterations = options.epochs ?? DEFAULT_ITERATIONS
  const result = await trainFullBatch(model, {
    engine,
    data,
    loss,
    iterations,
    penalties: options.penalty.map(penaltyOf),
    freeze: options.freeze,
    signal,
    onProgress,
    ...(more?.shapes && { shapes: more.shapes }),
  })
  const { losses, gradient, isConverged } = result
  const made = losses.length - 1
  if (!isConverged && made === iterations)
    warn(`L-BFGS has not converged after ${made} iterations: --epochs allows more of them.`)
  const validated = validation && (await judge(result.model, validation))
  const isKept = validated === null || !neverWorse || isLower(validated, before)
  if (!isKept) warn(notBetter('The last iteration was not'))
  else if (validated && isLower(before, validated)) warn(`${riseOf(before, validated)}: --epochs ends it sooner.`)
  // What is told is of the weights that are handed back.
  const kept = isKept ? result.model : withoutDropout(model)
  const trained = await judge(kept, data)
  const judged = isKept ? validated : before
  const ended = verdictOf(result, iterations)
  const verdict = isKept ? ended : `${ended} ${riseOf(before, validated)}: the weights that were given are kept.`
  const isPenalized = options.penalty.length > 0
  return {
    model: kept,
    text: (terminal) =>
      [
        iterationTable(losses, isPenalized, terminal),
        '',
        wrap(verdict, terminal.columns),
        ...[
          `On the training samples: ${scoreText(trained)}.`,
          ...(judged ? [`On the validation samples: ${scoreText(judged)}.`] : []),
          `Before, on the ${judged ? 'validation' : 'training'} samples: ${scoreText(before)}.`,
        ].map((line) => wrap(line, terminal.columns)),
      ].join('\n'),
    weights: isKept ? `weights of iteration ${made}` : 'the weights that were given',
    json: {
      iterations: made,
      best: isKept ? made : 0,
      isConverged,
      gradient,
      losses,
      before,
      training: trained,
      ...(judged && { validation: judged }),
    },
    scores: [before, trained, ...(judged ? [judged] : [])],
    report: (facts) =>
      renderFullBatch({ ...facts, result, verdict, isPenalized, training: trained, validation: judged }),
  }
}

/** A loss that is no number is higher than all others. */
const isLower = ({ loss: a }: Score, { loss: b }: Score): boolean => a < b || (Number.isNaN(b) && !Number.isNaN(a))

const riseOf = (before: Score, after: Score): string =>
  `The loss on the validation samples went from ${significant(before.loss)} to ${significant(after.loss)}`

/** How it ended. */
function verdictOf({ losses, gradient, isConverged }: FullBatchResult, iterations: number): string {
  const made = counted(losses.length - 1, 'iteration')
  const slope = `no element of the gradient is larger than ${significant(gradient)}`
  if (isConverged) return `Converged after ${made}: ${slope}.`
  return losses.length - 1 === iterations
    ? `Stopped after ${made}, not converged: ${slope}.`
    : `No step lowers the loss any further after ${made}: ${slope}.`
}

function iterationTable(losses: readonly number[], isPenalized: boolean, terminal: Terminal): string {
  const columns = [
    { title: 'iteration', align: 'right' },
    { title: isPenalized ? 'penalized loss' : 'loss', align: 'right' },
  ] as const
  const rows = markedIterations(losses.length).map((i) => [String(i), significant(losses[i]!, 6)])
  return table(columns, rows, terminal)
}
