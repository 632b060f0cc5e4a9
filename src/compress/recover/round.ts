/**
 * Rounding learned by the whole model: each weight goes to the lower or the upper level of its grid, whichever brings the
 * outputs nearer to the original's. AdaRound (Nagel et al. 2020) asks that layer by layer; here a staircase that grows sharp
 * (`train/grids/soft.ts`) is trained through all layers at once. The stores that follow find the grids again.
 */

import { LEAST_INTEGER } from '../../grids/least.js'
import { elementCount } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { shuffled } from '../../train/dataset.js'
import { scoreOf } from '../../train/evaluate.js'
import { weightsOnLevels } from '../../train/grids/soft.js'
import { parametersOf, withParameters } from '../../train/parameters.js'
import { significant } from '../../util/format.js'
import { random } from '../../util/random.js'
import { nextTurn } from '../../util/turns.js'
import { openRounder, type Rounder } from '../quantize/rounder.js'
import type { Params, Transform, TransformEnv } from '../transform.js'
import { aim, batch, type Lessons, lessons, weightsOf, whyNotTrained } from './lessons.js'
import { type Grid, gridOf } from './levels.js'
import { taught } from './taught.js'

const WIDTHS = ['int8', 'int6', 'int5', 'int4', 'int3', 'int2'] as const
type Width = (typeof WIDTHS)[number]

const nodesOf = (width: Width) =>
  ({ kind: 'names', default: [] as readonly string[], doc: `nodes whose weights store/${width} will take` }) as const

const params = {
  width: {
    kind: 'choice',
    choices: ['none', ...WIDTHS],
    default: 'int4',
    doc: 'the store that takes the weights of all other nodes',
    search: { values: [] },
  },
  int8: nodesOf('int8'),
  int6: nodesOf('int6'),
  int5: nodesOf('int5'),
  int4: nodesOf('int4'),
  int3: nodesOf('int3'),
  int2: nodesOf('int2'),
  aim,
  steps: {
    kind: 'number',
    default: 500,
    min: 1,
    max: 1e6,
    whole: true,
    doc: 'steps of the optimizer (Adam), along half a cosine',
  },
  travel: {
    kind: 'number',
    default: 2,
    min: 0.01,
    max: 1000,
    doc: 'levels of its grid that a weight may travel in all steps together; a third of it beside what GPTQ chose',
    search: { low: 0.5, high: 8, log: true },
  },
  batch,
  exclude: { kind: 'names', default: [], doc: 'nodes whose weights stay as they are' },
} as const

export const recoverRound: Transform<typeof params> = {
  id: 'recover/round',
  summary: 'whether weights go up or down on their grid, learned from what the original answers',
  params,
  needsCalibration: false,
  refuses: whyNotTrained,
  async apply(model, p, env) {
    const widths = widthsOf(model, p)
    if (widths.size === 0) return model
    const lesson = await lessons(model, p, env)
    const nearest = await gridsBy(model, widths, null, env)
    const fromNearest = { grids: nearest, travel: p.travel }
    // Samples to learn from alone: nothing tells what enters layers.
    if (env.samples === undefined) return (await learned(model, fromNearest, lesson, p, env)) ?? model
    const rounder = await openRounder(model, 'gptq', env, ({ weight }) => widths.has(weight))
    const chosen = await gridsBy(model, widths, rounder, env)
    const fromChosen = { grids: chosen, travel: BESIDE * p.travel }
    const lossOf = judgeOf(lesson, env)
    const gptq = onLevels(model, chosen)
    const [ofChosen, ofNearest] = [await lossOf(gptq), await lossOf(onLevels(model, nearest))]
    const tell = (how: string): void =>
      env.report?.(
        `recover/round ${how}: the loss of GPTQ is ${significant(ofChosen / ofNearest, 2)} of that of rounding to the nearest.`,
      )
    if (ofChosen < MUCH_BETTER * ofNearest) {
      tell('begins beside the choice of GPTQ')
      return (await learned(model, fromChosen, lesson, p, env)) ?? gptq
    }
    if (!(ofChosen < ofNearest)) {
      tell('begins where the weights are')
      // Where each at its nearest was no worse, what follows may round better still.
      return (await learned(model, fromNearest, lesson, p, env)) ?? model
    }
    const ends = await bothEnds(model, [fromChosen, fromNearest], lesson, p, env)
    const known = [{ model: gptq, loss: ofChosen, from: 'GPTQ as it is', losses: [] as readonly number[] }]
    for (const end of ends) known.push({ ...end, loss: await lossOf(end.model) })
    const best = known.reduce((a, b) => (b.loss < a.loss ? b : a))
    tell(
      `begins with half of the steps each beside the choice of GPTQ and where the weights are; nearest is ${best.from}`,
    )
    env.onRecovered?.(best.losses)
    return best.model
  },
}

interface End {
  readonly model: Model
  readonly from: string
  readonly losses: readonly number[]
}

/** What is learned from beside the choice of GPTQ, and from where the weights are, in half of the steps each. */
async function bothEnds(
  model: Model,
  [fromChosen, fromNearest]: readonly [Beginning, Beginning],
  lesson: Lessons,
  p: Params<typeof params>,
  env: TransformEnv,
): Promise<readonly End[]> {
  const half = { ...p, steps: Math.max(1, Math.round(p.steps / 2)) }
  const end = async (beginning: Beginning, from: string): Promise<readonly End[]> => {
    const losses: number[] = []
    const onRecovered = (curve: readonly number[]): void => void losses.push(...curve)
    const made = await learned(model, beginning, lesson, half, { ...env, onRecovered })
    return made ? [{ model: made, from, losses }] : []
  }
  return [...(await end(fromChosen, 'the first')), ...(await end(fromNearest, 'the second'))]
}

type Grids = ReadonlyMap<string, Grid>

const levelsOf = (grids: Grids) => new Map([...grids].map(([name, { levels }]) => [name, levels]))
const startsOf = (grids: Grids) => new Map([...grids].map(([name, { start }]) => [name, start]))

/** Each weight at the level nearest to where it begins. */
const onLevels = (model: Model, grids: Grids): Model =>
  withParameters(model, weightsOnLevels({ weights: levelsOf(grids) }, startsOf(grids)))

/** Bits of each weight that will be stored as integers, by its name. One that nodes of two widths read no store takes. */
function widthsOf(model: Model, p: Params<typeof params>): ReadonlyMap<string, number> {
  const named = new Map<string, Width | 'none'>()
  for (const width of WIDTHS)
    for (const name of weightsOf(model, p[width])) named.set(name, named.has(name) ? 'none' : width)
  for (const name of weightsOf(model, p.exclude)) named.set(name, 'none')
  return new Map(
    parametersOf(model).flatMap((name) => {
      const t = model.graph.constants.get(name)!
      const width = named.get(name) ?? p.width
      const isStored = t.dtype === 'float32' && elementCount(t.shape) >= LEAST_INTEGER
      return width === 'none' || !isStored ? [] : [[name, Number(width.slice('int'.length))] as const]
    }),
  )
}

/** Samples that tell which of two models is the better one. */
const TOLD_BY = 64
/**
 * Of the loss: where GPTQ is so much better than rounding to the nearest, learning begins beside it. Where it is a little
 * better, either beginning may end nearer: both are tried.
 */
const MUCH_BETTER = 0.25

/** Part of the travel where what is learned begins beside a good choice: more would lose it first. */
const BESIDE = 1 / 3

function judgeOf({ data, objectives }: Lessons, env: TransformEnv): (model: Model) => Promise<number> {
  const some = shuffled(data, random(env.seed ?? 0), TOLD_BY)
  return async (model) => {
    const options = {
      engine: await env.engine(),
      data: some,
      loss: objectives,
      ...(env.signal && { signal: env.signal }),
    }
    return (await scoreOf(model, options)).loss
  }
}

interface Beginning {
  readonly grids: Grids
  readonly travel: number
}

/** Null where learning made nothing better. */
function learned(
  model: Model,
  { grids, travel }: Beginning,
  lesson: Lessons,
  p: Params<typeof params>,
  env: TransformEnv,
): Promise<Model | null> {
  return taught(withParameters(model, startsOf(grids)), lesson, p, env, {
    freeze: parametersOf(model).filter((name) => !grids.has(name)),
    grid: { weights: levelsOf(grids), travel },
    task: 'learning how to round',
  })
}

async function gridsBy(
  { graph }: Model,
  widths: ReadonlyMap<string, number>,
  rounder: Rounder | null,
  { signal }: TransformEnv,
): Promise<Grids> {
  const grids = new Map<string, Grid>()
  for (const [name, bits] of widths) {
    await nextTurn(signal)
    grids.set(name, gridOf(graph.constants.get(name)!, bits, rounder))
  }
  return grids
}
