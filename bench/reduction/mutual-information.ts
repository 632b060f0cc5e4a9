/**
 * `npm run bench:mutual-information -- PYTHON`: mutual information of 50 columns with classes and with numbers, here and in
 * scikit-learn, turn by turn, a fresh process each time; writes bench/mutual-information.md at full size. PYTHON has
 * scikit-learn. `--scale 0.1` makes the data smaller, for trying, with the table printed alone.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { random } from '../../src/util/random.js'
import { writeArray } from '../linear/arrays.js'
import { markdown, type Report, table, writeReport } from '../markdown.js'
import { median } from '../peers/latency.js'
import { megabytes, ROOT, run } from '../processes.js'

const ROUNDS = 3
/** A tool that takes longer is measured in one round. */
const SLOW_SECONDS = 20
const [ROWS, COLUMNS] = [100_000, 50]
/** Correlation of neighbouring columns. */
const RHO = 0.5
/** Of the data on which each tool is run once before its clock starts. */
const WARM_SCALE = 0.02

const KINDS = ['classes', 'numbers', 'ties'] as const
type Kind = (typeof KINDS)[number]

const ABOUT: Readonly<Record<Kind, string>> = {
  classes: 'A target of three classes, numbers without ties (Ross 2014).',
  numbers: 'A target of numbers, all without ties (Kraskov, Stögbauer and Grassberger 2004).',
  ties: 'The same with each number rounded to a tenth, so that noise parts them.',
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: 'string', default: '1' }, threads: { type: 'string', default: '2' } },
})
const [python] = positionals
if (python === undefined) {
  console.error('usage: npm run bench:mutual-information -- PYTHON [--scale 0.1] [--threads 2]')
  process.exit(2)
}
const scale = Number(values.scale)
const { threads } = values

/** y = x₁ + x₂² + sin 3x₃ + noise; columns are normal, neighbours with correlation RHO. */
function writeData(folder: string, kind: Kind, rows: number): void {
  mkdirSync(folder)
  const { normal } = random(10)
  const x = new Float64Array(rows * COLUMNS)
  const y = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    const at = i * COLUMNS
    for (let j = 0; j < COLUMNS; j++)
      x[at + j] = j === 0 ? normal() : RHO * x[at + j - 1]! + Math.sqrt(1 - RHO * RHO) * normal()
    y[i] = x[at]! + x[at + 1]! ** 2 + Math.sin(3 * x[at + 2]!) + normal()
  }
  if (kind === 'classes') for (const [i, v] of y.entries()) y[i] = Number(v > 0) + Number(v > 2)
  if (kind === 'ties') for (const list of [x, y]) for (const [i, v] of list.entries()) list[i] = Math.round(10 * v) / 10
  writeArray(join(folder, 'x.npy'), { shape: [rows, COLUMNS], data: x, isFortran: false })
  writeArray(join(folder, 'y.npy'), { shape: [rows], data: y, isFortran: false })
}

interface Tool {
  readonly name: string
  /** To be followed by folder and kind. */
  readonly command: readonly [string, ...string[]]
  readonly threads: string
}

const peer = (name: string, jobs: string): Tool => ({
  name,
  command: [python, join(ROOT, 'bench/reduction/information_peer.py')],
  threads: jobs,
})

const TOOLS: readonly Tool[] = [
  {
    name: 'pare',
    command: [process.execPath, '--import', 'tsx', join(ROOT, 'bench/reduction/information.ts')],
    threads,
  },
  peer('scikit-learn', '1'),
  peer(`scikit-learn, n_jobs=${threads}`, threads),
]

/** What a tool tells in its last line. */
interface Told {
  readonly seconds: number
  /** Of all its threads and processes, where it counts them. */
  readonly processorSeconds: number | null
  readonly scores: readonly number[]
  readonly version: string
}

interface Measured extends Told {
  readonly all: readonly number[]
  readonly peak: number | null
}

async function measured(folder: string, kind: Kind): Promise<ReadonlyMap<string, Measured>> {
  const found = new Map<string, Measured>()
  for (let round = 0; round < ROUNDS; round++)
    for (const { name, command, threads: own } of TOOLS) {
      const before = found.get(name)
      if (before?.all.some((s) => s > SLOW_SECONDS)) continue
      const [program, ...script] = command
      const { stdout, peakBytes } = await run(program, [...script, folder, kind, own])
      const told = JSON.parse(stdout.trim().split('\n').at(-1)!) as Told
      console.log(kind, name, told.seconds.toFixed(2))
      found.set(name, { ...told, all: [...(before?.all ?? []), told.seconds], peak: peakBytes })
    }
  return found
}

async function sectionFor(kind: Kind) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-information-'))
  try {
    writeData(join(folder, 'warm'), kind, Math.round(WARM_SCALE * Math.min(1, 10 * scale) * ROWS))
    writeData(join(folder, 'problem'), kind, Math.round(scale * ROWS))
    const found = await measured(folder, kind)
    const own = found.get('pare')!
    const rows = [...found].map(([name, { all, processorSeconds, peak, scores }]) => [
      name,
      median(all).toFixed(2),
      name === 'pare' ? '' : `${(median(all) / median(own.all)).toFixed(1)}x`,
      processorSeconds === null ? '' : processorSeconds.toFixed(2),
      megabytes(peak),
      name === 'pare' ? '' : Math.max(...scores.map((s, j) => Math.abs(s - own.scores[j]!))).toExponential(1),
    ])
    const header = ['tool', 'seconds', 'its time ÷ ours', 'processor seconds', 'peak MiB', 'largest difference']
    return {
      section: { heading: kind, text: ABOUT[kind], table: table(header, rows) },
      versions: Object.fromEntries([...found].map(([name, { version }]) => [name.split(',')[0]!, version])),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const done = []
for (const kind of KINDS) done.push(await sectionFor(kind))
const report: Report = {
  title: 'Time of mutual information',
  about: [
    `${ROWS.toLocaleString('en')} rows x ${COLUMNS} columns, normal, neighbouring ones with correlation ${RHO}, k = 3 neighbours, ${threads} threads. Median of ${ROUNDS} fresh processes, the tools by turns, in seconds, each after a run on small data that is left out. Processor seconds, of the last run, are of the tool's own process and all its threads; scikit-learn counts those of other processes to none. "Peak" is all that the process ever held, X and the language included, without other processes. "Largest difference" is of the scores of all columns, in nats, from ours.`,
  ],
  versions: Object.assign({}, ...done.map(({ versions }) => versions)) as Record<string, string>,
  sections: done.map(({ section }) => section),
}
if (scale === 1) writeReport(join(ROOT, 'bench/mutual-information.md'), report)
else console.log(markdown(report))
