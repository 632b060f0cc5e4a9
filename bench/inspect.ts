/** `npm run bench:inspect`: how long `pare inspect` takes on models of 100 MB, and `--help`; writes bench/inspect.md. */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builder, modelOf } from '../src/ir/builder.js'
import { f32 } from '../src/ir/tensor.js'
import type { Model } from '../src/ir/types.js'
import { encodeModel } from '../src/onnx/codec.js'
import { table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, PROGRAM, type Ran, run } from './processes.js'

const REPEATS = 5
const PARAMETERS = 25_000_000

/** A chain of square products, each with a bias and an activation. */
function chain(layers: number): Model {
  const width = Math.floor(Math.sqrt(PARAMETERS / layers))
  const b = builder()
  let x = b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, width] })
  for (let i = 0; i < layers; i++) {
    const product = b.op('MatMul', [x, b.constant(f32([width, width], new Float32Array(width * width).fill(0.01)))])
    x = b.op('Relu', [b.op('Add', [product, b.constant(f32([width], new Float32Array(width)))])])
  }
  b.output(x)
  return modelOf(b.graph())
}

/** The same file with its one large weight as float_data (field 4) in place of raw_data (field 9): both hold the same bytes. */
function asFloatData(bytes: Uint8Array): Uint8Array {
  const size = 4 * Math.floor(Math.sqrt(PARAMETERS)) ** 2
  const length = [0, 7, 14, 21].map((shift) => ((size >>> shift) & 127) | (shift < 21 ? 128 : 0))
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(Buffer.from([0x4a, ...length]))
  if (at < 0) throw new Error('the weight was not found in the file')
  const out = bytes.slice()
  out[at] = 0x22
  return out
}

/** The program with each of these arguments, by turns. */
async function byTurns(calls: readonly (readonly string[])[]): Promise<readonly (readonly Ran[])[]> {
  const readings = calls.map((): Ran[] => [])
  for (let i = 0; i < REPEATS; i++)
    for (const [k, args] of calls.entries()) readings[k]!.push(await run(process.execPath, [PROGRAM, ...args]))
  return readings
}

function figures(runs: readonly Ran[]): readonly string[] {
  const seconds = runs.map((r) => r.seconds)
  const peaks = runs.flatMap((r) => r.peakBytes ?? [])
  return [
    median(seconds).toFixed(2),
    Math.max(...seconds).toFixed(2),
    peaks.length === 0 ? '' : megabytes(median(peaks)),
  ]
}
const FIGURES = ['median s', 'slowest s', 'peak MiB']

const folder = mkdtempSync(join(tmpdir(), 'pare-inspect-'))
try {
  const one = encodeModel(chain(1)).bytes
  const files = [
    { what: 'one weight, as bytes', bytes: one },
    { what: 'one weight, as a list of floats', bytes: asFloatData(one) },
    { what: '100 layers', bytes: encodeModel(chain(100)).bytes },
    { what: '4,000 layers', bytes: encodeModel(chain(4_000)).bytes },
  ].map(({ what, bytes }, i) => {
    const path = join(folder, `${i}.onnx`)
    writeFileSync(path, bytes)
    return { what, path }
  })
  const inspections = await byTurns(files.map(({ path }) => ['inspect', path]))
  const rows = files.map(({ what, path }, k) => [
    what,
    (statSync(path).size / 1e6).toFixed(1),
    ...figures(inspections[k]!),
  ])
  const helps = [['--help'], ['compress', '--help']]
  const helpings = await byTurns(helps)
  const helpRows = helps.map((args, k) => [`pare ${args.join(' ')}`, ...figures(helpings[k]!)])
  writeReport(join(import.meta.dirname, 'inspect.md'), {
    title: 'Time of inspect and of help',
    about: [
      `The program as a process, from start to end, ${REPEATS} times each by turns; the files are in the system's cache.`,
    ],
    versions: {},
    sections: [
      { table: table(['pare inspect', 'MB', ...FIGURES], rows) },
      { table: table(['help', ...FIGURES], helpRows) },
    ],
  })
  for (const row of [...rows, ...helpRows]) console.log(row.join('  '))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
