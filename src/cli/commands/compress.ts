/** `pare compress`: the main job. Searches, writes the best model that keeps the budget, and the report with the proof. */

import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { InputShapes } from '../../passes/with-shapes.js'
import type { Candidate } from '../../report/view.js'
import type { CompressOptions } from '../../search/compress.js'
import type { Outcome } from '../../search/outcome.js'
import type { Metric } from '../../search/quality.js'
import { messageOf, PareError } from '../../util/errors.js'
import { defineCommand } from '../command.js'
import { secondsOf } from '../duration.js'
import { shapesOf } from '../feeds.js'
import {
  DATA_OPTIONS,
  limited,
  openData,
  requireUnread,
  SEED_OPTION,
  SHAPE_OPTION,
  THREADS_OPTION,
  unused,
} from '../inputs.js'
import { labelled } from '../labelled.js'

export const compress = defineCommand({
  name: 'compress',
  summary: 'Find the smallest or fastest model that keeps the quality',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', doc: 'the file to write (needed unless --dry-run)' },
    report: { kind: 'text', value: 'file', doc: 'write an HTML report' },
    recipe: { kind: 'text', value: 'file', doc: 'write the recipe of the chosen model, for pare apply' },
    front: { kind: 'text', value: 'folder', doc: 'write the recipes of all models on the front' },
    force: { kind: 'flag', doc: 'let --output replace the model itself' },
    ...DATA_OPTIONS,
    labels: { kind: 'text', value: 'path', doc: 'labels of the samples: quality is then accuracy or RMSE' },
    metric: {
      kind: 'text',
      value: 'module',
      doc: 'a module (.mjs) that measures quality: see docs/commands/compress.md',
    },
    scores: {
      kind: 'text',
      value: 'output',
      doc: 'the output that holds class scores, where it is not found by itself',
    },
    maxDrop: {
      kind: 'number',
      value: 'drop',
      min: 0,
      max: 1e9,
      percent: true,
      default: 0.01,
      doc: 'largest loss of quality',
    },
    maxBytes: { kind: 'number', value: 'n', min: 1, max: 1e12, doc: 'largest file that is handed back, in bytes' },
    maxLatency: { kind: 'number', value: 'ms', min: 0.001, max: 1e9, doc: 'longest run, median, in milliseconds' },
    minutes: { kind: 'number', value: 'n', min: 0.01, max: 1e5, doc: 'try every lever for so long: see Every lever' },
    trials: { kind: 'number', value: 'n', min: 1, max: 1e6, whole: true, doc: 'try every lever in so many recipes' },
    more: { kind: 'text', value: 'time', doc: 'go on with a finished search of every lever: 90s, 30m, 1h' },
    recover: {
      kind: 'text',
      value: 'time',
      doc: 'longest recovery of one candidate: 90s, 2m (default: see Every lever)',
    },
    for: { kind: 'choice', choices: ['latency', 'size'], default: 'latency', doc: 'what to make small' },
    target: { kind: 'choice', choices: ['node', 'web', 'webgpu'], default: 'node', doc: 'where the model will run' },
    portable: { kind: 'flag', doc: 'keep to standard ONNX operators' },
    ...SHAPE_OPTION,
    dryRun: { kind: 'flag', doc: 'list what would be tried and how long it takes' },
    resume: { kind: 'flag', doc: 'go on with an interrupted search' },
    restart: { kind: 'flag', doc: 'start over where a search was interrupted: what it measured is lost' },
    runFolder: { kind: 'text', value: 'folder', doc: 'where the search keeps its journal (default .pare/<model>)' },
    ...THREADS_OPTION,
    ...SEED_OPTION,
  },
  examples: [
    'pare compress model.onnx --data samples.npz --max-drop 0.01 --for latency -o out.onnx --report out.html',
    'pare compress model.onnx --data images/ --labels labels.csv --for size -o out.onnx',
    'pare compress model.onnx --data samples.npz --minutes 10 --max-drop 0.005 -o out.onnx --recipe out.json --report out.html',
  ],
  notes: [
    'Without labels or a metric, quality is agreement with the original on the samples. Without --data nothing is promised about quality, and only recipes that need no samples are tried. The samples are split in two: one half to calibrate, the other to judge.',
    'Exits with 1, writing no model, where nothing better than the original keeps the budget.',
  ],
  async run([path], options, context) {
    const { output, report, recipe, dryRun } = options
    if (output === undefined && !dryRun) throw missingOutput()
    if (dryRun) refuseSearching(options)
    refuseRecovery(options)
    const [
      { readModel },
      models,
      { withShapes },
      library,
      { checkWritable, writeFileAtomic },
      { openFront },
      texts,
      shapes,
    ] = await Promise.all([
      import('../../onnx/files.js'),
      import('../models.js'),
      import('../../passes/with-shapes.js'),
      import('../../search/compress.js'),
      import('../../util/files.js'),
      import('../front-folder.js'),
      import('../outcome-text.js'),
      shapesOf(options.shape),
    ])
    // Hours of searching must not end at a folder that is not there.
    if (!dryRun)
      for (const written of [output!, report, recipe]) if (written !== undefined) await checkWritable(written)
    if (!dryRun && options.front !== undefined) await openFront(options.front)
    const read = await readModel(path!)
    await models.protectInput(path!, output, options.force, {
      model: read,
      read: [options.data, options.labels, options.metric],
      report,
      more: { recipe },
    })
    const isFile = (await models.modelBytes(path!, read)) !== null
    // Labels belong to all samples, also to those beyond the limit.
    const data = await openData({ ...options, limit: undefined }, models.interfaceOf(withShapes(read, shapes)))
    const samples = data && (await limited(await labelled(data.samples, options.labels), options.limit))
    if (!samples) requireNoSamples(options)
    if (!samples) requireUnread(options)
    const name = basename(path!)
    const request: CompressOptions = {
      maxDrop: options.maxDrop,
      for: options.for,
      target: options.target,
      portable: options.portable,
      runFolder: options.runFolder ?? join('.pare', name.replace(/\.onnx$/, '')),
      resume: options.resume,
      restart: options.restart,
      seed: options.seed,
      name,
      command: context.commandLine,
      signal: context.signal,
      onProgress: context.onProgress,
      onWarning: context.warn,
      shapes,
      ...(isFile && !models.hasExternalData(read) && { original: new Uint8Array(await readFile(path!)) }),
      ...(samples && { samples }),
      ...given({ maxBytes: options.maxBytes, maxLatency: options.maxLatency }),
      ...given({ minutes: options.minutes, trials: options.trials }),
      ...(options.more !== undefined && { more: secondsOf(options.more, '--more') / 60 }),
      ...(options.recover !== undefined && { recover: secondsOf(options.recover, '--recover') }),
      ...(options.scores !== undefined && { scores: options.scores }),
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(options.metric !== undefined && { metric: await loadMetric(options.metric) }),
    }
    if (dryRun) {
      const plan = await library.planCompression(read, request)
      return { text: texts.planText(plan), json: plan }
    }
    const { outcome, bytes } = await library.compress(read, request)
    context.signal.throwIfAborted()
    if (bytes !== null) await writeFileAtomic(output!, bytes)
    if (report !== undefined) await writeReport(report, outcome)
    const recipes = await writeRecipes(outcome, { ...options, shapes, samples: samples !== null })
    const written = { output: bytes === null ? null : output!, report: report ?? null, ...recipes }
    return {
      text: texts.outcomeText(outcome, written, context.terminal),
      json: { ...written, outcome },
      exit: bytes === null ? 1 : 0,
    }
  },
})

interface RecipesAsked {
  readonly recipe: string | undefined
  readonly front: string | undefined
  readonly seed: number
  readonly portable: boolean
  readonly shapes: InputShapes
  readonly samples: boolean
}

/** The chosen recipe, and those of the front, numbered as in the table. */
async function writeRecipes(outcome: Outcome, asked: RecipesAsked) {
  const [{ recipeOf, recipeText }, { viewOf }, { writeFileAtomic }, { writeFront }] = await Promise.all([
    import('../../search/recipe-file.js'),
    import('../../report/view.js'),
    import('../../util/files.js'),
    import('../front-folder.js'),
  ])
  const { chosen, candidates } = viewOf(outcome)
  const text = (c: Candidate): string => recipeText(recipeOf(c.result.trial, asked))
  const isWritten = asked.recipe !== undefined && chosen !== null
  if (isWritten) await writeFileAtomic(asked.recipe!, text(chosen))
  const onFront = candidates.filter((c) => c.onFront).map((c) => [c.number, text(c)] as const)
  const front = asked.front === undefined ? [] : await writeFront(asked.front, new Map(onFront))
  return { recipe: isWritten ? asked.recipe! : null, front }
}

/** Options that ask for a search of every lever. */
type Searching = 'minutes' | 'trials' | 'more'

/** Throws `OPTION_UNUSED`. */
function refuseSearching({ minutes, trials, more }: Readonly<Record<Searching, unknown>>): void {
  const asked = Object.entries({ minutes, trials, more }).find(([, value]) => value !== undefined)
  if (asked === undefined) return
  throw unused('--dry-run', `what --${asked[0]} tries is drawn on the way`, 'Leave one of the two out.')
}

/** Throws `OPTION_UNUSED`. */
function refuseRecovery({ recover, ...searching }: Readonly<Record<'recover' | Searching, unknown>>): void {
  const { minutes, trials, more } = searching
  if (recover === undefined || [minutes, trials, more].some((value) => value !== undefined)) return
  throw unused('--recover', 'recoveries are tried with every lever only', 'Add --minutes or --trials, or leave it out.')
}

async function writeReport(path: string, outcome: Outcome): Promise<void> {
  const [{ renderReport }, { writeFileAtomic }] = await Promise.all([
    import('../../report/render.js'),
    import('../../util/files.js'),
  ])
  await writeFileAtomic(path, renderReport(outcome))
}

/** Without what was not given. */
const given = <T extends Readonly<Record<string, number | undefined>>>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof T]?: number
  }

/** A module that exports `evaluate` and `higherIsBetter`, as its default or by name. */
async function loadMetric(path: string): Promise<Metric> {
  const module = await import(pathToFileURL(resolve(path)).href).catch((cause: unknown) => {
    throw new PareError('METRIC_LOAD', `the metric cannot be loaded: ${messageOf(cause)}`, {
      where: path,
      remedy: 'Give an .mjs module that runs on its own.',
      cause,
    })
  })
  const metric = (module.default ?? module) as Partial<Metric>
  if (typeof metric.evaluate === 'function' && typeof metric.higherIsBetter === 'boolean') return metric as Metric
  throw new PareError('METRIC_EXPORT', 'a metric exports evaluate(results) and higherIsBetter', {
    where: path,
    value: Object.keys(metric),
    remedy: 'See docs/commands/compress.md for one.',
  })
}

interface NeedsSamples {
  readonly labels: string | undefined
  readonly metric: string | undefined
  readonly scores: string | undefined
}

function requireNoSamples({ labels, metric, scores }: NeedsSamples): void {
  const given = Object.entries({ labels, metric, scores }).find(([, value]) => value !== undefined)
  if (!given) return
  throw new PareError('OPTION_MISSING', `--${given[0]} says how to judge samples, and there are none`, {
    remedy: 'Give them with --data.',
  })
}

function missingOutput(): PareError {
  return new PareError('OPTION_MISSING', 'the option --output is needed', {
    remedy: 'Say with -o where the model goes, or list the plan with --dry-run.',
  })
}
