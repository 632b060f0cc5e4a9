/**
 * `npm run bench:characters -- MODEL [--text FILE]`: the character transformer under int4, heads cut, its stream sliced and some together: nats a character
 * against bytes and time. MODEL is what `npx tsx examples/shakespeare.ts TEXT 4 MODEL` wrote. Writes bench/characters.md and
 * bench/characters.svg.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { characters } from '../examples/shakespeare.js'
import { prepareModel } from '../src/compress/prepare.js'
import { findGroups } from '../src/compress/prune/groups.js'
import type { Samples } from '../src/data/samples.js'
import { ratio, summary } from '../src/engine/timing.js'
import {
  applyRecipe,
  type Dataset,
  type Feeds,
  inspectModel,
  losses,
  openEngine,
  readModel,
  scoreOf,
} from '../src/node.js'
import { decodeModel } from '../src/onnx/codec.js'
import type { Step } from '../src/search/trial.js'
import { gather } from '../src/train/dataset.js'
import { significant } from '../src/util/format.js'
import { type Characters, charactersFigure } from './characters/figure.js'
import { table, writeReport } from './markdown.js'
import { requiredPath } from './samples/types.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { text: { type: 'string' }, steps: { type: 'string', default: '600' } },
})
const [file] = positionals
if (file === undefined) throw new Error('give the file of a trained transformer: npm run bench:characters -- MODEL')

const model = await readModel(file)
const original = readFileSync(file)
const text = readFileSync(values.text ?? requiredPath('text/tinyshakespeare.txt'), 'utf8')
const context = 128
const { data, validation } = characters(text, context, model.graph.outputs[0]!)
const samples = samplesOf(data, 6000)
const engine = await openEngine({ threads: 1 })
const loss = losses.crossEntropy()

const { groups } = findGroups(await prepareModel(model, { engine: async () => engine }))
const heads = groups.filter((g) => g.width > 1)
const others = groups.filter((g) => g.width === 1).flatMap((g) => g.touches)
/** Nodes that only neurons have: what a head has too must stay free. */
const neurons = [...new Set(others)].filter((key) => !heads.some((g) => g.touches.includes(key)))

const step = (transform: string, params: Step['params'] = {}): Step => ({ transform, params })
const recovered = (grid = 'none', learningRate = 0.001): Step =>
  step('recover/distill', { aim: 'scores', steps: Number(values.steps), learningRate, grid })
const cutHeads = (ratio: number, score = 'taylor'): Step =>
  step('prune/channels', { ratio, score, multiple: 1, exclude: neurons })
const sliced = (energy: number): Step => step('factorize/slice', { energy })
const nbits = (rounding: string): Step => step('quantize/nbits', { rounding })
const stored = step('store/int8')

const RECIPES: readonly { readonly name: string; readonly steps: readonly Step[] }[] = [
  { name: 'float16, stored', steps: [step('store/f16')] },
  { name: 'int8, stored', steps: [stored] },
  { name: 'int8, dynamic', steps: [step('quantize/dynamic'), stored] },
  { name: 'int4 products', steps: [nbits('nearest'), stored] },
  { name: 'int4 products, gptq', steps: [nbits('gptq'), stored] },
  { name: 'int4, stored', steps: [step('store/int4')] },
  { name: 'int4, stored, gptq', steps: [step('store/int4', { rounding: 'gptq' })] },
  { name: 'int3, stored, gptq', steps: [step('store/int3', { rounding: 'gptq' })] },
  { name: 'int4, stored, recovered on its grid', steps: [recovered('store-int4', 0.0003), step('store/int4')] },
  { name: '1 of 4 heads cut', steps: [cutHeads(0.25)] },
  { name: '1 of 4 heads cut, recovered', steps: [cutHeads(0.25), recovered()] },
  { name: '2 of 4 heads cut, recovered', steps: [cutHeads(0.5), recovered()] },
  { name: '3 of 4 heads cut, recovered', steps: [cutHeads(0.75), recovered()] },
  { name: 'sliced to 97 % of the energy', steps: [sliced(0.97)] },
  { name: 'sliced to 95 %', steps: [sliced(0.95)] },
  { name: 'sliced to 95 %, recovered', steps: [sliced(0.95), recovered()] },
  { name: 'sliced to 90 %, recovered', steps: [sliced(0.9), recovered()] },
  { name: 'sliced to 97 %, int4, stored, gptq', steps: [sliced(0.97), step('store/int4', { rounding: 'gptq' })] },
  { name: 'sliced to 97 %, int8, dynamic', steps: [sliced(0.97), step('quantize/dynamic'), stored] },
  {
    name: '2 of 4 heads cut, recovered, int4 products, gptq',
    steps: [cutHeads(0.5), recovered(), nbits('gptq'), stored],
  },
  {
    name: '2 of 4 heads cut, recovered, int4, stored, gptq',
    steps: [cutHeads(0.5), recovered(), step('store/int4', { rounding: 'gptq' })],
  },
]

const made: { readonly name: string; readonly bytes: Uint8Array; readonly seconds: number }[] = [
  { name: 'original', bytes: original, seconds: 0 },
]
for (const { name, steps } of RECIPES) {
  const begin = performance.now()
  const { bytes } = await applyRecipe(
    model,
    { version: 1, steps, seed: 0, samples: true },
    { original, samples, threads: 1 },
  )
  made.push({ name, bytes, seconds: (performance.now() - begin) / 1000 })
  console.log(name, bytes.byteLength, `${made.at(-1)!.seconds.toFixed(0)} s`)
}

const feeds: Feeds[] = []
for await (const sample of samplesOf(validation, 16).read()) feeds.push(sample.feeds)
const times = await engine.measure(
  made.map(({ bytes }) => bytes),
  feeds,
  { rounds: 300, budgetMs: 90_000 },
)
const measured: Characters[] = []
for (const [i, { name, bytes, seconds }] of made.entries()) {
  const { loss: nats } = await scoreOf(decodeModel(bytes), { engine, data: validation, loss })
  const speed = ratio(times[i]!.runs, times[0]!.runs)
  measured.push({ name, bytes: bytes.byteLength, nats, milliseconds: summary(times[i]!.runs).p50, speed, seconds })
  console.log(name, nats, speed.ratio)
}
await engine.close()

const whole = measured[0]!
writeFileSync(join(import.meta.dirname, 'characters.svg'), charactersFigure(measured))
writeReport(join(import.meta.dirname, 'characters.md'), {
  title: 'A character transformer: int4, heads cut, its stream sliced',
  about: [
    `Four layers of width 128 with four heads each, ${inspectModel(model).parameters} parameters, trained on the first nine tenths of Shakespeare's plays (\`examples/shakespeare.ts\`). Nats a character are those of the last tenth, ${validation.count} stretches of ${context} characters that nothing has seen. Recipes see 6,000 stretches of the training text, of which half teach and calibrate. Recoveries are ${values.steps} steps. Sliced: the stream of 128 in the coordinates that hold this share of what is normalized from it (\`factorize/slice\`). "Faster" is the original's time over the model's, one stretch at a time, one thread, all models by turns in one process, with the 95 % interval of the ratio's median. "Made in" holds all steps, recovery too.`,
    '![Bytes of the models that lose at most a tenth of a nat, and what they lose](characters.svg)',
  ],
  versions: { 'onnxruntime-node': engine.version },
  sections: [
    {
      table: table(
        ['lever', 'nats a character', 'kB', 'smaller', 'ms', 'faster', 'made in'],
        measured.map(({ name, nats, bytes, milliseconds, speed, seconds }) => [
          name,
          nats.toFixed(4),
          (bytes / 1000).toFixed(0),
          `${significant(whole.bytes / bytes, 3)}x`,
          milliseconds.toFixed(3),
          `${speed.ratio.toFixed(2)}x (${speed.low.toFixed(2)}–${speed.high.toFixed(2)})`,
          `${seconds.toFixed(0)} s`,
        ]),
      ),
    },
  ],
})

/** Rows of a data set without their targets, spread evenly. */
function samplesOf({ count, inputs }: Dataset, limit: number): Samples {
  const most = Math.min(limit, count)
  return {
    name: 'stretches of text',
    count: most,
    async *read() {
      for (let i = 0; i < most; i++) {
        const row = Math.floor((i * count) / most)
        yield {
          name: `stretch ${row}`,
          feeds: Object.fromEntries([...inputs].map(([name, column]) => [name, gather(column, [row])])),
        }
      }
    },
  }
}
