/**
 * `npm run bench:levers -- FILE [--limit 60000]`: one network, every lever alone and some together: bytes, time and images told right.
 * FILE is what `npx tsx bench/levers/train.ts cnn FILE` wrote. Writes bench/levers.md and its figure.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readMnist } from '../examples/mnist.js'
import { ratio, summary } from '../src/engine/timing.js'
import { applyRecipe, type Feeds, inspectModel, losses, openEngine, readModel, scoreOf } from '../src/node.js'
import { decodeModel } from '../src/onnx/codec.js'
import { significant } from '../src/util/format.js'
import { leversFigure, type Measured } from './levers/figure.js'
import { LEVERS } from './levers/recipes.js'
import { table, writeReport } from './markdown.js'
import { samplesOf } from './pruning/task.js'
import { requiredPath } from './samples/types.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { limit: { type: 'string', default: '60000' } },
})
const [file] = positionals
if (file === undefined) throw new Error('give the file of a trained network: npm run bench:levers -- cnn.onnx')

const model = await readModel(file)
const original = readFileSync(file)
const folder = requiredPath('mnist')
const data = await readMnist(folder, 'train', Number(values.limit), model)
const test = await readMnist(folder, 't10k', 10_000, model)
const samples = samplesOf(data, data.count)
const engine = await openEngine({ threads: 1 })
const loss = losses.crossEntropy()

interface Made {
  readonly name: string
  readonly steps: string
  readonly bytes: Uint8Array
  readonly seconds: number
}

const made: Made[] = [{ name: 'original', steps: '', bytes: original, seconds: 0 }]
for (const { name, steps } of LEVERS) {
  const begin = performance.now()
  const { bytes } = await applyRecipe(
    model,
    { version: 1, steps, seed: 0, samples: true },
    { original, samples, threads: 1 },
  )
  const seconds = (performance.now() - begin) / 1000
  made.push({ name, steps: steps.map((s) => s.transform).join(', '), bytes, seconds })
  console.log(name, bytes.byteLength, `${seconds.toFixed(0)} s`)
}

const feeds: Feeds[] = []
for await (const sample of samplesOf(test, 16).read()) feeds.push(sample.feeds)
const times = await engine.measure(
  made.map(({ bytes }) => bytes),
  feeds,
  { rounds: 400, budgetMs: 60_000 },
)
const measured: Measured[] = []
for (const [i, one] of made.entries()) {
  const { accuracy } = await scoreOf(decodeModel(one.bytes), { engine, data: test, loss })
  const speed = ratio(times[i]!.runs, times[0]!.runs)
  measured.push({
    ...one,
    size: one.bytes.byteLength,
    accuracy: accuracy!,
    milliseconds: summary(times[i]!.runs).p50,
    speed,
  })
  console.log(one.name, accuracy, speed.ratio)
}
await engine.close()

const whole = measured[0]!
const points = (v: number): string => `${(100 * v).toFixed(2)} %`
writeFileSync(join(import.meta.dirname, 'levers.svg'), leversFigure(measured))
writeReport(join(import.meta.dirname, 'levers.md'), {
  title: 'One network, every lever',
  about: [
    `conv32, conv64, pool, fc128, fc10 with 3 x 3 kernels on MNIST: ${inspectModel(model).parameters} parameters. Every recipe sees up to ${data.count} training images, of which half teach and calibrate; the 10,000 test images judge at the end alone. "Faster" is the original's time over the model's, one image at a time, one thread, all models by turns in one process, with the 95 % interval of the ratio's median. "Made in" holds all steps, recovery too. The standard error of an accuracy is ${points(Math.sqrt((whole.accuracy * (1 - whole.accuracy)) / test.count))}.`,
    '![Bytes and time of every model](levers.svg)',
  ],
  versions: { 'onnxruntime-node': engine.version },
  sections: [
    {
      table: table(
        ['lever', 'kB', 'smaller', 'ms', 'faster', 'right', 'made in', 'steps'],
        measured.map(({ name, size, milliseconds, speed, accuracy, seconds, steps }) => [
          name,
          (size / 1000).toFixed(1),
          `${significant(whole.size / size, 3)}x`,
          milliseconds.toFixed(3),
          `${speed.ratio.toFixed(2)}x (${speed.low.toFixed(2)}–${speed.high.toFixed(2)})`,
          points(accuracy),
          `${seconds.toFixed(0)} s`,
          steps,
        ]),
      ),
    },
  ],
})
