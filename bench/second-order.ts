/**
 * `npm run bench:second-order`: what weights that are chosen by what layers see are worth on real models, as the error of
 * the outputs on held-out samples; writes bench/second-order.md and its figures. Nothing is timed.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { prepareModel } from '../src/compress/prepare.js'
import { applySteps, type RecipeStep } from '../src/compress/recipes.js'
import type { TransformEnv } from '../src/compress/transform.js'
import type { Samples } from '../src/data/samples.js'
import { draw } from '../src/data/split.js'
import { comparison } from '../src/engine/compare.js'
import type { Engine } from '../src/engine/engine.js'
import { openEngine } from '../src/engine/node/open.js'
import type { Model } from '../src/ir/types.js'
import { decodeModel, encodeModel } from '../src/onnx/codec.js'
import { lines, type Series } from '../src/report/svg/lines.js'
import { significant } from '../src/util/format.js'
import { table, writeReport } from './markdown.js'
import { samplesFor } from './samples/index.js'
import { requiredPath } from './samples/types.js'
import { standalone } from './standalone.js'

interface Variant {
  readonly name: string
  readonly steps: readonly RecipeStep[]
}

const variant = (name: string, transform: string, params: Readonly<Record<string, unknown>> = {}): Variant => ({
  name,
  steps: [{ transform, params }],
})

const sparse = (params: Readonly<Record<string, unknown>>): readonly Variant[] =>
  ['magnitude', 'wanda', 'sparsegpt'].map((way) => variant(way, `sparsify/${way}`, params))
const rounded = (transform: string): readonly Variant[] =>
  ['nearest', 'gptq', 'adaround'].map((rounding) => variant(rounding, transform, { rounding }))

const SECTIONS: readonly { readonly heading: string; readonly variants: readonly Variant[] }[] = [
  { heading: 'Half of the weights zero', variants: sparse({ ratio: 0.5 }) },
  { heading: 'Weights stored as int4 in blocks of 32', variants: rounded('store/int4') },
]

const MODELS = ['mnist-cntk', 'ultraface-slim-320', 'dtln-1']
const SEEN = 64
const HELD_OUT = 32

interface Subject {
  readonly model: Model
  readonly env: TransformEnv
  readonly heldOut: Samples
}

async function open(name: string, engine: Engine): Promise<Subject> {
  const { calibration, heldout } = samplesFor(name)
  const env = { engine: async () => engine, seed: 0 }
  const model = await prepareModel(decodeModel(readFileSync(requiredPath(`models/${name}.onnx`))), env)
  return { model, env: { ...env, samples: await some(calibration, SEEN) }, heldOut: await some(heldout, HELD_OUT) }
}

/** So many of the samples, from all over them. */
async function some(samples: Samples, n: number): Promise<Samples> {
  let { count } = samples
  if (count === null) {
    count = 0
    for await (const _ of samples.read()) count++
  }
  return draw({ ...samples, count }, n)
}

/** Relative L2 error of the outputs on held-out samples, root mean square over the outputs. */
async function errorOf({ model, heldOut }: Subject, candidate: Model, engine: Engine): Promise<number> {
  const [a, b] = [await engine.load(encodeModel(model).bytes), await engine.load(encodeModel(candidate).bytes)]
  const sums = comparison()
  for await (const { feeds } of heldOut.read()) sums.add(await a.run(feeds), await b.run(feeds))
  await a.close()
  await b.close()
  const errors = [...sums.differences().values()].map((d) => d.relativeL2)
  return Math.sqrt(errors.reduce((n, e) => n + e * e, 0) / errors.length)
}

interface Figure {
  readonly id: string
  readonly title: string
  readonly xTitle: string
  /** By name of the way: what is tried at each x. */
  readonly ways: Readonly<Record<string, (x: number) => Variant>>
  readonly xs: readonly number[]
}

/** The model of which figures are made, and how many samples a recovery learns from. */
const SHOWN = 'mnist-cntk'
const LEARNED = 1000

const zeros = (way: string) => (x: number) => variant(way, `sparsify/${way}`, { ratio: x / 100 })
/** Biases are kept in float16. */
const bits = (rounding: string) => (x: number) =>
  variant(rounding, `store/int${x}`, { ...(x < 8 && { range: 'absmax' }), rounding })
const recovered = (x: number): Variant => ({
  name: 'recovered',
  steps: [
    { transform: 'recover/distill', params: { grid: `store-int${x}`, steps: 1500, learningRate: 3e-4 } },
    ...bits('nearest')(x).steps,
  ],
})

const FIGURES: readonly Figure[] = [
  {
    id: 'second-order-zeros',
    title: `Error of ${SHOWN} against the weights that are zero`,
    xTitle: '% of the weights that are zero',
    ways: {
      magnitude: zeros('magnitude'),
      wanda: zeros('wanda'),
      sparsegpt: zeros('sparsegpt'),
    },
    xs: [30, 40, 50, 60, 70, 80],
  },
  {
    id: 'second-order-bits',
    title: `Error of ${SHOWN} against the bits of a weight`,
    xTitle: 'bits a weight',
    ways: {
      nearest: bits('nearest'),
      gptq: bits('gptq'),
      adaround: bits('adaround'),
      recovered,
    },
    xs: [2, 3, 4, 8],
  },
]

/** Draws the figure, and returns its numbers as a table. */
async function shown({ id, title, xTitle, ways, xs }: Figure, subject: Subject, engine: Engine): Promise<string> {
  const { many, calibration } = samplesFor(SHOWN)
  const env = { ...subject.env, teacher: subject.model, training: many?.(LEARNED) ?? calibration }
  const rows: string[][] = []
  const series: Series[] = []
  for (const [i, [name, of]] of Object.entries(ways).entries()) {
    const points: { x: number; y: number }[] = []
    for (const x of xs) {
      const candidate = await applySteps(subject.model, of(x).steps, env)
      points.push({ x, y: 100 * (await errorOf(subject, candidate, engine)) })
      console.log(id, name, x, points.at(-1)!.y.toPrecision(3))
    }
    series.push({ name, kind: `hue${i}`, points })
    rows.push([name, ...points.map(({ y }) => `${y.toPrecision(3)} %`)])
  }
  const chart = lines({
    ...{ id, title, xTitle, series, width: 760, height: 380 },
    description: `The relative error of the outputs on ${HELD_OUT} held-out samples, for ${Object.keys(ways).join(', ')}.`,
    yTitle: 'error of the outputs, %',
    format: (v) => significant(v, 2),
  })
  writeFileSync(join(import.meta.dirname, `${id}.svg`), standalone(chart))
  return table([xTitle, ...xs.map(String)], rows)
}

const engine = await openEngine({ threads: 1 })
try {
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const subjects = new Map<string, Subject>()
  for (const name of MODELS) subjects.set(name, await open(name, engine))
  const sections = []
  for (const { heading, variants } of SECTIONS) {
    const rows: string[][] = []
    for (const { name, steps } of variants) {
      const cells: string[] = [name]
      for (const [model, subject] of subjects) {
        const told: string[] = []
        const report = (message: string): void => {
          told.push(message)
        }
        const candidate = await applySteps(subject.model, steps, { ...subject.env, report })
        const error = await errorOf(subject, candidate, engine)
        const stood = / for (\d+ of \d+) weight/.exec(told.join())?.[1]
        console.log(`${heading}: ${name}: ${model}: ${error.toPrecision(3)} ${told.join()}`)
        cells.push(`${(100 * error).toPrecision(3)} %`, stood ?? '')
      }
      rows.push(cells)
    }
    sections.push({ heading, table: table(['', ...MODELS.flatMap((name) => [name, 'stood'])], rows) })
  }
  for (const figure of FIGURES) {
    const text = `![${figure.title}](${figure.id}.svg)`
    sections.push({ heading: figure.title, text, table: await shown(figure, subjects.get(SHOWN)!, engine) })
  }
  writeReport(join(import.meta.dirname, 'second-order.md'), {
    title: 'Weights chosen by what layers see',
    about: [
      `Relative L2 error of the outputs (root mean square over the outputs) against the float model, on ${HELD_OUT} held-out samples. The methods see up to ${SEEN} other samples, half of which judge: "stood" is for how many weights the method stayed, which is where it did better there than the plain way. "Recovered" is \`recover/distill\` with 1500 steps on ${LEARNED} samples, weights rounded in the forward pass.`,
    ],
    versions: { 'onnxruntime-node': runtime.version },
    sections,
  })
} finally {
  await engine.close()
}
