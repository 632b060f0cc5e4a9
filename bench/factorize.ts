/**
 * `npm run bench:factorize`: layers of real models taken apart: bytes, time and error of the outputs on samples held out,
 * against the energy that each layer keeps, and at one size with and without samples; writes bench/factorize.md and its
 * figure. Names of models restrict the table to these, and it is not written then.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareModel } from '../src/compress/prepare.js'
import { withStates } from '../src/data/state.js'
import { comparison } from '../src/engine/compare.js'
import { ratio } from '../src/engine/timing.js'
import {
  type Engine,
  encodeModel,
  type FactorizeOptions,
  type Feeds,
  factorize,
  type Model,
  openEnv,
  PareError,
  readModel,
  type Samples,
  take,
} from '../src/node.js'
import { lines, type Series } from '../src/report/svg/lines.js'
import { percent, significant } from '../src/util/format.js'
import { table, writeReport } from './markdown.js'
import { samplesFor } from './samples/index.js'
import { requiredPath } from './samples/types.js'
import { standalone } from './standalone.js'

interface Case {
  readonly model: string
  /** That the layers are cut by. */
  readonly samples: number
}

const CASES: readonly Case[] = [
  { model: 'magika-v3.3', samples: 24 },
  { model: 'dnsmos-sig-bak-ovr', samples: 4 },
  { model: 'dtln-1', samples: 64 },
  { model: 'go1-policy', samples: 500 },
  { model: 'ultraface-slim-320', samples: 12 },
]

/** Samples that judge. */
const JUDGED = 24

const WAYS: readonly { readonly title: string; readonly isAware: boolean; readonly options: FactorizeOptions }[] = [
  { title: 'svd, energy 0.99', isAware: true, options: { energy: 0.99 } },
  { title: 'svd, energy 0.95', isAware: true, options: { energy: 0.95 } },
  { title: 'svd, energy 0.95, where faster', isAware: true, options: { energy: 0.95, for: 'latency' } },
  { title: 'svd, half the parameters', isAware: true, options: { rank: 'ratio', ratio: 0.5 } },
  { title: 'svd, half, without samples', isAware: false, options: { rank: 'ratio', ratio: 0.5 } },
  { title: 'tucker, half the parameters', isAware: true, options: { method: 'tucker', rank: 'ratio', ratio: 0.5 } },
  { title: 'fewest, half the parameters', isAware: true, options: { method: 'fewest', rank: 'ratio', ratio: 0.5 } },
]

interface Judge {
  readonly original: Model
  readonly feeds: readonly Feeds[]
  readonly answers: readonly Feeds[]
}

async function judgeOf(original: Model, heldout: Samples, engine: Engine): Promise<Judge> {
  const session = await engine.load(encodeModel(original).bytes)
  const feeds: Feeds[] = []
  const answers: Feeds[] = []
  for await (const sample of withStates(take(heldout, JUDGED), session).read()) {
    feeds.push(sample.feeds)
    answers.push(await session.run(sample.feeds))
  }
  await session.close()
  return { original, feeds, answers }
}

/** Relative error of the worst output, and time over that of the original. */
async function judged(model: Model, { original, feeds, answers }: Judge, engine: Engine) {
  const [before, after] = [encodeModel(original).bytes, encodeModel(model).bytes]
  const session = await engine.load(after)
  const sums = comparison()
  for (const [i, feed] of feeds.entries()) sums.add(answers[i]!, await session.run(feed))
  await session.close()
  const [a, b] = await engine.measure([before, after], feeds.slice(0, 4), { budgetMs: 2000, patience: 2 })
  const error = Math.max(...[...sums.differences().values()].map((d) => d.relativeL2))
  return { smaller: before.byteLength / after.byteLength, error, time: ratio(a!.runs, b!.runs) }
}

async function measure({ model: name, samples }: Case, engine: Engine): Promise<readonly (readonly string[])[]> {
  const env = openEnv({ engine })
  const original = await prepareModel(await readModel(requiredPath(`models/${name}.onnx`)), env)
  const { calibration, many, heldout } = samplesFor(name)
  const seen = many?.(samples) ?? take(calibration, samples)
  const judge = await judgeOf(original, heldout, engine)
  const rows: (readonly string[])[] = []
  for (const { title, isAware, options } of WAYS) {
    const made = await factorize(original, { ...options, ...(isAware && { samples: seen }) }, env).catch(
      (error: unknown) => {
        if (error instanceof PareError && error.code === 'FACTORIZE_NOTHING') return null
        throw error
      },
    )
    if (made === null) rows.push([name, title, 'none', '', '', ''])
    else {
      const { smaller, error, time } = await judged(made.model, judge, engine)
      const apart = made.layers.filter(({ isSplit }) => isSplit).length
      rows.push([
        name,
        title,
        `${apart} of ${made.layers.length}`,
        `${smaller.toFixed(2)}x`,
        `${time.ratio.toFixed(2)} (${time.low.toFixed(2)} to ${time.high.toFixed(2)})`,
        percent(error, 1),
      ])
    }
    console.log(rows.at(-1)!.join('  '))
  }
  return rows
}

const SHOWN = 'dtln-1'
const KEPT = [80, 60, 40, 20]

/** The error of one model against the parameters that are left, with samples and without. */
async function figureOf(engine: Engine): Promise<string> {
  const env = openEnv({ engine })
  const original = await prepareModel(await readModel(requiredPath(`models/${SHOWN}.onnx`)), env)
  const { calibration, heldout } = samplesFor(SHOWN)
  const judge = await judgeOf(original, heldout, engine)
  const aware = { samples: take(calibration, 64) }
  const series: Series[] = []
  for (const [i, name] of ['with samples', 'without'].entries()) {
    const points: { x: number; y: number }[] = []
    for (const x of KEPT.toReversed()) {
      const options = { rank: 'ratio', ratio: x / 100, ...(i === 0 && aware) } as const
      const { model } = await factorize(original, options, env)
      points.push({ x, y: 100 * (await judged(model, judge, engine)).error })
    }
    series.push({ name, kind: `hue${i}`, points })
  }
  const chart = lines({
    id: 'factorize',
    width: 760,
    height: 360,
    title: `Error of ${SHOWN} against the parameters of its products that are left`,
    description: `The relative error of the worst output on ${JUDGED} held-out samples, factorized with samples and without.`,
    xTitle: '% of the parameters left',
    yTitle: 'error of the worst output, %',
    format: (v) => significant(v, 2),
    series,
  })
  return standalone(chart)
}

const env = openEnv({ threads: 1 })
const engine = await env.engine()
const wanted = process.argv.slice(2)
const rows: (readonly string[])[] = []
for (const entry of CASES.filter(({ model }) => wanted.length === 0 || wanted.includes(model)))
  rows.push(...(await measure(entry, engine)))
const { name, version } = engine
writeFileSync(join(import.meta.dirname, 'factorize.svg'), await figureOf(engine))
await env.close()
if (wanted.length === 0) {
  const counts = CASES.map(({ model, samples }) => `${samples} for ${model}`).join(', ')
  writeReport(join(import.meta.dirname, 'factorize.md'), {
    title: 'Layers of low rank',
    about: [
      `What \`pare factorize\` makes of models that nobody trained to be of low rank, without any training after it. Layers are cut by real samples (${counts}), or without any; the error is the relative L2 error of the worst output on ${JUDGED} samples that were not among them. Bytes are against the model that is cleaned but whole; time is that of a run over the whole model’s, measured by turns at one thread, with its 95 % interval. A layer counts where it could be taken apart at all: recurrent layers, grouped convolutions and weights inside branches do not.`,
    ],
    versions: { [name]: version },
    sections: [
      { text: `![Error of ${SHOWN} against the parameters left](factorize.svg)` },
      { table: table(['model', 'how', 'layers apart', 'smaller', 'time', 'error'], rows) },
    ],
  })
}
