/**
 * `npm run bench:linear -- PYTHON [PROBLEM …]`: linear models here and in scikit-learn, celer and glmnet, turn by turn, a
 * fresh process each time; writes bench/linear.md where all problems are solved at full size. PYTHON has scikit-learn and
 * celer; glmnet is taken from the R on the PATH and left out where there is none. `--scale 0.1` makes the data smaller,
 * `--quick` leaves out what takes minutes: both for trying, with the tables printed alone.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { significant } from '../src/util/format.js'
import { writeArray } from './linear/arrays.js'
import { type Data, type Kind, PROBLEMS, type Problem } from './linear/problems.js'
import { markdown, type Report, table, writeReport } from './markdown.js'
import { median } from './peers/latency.js'
import { megabytes, type Ran, ROOT, run } from './processes.js'

const ROUNDS = 3
/** A tool that takes longer is measured in one round. */
const SLOW_SECONDS = 20
/** Of the data on which each tool is run once before its clock starts. */
const WARM_SCALE = 0.02
/** Of ours where it is not timed but gives bounds that are close to the least objective. */
const TIGHT = 1e-10
/** Why a tool has no row, by problem; seconds on 2 cores of an AMD EPYC with AVX2. */
const ABSENT: Readonly<Record<string, string>> = {
  B1: 'celer, made for more columns than rows, had not ended after 80 s of processor time, and is left out.',
  B5: 'scikit-learn, whose saga begins each λ where the last one ended, took 18 s of processor time on 10,000 x 50 of this kind, a hundredth, and is left out.',
}

interface Tool {
  readonly name: string
  /** The program and its arguments, to be followed by folder and kind. */
  readonly command: readonly string[]
  /** What comes last. */
  readonly rest?: readonly string[]
  readonly takesMinutes?: boolean
}

/** What quality.py says. */
interface Quality {
  readonly empty: number
  readonly lambdas: readonly number[]
  /** Of each λ, and what none can fall below; null where that is not known. */
  readonly objectives: readonly number[]
  readonly duals: readonly (number | null)[]
  readonly kkt: number
  readonly error?: number
}

interface Measured {
  readonly seconds: readonly number[]
  readonly peaks: readonly number[]
  readonly quality: Quality
  /** As the tool tells it. */
  readonly error: number | null
  readonly version: string
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    quick: { type: 'boolean', default: false },
  },
})
const [python, ...names] = positionals
const unknown = names.find((name) => !PROBLEMS.some((problem) => problem.name === name))
if (python === undefined || unknown !== undefined) {
  const all = PROBLEMS.map(({ name }) => name).join(' ')
  console.error(`usage: npm run bench:linear -- PYTHON [${all}] [--scale 0.1] [--threads 2] [--quick]`)
  process.exit(2)
}
const scale = Number(values.scale)
const here = join(ROOT, 'bench/linear')
const THREADS = Object.fromEntries(
  ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'].map((name) => [name, values.threads]),
)

/** Why there is no glmnet; null where there is. */
const withoutR = await run('Rscript', ['-e', 'library(glmnet)']).then(
  () => null,
  (error: Error) => (/ENOENT/.test(error.message) ? 'there is no Rscript on the PATH' : 'R has no package glmnet'),
)

const oursFor = ({ order }: Problem, ...tolerance: readonly string[]): Tool => ({
  name: 'pare',
  command: [process.execPath, '--import', 'tsx', join(here, 'ours.ts')],
  rest: [order, values.threads, ...tolerance],
})

function toolsFor(problem: Problem): readonly Tool[] {
  const peer = (name: string, tool: string): Tool => ({
    name,
    command: [python!, join(here, 'peers.py')],
    rest: [tool, values.threads],
  })
  const glmnet = (name: string): Tool[] =>
    withoutR === null ? [{ name, command: ['Rscript', join(here, 'glmnet.R')] }] : []
  const peers: Readonly<Record<Kind, readonly Tool[]>> = {
    path: [
      peer('scikit-learn, lasso_path', 'scikit-learn'),
      ...(problem.order === 'column-major' ? [peer('celer, celer_path', 'celer')] : []),
      ...glmnet('glmnet'),
    ],
    cv: [peer('scikit-learn, LassoCV', 'scikit-learn'), ...glmnet('glmnet, cv.glmnet')],
    binomial: glmnet('glmnet'),
    multinomial: [peer('scikit-learn, LogisticRegression', 'scikit-learn')],
    ridge: [{ ...peer('scikit-learn, RidgeCV', 'scikit-learn'), takesMinutes: true }],
  }
  return [oursFor(problem), ...peers[problem.kind].filter(({ takesMinutes }) => !(takesMinutes && values.quick))]
}

function writeData(folder: string, { rows, columns, x, y, lambdas, folds }: Data): void {
  mkdirSync(folder)
  const write = (name: string, shape: readonly number[], data: Float64Array): void =>
    writeArray(join(folder, `${name}.npy`), { shape, data, isFortran: shape.length > 1 })
  write('x', [rows, columns], x)
  write('y', [rows], y)
  write('lambdas', [lambdas.length], lambdas)
  if (folds) write('folds', [rows], folds)
}

/** What the tool tells in its last line. */
interface Told {
  readonly seconds: number
  readonly version: string
  readonly error: number | null
}

async function runTool(
  folder: string,
  kind: Kind,
  { command, rest = [] }: Tool,
): Promise<Told & Pick<Ran, 'peakBytes'>> {
  const [program, ...script] = command
  const { stdout, peakBytes } = await run(program!, [...script, folder, kind, ...rest], THREADS)
  return { ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Told), peakBytes }
}

/** By turns, so that a slow minute of the machine meets them all. */
async function inRounds(folder: string, { name, kind }: Problem, tools: readonly Tool[]) {
  const found = new Map<string, Measured>()
  for (let round = 0; round < ROUNDS; round++)
    for (const tool of tools) {
      const before = found.get(tool.name)
      if (before?.seconds.some((s) => s > SLOW_SECONDS)) continue
      const { seconds, peakBytes, error, version } = await runTool(folder, kind, tool)
      console.log(name, tool.name, seconds.toFixed(2))
      found.set(tool.name, {
        seconds: [...(before?.seconds ?? []), seconds],
        peaks: [...(before?.peaks ?? []), ...(peakBytes === null ? [] : [peakBytes])],
        quality: before?.quality ?? (await qualityOf(folder, kind)),
        error,
        version,
      })
    }
  return found
}

async function qualityOf(folder: string, kind: Kind): Promise<Quality> {
  const { stdout } = await run(python!, [join(here, 'quality.py'), folder, kind])
  return JSON.parse(stdout) as Quality
}

/** How far the objective is above a bound, of the worst λ, as a part of that of the empty model. */
const above = ({ lambdas, objectives, empty }: Quality, bound: (lambda: number) => number): number =>
  Math.max(...objectives.map((f, i) => f - bound(lambdas[i]!))) / empty

const at = (lambda: number, all: readonly Quality[], values: (q: Quality) => readonly (number | null)[]) =>
  all.flatMap((q) => values(q)[q.lambdas.indexOf(lambda)] ?? [])

/** By the dual point that the answer itself gives. */
const gapOf = (q: Quality): number => above(q, (lambda) => at(lambda, [q], ({ duals }) => duals)[0] ?? Number.NaN)

/** By the best of all: a poor dual of one's own belies good coefficients. */
const distanceOf = (q: Quality, all: readonly Quality[]): number =>
  above(q, (lambda) => Math.max(...at(lambda, all, ({ duals }) => duals)))

const excessOf = (q: Quality, all: readonly Quality[]): number =>
  above(q, (lambda) => Math.min(...at(lambda, all, ({ objectives }) => objectives)))

interface Aspect {
  readonly title: string
  readonly of: (m: Measured, all: readonly Quality[]) => string
}

const GAP: Aspect = { title: 'gap', of: ({ quality }) => gapOf(quality).toExponential(1) }
const DISTANCE: Aspect = { title: 'to the least', of: ({ quality }, all) => distanceOf(quality, all).toExponential(1) }
const EXCESS: Aspect = { title: 'to the least', of: ({ quality }, all) => excessOf(quality, all).toExponential(1) }
const KKT: Aspect = { title: 'KKT ÷ λ', of: ({ quality }) => quality.kkt.toExponential(1) }
const CHOSEN: Aspect = { title: 'chosen λ', of: ({ quality }) => significant(quality.lambdas.at(-1)!, 4) }
const ERROR: Aspect = { title: 'its error', of: ({ error }) => significant(error ?? Number.NaN, 9) }
const LEFT_OUT: Aspect = { title: 'recomputed', of: ({ quality }) => significant(quality.error ?? Number.NaN, 9) }

const ASPECTS: Readonly<Record<Kind, readonly Aspect[]>> = {
  path: [GAP, DISTANCE, KKT],
  cv: [GAP, KKT, CHOSEN, ERROR],
  binomial: [GAP, DISTANCE, KKT],
  multinomial: [EXCESS, KKT],
  ridge: [GAP, CHOSEN, ERROR, LEFT_OUT],
}

async function sectionFor(problem: Problem) {
  const folder = mkdtempSync(join(tmpdir(), 'pare-linear-'))
  try {
    writeData(join(folder, 'warm'), await problem.make(WARM_SCALE * Math.min(1, 10 * scale)))
    const data = await problem.make(scale)
    writeData(join(folder, 'problem'), data)
    mkdirSync(join(folder, 'found'))
    const tools = toolsFor(problem)
    const found = await inRounds(folder, problem, tools)
    const all = [...found.values()].map((m) => m.quality)
    if (problem.kind !== 'cv' && problem.kind !== 'ridge') {
      await runTool(folder, problem.kind, oursFor(problem, String(TIGHT)))
      all.push(await qualityOf(folder, problem.kind))
    }
    const own = median(found.get('pare')!.seconds)
    const aspects = ASPECTS[problem.kind]
    const rows = [...found].map(([name, measured]) => [
      name,
      median(measured.seconds).toFixed(2),
      name === 'pare' ? '' : `${(median(measured.seconds) / own).toFixed(2)}x`,
      measured.peaks.length === 0 ? '' : megabytes(median(measured.peaks)),
      ...aspects.map(({ of }) => of(measured, all)),
    ])
    const isPath = problem.kind === 'path' || problem.kind === 'binomial'
    const short = [...found].filter(([, m]) => isPath && m.quality.lambdas.length < data.lambdas.length)
    const notes = [
      ...short.map(([name, { quality }]) => `${name} stopped after ${quality.lambdas.length} λ.`),
      ...(ABSENT[problem.name] === undefined ? [] : [ABSENT[problem.name]]),
    ]
    return {
      section: {
        heading: problem.name,
        text: [`${problem.about}.`, ...notes].join(' '),
        table: table(['tool', 'seconds', 'its time ÷ ours', 'peak MiB', ...aspects.map(({ title }) => title)], rows),
      },
      versions: Object.fromEntries([...found].map(([name, { version }]) => [name.split(',')[0]!, version])),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const chosen = PROBLEMS.filter(({ name }) => names.length === 0 || names.includes(name))
const done = []
for (const problem of chosen) done.push(await sectionFor(problem))
const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
const report: Report = {
  title: 'Time of linear models',
  about: [
    `The same data and the same λ for all tools, ${values.threads} threads, X as float64 in memory in the order that the tool wants. Median of ${ROUNDS} fresh processes (one alone where it takes over ${SLOW_SECONDS} s), the tools by turns, in seconds, each after a run on small data that is left out. "Peak" is all that the process ever held, X and the language included.`,
    `How good the answers are is recomputed in float64 from X and the coefficients, for all tools by the same lines (\`bench/linear/quality.py\`), and is that of the worst λ, objectives as a part of that of the empty model. "Gap" is the duality gap that the answer proves by itself; "to the least" an upper bound of how far its objective is from the least one, by the best dual point that any answer gives, that of pare at a tolerance of ${TIGHT} among them (B6: by the least objective of all); "KKT ÷ λ" the largest violation of the optimality conditions. scikit-learn, celer and pare stop at a gap of 1e-5; glmnet, which knows no gap, at its default threshold; scikit-learn's logistic regression at its default tolerance.`,
    ...(withoutR === null ? [] : [`glmnet is left out: ${withoutR}.`]),
  ],
  versions: Object.assign({ 'onnxruntime-node': runtime.version }, ...done.map(({ versions }) => versions)) as Record<
    string,
    string
  >,
  sections: done.map(({ section }) => section),
}
const isWhole = scale === 1 && !values.quick && chosen.length === PROBLEMS.length
if (isWhole) writeReport(join(import.meta.dirname, 'linear.md'), report)
else console.log(markdown(report))
