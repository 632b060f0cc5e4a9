/**
 * `npm run bench:quantize-depth`: what equalization, bias correction and ranges are worth on real models, as the error
 * of the outputs on held-out samples; writes bench/quantize-depth.md. Nothing is timed.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { prepareModel } from '../src/compress/prepare.js'
import { calibrateUnits } from '../src/compress/quantize/calibrate-units.js'
import { applySteps, type RecipeStep } from '../src/compress/recipes.js'
import type { TransformEnv } from '../src/compress/transform.js'
import type { Samples } from '../src/data/samples.js'
import { take } from '../src/data/split.js'
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

const step = (transform: string, params: Readonly<Record<string, unknown>> = {}): RecipeStep => ({ transform, params })

const PREPARED: readonly (readonly [string, readonly RecipeStep[]])[] = [
  ['', []],
  [', equalized', [step('equalize/weights')]],
]

/** Static int8 with one scale a weight, or one a channel. */
const STATIC: readonly Variant[] = [false, true].flatMap((perChannel) =>
  PREPARED.flatMap(([name, before]) => {
    const steps = [...before, step('quantize/static', { perChannel })]
    const plain = `int8 ${perChannel ? 'per channel' : 'per tensor'}${name}`
    return [{ name: plain, steps }]
  }),
)

const HELD_OUT = 28
const CALIBRATION = 64

interface Subject {
  readonly model: Model
  readonly env: TransformEnv
  readonly heldOut: Samples
}

async function open(name: string, engine: Engine): Promise<Subject> {
  const samples = samplesFor(name)
  const seen = take(samples.calibration, CALIBRATION)
  const env = { engine: async () => engine, seed: 0 }
  const model = await prepareModel(decodeModel(readFileSync(requiredPath(`models/${name}.onnx`))), env)
  const calibration = await calibrateUnits(model, seen, env)
  return {
    model,
    env: { ...env, samples: seen, teacher: model, ...(calibration && { calibration }) },
    heldOut: take(samples.heldout, HELD_OUT),
  }
}

/** Relative L2 error of each output on the held-out samples: the worst and their root mean square. */
async function errorOf({ model, heldOut }: Subject, candidate: Model, engine: Engine) {
  const [a, b] = [await engine.load(encodeModel(model).bytes), await engine.load(encodeModel(candidate).bytes)]
  const sums = comparison()
  for await (const { feeds } of heldOut.read()) sums.add(await a.run(feeds), await b.run(feeds))
  await a.close()
  await b.close()
  const errors = [...sums.differences().values()].map((d) => d.relativeL2)
  return { worst: Math.max(...errors), rms: Math.sqrt(errors.reduce((n, e) => n + e * e, 0) / errors.length) }
}

async function rowsOf(names: readonly string[], variants: readonly Variant[], engine: Engine) {
  const columns: string[][] = []
  for (const name of names) {
    const subject = await open(name, engine)
    const cells: string[] = []
    for (const { name: variant, steps } of variants) {
      const candidate = await applySteps(subject.model, steps, subject.env)
      const { worst, rms } = await errorOf(subject, candidate, engine)
      const bytes = encodeModel(candidate).byteLength
      console.log(`${name}: ${variant}: ${worst.toPrecision(3)} ${rms.toPrecision(3)} ${bytes}`)
      cells.push(`${(100 * rms).toPrecision(3)} %`)
    }
    columns.push(cells)
  }
  return table(
    ['', ...names],
    variants.map(({ name }, v) => [name, ...columns.map((cells) => cells[v]!)]),
  )
}

const engine = await openEngine({ threads: 1 })
try {
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const fixed = await rowsOf(
    ['yunet-n-320', 'openseeface-mnv3-detection', 'ultraface-slim-320', 'ultraface-rfb-320'],
    STATIC,
    engine,
  )
  writeReport(join(import.meta.dirname, 'quantize-depth.md'), {
    title: 'Quantization in depth',
    about: [
      `Relative L2 error of the outputs (root mean square over the outputs) against the float model, on ${HELD_OUT} held-out samples; ${CALIBRATION} other samples calibrate.`,
    ],
    versions: { 'onnxruntime-node': runtime.version },
    sections: [{ heading: 'Static int8', table: fixed }],
  })
} finally {
  await engine.close()
}
