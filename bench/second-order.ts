/**
 * `npm run bench:second-order`: what weights that are chosen by what layers see are worth on real models, as the error of
 * the outputs on held-out samples; writes bench/second-order.md. Nothing is timed.
 */

import { readFileSync } from 'node:fs'
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
import { table, writeReport } from './markdown.js'
import { samplesFor } from './samples/index.js'
import { requiredPath } from './samples/types.js'

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
  writeReport(join(import.meta.dirname, 'second-order.md'), {
    title: 'Weights chosen by what layers see',
    about: [
      `Relative L2 error of the outputs (root mean square over the outputs) against the float model, on ${HELD_OUT} held-out samples. The methods see up to ${SEEN} other samples, half of which judge: "stood" is for how many weights the method stayed, which is where it did better there than the plain way.`,
    ],
    versions: { 'onnxruntime-node': runtime.version },
    sections,
  })
} finally {
  await engine.close()
}
