/** `pare prune`: channels, neurons, heads and units of recurrent layers cut out of a model. */

import type { Amount } from '../../compress/prune/index.js'
import type { Samples } from '../../data/samples.js'
import type { Model } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import { bytes } from '../../util/format.js'
import { nearest } from '../../util/nearest.js'
import { didYouMean } from '../args.js'
import { type Context, defineCommand } from '../command.js'
import { secondsOf } from '../duration.js'
import { shapesOf } from '../feeds.js'
import {
  DATA_OPTIONS,
  type DataChoice,
  ENGINE_OPTIONS,
  engineOptions,
  type Interface,
  limited,
  openData,
  requireUnread,
  SEED_OPTION,
  SHAPE_OPTION,
  unused,
} from '../inputs.js'
import { labelled } from '../labelled.js'
import type { PruneAnswer } from '../prune-answer.js'
import type { Recovery } from '../recovery.js'

/** Those of `src/compress/prune/scores`, which help must not load. */
export const SCORE_NAMES: readonly string[] = [
  'l2',
  'l1',
  'bn-scale',
  'geometric-median',
  'taylor',
  'fisher',
  'activation',
  'entropy',
  'mutual-information',
  'mrmr',
  'random',
]
const whole = { kind: 'number', value: 'n', min: 1, whole: true } as const

export const prune = defineCommand({
  name: 'prune',
  summary: 'Cut out the channels, neurons and heads that matter least',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    force: { kind: 'flag', doc: 'let --output replace the model itself' },
    ...DATA_OPTIONS,
    labels: { kind: 'text', value: 'path', doc: 'labels of the samples: quality is then accuracy or RMSE' },
    scores: {
      kind: 'text',
      value: 'output',
      doc: 'the output that holds class scores, where it is not found by itself',
    },
    score: { kind: 'text', value: 'name', doc: `what a unit is worth (default l2): ${SCORE_NAMES.join(', ')}` },
    ratio: { kind: 'number', value: 'part', min: 0, max: 0.95, percent: true, doc: 'the part of the units that goes' },
    select: {
      kind: 'choice',
      choices: ['bic', 'aic', 'cv'],
      doc: 'let a criterion say how much goes, on samples that scores have not seen',
    },
    maxBytes: { ...whole, max: 1e12, doc: 'cut as little as makes the file so small' },
    macs: { ...whole, max: 1e15, doc: 'cut as little as leaves so many products' },
    scope: {
      kind: 'choice',
      choices: ['layer', 'global', 'sensitivity'],
      default: 'layer',
      doc: 'the same part of each layer, the least of all layers, or of each as much as costs alike',
    },
    schedule: {
      kind: 'choice',
      choices: ['one-shot', 'iterative', 'gradual'],
      default: 'one-shot',
      doc: 'all at once, or in rounds with recovery between',
    },
    rounds: { ...whole, max: 100, doc: 'rounds of iterative and gradual (default 3)' },
    multiple: { ...whole, max: 256, default: 4, doc: 'widths are rounded up to a multiple of this' },
    exclude: { kind: 'texts', value: 'node', doc: 'a layer that keeps its shape' },
    recover: { kind: 'text', value: 'time', doc: 'train for so long after cutting: 30s, 2m, 1h' },
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
    ...SEED_OPTION,
  },
  examples: [
    'pare prune model.onnx --data samples.npz --labels y.npy --score fisher --ratio 0.5 --recover 2m -o out.onnx',
    'pare prune model.onnx --data images/ --score mutual-information --select cv -o out.onnx',
    'pare prune model.onnx --macs 20000000 -o out.onnx',
  ],
  notes: [
    'How much goes is said by one of --ratio, --select, --max-bytes and --macs. Half of the samples score units and teach, the other half judges; with --select or --scope sensitivity half of the first half chooses. Recovery learns the labels where there are some, else the answers of the original.',
  ],
  async run([path], options, context) {
    const amount = amountOf(options)
    const score = scoreOf(options.score)
    const seconds = options.recover === undefined ? null : secondsOf(options.recover, '--recover')
    if (options.rounds !== undefined && options.schedule === 'one-shot')
      throw unused('--rounds', 'one shot is one round', 'Give --schedule iterative or gradual.')
    const [
      files,
      models,
      { withShapes },
      { fixedForm },
      { openEngine },
      library,
      answers,
      measures,
      { recovered },
      shapes,
    ] = await Promise.all([
      import('../../onnx/files.js'),
      import('../models.js'),
      import('../../passes/with-shapes.js'),
      import('../../passes/fixed-form.js'),
      import('../../engine/node/open.js'),
      import('../../compress/prune/index.js'),
      import('../prune-answer.js'),
      import('../prune-measures.js'),
      import('../recovery.js'),
      shapesOf(options.shape),
    ])
    const { output } = options
    const read = await files.readModel(path!)
    await models.protectInput(path!, output, options.force, { model: read, read: [options.data, options.labels] })
    const data = await dataOf(options, models.interfaceOf(withShapes(read, shapes)))
    if (seconds !== null && data === null)
      throw unused('--recover', 'there is nothing to learn from', 'Give samples with --data, or leave it out.')
    const { signal, onProgress, warn } = context
    const engine = await openEngine(engineOptions(options, warn))
    const env = { engine: async () => engine, signal, onProgress, onWarning: warn, seed: options.seed }
    try {
      const model = await fixedForm(read, shapes, env.engine, { signal, onWarning: warn })
      const parts = data && (await partsOf(data, options, context))
      const recovery: Recovery[] = []
      const rounds = options.schedule === 'one-shot' ? 1 : (options.rounds ?? 3)
      const recover = async (cut: Model): Promise<Model> => {
        const lesson = { engine, teacher: model, samples: parts!.learned, seconds: seconds! / rounds }
        const { engine: _, ...run } = env
        const found = await recovered(cut, { ...lesson, ...run })
        recovery.push(found.recovery)
        return found.model
      }
      const pruned = await library.prune(
        model,
        {
          amount,
          score,
          scope: options.scope,
          schedule: options.schedule,
          rounds,
          multiple: options.multiple,
          exclude: options.exclude,
          ...(parts && { samples: parts.scoring, judging: parts.choosing }),
          ...(seconds !== null && { recover }),
        },
        env,
      )
      signal.throwIfAborted()
      const size = await models.modelBytes(path!, read)
      await files.writeModel(pruned.model, output)
      const written = await models.writtenBytes(output)
      if (size !== null && written !== null && written >= size)
        warn(`The result is not smaller than the model: ${bytes(written)} against ${bytes(size)}.`)
      const { inspectModel } = await import('../../passes/inspect.js')
      const [before, after] = [inspectModel(pruned.prepared), inspectModel(pruned.model)]
      const answer: PruneAnswer = {
        output,
        score,
        ratio: pruned.ratio,
        groups: answers.groupRows(pruned, before, after),
        held: [...pruned.held].map(([layer, reason]) => ({ layer, reason })),
        parameters: { before: before.parameters, after: after.parameters },
        macs: { before: before.macs, after: after.macs },
        bytes: size === null || written === null ? null : { before: size, after: written },
        latency: await measures.latencyOf([model, pruned.model], parts?.judging ?? null, context),
        quality:
          parts &&
          (await measures.qualityOf(
            engine,
            { before: model, cut: seconds === null ? null : pruned.cut, after: pruned.model },
            parts.judging,
            options,
            context,
          )),
        recovery,
        path: pruned.path ?? null,
      }
      return { text: answers.pruneText(answer, context.terminal), json: answer }
    } finally {
      await engine.close()
    }
  },
})

/** Throws `OPTION_VALUE`. */
function scoreOf(name = 'l2'): string {
  if (SCORE_NAMES.includes(name)) return name
  throw new PareError('OPTION_VALUE', 'there is no such score', {
    where: '--score',
    value: name,
    remedy: `${didYouMean(nearest(name, SCORE_NAMES))}Give one of: ${SCORE_NAMES.join(', ')}.`,
  })
}

interface Asked {
  readonly ratio: number | undefined
  readonly select: 'bic' | 'aic' | 'cv' | undefined
  readonly maxBytes: number | undefined
  readonly macs: number | undefined
}

/** Throws `OPTION_MISSING` and `OPTION_UNUSED`: one of them says how much goes. */
function amountOf({ ratio, select, maxBytes, macs }: Asked): Amount {
  const given = Object.entries({
    '--ratio': ratio,
    '--select': select,
    '--max-bytes': maxBytes,
    '--macs': macs,
  }).filter(([, value]) => value !== undefined)
  if (given.length > 1) throw unused(given[1]![0], `${given[0]![0]} says already how much goes`, 'Give one of the two.')
  if (ratio !== undefined) return { ratio }
  if (select !== undefined) return { select }
  if (maxBytes !== undefined) return { maxBytes }
  if (macs !== undefined) return { maxMacs: macs }
  throw new PareError('OPTION_MISSING', 'it is not said how much goes', {
    remedy: 'Give --ratio 0.5, --select cv, or a budget by --max-bytes or --macs.',
  })
}

interface DataAsked extends DataChoice {
  readonly labels: string | undefined
  readonly scores: string | undefined
}

async function dataOf(options: DataAsked, face: Interface): Promise<Samples | null> {
  // Labels belong to all samples, also to those beyond the limit.
  const data = await openData({ ...options, limit: undefined }, face)
  if (data) return limited(await labelled(data.samples, options.labels), options.limit)
  requireUnread(options)
  for (const name of ['labels', 'scores'] as const)
    if (options[name] !== undefined)
      throw unused(`--${name}`, 'there are no samples that this could speak of', 'Give them with --data.')
  return null
}

/** No sample that scored, chose or taught judges. */
interface Parts {
  readonly scoring: Samples
  readonly choosing: Samples
  readonly learned: Samples
  readonly judging: Samples
}

async function partsOf(
  data: Samples,
  { seed, select, scope }: { readonly seed: number; readonly select: unknown; readonly scope: string },
  { signal }: Context,
): Promise<Parts> {
  const { split } = await import('../../data/split.js')
  const { calibration, heldOut, total } = await split(data, { seed, signal })
  if (calibration.count === 0 || heldOut.count === 0) {
    throw new PareError('SAMPLES_FEW', 'the samples cannot be split in two', {
      where: data.name,
      value: total,
      remedy: 'Give at least two samples.',
    })
  }
  if (select === undefined && scope !== 'sensitivity')
    return { scoring: calibration, choosing: calibration, learned: calibration, judging: heldOut }
  const inner = await split(calibration, { seed: seed + 1, signal })
  return { scoring: inner.calibration, choosing: inner.heldOut, learned: calibration, judging: heldOut }
}
