/** What the commands that train do alike: options to what the library takes, the run, the files. */

import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import type { Model } from '../ir/types.js'
import { writeModel } from '../onnx/files.js'
import { metricIn, type Score } from '../train/evaluate.js'
import { PareError } from '../util/errors.js'
import { checkWritable, writeFileAtomic } from '../util/files.js'
import { counted } from '../util/format.js'
import { augmentsOf } from './augment.js'
import type { Answer, Context } from './command.js'
import { descent } from './descent.js'
import { checkFullBatch, fullBatch } from './full-batch.js'
import { engineOptions } from './inputs.js'
import { metricOf } from './metric.js'
import { protectInput, writtenBytes } from './models.js'
import { isAuto, penaltyOf } from './penalty.js'
import { alongPath, checkPath } from './penalty-path.js'
import type { LabelChoices, OtherChoices, TrainingChoices } from './training-options.js'
import { checkJudges, type Training, testScore } from './training-run.js'
import { trainingText } from './training-text.js'

/** Throws `TRAIN_OUTPUT` where the model has several outputs. */
export function onlyOutput({ graph }: Model, remedy = 'Name it with --of.'): string {
  if (graph.outputs.length === 1) return graph.outputs[0]!
  throw new PareError('TRAIN_OUTPUT', 'the model has several outputs, and the loss is of one', {
    value: graph.outputs,
    remedy,
  })
}

export const noData = (): PareError =>
  new PareError('OPTION_MISSING', 'there is nothing to train on', { remedy: 'Give samples with --data.' })

/** What is read, beside the model itself. */
export type Reads = Readonly<
  Partial<
    Record<
      'data' | 'labels' | 'validation' | 'validationLabels' | 'test' | 'testLabels' | 'teacher',
      string | undefined
    >
  >
>

/**
 * Before anything is read or trained: what is asked for can be done, nothing that is read is overwritten, and all that
 * will be written can be. Throws `OPTION_VALUE`, `OPTION_UNUSED`, `TRAIN_PENALTY`, `OUTPUT_IS_INPUT`, `OUTPUT_TWICE`,
 * `FILE_UNWRITABLE`.
 */
export async function checkChoices(
  path: string | undefined,
  options: TrainingChoices & Reads & OtherChoices,
  model?: Model,
  weights: readonly string[] = [],
): Promise<void> {
  const { output, force, report, checkpoint, data, labels, validation, validationLabels, test, testLabels, teacher } =
    options
  checkPath(options)
  if (options.optimizer === 'lbfgs') checkFullBatch(options)
  for (const text of options.penalty) if (!isAuto(text)) penaltyOf(text)
  augmentsOf(options.augment)
  const read = [data, labels, validation, validationLabels, test, testLabels, teacher, ...weights]
  await protectInput(path, output, force, { read, report, checkpoint, ...(model && { model }) })
  for (const written of [output, report, checkpoint]) if (written !== undefined) await checkWritable(written)
}

/** What judges. Throws `OPTION_VALUE` before anything is read. */
export function metricChoices({ metric, bestBy: name }: Pick<LabelChoices, 'metric' | 'bestBy'>) {
  const bestBy = name === undefined ? undefined : metricOf(name, '--best-by')
  return { metrics: [...metric.map((m) => metricOf(m)), ...(bestBy ? [bestBy] : [])], bestBy }
}

/** Trains, writes the model and the report, and says what came of it. */
export async function runTraining(
  training: Training,
  options: TrainingChoices,
  context: Context,
  given?: Engine,
): Promise<Answer> {
  await checkJudges(training)
  const engine = given ?? (await openEngine(engineOptions(options, context.warn)))
  try {
    const way = options.optimizer === 'lbfgs' ? fullBatch : options.penalty.some(isAuto) ? alongPath : descent
    const went = await way(training, options, { engine, context })
    const { output, report } = options
    await writeModel(went.model, output)
    const size = await writtenBytes(output)
    const test = await testScore(training, went.model, { engine, context })
    warnOfMissing(training, [...went.scores, ...(test ? [test] : [])], context)
    const { name: engineName, version, device, threads } = engine
    const told = `${engineName} ${version}, ${device}, ${counted(threads, 'thread')}`
    if (report !== undefined) {
      const page = went.report({ name: training.name, test, engine: told, commandLine: context.commandLine })
      await writeFileAtomic(report, page)
    }
    const { how: loss, classes, data } = training
    return {
      text: trainingText(went, { output, report, size, test, classes, loss, engine: told }, context.terminal),
      json: {
        output,
        bytes: size,
        loss,
        samples: data.count,
        ...(classes && { classes }),
        ...went.json,
        ...(test && { test }),
        engine: engineName,
        device,
        threads,
      },
    }
  } finally {
    if (!given) await engine.close()
  }
}

/** A metric that was asked for and that no score holds would be missed in silence. */
function warnOfMissing({ metrics = [] }: Training, scores: readonly Score[], { warn }: Context): void {
  for (const name of new Set(metrics.map((metric) => metric.name))) {
    if (scores.some((score) => metricIn(score, name) !== undefined)) continue
    warn(`There is no value of ${name}: the samples that judged allow none, or judged before it was asked for.`)
  }
}
