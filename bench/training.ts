/**
 * `npm run bench:training -- PYTHON FOLDER`: milliseconds a training step, here and in PyTorch, TensorFlow.js and
 * jax-js, turn by turn, a fresh process each time; writes bench/training.md. PYTHON has torch and numpy, FOLDER holds
 * node_modules with @tensorflow/tfjs, @tensorflow/tfjs-backend-wasm and @jax-js/jax; leave out what is not there.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { counted } from '../src/util/format.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, type Ran, ROOT, run } from './processes.js'
import { NETWORKS } from './training/networks.js'

const ROUNDS = 3
const EPOCHS = 3
/** A tool whose step takes longer is measured in one round. */
const SLOW_MS = 10_000

interface Tool {
  readonly name: string
  readonly network: string
  /** Our own with the same threads, that the time is compared with. */
  readonly against: string | null
  /** Null where the tool cannot train the network in a sensible time. */
  readonly start: (() => Promise<Ran>) | null
  /** What it does otherwise than the others, or why it does not: under the table. */
  readonly note?: string
}

interface Measured {
  readonly ms: number
  readonly peak: number | null
  readonly version: string | undefined
}

const [python, folder] = process.argv.slice(2)
const here = join(ROOT, 'bench/training')

const ours = (network: string, threads: number, workers: number, isIsolated = false): Tool => {
  const script = ['--import', 'tsx', join(here, 'ours.ts'), network, String(threads), String(EPOCHS), String(workers)]
  if (isIsolated) script.push('isolated')
  const kind = isIsolated ? 'processes' : 'workers'
  const name =
    workers > 1 ? `pare, ${workers} ${kind} of ${counted(threads, 'thread')}` : `pare, ${counted(threads, 'thread')}`
  return { name, network, against: null, start: () => run(process.execPath, script) }
}

/** By the network's name. */
const TFJS_NOTES: Readonly<Record<string, string>> = {
  cnn: "TensorFlow.js has no gradient of a 2-D convolution's kernel on WebAssembly (`Conv2DBackpropFilter` is not registered): it takes 3-D convolutions of depth 1 there.",
  transformer:
    'TensorFlow.js looks letters up by a product with one-hot rows and builds layer normalization of `tf.moments`: the gradient of `tf.gather` is missing on WebAssembly (`UnsortedSegmentSum` is not registered) and slow on the CPU, that of `tf.layers.layerNormalization` slow on both.',
}

function toolsFor(network: string): readonly Tool[] {
  const torch = (threads: number): Tool => ({
    name: `PyTorch, ${counted(threads, 'thread')}`,
    network,
    against: `pare, ${counted(threads, 'thread')}`,
    start: () => run(python!, [join(here, 'torch_peer.py'), network, String(threads), String(EPOCHS)]),
  })
  const tfjs = (backend: string): Tool => ({
    name: `TensorFlow.js, ${backend}`,
    network,
    against: 'pare, 1 thread',
    start: () => run(process.execPath, [join(here, 'tfjs_peer.mjs'), folder!, network, backend, '1']),
    note: TFJS_NOTES[network],
  })
  const jax: Tool = {
    name: 'jax-js, wasm',
    network,
    against: 'pare, 1 thread',
    start: () => run(process.execPath, [join(here, 'jax_peer.mjs'), folder!, network, '2']),
  }
  const interpreted: Tool = {
    name: 'jax-js, cpu',
    network,
    against: null,
    start: null,
    note: 'The `cpu` device of jax-js interprets each operation, for debugging: a step of the MLP took over two minutes, so it is left out.',
  }
  return [
    ours(network, 1, 1),
    ours(network, 2, 1),
    ours(network, 1, 2),
    ours(network, 1, 2, true),
    ...(python === undefined ? [] : [torch(1), torch(2)]),
    ...(folder === undefined ? [] : [tfjs('wasm'), tfjs('cpu'), jax, interpreted]),
  ]
}

async function measured({ network, name, start }: Tool): Promise<Measured> {
  const ran = await start!()
  const { ms, version } = JSON.parse(ran.stdout.trim().split('\n').at(-1)!) as { ms: number[]; version?: string }
  console.log(network, name, ms.map((v) => v.toFixed(2)).join(' '))
  return { ms: median(ms), peak: ran.peakBytes, version }
}

/** By turns, so that a slow minute of the machine meets them all. */
async function inRounds(tools: readonly Tool[]): Promise<ReadonlyMap<string, readonly Measured[]>> {
  const found = new Map<string, Measured[]>(tools.map(({ name }) => [name, []]))
  for (let round = 0; round < ROUNDS; round++)
    for (const tool of tools) {
      const seen = found.get(tool.name)!
      if (tool.start !== null && !seen.some(({ ms }) => ms > SLOW_MS)) seen.push(await measured(tool))
    }
  return found
}

const versions: Record<string, string> = {}
const sections: { readonly heading?: string; readonly text: string; readonly table?: string }[] = []
for (const { name: network, about } of NETWORKS) {
  const tools = toolsFor(network)
  const found = await inRounds(tools)
  const ms = (name: string): number => median(found.get(name)!.map((m) => m.ms))
  const rows = tools.map(({ name, against, start }) => {
    if (start === null) return [name, '-', '', '']
    const peaks = found.get(name)!.flatMap(({ peak }) => peak ?? [])
    const times = against === null ? '' : `${(ms(name) / ms(against)).toFixed(2)}x`
    const version = found.get(name)![0]!.version
    if (version !== undefined) versions[name.split(',')[0]!] = version
    return [name, ms(name).toFixed(2), times, peaks.length === 0 ? '' : megabytes(median(peaks))]
  })
  sections.push({
    heading: network,
    text: `${about}.`,
    table: table(['tool', 'ms a step', 'its time ÷ ours', 'peak MiB'], rows),
  })
  const notes = [...new Set(tools.flatMap(({ note }) => note ?? []))]
  if (notes.length > 0) sections.push({ text: notes.join(' ') })
}
const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
writeReport(join(import.meta.dirname, 'training.md'), {
  title: 'Time of a training step',
  about: [
    `Adam, cross-entropy, float32, random data in memory, shuffled anew each epoch. Median of ${ROUNDS} fresh processes (one alone where a step takes over ${SLOW_MS / 1000} s), the tools by turns, each over ${EPOCHS} epochs after one that is left out (TensorFlow.js and jax-js: few steps on one batch). Workers, and processes, train on batches of their own at the same time, and average their weights every 50 steps: their time is that of a step of the epoch. "Its time ÷ ours" is against pare with as many threads; the tools in JavaScript run on one in Node.js.`,
  ],
  versions: { 'onnxruntime-node': runtime.version, ...versions },
  sections,
})
