/**
 * `npm run bench:fronts [-- MODEL… --minutes 8 --recover 40 --work DIR]`: what all levers reach on the eleven models within
 * 1 % of error, beside what quantization alone reaches. Half of the samples judge in the search, and others that neither saw
 * judge at the end. Each step leaves its results in the work folder, and a run that was cut off goes on there.
 * Writes bench/fronts.md.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { take } from '../src/data/split.js'
import type { Engine } from '../src/engine/engine.js'
import { openEngine } from '../src/engine/node/open.js'
import { applyRecipe, type CompressOptions, compress, readModel } from '../src/node.js'
import { isMeasured, type Measured } from '../src/search/choose.js'
import type { TrialResult } from '../src/search/trial.js'
import { type FrontResults, sections } from './fronts/report.js'
import { writeReport } from './markdown.js'
import { type Made, type Source, withoutLabels } from './models/make.js'
import { type Judged, judge, type Subject, type Timed, timeTogether } from './models/measure.js'
import { memo, recall } from './models/memo.js'
import { MODEL_SAMPLES, samplesFor } from './samples/index.js'
import { CLASS_SCORES } from './samples/scores.js'
import { requiredPath } from './samples/types.js'

const MAX_DROP = 0.01
/** Samples of a search, half of which judge: fewer of models that take long for each. */
const COUNT: Readonly<Record<string, number>> = {
  'dnsmos-sig-bak-ovr': 40,
  'ultraface-slim-320': 240,
  'ultraface-rfb-320': 240,
  'yunet-n-320': 240,
  'openseeface-mnv3-detection': 240,
  'magika-v3.3': 800,
  'mnist-cntk': 6000,
  'go1-policy': 8000,
}
const USUAL_COUNT = 1200
/** Times the minutes, of what runs so slowly that quantization alone takes them all. */
const LONGER: Readonly<Record<string, number>> = { 'dnsmos-sig-bak-ovr': 2 }
const HELD_OUT = 300

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '8' },
    recover: { type: 'string', default: '40' },
    work: { type: 'string', default: join(tmpdir(), 'pare-bench-fronts') },
    out: { type: 'string', default: join(import.meta.dirname, 'fronts.md') },
  },
})
const models = positionals.length > 0 ? positionals : MODEL_SAMPLES.map(({ model }) => model)
const work = join(values.work, `${values.minutes} minutes, recovery ${values.recover} s`)
const size = (t: Measured): number => t.bytes
const time = (t: Measured): number => t.latency.ratio
const isUnmixed = ({ trial }: Measured): boolean => !trial.name.startsWith('mixed precision')
const SEARCHES: readonly Search[] = [
  {
    step: 'quantization for size',
    folder: 'compress-for-size-drop-0.01.run',
    options: { for: 'size' },
    picks: [
      { name: 'quantization alone, smallest', of: size, among: isUnmixed },
      { name: 'mixed precision, smallest', of: size },
    ],
  },
  {
    step: 'quantization for latency',
    folder: 'compress-for-latency-drop-0.01.run',
    options: { for: 'latency' },
    picks: [{ name: 'quantization alone, fastest', of: time }],
  },
  {
    step: 'front',
    folder: 'front.run',
    options: { for: 'size', recover: Number(values.recover) },
    minutes: Number(values.minutes),
    picks: [
      { name: 'all levers, smallest', of: size },
      { name: 'all levers, fastest', of: time },
    ],
  },
]
for (const model of models) await memo(join(work, model), 'results', () => resultsOf(model))
const results = MODEL_SAMPLES.flatMap(({ model }) => recall<FrontResults>(join(work, model), 'results') ?? [])
const require = createRequire(import.meta.url)
writeReport(values.out, {
  title: 'Eleven models, all levers',
  about: [
    `Models that nobody here trained, within ${100 * MAX_DROP} % of loss: of class scores the part whose first class changed, of other outputs the relative L2 error of the worst. "Quantization alone" is what \`compress\` for size and for latency finds without \`--minutes\` and without mixed precision: integers and stores rounded to the nearest, with layers in float where quality breaks; of what it measured within the loss the smallest and the fastest, as of the others. "Mixed precision" is that for size with each layer's bits chosen. "All levers" is \`compress --minutes ${values.minutes} --recover ${values.recover}s\` (of ${Object.keys(LONGER).join(' and ')} twice the minutes). All see the same samples without labels, real ones with seeded crops, mirror images or jitter, half of which judge; photographs and stretches of sound are in one half alone, but for the clips of dnsmos, which overlap. Loss is that on the judging half, and behind it that on samples that neither half holds. One thread; the files and the original are timed by turns.`,
  ],
  versions: { 'onnxruntime-node': (require('onnxruntime-node/package.json') as { version: string }).version },
  sections: sections(results),
})
process.exit(0)

async function resultsOf(model: string): Promise<FrontResults> {
  const folder = join(work, model)
  const { calibration, many, heldout } = samplesFor(model)
  const path = requiredPath(`models/${model}.onnx`)
  const scores = CLASS_SCORES[model]
  const source: Source = {
    path,
    samples: many?.(COUNT[model] ?? USUAL_COUNT) ?? calibration,
    folder,
    ...(scores !== undefined && { scores: scores.output }),
  }
  const made: Made[] = []
  for (const { step, folder: run, options: usual, minutes, picks } of SEARCHES) {
    const options = { ...usual, ...(minutes !== undefined && { minutes: minutes * (LONGER[model] ?? 1) }) }
    made.push(...(await memo(folder, step, () => picked(source, run, options, picks))))
  }
  const [native, wasm] = [await openEngine({ threads: 1 }), await openEngine({ device: 'wasm', threads: 1 })]
  try {
    const subjects = [{ id: 'original', path }, ...made.flatMap(subjectOf)]
    const judged = await memo<readonly Judged[]>(folder, 'judged', () =>
      judge(path, subjects, { native, wasm, heldOut: take(heldout, HELD_OUT), scores: scores ?? null }),
    )
    const timed = await memo<readonly Timed[]>(folder, 'timed', () => timeTogether(native, subjects, heldout, 20_000))
    return { model, original: readFileSync(path).byteLength, made, judged, timed }
  } finally {
    await closeAll(native, wasm)
  }
}

function subjectOf({ name, file }: Made): readonly Subject[] {
  return file === null ? [] : [{ id: name, path: file.path }]
}

async function closeAll(...engines: readonly Engine[]): Promise<void> {
  for (const engine of engines) await engine.close()
}

/** Of what a search measured within the loss, the least by some measure; it may be slower than the original. */
interface Pick {
  readonly name: string
  of(t: Measured): number
  among?(t: Measured): boolean
}

interface Search {
  readonly step: string
  readonly folder: string
  readonly options: CompressOptions
  readonly minutes?: number
  readonly picks: readonly Pick[]
}

/** One search; what it finds. */
async function picked(
  { path, samples, scores, folder }: Source,
  run: string,
  options: CompressOptions,
  picks: readonly Pick[],
): Promise<readonly Made[]> {
  const start = performance.now()
  const original = new Uint8Array(readFileSync(path))
  const model = await readModel(path)
  const given = { original, samples: withoutLabels(samples), threads: 1 }
  const { outcome } = await compress(model, {
    ...given,
    ...options,
    maxDrop: MAX_DROP,
    runFolder: join(folder, run),
    resume: true,
    ...(scores !== undefined && { scores }),
  })
  const seconds = (performance.now() - start) / 1000
  const kept = outcome.trials.filter(isMeasured).filter((t) => t.quality !== undefined && t.quality.drop <= MAX_DROP)
  const made: Made[] = []
  for (const { name, of, among = () => true } of picks) {
    const best = kept.filter(among).toSorted((a, b) => of(a) - of(b))[0]
    if (best === undefined) {
      made.push({ name, file: null, note: outcome.verdict, seconds })
      continue
    }
    const { steps, seed } = best.trial
    const { bytes } = await applyRecipe(model, { version: 1, steps, seed, samples: true }, given)
    made.push({ name, file: keep(folder, name, bytes), note: noteOf(best), seconds })
  }
  return made
}

function noteOf({ trial: { name }, quality }: TrialResult): string {
  return `${name} (loss ${quality!.drop.toPrecision(2)})`
}

function keep(folder: string, name: string, bytes: Uint8Array): NonNullable<Made['file']> {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name.replaceAll(/[^a-z]+/g, '-')}.onnx`)
  writeFileSync(path, bytes)
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}
