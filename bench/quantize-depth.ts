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

const CORRECT = step('quantize/bias-correction')

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

/** Weights stored in blocks of 32. */
const STORED: readonly Stored[] = [4, 3, 2].flatMap((bits) =>
  [false, true].flatMap((zeroPoints) => RANGES.map((range) => ({ bits, zeroPoints, range }))),
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
    for (const way of ways) cells.push(percent((await errorOf(subject, await make(subject, way), engine)).rms))
    console.log(name, ...cells)
    columns.push(cells)
  }
  return ways.map((_, v) => columns.map((cells) => cells[v]!))
}

const FIXED = ['yunet-n-320', 'openseeface-mnv3-detection', 'ultraface-slim-320', 'ultraface-rfb-320']
const WEIGHTS = ['mnist-cntk', 'ultraface-slim-320', 'yunet-n-320', 'dtln-1', 'go1-policy']

const engine = await openEngine({ threads: 1 })
try {
  const runtime = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  const fixed = await columnsOf(FIXED, STATIC, ({ model, env }, { steps }) => applySteps(model, steps, env))
  const stored = await columnsOf(WEIGHTS, STORED, ({ model, env }, { bits, ...params }) =>
    applySteps(model, [step(`store/int${bits}`, params)], env),
  )
  writeReport(join(import.meta.dirname, 'quantize-depth.md'), {
    title: 'Quantization in depth',
    about: [
      `Relative L2 error of the outputs (root mean square over the outputs) against the float model, on ${HELD_OUT} held-out samples; ${CALIBRATION} other samples calibrate.`,
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
        text: '`store/int4`, `store/int3`, `store/int2`: blocks of 32 weights with float16 scales; zero points are whole numbers. `absmax`: the whole range; `mse`: clipped for the least squared error; `hqq`: half-quadratic. Activations stay float32.',
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
