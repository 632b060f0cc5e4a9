/**
 * `npm run bench:pruning -- tiny|cnn|resnet [FILE] [--epochs 4] [--threads 2]`: every score against random, accuracy over products
 * without recovery; and recovered at half of the products. FILE is what `bench/levers/train.ts` wrote. Writes
 * bench/pruning.md and bench/pruning.svg.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseUnits, type UnitScores } from '../src/compress/prune/choose.js'
import { ratioThatFits } from '../src/compress/prune/choose-ratio.js'
import { cutUnits } from '../src/compress/prune/cut.js'
import { findGroups, type Group } from '../src/compress/prune/groups.js'
import { scoreUnits } from '../src/compress/prune/score-units.js'
import { SCORES } from '../src/compress/prune/scores/index.js'
import { ratio, summary } from '../src/engine/timing.js'
import {
  encodeModel,
  inspectModel,
  losses,
  type Model,
  openEngine,
  optimizers,
  schedules,
  scoreOf,
  train,
} from '../src/node.js'
import { messageOf } from '../src/util/errors.js'
import { counted } from '../src/util/format.js'
import { table, writeReport } from './markdown.js'
import { accuracyFigure, type ScoreCurve } from './pruning/figure.js'
import { pruningTask, samplesOf } from './pruning/task.js'

const RATIOS = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75]
/** Seeds of random scores, whose mean is shown. */
const SEEDS = [0, 1, 2]
const percent = (v: number): string => `${(100 * v).toFixed(1)}%`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    epochs: { type: 'string', default: '4' },
    threads: { type: 'string', default: '2' },
  },
})
const [kind = 'tiny', file] = positionals
/** Of a network of 8 channels multiples of 4 leave no choice. */
const multiple = kind === 'tiny' ? 1 : 4
const engine = await openEngine({ threads: Number(values.threads) })
const loss = losses.crossEntropy()
const { name, model, data, test, augment } = await pruningTask(kind, file, engine)
const samples = samplesOf(data, 400)
const { groups, held } = findGroups(model)
const { macs: allMacs, parameters: allParameters } = inspectModel(model)
const accuracyOf = async (m: Model): Promise<number> => (await scoreOf(m, { engine, data: test, loss })).accuracy!
const before = await accuracyOf(model)
console.log(`${name}: ${percent(before)}, ${allMacs} products`)

interface Way {
  readonly name: string
  /** The part of a group that goes where `part` is asked for. */
  ratioOf(group: Group, part: number): number
}

const isInside = ({ layers }: Group): boolean => layers.length === 1
const EVEN: Way = { name: 'the same part of each layer', ratioOf: (_, part) => part }
/** Li et al. 2017, section 3.3: what residual sums join stays whole. */
const INSIDE: Way = { name: 'layers inside of blocks', ratioOf: (group, part) => (isInside(group) ? part : 0) }
const STAGE: Way = {
  name: 'layers inside of blocks, and all of the second stage',
  ratioOf: (group, part) => (isInside(group) || group.units.length === 32 ? part : 0),
}

/** What the curves are of: with all of a residual network cut, every score is at chance at half of the products. */
const CURVES = kind === 'resnet' ? INSIDE : EVEN

const cutAt =
  (scores: UnitScores, way: Way = CURVES) =>
  (part: number): Model => {
    const ratios = new Map(groups.map((group) => [group, way.ratioOf(group, part)]))
    return cutUnits(model, chooseUnits(groups, scores, { ratio: ratios, scope: 'layer', multiple }))
  }

interface Found extends ScoreCurve {
  readonly seconds: number
  readonly scores: UnitScores
}

async function curveOf(id: string, seed: number): Promise<Found> {
  const begin = performance.now()
  const scores = await scoreUnits(id, groups, { model, env: { engine: async () => engine, seed, samples } })
  const seconds = (performance.now() - begin) / 1000
  const points: ScoreCurve['points'][number][] = [{ macs: allMacs, accuracy: before }]
  for (const part of RATIOS) {
    const cut = cutAt(scores)(part)
    points.push({ macs: inspectModel(cut).macs, accuracy: await accuracyOf(cut) })
  }
  return { score: id, points, seconds, scores }
}

const meanOf = (all: readonly Found[]): Found => ({
  ...all[0]!,
  points: all[0]!.points.map((p, i) => ({
    ...p,
    accuracy: all.reduce((sum, c) => sum + c.points[i]!.accuracy, 0) / all.length,
  })),
})

const found: Found[] = []
const refused: string[] = []
for (const { id } of SCORES) {
  try {
    const runs: Found[] = []
    for (const seed of id === 'random' ? SEEDS : [0]) runs.push(await curveOf(id, seed))
    found.push(meanOf(runs))
    console.log(id, ...found.at(-1)!.points.map((p) => percent(p.accuracy)))
  } catch (error) {
    refused.push(`${id}: ${messageOf(error)}`)
  }
}

/** A score that says nothing of some layers leaves other products than the rest. */
const cell = ({ macs, accuracy }: ScoreCurve['points'][number], usual: number): string =>
  macs === usual ? percent(accuracy) : `${percent(accuracy)} at ${percent(macs / allMacs)}`

const worth = ({ points }: ScoreCurve): number => points.reduce((sum, p) => sum + p.accuracy, 0)
const ordered = found.toSorted((a, b) => worth(b) - worth(a))
const best = ordered.filter(({ score }) => score !== 'random').slice(0, 2)
const random = found.find(({ score }) => score === 'random')!

/** Cut to half of the products, trained, and timed against the original at one thread. */
async function recoveredRow({ score, scores }: Found, way: Way): Promise<readonly string[]> {
  const at = cutAt(scores, way)
  const cut = at(ratioThatFits(at, (m) => inspectModel(m).macs <= allMacs / 2))
  const { model: recovered } = await train(cut, {
    engine,
    data,
    loss,
    epochs: Number(values.epochs),
    batchSize: 64,
    learningRate: 3e-3,
    optimizer: optimizers.adam({ weightDecay: 1e-2 }),
    schedule: schedules.oneCycle(),
    ...(augment && { augment }),
  })
  const single = await openEngine({ threads: 1 })
  const feeds = []
  for await (const sample of samplesOf(data, 8).read()) feeds.push(sample.feeds)
  const [old, now] = await single.measure([encodeModel(model).bytes, encodeModel(recovered).bytes], feeds, {
    rounds: 100,
    budgetMs: 6000,
  })
  await single.close()
  const speed = ratio(now!.runs, old!.runs)
  const { macs, parameters } = inspectModel(recovered)
  return [
    score,
    way.name,
    `${(allMacs / macs).toFixed(2)}x`,
    `${(allParameters / parameters).toFixed(2)}x`,
    percent(await accuracyOf(cut)),
    percent(await accuracyOf(recovered)),
    `${summary(old!.runs).p50.toFixed(3)} → ${summary(now!.runs).p50.toFixed(3)} ms`,
    `${speed.ratio.toFixed(2)}x (${speed.low.toFixed(2)}–${speed.high.toFixed(2)})`,
  ]
}

const rows: (readonly string[])[] = []
const tried: readonly (readonly [Found, Way])[] =
  kind === 'resnet' ? [INSIDE, STAGE].map((way) => [best[0]!, way]) : [...best, random].map((one) => [one, EVEN])
for (const [one, way] of tried) {
  rows.push(await recoveredRow(one, way))
  console.log(rows.at(-1)!.join(' | '))
}
await engine.close()

const folder = import.meta.dirname
writeFileSync(join(folder, 'pruning.svg'), accuracyFigure(ordered, name))
writeReport(join(folder, 'pruning.md'), {
  title: 'Scores of pruning',
  about: [
    `${name[0]!.toUpperCase()}${name.slice(1)}, ${percent(before)} of ${test.count} test images right, ${(allMacs / 1e6).toFixed(2)} million products in one run, ${allParameters} parameters. Of ${kind === 'resnet' ? CURVES.name : 'the layers'} that can lose units (${counted(groups.length, 'group')} in all; ${held.size} keep all) the same part goes, those with the least score first; widths are rounded up to multiples of ${multiple}. Scores see ${samples.count} training images with their labels.`,
  ],
  versions: { 'onnxruntime-node': engine.version },
  sections: [
    {
      heading: 'Without recovery',
      text: `Test images right, by what is left of the products; the best scores first. Random: mean of ${SEEDS.length} seeds. The standard error of a number is at most ${percent(Math.sqrt(0.25 / test.count))}.\n\n![Accuracy over products](pruning.svg)`,
      table: table(
        ['score', ...ordered[0]!.points.slice(1).map((p) => percent(p.macs / allMacs)), 'seconds to score'],
        ordered.map(({ score, points, seconds }) => [
          score,
          ...points.slice(1).map((p, i) => cell(p, ordered[0]!.points[i + 1]!.macs)),
          seconds.toFixed(1),
        ]),
      ),
    },
    ...(refused.length > 0 ? [{ text: `Not measured: ${refused.join(' ')}` }] : []),
    {
      heading: 'Recovered, at half of the products',
      text: `${kind === 'resnet' ? 'The best score of the table' : 'The best scores of the table and random'}, trained for ${values.epochs} epochs on the training images with labels. Latency at one thread, both models by turns; the interval is that of the ratio's median (95 %).`,
      table: table(
        ['score', 'cut from', 'fewer products', 'fewer parameters', 'cut', 'recovered', 'one run', 'faster'],
        rows,
      ),
    },
  ],
})
