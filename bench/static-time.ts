/**
 * `tsx bench/static-time.ts PYTHON [OUT.md]`: how long static quantization of ultraface-slim with 100 samples takes the
 * Python tool, in a fresh process each time; PYTHON is an interpreter with bench/peers/requirements.txt installed.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Sample } from '../src/data/samples.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { samplesFor } from './samples/index.js'
import { npzOf } from './samples/npz.js'
import { requiredPath } from './samples/types.js'

const MODEL = 'ultraface-slim-320'
const REPEATS = 3

/** Seconds of one run. `quantize` is calibration and quantization, `total` the whole process from its start. */
interface Seconds {
  readonly prepare: number
  readonly quantize: number
  readonly total: number
}

const [python, target = 'static-time.md'] = process.argv.slice(2)
if (python === undefined) {
  console.error('usage: tsx bench/static-time.ts PYTHON [OUT.md]')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'pare-static-time-'))
try {
  const samples: Sample[] = []
  for await (const sample of samplesFor(MODEL).calibration.read()) samples.push(sample)
  const calibration = join(folder, 'calibration.npz')
  writeFileSync(calibration, npzOf(samples))
  const runs = Array.from({ length: REPEATS }, () => peer(python, calibration, folder))
  const middle = (pick: (run: Seconds) => number): string => median(runs.map(pick)).toFixed(2)
  const row = ['onnxruntime.quantization', middle((r) => r.prepare), middle((r) => r.quantize), middle((r) => r.total)]
  const version = execFileSync(python, ['-c', 'import onnxruntime; print(onnxruntime.__version__)'], {
    encoding: 'utf8',
  })
  writeReport(target, {
    title: 'Time of static quantization',
    about: [
      `${MODEL} with ${samples.length} samples: int8 weights and uint8 activations, per tensor, min-max ranges, all cores. Median of ${REPEATS} fresh processes, in seconds. "Quantize" is calibration and quantization with the samples in memory; "total" is the whole process.`,
    ],
    versions: { 'onnxruntime (Python)': version.trim() },
    sections: [{ table: table(['tool', 'prepare', 'quantize', 'total'], [row]) }],
  })
  console.log(row.join('  '))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function peer(interpreter: string, calibration: string, out: string): Seconds {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'peers', 'quantize_ort.py')
  const start = performance.now()
  const args = ['-W', 'ignore', script, '--timed', requiredPath(`models/${MODEL}.onnx`), calibration, out]
  const printed = execFileSync(interpreter, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const total = (performance.now() - start) / 1000
  const { prepare, quantize } = JSON.parse(printed.trim().split('\n').at(-1)!) as Omit<Seconds, 'total'>
  return { prepare, quantize, total }
}
