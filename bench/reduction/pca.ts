/**
 * `npx tsx bench/reduction/pca.ts PYTHON [--rows 100000] [--columns 1000] [--components 50] [--rounds 3] [--threads 2]`:
 * principal components here and in scikit-learn, turn by turn, a fresh process each time. PYTHON has scikit-learn.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { random } from '../../src/util/random.js'
import { writeArray } from '../linear/arrays.js'
import { table } from '../markdown.js'
import { median } from '../peers/latency.js'
import { megabytes, ROOT, run } from '../processes.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '100000' },
    columns: { type: 'string', default: '1000' },
    components: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
})
const [python] = positionals
if (python === undefined) {
  console.error('usage: npx tsx bench/reduction/pca.ts PYTHON [--rows 100000] [--columns 1000] [--components 50]')
  process.exit(2)
}

/** Ways of both tools: rows in memory as float64 or float32, or read from the file some thousand at a time. */
const WAYS = ['float64', 'float32', 'streamed'] as const

const here = join(ROOT, 'bench/reduction')
const TOOLS = [
  ['pare', [process.execPath, '--import', 'tsx', join(here, 'pca-ours.ts')]],
  ['scikit-learn', [python, join(here, 'pca_peer.py')]],
] as const

/** xⱼ = ρ xⱼ₋₁ + √(1 − ρ²) ε with ρ = 0.5, the data of the lasso path in bench/linear. */
function autoregressive(rows: number, columns: number): Float64Array {
  const { normal } = random(0)
  const x = new Float64Array(rows * columns)
  for (let at = 0; at < x.length; at++)
    x[at] = at % columns === 0 ? normal() : 0.5 * x[at - 1]! + Math.sqrt(0.75) * normal()
  return x
}

/** What a tool tells in its last line. */
interface Told {
  readonly seconds: number
  readonly version: string
  readonly variances: readonly number[]
}

interface Measured extends Told {
  readonly all: readonly number[]
  readonly peaks: readonly number[]
}

const threads = Object.fromEntries(
  ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'].map((name) => [name, values.threads]),
)
const folder = mkdtempSync(join(tmpdir(), 'pare-pca-'))
const found = new Map<string, Measured>()
try {
  const [rows, columns] = [Number(values.rows), Number(values.columns)]
  const file = join(folder, 'x.npy')
  writeArray(file, { shape: [rows, columns], data: autoregressive(rows, columns), isFortran: false })
  for (let round = 0; round < Number(values.rounds); round++)
    for (const way of WAYS)
      for (const [name, [program, ...script]] of TOOLS) {
        const { stdout, peakBytes } = await run(
          program!,
          [...script, file, way, values.components, values.threads],
          threads,
        )
        const told = JSON.parse(stdout.trim().split('\n').at(-1)!) as Told
        const before = found.get(`${name}, ${way}`)
        console.log(name, way, told.seconds.toFixed(2))
        found.set(`${name}, ${way}`, {
          ...told,
          all: [...(before?.all ?? []), told.seconds],
          peaks: [...(before?.peaks ?? []), ...(peakBytes === null ? [] : [peakBytes])],
        })
      }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const exact = found.get('scikit-learn, float64')!.variances
const off = ({ variances }: Told): number => Math.max(...variances.map((v, i) => Math.abs(v / exact[i]! - 1)))
console.log(
  table(
    ['tool', 'version', 'seconds (median)', 'all', 'peak MB', 'variances off by'],
    [...found].map(([name, m]) => [
      name,
      m.version,
      median(m.all).toFixed(2),
      m.all.map((s) => s.toFixed(2)).join(' '),
      megabytes(m.peaks.length > 0 ? median(m.peaks) : null),
      off(m).toExponential(1),
    ]),
  ),
)
