/**
 * `tsx bench/peers/measure.ts OUT [MODEL…]`: measures what quantize_ort.py left in OUT/<model>/ on held-out samples at
 * one thread, writes OUT/<model>/measured.json and a table of all models measured so far, OUT/peers.md.
 */

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { InferenceSession, type Tensor as OrtTensor } from 'onnxruntime-node'
import { messageOf } from '../../src/util/errors.js'
import { table, writeReport } from '../markdown.js'
import { MODEL_SAMPLES, samplesFor } from '../samples/index.js'
import { toOrt } from '../samples/original.js'
import { CLASS_SCORES } from '../samples/scores.js'
import { requiredPath } from '../samples/types.js'
import { type Agreement, agreement, type Outputs } from './agreement.js'
import { interleaved } from './latency.js'
import { ERROR_BOUNDS, isUsable, type Measured, type ModelResult } from './results.js'

const COARSE_MS = 8_000
const FINE_MS = 12_000
/** How many of the fastest and of the smallest at each bound go on to the longer timing. */
const FASTEST = 4
const SMALLEST = 2
type OrtFeeds = Record<string, OrtTensor>

/** What quantize_ort.py says of one variant. */
interface Made {
  readonly variant: string
  readonly bytes?: number
  readonly seconds?: number
  readonly error?: string
}

const [out, ...models] = process.argv.slice(2)
if (out === undefined) {
  console.error('usage: tsx bench/peers/measure.ts OUT [MODEL…]')
  process.exit(2)
}

const known = MODEL_SAMPLES.map((entry) => entry.model)
const selected = models.length > 0 ? models : known.filter((model) => existsSync(join(out, model, 'results.json')))
for (const model of selected) {
  const result = await measureModel(model, join(out, model))
  writeFileSync(join(out, model, 'measured.json'), `${JSON.stringify(result, null, 1)}\n`)
  console.log(`${model}\n${variantTable(result)}\n`)
}
writeTables(out)

async function measureModel(model: string, folder: string): Promise<ModelResult> {
  const feeds: OrtFeeds[] = []
  const labels: number[] = []
  for await (const sample of samplesFor(model).heldout.read()) {
    feeds.push(Object.fromEntries(Object.entries(sample.feeds).map(([name, t]) => [name, toOrt(t)])))
    if (typeof sample.label === 'number') labels.push(sample.label)
  }
  const classes = CLASS_SCORES[model] ?? null
  const known = labels.length === feeds.length ? labels : null
  const path = requiredPath(`models/${model}.onnx`)
  const exact = await outputsOf(await load(path, 'disabled'), feeds)

  const made = (JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as { variants: Made[] }).variants
  const failed: Record<string, string> = {}
  for (const { variant, error } of made) if (error !== undefined) failed[variant] = error

  const candidates: { variant: string; bytes: number; session: InferenceSession; agreement: Agreement }[] = []
  for (const file of distinct(folder, made)) {
    const variant = basename(file, '.onnx')
    try {
      const session = await load(file, 'all')
      const outputs = await outputsOf(session, feeds)
      candidates.push({
        variant,
        bytes: statSync(file).size,
        session,
        agreement: agreement(outputs, exact, classes, known),
      })
    } catch (error) {
      failed[variant] = `does not run: ${messageOf(error).slice(0, 300)}`
    }
  }

  const reference = await load(path, 'all')
  const runs = [reference, ...candidates.map(({ session }) => session)].map(
    (session) => (sample: number) => session.run(feeds[sample]!),
  )
  const samples = Math.min(3, feeds.length)
  const coarse = await interleaved(runs, { samples, budgetMs: COARSE_MS, minRounds: 3, maxRounds: 60 })
  const finalists = new Set([0])
  for (const bound of ERROR_BOUNDS) {
    const sound = candidates
      .map((_, i) => i + 1)
      .filter((i) => isUsable(candidates[i - 1]!, statSync(path).size, bound))
    const fastest = sound.toSorted((a, b) => coarse[a]!.ratio - coarse[b]!.ratio)
    const smallest = sound.toSorted((a, b) => candidates[a - 1]!.bytes - candidates[b - 1]!.bytes)
    for (const i of [...fastest.slice(0, FASTEST), ...smallest.slice(0, SMALLEST)]) finalists.add(i)
  }
  const finalOrder = [...finalists]
  const fine = await interleaved(
    finalOrder.map((i) => runs[i]!),
    { samples, budgetMs: FINE_MS },
  )
  const measured = candidates.map(({ variant, bytes, agreement }, i): Measured => {
    const at = finalOrder.indexOf(i + 1)
    return { variant, bytes, agreement, latency: at > 0 ? fine[at]! : coarse[i + 1]!, fine: at > 0 }
  })
  for (const { session } of candidates) await session.release()
  await reference.release()
  return {
    model,
    bytes: statSync(path).size,
    ms: fine[0]!.ms,
    accuracy: agreement(exact, exact, classes, known).accuracy,
    heldout: feeds.length,
    measured,
    failed,
  }
}

function load(path: string, optimization: 'all' | 'disabled'): Promise<InferenceSession> {
  return InferenceSession.create(path, {
    graphOptimizationLevel: optimization,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  })
}

async function outputsOf(session: InferenceSession, feeds: readonly OrtFeeds[]): Promise<Outputs> {
  const outputs: Record<string, Float32Array[]> = Object.fromEntries(session.outputNames.map((name) => [name, []]))
  for (const feed of feeds) {
    for (const [name, value] of Object.entries(await session.run(feed))) outputs[name]!.push(value.data as Float32Array)
  }
  return outputs
}

/** The files of the variants in the order they were made, without those that repeat an earlier one's bytes. */
function distinct(folder: string, made: readonly Made[]): string[] {
  const seen = new Set<string>()
  return made
    .map(({ variant }) => join(folder, `${variant}.onnx`))
    .filter(existsSync)
    .filter((path) => {
      const digest = createHash('sha256').update(readFileSync(path)).digest('hex')
      const isNew = !seen.has(digest)
      seen.add(digest)
      return isNew
    })
}

function variantTable(result: ModelResult): string {
  const rows = [...result.measured]
    .sort((a, b) => a.latency.ratio - b.latency.ratio)
    .map(({ variant, bytes, agreement: a, latency, fine }) => [
      variant,
      bytes,
      `${(1 / latency.ratio).toFixed(2)}x${fine ? '' : ' (coarse)'}`,
      latency.ms.toPrecision(3),
      a.worst.toExponential(1),
      a.top1 === null ? '' : `${(100 * a.top1).toFixed(1)}%`,
      a.accuracy === null ? '' : `${(100 * a.accuracy).toFixed(2)}%`,
    ])
  const failures = Object.entries(result.failed).map(([variant, reason]) => `- ${variant}: ${reason.slice(0, 160)}`)
  const head = ['variant', 'bytes', 'speed', 'ms', 'worst rel. L2', 'top-1', 'accuracy']
  return [
    `original: ${result.bytes} bytes, ${result.ms.toPrecision(3)} ms, ${result.heldout} held-out samples`,
    table(head, rows),
    ...failures,
  ].join('\n')
}

function writeTables(root: string): void {
  const results = known
    .map((model) => join(root, model, 'measured.json'))
    .filter(existsSync)
    .map((path) => JSON.parse(readFileSync(path, 'utf8')) as ModelResult)
  const peer = JSON.parse(readFileSync(join(root, results[0]!.model, 'results.json'), 'utf8')) as {
    versions: Record<string, string>
  }
  const describe = (m: Measured | undefined): string =>
    m === undefined
      ? 'none'
      : `${m.variant}: ${Math.round(m.bytes / 1000)} kB, ${(1 / m.latency.ratio).toFixed(2)}x, error ${m.agreement.worst.toExponential(1)}${m.fine ? '' : ' (coarse)'}${m.agreement.top1 === null ? '' : `, top-1 ${(100 * m.agreement.top1).toFixed(1)}%`}`
  const rows = results.map((result) => {
    const bests = ERROR_BOUNDS.flatMap((bound) => {
      const usable = result.measured.filter((m) => isUsable(m, result.bytes, bound))
      const fastest = usable.filter(({ fine }) => fine).sort((a, b) => a.latency.ratio - b.latency.ratio)[0]
      return [fastest, usable.toSorted((a, b) => a.bytes - b.bytes)[0]].map(describe)
    })
    const original = `${Math.round(result.bytes / 1000)} kB, ${result.ms.toPrecision(3)} ms`
    const total = result.measured.length + Object.keys(result.failed).length
    return [result.model, original, ...bests, `${Object.keys(result.failed).length} of ${total}`]
  })
  const require = createRequire(import.meta.url)
  const runtime = (require('onnxruntime-node/package.json') as { version: string }).version
  writeReport(join(root, 'peers.md'), {
    title: 'onnxruntime.quantization at its best',
    about: [
      `Best of the peer's variants on held-out samples: the fastest and the smallest of those that are no larger than the original and whose worst output's relative L2 error is at most ${ERROR_BOUNDS.join(' or ')}. Speed is the original's time divided by the variant's, interleaved, one thread.`,
    ],
    versions: {
      'onnxruntime-node': runtime,
      ...Object.fromEntries(Object.entries(peer.versions).map(([k, v]) => [`${k} (peer)`, v])),
    },
    sections: [
      {
        table: table(
          [
            'model',
            'original',
            ...ERROR_BOUNDS.flatMap((e) => [`fastest, error ≤ ${e}`, `smallest, error ≤ ${e}`]),
            'failed',
          ],
          rows,
        ),
      },
      ...results.map((result) => ({ heading: result.model, text: variantTable(result) })),
    ],
  })
}
