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
import { take } from '../src/data/split.js'
import { comparison } from '../src/engine/compare.js'
import type { Engine, Feeds } from '../src/engine/engine.js'
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

const CORRECT = step('quantize/bias-correction', { samples: 16 })

/** Static int8 with one scale a weight, or one a channel. */
const STATIC: readonly Variant[] = [false, true].flatMap((perChannel) =>
  [false, true].flatMap((isEqualized) => {
    const name = `${perChannel ? 'per channel' : 'per tensor'}${isEqualized ? ', equalized' : ''}`
    const steps = [...(isEqualized ? [step('equalize/weights')] : []), step('quantize/static', { perChannel })]
    return [
      { name, steps },
      { name: `${name}, biases corrected`, steps: [...steps, CORRECT] },
    ]
  }),
)

const RANGES = ['absmax', 'mse', 'hqq'] as const

interface Stored {
  readonly bits: number
  readonly zeroPoints: boolean
  readonly range: (typeof RANGES)[number]
}

/** Biases stay as they are: in 4 bits they alone cost ultraface-slim half of its error. */
const LEAST = 512

/** Weights stored in blocks of 32. */
const STORED: readonly Stored[] = [4, 3, 2].flatMap((bits) =>
  [false, true].flatMap((zeroPoints) => RANGES.map((range) => ({ bits, zeroPoints, range }))),
)

const HELD_OUT = 14
const CALIBRATION = 32

interface Subject {
  readonly model: Model
  readonly env: TransformEnv
  /** Held-out inputs, with what the float model answers. */
  readonly heldOut: readonly { readonly feeds: Feeds; readonly outputs: Feeds }[]
}

async function open(name: string, engine: Engine): Promise<Subject> {
  const samples = samplesFor(name)
  const seen = take(samples.calibration, CALIBRATION)
  const env = { engine: async () => engine, seed: 0 }
  const model = await prepareModel(decodeModel(readFileSync(requiredPath(`models/${name}.onnx`))), env)
  const calibration = await calibrateUnits(model, seen, env, 'range')
  const session = await engine.load(encodeModel(model).bytes)
  const heldOut: { feeds: Feeds; outputs: Feeds }[] = []
  for await (const { feeds } of take(samples.heldout, HELD_OUT).read()) {
    heldOut.push({ feeds, outputs: await session.run(feeds) })
  }
  await session.close()
  return { model, env: { ...env, samples: seen, teacher: model, ...(calibration && { calibration }) }, heldOut }
}

/** Root mean square over the outputs of their relative L2 errors on the held-out samples. */
async function errorOf({ heldOut }: Subject, candidate: Model, engine: Engine): Promise<number> {
  const session = await engine.load(encodeModel(candidate).bytes)
  const sums = comparison()
  for (const { feeds, outputs } of heldOut) sums.add(outputs, await session.run(feeds))
  await session.close()
  const errors = [...sums.differences().values()].map((d) => d.relativeL2)
  return Math.sqrt(errors.reduce((n, e) => n + e * e, 0) / errors.length)
}

const percent = (error: number): string => `${(100 * error).toPrecision(3)} %`

/** A column a model: the error of each way to make a candidate of it. */
async function columnsOf<T>(
  names: readonly string[],
  ways: readonly T[],
  make: (subject: Subject, way: T) => Promise<Model>,
) {
  const columns: string[][] = []
  for (const name of names) {
    const subject = await open(name, engine)
    const cells: string[] = []
    for (const way of ways) {
      cells.push(percent(await errorOf(subject, await make(subject, way), engine)))
      console.log(name, JSON.stringify(way), cells.at(-1))
    }
    columns.push(cells)
  }
  return ways.map((_, v) => columns.map((cells) => cells[v]!))
}

const FIXED = ['yunet-n-320', 'openseeface-mnv3-detection']
const WEIGHTS = ['mnist-cntk', 'ultraface-slim-320', 'dtln-1']

const engine = await openEngine({ threads: 1 })
try {
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const fixed = await columnsOf(FIXED, STATIC, ({ model, env }, { steps }) => applySteps(model, steps, env))
  const stored = await columnsOf(WEIGHTS, STORED, ({ model, env }, { bits, ...params }) =>
    applySteps(model, [step(`store/int${bits}`, { ...params, minElements: LEAST })], env),
  )
  writeReport(join(import.meta.dirname, 'quantize-depth.md'), {
    title: 'Quantization in depth',
    about: [
      `Relative L2 error of the outputs (root mean square over the outputs) against the float model, on ${HELD_OUT} held-out samples; ${CALIBRATION} other samples calibrate, and biases are corrected on the first 16 of them.`,
    ],
    versions: { 'onnxruntime-node': runtime.version },
    sections: [
      {
        heading: 'Static int8',
        text: 'Weights and activations in 8 bits (`quantize/static`, min-max ranges); `equalize/weights` before it, with absorbed biases, and `quantize/bias-correction` behind it.',
        table: table(
          ['weights', ...FIXED],
          STATIC.map(({ name }, i) => [name, ...fixed[i]!]),
        ),
      },
      {
        heading: 'Stored weights',
        text: '`store/int4`, `store/int3`, `store/int2` of constants with 512 elements or more: blocks of 32 weights with float16 scales; zero points are whole numbers. `absmax`: the whole range; `mse`: clipped for the least squared error; `hqq`: half-quadratic. Activations stay float32.',
        table: table(
          ['bits', 'zero points', 'range', ...WEIGHTS],
          STORED.map(({ bits, zeroPoints, range }, i) => [bits, zeroPoints ? 'yes' : 'no', range, ...stored[i]!]),
        ),
      },
    ],
  })
} finally {
  await engine.close()
}
