/**
 * `npm run bench:distill`: real models whose weights are disturbed by noise of 5 %, brought back by distillation from
 * the original on unlabelled samples; writes bench/distill.md. The error is judged on samples held out.
 */

import { join } from 'node:path'
import { f32, numbers } from '../src/ir/tensor.js'
import {
  type Dataset,
  distillation,
  type Engine,
  type Model,
  openEngine,
  optimizers,
  readModel,
  schedules,
  scoreOf,
  train,
} from '../src/node.js'
import { parametersOf } from '../src/train/parameters.js'
import { prepared } from '../src/train/prepare.js'
import { random } from '../src/util/random.js'
import { table, writeReport } from './markdown.js'
import { samplesFor } from './samples/index.js'
import { requiredPath } from './samples/types.js'

const NOISE = 0.05

interface Case {
  readonly model: string
  readonly samples: number
  readonly epochs: number
  readonly learningRate: number
}

const CASES: readonly Case[] = [
  { model: 'go1-policy', samples: 40_000, epochs: 60, learningRate: 1e-4 },
  { model: 'mnist-cntk', samples: 5000, epochs: 12, learningRate: 1e-3 },
  { model: 'dtln-1', samples: 24_000, epochs: 60, learningRate: 1e-4 },
  { model: 'ultraface-slim-320', samples: 170, epochs: 30, learningRate: 3e-4 },
]

/** Every weight times 1 + 0.05 e, e being standard normal. */
function disturbed(model: Model): Model {
  const { normal } = random(1)
  const weights = new Set(parametersOf(model))
  const noisy = (values: ArrayLike<number>): Float32Array =>
    Float32Array.from(values, (w) => w * (1 + NOISE * normal()))
  const constants = new Map(
    [...model.graph.constants].map(
      ([name, t]) => [name, weights.has(name) ? f32(t.shape, noisy(numbers(t))) : t] as const,
    ),
  )
  return { ...model, graph: { ...model.graph, constants } }
}

async function measure(
  { model: name, samples, epochs, learningRate }: Case,
  engine: Engine,
): Promise<readonly string[]> {
  const original = await prepared(await readModel(requiredPath(`models/${name}.onnx`)))
  const student = disturbed(original)
  const { many, calibration, heldout } = samplesFor(name)
  const { data, objectives } = await distillation(student, original, many?.(samples) ?? calibration, { engine })
  const judge: Dataset = (await distillation(student, original, heldout, { engine })).data
  /** √ of the summed squared errors, each relative to the mean square of the original's output. */
  const error = async (model: Model): Promise<number> =>
    Math.sqrt((await scoreOf(model, { engine, data: judge, loss: objectives })).loss)
  const begin = performance.now()
  const { model, steps } = await train(student, {
    engine,
    data,
    loss: objectives,
    optimizer: optimizers.adam(),
    learningRate,
    schedule: schedules.cosine(0.001),
    epochs,
    isTraining: false,
  })
  const seconds = (performance.now() - begin) / 1000
  const [before, after] = [await error(student), await error(model)]
  const row = [
    name,
    String(data.count),
    String(steps),
    seconds.toFixed(0),
    before.toExponential(1),
    after.toExponential(1),
    `${(before / after).toFixed(1)}x`,
  ]
  console.log(row.join('  '))
  return row
}

const engine = await openEngine()
const wanted = process.argv.slice(2)
const rows: (readonly string[])[] = []
for (const entry of CASES.filter(({ model }) => wanted.length === 0 || wanted.includes(model)))
  rows.push(await measure(entry, engine))
const { name, version } = engine
await engine.close()
if (wanted.length === 0) {
  writeReport(join(import.meta.dirname, 'distill.md'), {
    title: 'Distillation after noise',
    about: [
      'Every weight of a model is multiplied by 1 + 0.05 e, e being standard normal; then it is trained to answer as the original does, on samples without labels (Adam, cosine schedule, relative squared error over all outputs, all cores). The error is the root of the summed squared errors, each relative to the mean square of the original’s output, on samples that were not trained on.',
    ],
    versions: { [name]: version },
    sections: [
      { table: table(['model', 'samples', 'steps', 'seconds', 'error with noise', 'error after', 'smaller'], rows) },
    ],
  })
}
