/**
 * `npm run bench:stores`: what each way of storing a weight costs where a model is loaded, and that it costs nothing where
 * it is run; writes bench/stores.md. One product with a weight of 2 million elements, of which some are zero.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { applySteps, type RecipeStep } from '../src/compress/recipes.js'
import { modelMemory } from '../src/engine/node/memory.js'
import { openEngine } from '../src/engine/node/open.js'
import { optimizedGraph } from '../src/engine/node/optimized.js'
import { ratio, summary } from '../src/engine/timing.js'
import { builder, modelOf } from '../src/ir/builder.js'
import { f32 } from '../src/ir/tensor.js'
import type { Model } from '../src/ir/types.js'
import { encodeModel } from '../src/onnx/codec.js'
import { random } from '../src/util/random.js'
import { table, writeReport } from './markdown.js'
import { megabytes } from './processes.js'

const [ROWS, COLUMNS, BATCH] = [2048, 1024, 8]
const LOADS = 15
const RUNS = 60

const step = (transform: string, params: Readonly<Record<string, unknown>> = {}): RecipeStep => ({ transform, params })
const sparse = (values: string): RecipeStep => step('store/sparse', { values, bits: 4 })

const CASES: readonly (readonly [number, readonly RecipeStep[]])[] = [
  [
    1,
    [
      step('store/int8'),
      step('store/int4'),
      step('store/int3'),
      step('store/int2'),
      step('store/codebook', { bits: 4 }),
      step('store/codebook', { bits: 5 }),
    ],
  ],
  [0.5, [sparse('exact'), sparse('codebook')]],
  [0.1, ['exact', 'float16', 'int8', 'int4', 'codebook'].map(sparse)],
  [0.02, [sparse('exact'), sparse('codebook')]],
]

function product(density: number): Model {
  const r = random(1)
  const w = Float32Array.from({ length: ROWS * COLUMNS }, () => (r.uniform() < density ? r.normal() : 0))
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [BATCH, ROWS] })
  b.output(b.op('MatMul', ['x', b.constant(f32([ROWS, COLUMNS], w), 'w')]), {
    kind: 'tensor',
    dtype: 'float32',
    shape: [BATCH, COLUMNS],
  })
  return modelOf(b.graph())
}

const x = f32(
  [BATCH, ROWS],
  Float32Array.from({ length: BATCH * ROWS }, (_, i) => Math.sin(i)),
)
const engine = await openEngine({ threads: 1 })

/** Loads, and runs, of two models by turns. */
async function timed(models: readonly Uint8Array[]) {
  const loads = models.map((): number[] => [])
  const runs = models.map((): number[] => [])
  for (let i = 0; i < LOADS; i++)
    for (const [k, bytes] of models.entries()) {
      const start = performance.now()
      const session = await engine.load(bytes)
      loads[k]!.push(performance.now() - start)
      await session.close()
    }
  const sessions = await Promise.all(models.map((bytes) => engine.load(bytes)))
  for (let i = 0; i < RUNS; i++)
    for (const [k, session] of sessions.entries()) {
      const start = performance.now()
      await session.run({ x })
      runs[k]!.push(performance.now() - start)
    }
  for (const session of sessions) await session.close()
  return { loads, runs }
}

try {
  const rows: string[][] = []
  const memory = async (bytes: Uint8Array): Promise<string> => {
    const { loadGrowth, peakGrowth } = await modelMemory(bytes, { x }, { threads: 1, runs: 1 })
    return `${megabytes(loadGrowth)} / ${megabytes(peakGrowth)}`
  }
  for (const [density, steps] of CASES) {
    const dense = product(density)
    const own = encodeModel(dense).bytes
    for (const [i, { transform, params }] of steps.entries()) {
      const stored = await applySteps(dense, [{ transform, params }], { engine: async () => engine })
      const { bytes } = encodeModel(stored)
      const { graph } = await optimizedGraph(engine, bytes, { optimization: 'basic' })
      const { loads, runs } = await timed([own, bytes])
      const row = (name: string, k: number, size: number, ran: string, left: number, used: string): string[] => [
        String(density),
        name,
        (size / 1000).toFixed(0),
        summary(loads[k]!).p50.toFixed(1),
        ran,
        String(left),
        used,
      ]
      if (i === 0) rows.push(row('float32', 0, own.length, '1', 1, await memory(own)))
      const { ratio: r, low, high } = ratio(runs[0]!, runs[1]!)
      const ran = `${r.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`
      const name = [transform, params.values, params.bits && params.values !== 'exact' ? `${params.bits} bits` : '']
      const isCodebook = transform === 'store/codebook' || params.values === 'codebook'
      const said = isCodebook ? name : name.slice(0, 2)
      rows.push(
        row(said.filter((part) => part).join(', '), 1, bytes.length, ran, graph.nodes.length, await memory(bytes)),
      )
      console.log(rows.at(-1)!.join('  '))
    }
  }
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  writeReport(join(import.meta.dirname, 'stores.md'), {
    title: 'What stored weights cost',
    about: [
      `One product, ${BATCH} x ${ROWS} by ${ROWS} x ${COLUMNS}, one thread. The weight is normal; of it the given share is not zero. "Load" is the median of ${LOADS} loads in ms, by turns with the float32 model, which is loaded from memory as well. "Run" is the time of a run over that of the float32 model, the median of ${RUNS} turns with its 95 % interval: stored weights are expanded when the model is loaded, so it is 1 but for noise, however sparse they are. "Nodes" is what the engine has left to do. "Memory" is what a fresh process grows by in MiB, after loading and at its highest.`,
      'What is stored sparsely is computed densely: the file shrinks, latency does not change.',
    ],
    versions: { 'onnxruntime-node': runtime.version },
    sections: [{ table: table(['density', 'store', 'kB', 'load', 'run', 'nodes', 'memory'], rows) }],
  })
} finally {
  await engine.close()
}
