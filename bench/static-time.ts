/**
 * `npm run bench:static -- PYTHON`: how long static quantization of ultraface-slim with 100 samples takes, here and in
 * the Python tool, turn by turn, a fresh process each time; writes bench/static-time.md. PYTHON is an interpreter with
 * bench/peers/requirements.txt installed.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sample } from '../src/data/samples.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, PROGRAM, type Ran, run, runScript } from './processes.js'
import { samplesFor } from './samples/index.js'
import { npzOf } from './samples/npz.js'
import { requiredPath } from './samples/types.js'

const MODEL = 'ultraface-slim-320'
const REPEATS = 5

/** In the built package. The same configuration as the peer's: per tensor, min-max, the samples read beforehand. */
const SCRIPT = `
import { readFileSync, writeFileSync } from 'node:fs'
import { prepareModel } from './dist/compress/prepare.js'
import { interfaceOf } from './dist/cli/models.js'
import { openSamples, openEngine, openEnv, decodeModel, encodeModel, quantize } from './dist/node.js'
const [path, data, target] = process.argv.slice(1)
const engine = await openEngine()
const env = openEnv({ engine })
const opened = await openSamples(data, interfaceOf(decodeModel(readFileSync(path))))
const list = []
for await (const sample of opened.read()) list.push(sample)
const samples = { ...opened, async *read() { yield* list } }
const start = performance.now()
const prepared = await prepareModel(decodeModel(readFileSync(path)), env)
const ready = performance.now()
const model = await quantize(prepared, { to: 'int8', samples, perChannel: false }, env)
writeFileSync(target, encodeModel(model).bytes)
const end = performance.now()
await env.close()
await engine.close()
console.log(JSON.stringify({ prepare: (ready - start) / 1000, quantize: (end - ready) / 1000 }))
`

interface Parts {
  readonly prepare: number
  readonly quantize: number
}

interface Tool {
  readonly name: string
  /** Null parts: only the whole is seen. */
  readonly start: () => Promise<Ran>
  readonly hasParts: boolean
}

const [python] = process.argv.slice(2)
if (python === undefined) {
  console.error('usage: npm run bench:static -- PYTHON')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'pare-static-time-'))
try {
  const samples: Sample[] = []
  for await (const sample of samplesFor(MODEL).calibration.read()) samples.push(sample)
  const data = join(folder, 'calibration.npz')
  writeFileSync(data, npzOf(samples))
  const model = requiredPath(`models/${MODEL}.onnx`)
  const script = join(import.meta.dirname, 'peers/quantize_ort.py')
  const target = join(folder, 'ours.onnx')
  const tools: readonly Tool[] = [
    {
      name: 'onnxruntime.quantization',
      hasParts: true,
      start: () => run(python, ['-W', 'ignore', script, '--timed', model, data, folder]),
    },
    { name: 'pare, the same configuration', hasParts: true, start: () => runScript(SCRIPT, [model, data, target]) },
    {
      name: '`pare quantize --to int8`, as it comes (per channel)',
      hasParts: false,
      start: () => run(process.execPath, [PROGRAM, 'quantize', model, '--to', 'int8', '--data', data, '-o', target]),
    },
  ]
  const readings = tools.map((): Ran[] => [])
  for (let i = 0; i < REPEATS; i++) for (const [k, tool] of tools.entries()) readings[k]!.push(await tool.start())
  const rows = tools.map(({ name, hasParts }, k) => {
    const runs = readings[k]!
    const parts = hasParts ? runs.map(({ stdout }) => JSON.parse(stdout.trim().split('\n').at(-1)!) as Parts) : []
    const middle = (pick: (p: Parts) => number): string => (hasParts ? median(parts.map(pick)).toFixed(2) : '')
    const peaks = runs.flatMap(({ peakBytes }) => peakBytes ?? [])
    return [
      name,
      middle((p) => p.prepare),
      middle((p) => p.quantize),
      median(runs.map((r) => r.seconds)).toFixed(2),
      peaks.length === 0 ? '' : megabytes(median(peaks)),
    ]
  })
  const version = execFileSync(python, ['-c', 'import onnxruntime; print(onnxruntime.__version__)'])
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  writeReport(join(import.meta.dirname, 'static-time.md'), {
    title: 'Time of static quantization',
    about: [
      `${MODEL} with ${samples.length} samples: int8 weights and uint8 activations, min-max ranges, all cores. Median of ${REPEATS} fresh processes, the tools by turns, in seconds. "Prepare" is cleaning the model (the peer: quant_pre_process); "quantize" is calibration and quantization with the samples in memory; "process" is all from start to end, with loading the tool and reading the samples.`,
    ],
    versions: { 'onnxruntime-node': runtime.version, 'onnxruntime (Python)': String(version).trim() },
    sections: [{ table: table(['tool', 'prepare', 'quantize', 'process', 'peak MiB'], rows) }],
  })
  for (const row of rows) console.log(row.join('  '))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
