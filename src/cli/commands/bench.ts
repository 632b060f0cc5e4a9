/** `pare bench a b …`: latency, load time, memory and size of models, measured side by side. */

import type { Engine, Feeds } from '../../engine/engine.js'
import type { BenchResult } from '../../engine/node/bench.js'
import { bytes, milliseconds, significant } from '../../util/format.js'
import { type Context, defineCommand } from '../command.js'
import { type FeedChoice, feedsFor, requireSamples } from '../feeds.js'
import { DATA_OPTIONS, DEVICE_NOTE, ENGINE_OPTIONS, engineOptions, SHAPE_OPTION } from '../inputs.js'
import { table } from '../table.js'
import { safeLine, wrap } from '../terminal.js'

interface BenchRow extends BenchResult {
  readonly model: string
  /** Of the file and its external data. */
  readonly bytes: number
}

/** Inputs that rounds take turns with. */
const INPUTS = 16

export const bench = defineCommand({
  name: 'bench',
  summary: 'Measure models side by side',
  positionals: { names: ['model'], min: 1, max: 50 },
  options: {
    ...DATA_OPTIONS,
    rounds: {
      kind: 'number',
      value: 'n',
      min: 5,
      max: 100_000,
      whole: true,
      default: 100,
      doc: 'runs of each model, interleaved',
    },
    seconds: {
      kind: 'number',
      value: 's',
      min: 0.1,
      max: 3600,
      default: 20,
      doc: 'stop measuring latency after this time',
    },
    ...SHAPE_OPTION,
    ...ENGINE_OPTIONS,
  },
  examples: ['pare bench model.onnx small.onnx --threads 1', 'pare bench a.onnx b.onnx --data samples.npz --json'],
  notes: [
    'Rounds run every model once, in an order that rotates, so that what slows the machine down hits all alike. Without --data the inputs are random. At most 16 inputs take turns. Memory is measured in a process of its own, above an idle runtime.',
    DEVICE_NOTE,
  ],
  async run(paths, options, context) {
    const [{ openEngine }, { bench: measure }, { checkModelFiles }] = await Promise.all([
      import('../../engine/node/open.js'),
      import('../../engine/node/bench.js'),
      import('../models.js'),
    ])
    const sizes = await checkModelFiles(paths)
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const { feeds, name } = await readFeeds(engine, paths[0]!, options, context)
      const { rounds, seconds } = options
      const { signal, onProgress } = context
      const models = paths.map((path) => ({ path }))
      const results = await measure(engine, models, feeds, { rounds, budgetMs: seconds * 1000, signal, onProgress })
      const rows = results.map((r, i): BenchRow => ({ model: paths[i]!, bytes: sizes[i]!, ...r }))
      const { name: engineName, version, device, threads } = engine
      const facts = { engine: engineName, version, device, threads, inputs: name, count: feeds.length }
      return { text: shown(rows, facts, context), json: { ...facts, models: rows } }
    } finally {
      await engine.close()
    }
  },
})

async function readFeeds(engine: Engine, path: string, options: Omit<FeedChoice, 'random'>, context: Context) {
  const session = await engine.load({ path }, { signal: context.signal })
  const stream = await feedsFor(
    session,
    { ...options, random: true, limit: Math.min(options.limit ?? INPUTS, INPUTS) },
    context,
  )
  const feeds: Feeds[] = []
  for await (const { feed } of stream.read()) feeds.push(feed)
  await session.close()
  requireSamples(feeds.length, stream)
  return { feeds, name: stream.name }
}

interface Facts {
  readonly engine: string
  readonly version: string
  readonly device: string
  readonly threads: number
  readonly inputs: string
  readonly count: number
}

function shown(rows: readonly BenchRow[], facts: Facts, { terminal }: Context): string {
  const columns = [
    { title: 'model', shrinkTo: 14 },
    { title: 'size', align: 'right' },
    { title: 'load', align: 'right' },
    { title: 'p50', align: 'right' },
    { title: 'p95', align: 'right' },
    { title: '÷ first', align: 'right' },
    { title: '95 %', align: 'right' },
    { title: 'memory', align: 'right' },
  ] as const
  const cells = rows.map((r) => [
    r.model,
    bytes(r.bytes),
    milliseconds(r.loadMs),
    milliseconds(r.p50),
    milliseconds(r.p95),
    r.ratio === null ? '1' : significant(r.ratio.ratio),
    r.ratio === null ? '' : `${significant(r.ratio.low)}–${significant(r.ratio.high)}`,
    bytes(r.peakMemoryBytes),
  ])
  const threads = facts.threads === 1 ? '1 thread' : `${facts.threads} threads`
  const inputs =
    facts.inputs === 'random inputs'
      ? `${facts.count} random inputs`
      : `${facts.count} samples of ${safeLine(facts.inputs)}`
  const sentence = `${facts.engine} ${facts.version}, ${facts.device}, ${threads}; ${inputs}.`
  return `${table(columns, cells, terminal)}\n\n${wrap(sentence, Math.min(100, terminal.columns))}`
}
