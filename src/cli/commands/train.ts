/** `pare train`: a model from nothing but data. */

import type { Samples } from '../../data/samples.js'
import type { Model } from '../../ir/types.js'
import { bytes, duration, percent, significant } from '../../report/format.js'
import type { Epoch } from '../../train/train.js'
import { PareError } from '../../util/errors.js'
import { defineCommand } from '../command.js'
import { DATA_OPTIONS, ENGINE_OPTIONS, engineOptions, type Interface, openData, SEED_OPTION } from '../inputs.js'
import { table } from '../table.js'
import { safe, type Terminal } from '../terminal.js'

const LOSS_NAMES = ['cross-entropy', 'squared', 'absolute', 'huber', 'binary-cross-entropy', 'hinge'] as const
const OPTIMIZER_NAMES = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw', 'rmsprop', 'adagrad', 'lion'] as const
const SCHEDULE_NAMES = ['constant', 'cosine', 'one-cycle'] as const

export const train = defineCommand({
  name: 'train',
  summary: 'Train a model on labelled data',
  positionals: { names: [], min: 0, max: 0 },
  options: {
    ...DATA_OPTIONS,
    labels: { kind: 'text', value: 'path', doc: 'labels of the samples, where --data does not hold them' },
    validation: { kind: 'text', value: 'path', doc: 'samples to judge by (default: a tenth of --data)' },
    validationLabels: { kind: 'text', value: 'path', doc: 'their labels' },
    model: {
      kind: 'text',
      value: 'name',
      required: true,
      doc: 'mlp:256,128, cnn:small, cnn:tiny, or an ONNX file to go on from',
    },
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    loss: {
      kind: 'choice',
      choices: LOSS_NAMES,
      doc: 'what to make small (default: cross-entropy for classes, else squared)',
    },
    optimizer: { kind: 'choice', choices: OPTIMIZER_NAMES, default: 'adam', doc: 'how' },
    learningRate: {
      kind: 'number',
      value: 'rate',
      min: 0,
      max: 1e3,
      doc: "largest learning rate (default: the optimizer's)",
    },
    schedule: { kind: 'choice', choices: SCHEDULE_NAMES, default: 'one-cycle', doc: 'the learning rate over time' },
    epochs: { kind: 'number', value: 'n', min: 1, max: 1e6, whole: true, default: 5, doc: 'passes over the data' },
    batch: { kind: 'number', value: 'n', min: 1, max: 1e6, whole: true, default: 64, doc: 'samples a step' },
    penalty: {
      kind: 'texts',
      value: 'name:strength',
      doc: 'l1, l2, elastic-net, group-lasso, mcp or scad, e.g. l2:1e-4',
    },
    freeze: { kind: 'texts', value: 'pattern', doc: 'weights, or nodes that read them, to leave alone: conv*' },
    patience: {
      kind: 'number',
      value: 'n',
      min: 1,
      max: 1e6,
      whole: true,
      doc: 'stop after so many epochs without progress',
    },
    inputScale: {
      kind: 'number',
      value: 'factor',
      min: 0,
      max: 1e6,
      default: 1,
      doc: 'multiply inputs inside the model: 0.0039 for pixels',
    },
    ...ENGINE_OPTIONS,
    ...SEED_OPTION,
  },
  examples: [
    'pare train --data digits.idx.gz --labels digits-labels.idx.gz --model mlp:256,128 --epochs 5 -o model.onnx',
    'pare train --data images/ --labels images/ --model cnn:small --penalty l2:1e-4 -o model.onnx',
  ],
  notes: [
    'The model that comes out is plain ONNX: it takes samples as they are in the data, and its batch size is open. The weights are those of the epoch with the smallest validation loss.',
  ],
  async run(_, options, context) {
    const [library, { openEngine }, { writeModel }, { checkWritable }, schedules] = await Promise.all([
      import('../train-parts.js'),
      import('../../engine/node/open.js'),
      import('../../onnx/files.js'),
      import('../../util/files.js'),
      import('../../train/schedules.js'),
    ])
    await checkWritable(options.output)
    const { warn, signal, onProgress } = context
    const penalties = options.penalty.map(library.penaltyOf)
    const { model, samples, loss, outputShape } = await library.modelFor(options, openSamplesFor(options))
    const read = { loss, outputShape, signal }
    const data = await library.readDataset(samples, read)
    const judges = await validationSamples(options, model)
    const validation = judges && (await library.readDataset(judges, read))
    const engine = await openEngine(engineOptions(options, warn))
    try {
      const schedule = { constant: schedules.constant, cosine: schedules.cosine, 'one-cycle': schedules.oneCycle }[
        options.schedule
      ]()
      const result = await library.train(model, {
        engine,
        data,
        loss,
        optimizer: library.OPTIMIZERS[options.optimizer](),
        schedule,
        epochs: options.epochs,
        batchSize: Math.min(options.batch, data.count),
        penalties,
        freeze: options.freeze,
        seed: options.seed,
        signal,
        onProgress,
        ...(validation && { validation }),
        ...(options.learningRate !== undefined && { learningRate: options.learningRate }),
        ...(options.patience !== undefined && { patience: options.patience }),
      })
      await writeModel(result.model, options.output)
      const size = await (await import('../models.js')).writtenBytes(options.output)
      const facts = `${engine.name} ${engine.version}, ${engine.device}, ${engine.threads} ${engine.threads === 1 ? 'thread' : 'threads'}.`
      const { epochs, best, steps } = result
      return {
        text: `${epochTable(epochs, best, context.terminal)}\n\n${safe(options.output)}: ${size === null ? 'written' : bytes(size)}, weights of epoch ${best}.\n${facts}`,
        json: { output: options.output, bytes: size, epochs, best, steps },
      }
    } finally {
      await engine.close()
    }
  },
})

type DataChoices = Parameters<typeof openData>[0]

/** Opens `--data` for a model's inputs. */
const openSamplesFor =
  (options: DataChoices) =>
  async (model: Interface): Promise<Samples> => {
    const data = await openData(options, model)
    if (data) return data.samples
    throw new PareError('OPTION_MISSING', 'there is nothing to train on', { remedy: 'Give samples with --data.' })
  }

interface ValidationChoices extends DataChoices {
  readonly validation: string | undefined
  readonly validationLabels: string | undefined
}

/** The samples of `--validation`, read as those of `--data` are; null where none were given. */
async function validationSamples(options: ValidationChoices, model: Model): Promise<Samples | null> {
  const { validation, validationLabels } = options
  if (validation === undefined) return null
  const [{ interfaceOf }, { openLabels }, { withLabels }] = await Promise.all([
    import('../models.js'),
    import('../../data/open-labels.js'),
    import('../../data/labels.js'),
  ])
  const samples = await openSamplesFor({ ...options, data: validation })(interfaceOf(model))
  return validationLabels === undefined ? samples : withLabels(samples, await openLabels(validationLabels))
}

/** A row an epoch, the best one marked. */
function epochTable(epochs: readonly Epoch[], best: number, terminal: Terminal): string {
  const judged = epochs.some((e) => e.validation !== undefined)
  const counted = epochs.some((e) => e.validation?.accuracy !== undefined)
  const columns = [
    { title: '' },
    { title: 'epoch', align: 'right' },
    { title: 'training loss', align: 'right' },
    ...(judged ? ([{ title: 'validation loss', align: 'right' }] as const) : []),
    ...(counted ? ([{ title: 'accuracy', align: 'right' }] as const) : []),
    { title: 'time', align: 'right' },
  ] as const
  const rows = epochs.map((e) => [
    e.epoch === best ? '→' : '',
    String(e.epoch),
    significant(e.trainingLoss),
    ...(judged ? [e.validation ? significant(e.validation.loss) : ''] : []),
    ...(counted ? [e.validation?.accuracy === undefined ? '' : percent(e.validation.accuracy)] : []),
    duration(e.seconds),
  ])
  return table(columns, rows, terminal)
}
