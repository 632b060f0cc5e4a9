/**
 * The recipes that a search may draw: [equalize] → [factorize | prune | sparsify]* → [recover] → [quantize]* → [store]*
 * → [correct], with parameters from the transforms' own declarations.
 */

import { TRANSFORMS } from '../../compress/index.js'
import { checkParams, type ParamSpec, type Transform, type TransformEnv } from '../../compress/transform.js'
import type { Model } from '../../ir/types.js'
import type { Random } from '../../util/random.js'
import type { Step } from '../trial.js'

export interface Space {
  /** By stage, in order; only transforms that the model has something for. */
  readonly stages: readonly Stage[]
  /** What is left out, and why. */
  readonly refused: readonly Refused[]
  /** Rounding can be learned: a step that is not drawn, for it must know the stores behind it. */
  readonly learnsRounding: boolean
  /** Values that the machine or the model decides, by the name of the parameter. */
  readonly fixed: Readonly<Record<string, unknown>>
}

export interface Refused {
  readonly transform: string
  readonly reason: string
}

export type StageName = 'equalize' | 'lighten' | 'recover' | 'quantize' | 'store' | 'correct'

export interface Stage {
  readonly name: StageName
  readonly transforms: readonly Transform[]
  /** Most steps of a recipe that are of this stage. */
  readonly most: number
  /** The chance of a further one. */
  readonly chance: number
}

/** By the folder of a transform's id: the stage, in which a new transform finds its place by its name. */
const STAGES: Readonly<
  Record<StageName, Omit<Stage, 'name' | 'transforms'> & { readonly folders: readonly string[] }>
> = {
  equalize: { folders: ['equalize'], most: 1, chance: 0.25 },
  lighten: { folders: ['factorize', 'prune', 'sparsify'], most: 2, chance: 0.55 },
  recover: { folders: ['recover'], most: 1, chance: 0.75 },
  quantize: { folders: ['quantize'], most: 2, chance: 0.65 },
  store: { folders: ['store'], most: 2, chance: 0.7 },
  correct: { folders: [], most: 1, chance: 0.2 },
}
/** What learns how to round in the blocks and channels of stores. */
export const LEARN_ROUNDING = 'recover/round'

const NAMES = Object.keys(STAGES) as readonly StageName[]

const folderOf = (id: string): string => id.split('/')[0]!

/** The stage of a transform; null for one that stands in no recipe that is drawn. */
export function stageOf(id: string): StageName | null {
  // What mends rounding comes behind all of it, wherever its file lies.
  if (TRANSFORMS.find((t) => t.id === id)?.role === 'corrects') return 'correct'
  return NAMES.find((name) => STAGES[name].folders.includes(folderOf(id))) ?? null
}

/**
 * Asks each transform what it refuses: of the model, and where that has nothing for it, of what lighter forms of it have,
 * for sparse stores want zeros.
 */
export async function openSpace(
  transforms: readonly Transform[],
  prepared: Model,
  env: TransformEnv,
  fixed: Readonly<Record<string, unknown>> = {},
): Promise<Space> {
  const learned = transforms.find((t) => t.id === LEARN_ROUNDING)
  const learnsRounding = learned !== undefined && reasonAgainst(learned, prepared, env) === null
  const drawn = transforms.filter((t) => t !== learned)
  const lighter = lighterForms(drawn, prepared, env)
  const refused: Refused[] = []
  for (const t of drawn) {
    const reason = reasonAgainst(t, prepared, env)
    if (reason === null) continue
    const isEarly = stageOf(t.id) === 'equalize' || stageOf(t.id) === 'lighten'
    if (isEarly || !(await lighter()).some((model) => reasonAgainst(t, model, env) === null))
      refused.push({ transform: t.id, reason })
  }
  const out = new Set(refused.map((r) => r.transform))
  const stages = NAMES.map((name): Stage => {
    const { most, chance } = STAGES[name]
    const own = drawn.filter((t) => stageOf(t.id) === name && !out.has(t.id))
    return { name, transforms: own, most, chance }
  })
  return { stages, refused, learnsRounding, fixed }
}

/** What the first transform of each folder makes of the model by itself; made when first asked for. */
function lighterForms(transforms: readonly Transform[], prepared: Model, env: TransformEnv) {
  let made: Promise<readonly Model[]> | null = null
  const make = async (): Promise<readonly Model[]> => {
    const models: Model[] = []
    const { folders } = STAGES.lighten
    for (const t of folders.flatMap((f) => transforms.find(({ id }) => folderOf(id) === f) ?? [])) {
      if (t.refuses(prepared, env) !== null) continue
      // One that fails tells nothing; it will fail again where it is drawn, and be told.
      const model = await t.apply(prepared, checkParams(t, {}), env).catch(() => prepared)
      env.signal?.throwIfAborted()
      if (model !== prepared) models.push(model)
    }
    return models
  }
  return () => {
    made ??= make()
    return made
  }
}

function reasonAgainst(t: Transform, model: Model, env: TransformEnv): string | null {
  if (t.needsCalibration && env.calibration === undefined && env.samples === undefined) return 'it needs samples'
  return t.refuses(model, env)
}

/** A recipe, each step with all its parameters that a search draws. Never an empty one where there is a transform. */
export function drawSteps(space: Space, random: Random): readonly Step[] {
  for (let tries = 0; tries < 20; tries++) {
    const steps = space.stages.flatMap((stage) => drawStage(space, stage, random))
    const sound = inOrder(space, steps)
    if (sound.length > 0) return sound
  }
  return []
}

function drawStage(space: Space, { transforms, most, chance }: Stage, random: Random): readonly Step[] {
  const left = [...transforms]
  const steps: Step[] = []
  while (left.length > 0 && steps.length < most && random.uniform() < chance) {
    const [transform] = left.splice(random.integer(left.length), 1)
    steps.push(drawStep(space, transform!, random))
  }
  return steps
}

export const drawStep = (space: Space, { id, params }: Transform, random: Random): Step => ({
  transform: id,
  params: Object.fromEntries(
    Object.entries(params).flatMap(([name, spec]) => {
      const value = Object.hasOwn(space.fixed, name) ? space.fixed[name] : drawUsual(spec, random)
      return value === undefined || value === spec.default ? [] : [[name, value]]
    }),
  ),
})

/** The chance that one of several values is the default: what does nothing in most models is not to fill recipes. */
const USUAL = 0.5

function drawUsual(spec: ParamSpec, random: Random): unknown {
  const isListed = valuesOf(spec)?.includes(spec.default) === true
  return isListed && random.uniform() < USUAL ? spec.default : drawValue(spec, random)
}

/** Undefined where a search leaves the parameter alone. */
export function drawValue(spec: ParamSpec, random: Random): unknown {
  const values = valuesOf(spec)
  if (values !== null) return values.length === 0 ? undefined : values[random.integer(values.length)]
  if (spec.kind !== 'number' || spec.search === undefined || !('low' in spec.search)) return undefined
  const { low, high, log = false } = spec.search
  return rounded(spec, log ? Math.exp(random.uniform(Math.log(low), Math.log(high))) : random.uniform(low, high))
}

/** The values of a parameter that has a list of them; null for others. */
export function valuesOf(spec: ParamSpec): readonly unknown[] | null {
  if (spec.kind === 'names') return []
  if (spec.search !== undefined && 'values' in spec.search) return spec.search.values
  if (spec.kind === 'flag') return [false, true]
  if (spec.kind === 'choice') return spec.choices
  return spec.search === undefined ? [] : null
}

/** Three digits: more say nothing, and a recipe is there to be read. */
export const rounded = (spec: ParamSpec & { readonly kind: 'number' }, value: number): number => {
  const inside = Math.min(spec.max, Math.max(spec.min, value))
  return spec.whole ? Math.round(inside) : Number(inside.toPrecision(3))
}

/** The first takes all that it can: what is special to some weights comes before few bits, and these before many. */
const STORES: readonly string[] = [
  'store/sparse',
  'store/binary',
  'store/ternary',
  'store/codebook',
  'store/int2',
  'store/int3',
  'store/int4',
  'store/int5',
  'store/int6',
  'store/int8',
  'store/f16',
]

/** Within a stage by folder, for what changes shapes comes before what sets zeros; of stores by what they take. */
const placeOf = ({ transform }: Step): number =>
  STAGES[stageOf(transform) ?? 'correct'].folders.indexOf(folderOf(transform)) + STORES.indexOf(transform) / 100

/**
 * In the order of the stages, none twice; without recovery where nothing costs quality, and without what mends rounding
 * where nothing rounds. Recovery rounds as the steps behind it will.
 */
export function inOrder({ stages }: Space, steps: readonly Step[]): readonly Step[] {
  const kept = stages.flatMap(({ name, most }) => {
    const own = steps.filter((s) => stageOf(s.transform) === name).toSorted((a, b) => placeOf(a) - placeOf(b))
    return own.filter((s, i) => own.findIndex((o) => o.transform === s.transform) === i).slice(0, most)
  })
  const has = (name: StageName): boolean => kept.some((s) => stageOf(s.transform) === name)
  const grid = gridOf(kept)
  const idle: readonly (StageName | null)[] = [
    has('lighten') || grid !== 'none' ? null : 'recover',
    has('quantize') || has('store') ? null : 'correct',
  ]
  return kept.filter((s) => !idle.includes(stageOf(s.transform))).map((s) => onGrid(s, grid))
}

/** The grid of `recover/distill` that comes nearest to how a recipe rounds most of its weights. */
export function gridOf(steps: readonly Step[]): string {
  const of = (id: string): Step | undefined => steps.find(({ transform }) => transform === id)
  const blocks = of('quantize/nbits')
  if (blocks !== undefined && (blocks.params.bits ?? '4') === '4') return 'int4'
  if (of('quantize/static') !== undefined || of('quantize/dynamic') !== undefined) return 'int8'
  const first = STORES.find((id) => of(id) !== undefined)
  return first !== undefined && /int\d$/.test(first) ? first.replace('/', '-') : 'none'
}

export function onGrid(step: Step, grid: string): Step {
  if (stageOf(step.transform) !== 'recover' || step.transform === LEARN_ROUNDING) return step
  const { grid: _, ...others } = step.params
  return { ...step, params: grid === 'none' ? others : { ...others, grid } }
}
