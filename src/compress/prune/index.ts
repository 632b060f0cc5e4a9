/** `prune`: units that are worth least go, as many as were asked for, or as a criterion or a budget says. */

import type { Samples } from '../../data/samples.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { cleanModel } from '../../passes/clean.js'
import { foldBatchNorm } from '../../passes/fold-batch-norm.js'
import { CLEANING } from '../../passes/index.js'
import { inspectModel } from '../../passes/inspect.js'
import type { Env } from '../../passes/pass.js'
import { PareError } from '../../util/errors.js'
import { resolveExcluded } from '../exclude.js'
import { prepareModel } from '../prepare.js'
import type { TransformEnv } from '../transform.js'
import { chooseUnits, type UnitScores } from './choose.js'
import { type Criterion, type Path, pathOf, ratioThatFits } from './choose-ratio.js'
import { cutUnits } from './cut.js'
import { type DevianceMeter, openDeviance } from './deviance.js'
import { findGroups, type Group, type Groups, type Unit } from './groups.js'
import { pruneInRounds } from './rounds.js'
import { ratiosOf, type Schedule } from './schedules.js'
import { scoreUnits } from './score-units.js'
import { ratiosBySensitivity, sensitivitiesOf } from './sensitivity.js'

/** How much goes: a part of the units, what a criterion says, or as little as keeps a budget. */
export type Amount =
  | { readonly ratio: number }
  | { readonly select: Criterion }
  /** Of the file. */
  | { readonly maxBytes: number }
  /** Products of one run. */
  | { readonly maxMacs: number }

export interface PruneOptions {
  readonly amount: Amount
  /** Default `l2`. */
  readonly score?: string
  /** What scores look at. */
  readonly samples?: Samples
  /** What a criterion and the sensitivity of layers are judged by: other samples than those of scores. */
  readonly judging?: Samples
  /** The part of each layer, of all units together, or of each layer as much as costs alike. Default `layer`. */
  readonly scope?: 'layer' | 'global' | 'sensitivity'
  /** Widths are rounded up to a multiple of this. Default 4. */
  readonly multiple?: number
  /** Nodes whose weights keep their shape, by name. */
  readonly exclude?: readonly string[]
  /** Default `one-shot`. */
  readonly schedule?: Schedule
  /** Default 1 for one shot, else 3. */
  readonly rounds?: number
  /** What brings a cut model back to what it did; it is called after each round, from 0. */
  readonly recover?: (model: Model, round: number) => Promise<Model>
}

/** What became of one group. */
export interface PrunedGroup {
  readonly name: string
  /** Keys of the nodes that make its units. */
  readonly layers: readonly string[]
  readonly units: number
  readonly kept: number
}

export interface Pruned {
  readonly model: Model
  /** What was cut: the model that was given, cleaned. */
  readonly prepared: Model
  /** Without what came of the last recovery. */
  readonly cut: Model
  readonly ratio: number
  readonly groups: readonly PrunedGroup[]
  /** Layers that keep all of their outputs, with the reason. */
  readonly held: ReadonlyMap<string, string>
  readonly path?: Path
  /** What went in each round; see `rewind`. */
  readonly cuts: readonly (readonly Unit[])[]
}

/**
 * The model with fewer channels, neurons, heads and units of recurrent layers: its tensors are smaller, names and shapes
 * of inputs and outputs stay. It is cleaned and brought to opset 21 first. Throws `PRUNE_NOTHING` where no layer can lose
 * units, `PRUNE_SAMPLES`, `PRUNE_SCORE`, `PRUNE_BUDGET`, `PRUNE_LABELS`, `PRUNE_RATIO`, `PRUNE_SCHEDULE`, and
 * `PARAM_INVALID` for excluded nodes that do not exist.
 */
export async function prune(model: Model, options: PruneOptions, env: Env): Promise<Pruned> {
  const { amount, score = 'l2', scope = 'layer', multiple = 4, schedule = 'one-shot', recover, samples } = options
  const { rounds = schedule === 'one-shot' ? 1 : 3 } = options
  if ('ratio' in amount) checkRatio(amount.ratio)
  const prepared = await prepareModel(model, env, { passes: score === 'bn-scale' ? WITH_NORMALIZATIONS : CLEANING })
  const excluded = new Set(resolveExcluded(options.exclude ?? [], model, prepared))
  const isOpen = (group: Group): boolean => !group.touches.some((key) => excluded.has(key))
  const found = findGroups(prepared)
  const groups = found.groups.filter(isOpen)
  if (groups.length === 0) throw nothingToPrune(found)
  const own: TransformEnv = { ...env, teacher: model, ...(samples && { samples }) }
  const scores = await scoreUnits(score, groups, { model: prepared, env: own })
  const meter = await meterFor(prepared, options, env)
  const ratiosAt = await ratioFinder(prepared, scores, { ...options, multiple }, meter, env)
  const cutAt = (ratio: number): Model => {
    const choice = { ratio: ratiosAt(ratio), scope: scope === 'global' ? scope : 'layer', multiple } as const
    return cutUnits(prepared, chooseUnits(groups, scores, choice))
  }
  const path = 'select' in amount ? await pathOf(cutAt, meter!, amount.select, env) : undefined
  const ratio =
    'ratio' in amount ? amount.ratio : 'select' in amount ? path!.points[path!.chosen]!.ratio : fitting(amount, cutAt)
  const done = await pruneInRounds(
    prepared,
    {
      score,
      scores,
      ratios: ratiosOf(schedule, ratio, rounds).map((r) => byName(ratiosAt(r))),
      isOpen,
      scope: scope === 'global' ? scope : 'layer',
      multiple,
      ...(recover && { recover }),
    },
    own,
  )
  const closed = found.groups.filter((g) => !isOpen(g)).map((g) => [g.name, 'it is excluded'] as const)
  return {
    model: await cleanModel(done.model, env),
    prepared,
    cut: await cleanModel(done.cut, env),
    ratio,
    groups: found.groups.map(({ name, layers, units }) => ({
      name,
      layers,
      units: units.length,
      kept: units.length - (done.gone.get(name) ?? 0),
    })),
    held: new Map([...found.held, ...closed]),
    ...(path && { path }),
    cuts: done.cuts,
  }
}

const WITH_NORMALIZATIONS = CLEANING.filter((pass) => pass !== foldBatchNorm)

type Ratio = number | ReadonlyMap<Group, number>

/** What a ratio of all units means for each group. */
async function ratioFinder(
  model: Model,
  scores: UnitScores,
  { scope, multiple }: PruneOptions,
  meter: DevianceMeter | null,
  env: Env,
): Promise<(ratio: number) => Ratio> {
  if (scope !== 'sensitivity') return (ratio) => ratio
  const before = (await meter!.of(model)).losses
  const found = await sensitivitiesOf(model, [...scores.keys()], scores, {
    ...(multiple !== undefined && { multiple }),
    ...(env.signal && { signal: env.signal }),
    ...(env.onProgress && { onProgress: env.onProgress }),
    async drop(cut) {
      const { losses } = await meter!.of(cut)
      return losses.reduce((sum, loss, i) => sum + (loss - before[i]!) / losses.length, 0)
    },
  })
  return (ratio) => ratiosBySensitivity(found, ratio)
}

const byName = (ratio: Ratio): number | ReadonlyMap<string, number> =>
  typeof ratio === 'number' ? ratio : new Map([...ratio].map(([group, r]) => [group.name, r]))

const fitting = (amount: Exclude<Amount, { ratio: number } | { select: Criterion }>, cutAt: (r: number) => Model) =>
  ratioThatFits(cutAt, (cut) =>
    'maxBytes' in amount ? encodeModel(cut).byteLength <= amount.maxBytes : inspectModel(cut).macs <= amount.maxMacs,
  )

async function meterFor(model: Model, { amount, scope, judging, samples }: PruneOptions, env: Env) {
  if (!('select' in amount) && scope !== 'sensitivity') return null
  const by = judging ?? samples
  if (by !== undefined) return openDeviance(model, by, env)
  throw new PareError('PRUNE_SAMPLES', 'what to cut is judged on samples, and there are none', {
    where: 'select' in amount ? `select ${amount.select}` : 'scope sensitivity',
    remedy: 'Give samples, or a ratio for all layers.',
  })
}

function checkRatio(ratio: number): void {
  if (ratio >= 0 && ratio <= 0.95) return
  throw new PareError('PRUNE_RATIO', 'a ratio is from 0 to 0.95', {
    value: ratio,
    remedy: 'Give the part of the units that goes, such as 0.5.',
  })
}

function nothingToPrune({ held, groups }: Groups): PareError {
  const reasons = [...held].slice(0, 3).map(([name, why]) => `${name}: ${why}`)
  return new PareError('PRUNE_NOTHING', 'no layer can lose units', {
    value: groups.length > 0 ? 'all are excluded' : reasons.join('; ') || 'there are no layers with constant weights',
    remedy: 'See `pare inspect`; pare quantize makes weights smaller in other ways.',
  })
}
