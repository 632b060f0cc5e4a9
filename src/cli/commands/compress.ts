/** `pare compress`: the main job. Searches, writes the best model that keeps the budget, and the report with the proof. */

import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CompressOptions } from '../../search/compress.js'
import type { Outcome } from '../../search/outcome.js'
import type { Metric } from '../../search/quality.js'
import { messageOf, PareError } from '../../util/errors.js'
import { defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { DATA_OPTIONS, limited, openData, requireUnread, SEED_OPTION, SHAPE_OPTION, THREADS_OPTION } from '../inputs.js'
import { labelled } from '../labelled.js'

export const compress = defineCommand({
  name: 'compress',
  summary: 'Find the smallest or fastest model that keeps the quality',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', doc: 'the file to write (needed unless --dry-run)' },
    report: { kind: 'text', value: 'file', doc: 'write an HTML report' },
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
  ],
  notes: [
    'Without labels or a metric, quality is agreement with the original on the samples. Without --data nothing is promised about quality, and only recipes that need no samples are tried. The samples are split in two: one half to calibrate, the other to judge.',
    'Exits with 1, writing no model, where nothing better than the original keeps the budget.',
  ],
  async run([path], options, context) {
    const { output, report, dryRun } = options
    if (output === undefined && !dryRun) throw missingOutput()
    const [{ readModel }, models, { withShapes }, library, { checkWritable, writeFileAtomic }, texts, shapes] =
      await Promise.all([
        import('../../onnx/files.js'),
        import('../models.js'),
        import('../../passes/with-shapes.js'),
        import('../../search/compress.js'),
        import('../../util/files.js'),
        import('../outcome-text.js'),
        shapesOf(options.shape),
      ])
    // Hours of searching must not end at a folder that is not there.
    if (!dryRun) for (const written of [output!, report]) if (written !== undefined) await checkWritable(written)
    const read = await readModel(path!)
    await models.protectInput(path!, output, options.force, {
      model: read,
      read: [options.data, options.labels, options.metric],
      report,
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
    const written = { output: bytes === null ? null : output!, report: report ?? null }
    return {
      text: texts.outcomeText(outcome, written, context.terminal),
      json: { ...written, outcome },
      exit: bytes === null ? 1 : 0,
    }
  },
})

async function writeReport(path: string, outcome: Outcome): Promise<void> {
  const [{ renderReport }, { writeFileAtomic }] = await Promise.all([
    import('../../report/render.js'),
    import('../../util/files.js'),
  ])
  await writeFileAtomic(path, renderReport(outcome))
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
