/**
 * Rounding learned by the whole model: each weight goes to the lower or the upper level of its grid, whichever brings the
 * outputs nearer to the original's. AdaRound (Nagel et al. 2020) asks that layer by layer; here a staircase that grows sharp
 * (`train/grids/soft.ts`) is trained through all layers at once. The stores that follow find the grids again.
 */

import { LEAST_INTEGER } from '../../grids/least.js'
import { elementCount } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { part, shuffled } from '../../train/dataset.js'
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
    const { grids, isChosen } = await beginning(model, widths, lesson, env)
    const begun = withParameters(model, startsOf(grids))
    const options = {
      freeze: parametersOf(model).filter((name) => !grids.has(name)),
      grid: { weights: levelsOf(grids), travel: isChosen ? BESIDE * p.travel : p.travel },
    }
    const learned = await taught(begun, lesson, p, env, { ...options, task: 'learning how to round' })
    // Where each at its nearest was no worse, what follows may round better still.
    return learned ?? (isChosen ? onLevels(model, grids) : model)
  },
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

/** Samples that tell which beginning is the better one. */
const TOLD_BY = 64
/** Of the loss: what GPTQ chooses is no good place to learn from where it is not much better than rounding to the nearest. */
const MUCH_BETTER = 0.25

/** Part of the travel where what is learned begins beside a good choice: more would lose it first. */
const BESIDE = 1 / 3

interface Beginning {
  readonly grids: Grids
  /** It is beside what GPTQ chose. */
  readonly isChosen: boolean
}

/**
 * From where the weights are, or beside what GPTQ chooses for them where that alone makes the model much better. What is
 * learned is no worse than the beginning, and may be worse than a GPTQ that it did not begin from.
 */
async function beginning(
  model: Model,
  widths: ReadonlyMap<string, number>,
  { data, objectives }: Lessons,
  env: TransformEnv,
): Promise<Beginning> {
  const unmoved = await gridsBy(model, widths, null, env)
  // Samples to learn from alone: nothing tells what enters layers.
  if (env.samples === undefined) return { grids: unmoved, isChosen: false }
  const rounder = await openRounder(model, 'gptq', env, ({ weight }) => widths.has(weight))
  const chosen = await gridsBy(model, widths, rounder, env)
  const some = part(shuffled(data, random(env.seed ?? 0)), 0, Math.min(TOLD_BY, data.count))
  const lossOf = async (grids: Grids): Promise<number> => {
    const options = { engine: await env.engine(), data: some, loss: objectives }
    const { loss } = await scoreOf(onLevels(model, grids), { ...options, ...(env.signal && { signal: env.signal }) })
    return loss
  }
  const share = (await lossOf(chosen)) / (await lossOf(unmoved))
  const isChosen = share < MUCH_BETTER
  const begins = isChosen ? 'begins beside the choice of GPTQ' : 'begins where the weights are'
  env.report?.(
    `recover/round ${begins}: the loss of GPTQ is ${significant(share, 2)} of that of rounding to the nearest.`,
  )
  return isChosen ? { grids: chosen, isChosen } : { grids: unmoved, isChosen }
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
