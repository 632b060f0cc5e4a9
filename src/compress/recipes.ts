/**
 * Recipes: named lists of steps that together serve one purpose. `--to` names one; a search tries many. Every recipe
 * that computes in integers ends by storing what is still float, so that the file always shrinks.
 */

import type { RangeMethod } from '../grids/ranges.js'
import type { Model } from '../ir/types.js'
import { findTransform } from './index.js'
import { seenOnce } from './layers/judged.js'
import { calibrateUnits } from './quantize/calibrate-units.js'
import type { QuantizeKind } from './quantize/kinds.js'
import type { Rounding } from './quantize/rounder.js'
import { findUnits } from './quantize/units.js'
import { checkParams, type TransformEnv } from './transform.js'

export interface RecipeStep {
  readonly transform: string
  readonly params: Readonly<Record<string, unknown>>
}

export interface Recipe {
  readonly name: string
  readonly steps: readonly RecipeStep[]
}

const step = (transform: string, params: Readonly<Record<string, unknown>> = {}): RecipeStep => ({ transform, params })

/** Options of `quantize` that its steps take. */
export interface Int8Options {
  /** How the ranges of activations are found. This and the next two: `int8` with samples only, ignored elsewhere. */
  readonly range?: RangeMethod
  readonly symmetric?: boolean
  readonly activations?: 'uint8' | 'int8'
  /** One weight scale for each output channel: `int8`, and what `int4` leaves to it. */
  readonly perChannel?: boolean
  /** How weights go to integers: each to the nearest, or all of a layer for what they do on samples. Default: nearest. */
  readonly rounding?: Rounding
  /** Names of nodes that stay in float. */
  readonly exclude?: readonly string[]
}

/** What `--to KIND` does. `calibrated`: samples are there. */
export function recipeFor(kind: QuantizeKind, calibrated: boolean, options: Int8Options = {}): Recipe {
  const { rounding, ...others } = options
  const { name, steps } = plainRecipe(kind, calibrated, others)
  if (rounding === undefined) return { name, steps }
  return { name, steps: steps.map((s) => (rounds(s) ? { ...s, params: { ...s.params, rounding } } : s)) }
}

const rounds = ({ transform }: RecipeStep): boolean => Object.hasOwn(findTransform(transform).params, 'rounding')

/** Whether a kind has integers whose rounding can be chosen. */
export const hasRounding = (kind: QuantizeKind): boolean => plainRecipe(kind, true, {}).steps.some(rounds)

function plainRecipe(kind: QuantizeKind, calibrated: boolean, options: Omit<Int8Options, 'rounding'>): Recipe {
  const { exclude, perChannel, ...rest } = options
  const out = exclude === undefined ? {} : { exclude }
  const channels = perChannel === undefined ? {} : { perChannel }
  switch (kind) {
    case 'int8': {
      const fixed = calibrated ? [step('quantize/static', { ...rest, ...channels, ...out })] : []
      return {
        name: calibrated ? 'static int8' : 'dynamic int8',
        steps: [...fixed, step('quantize/dynamic', { ...channels, ...out }), step('store/int8', out)],
      }
    }
    case 'int4':
      return {
        name: 'int4 blocks',
        steps: [
          step('quantize/nbits', out),
          step('quantize/dynamic', { ...channels, ...out }),
          step('store/int8', out),
        ],
      }
    case 'ternary':
    case 'binary':
      return { name: `stored ${kind}`, steps: [step(`store/${kind}`, out)] }
    case 'f16':
      return { name: 'float16 weights', steps: [step('store/f16', out)] }
    case 'store-int8':
      return { name: 'stored int8', steps: [step('store/int8', out)] }
    case 'store-int6':
    case 'store-int5':
    case 'store-int4':
    case 'store-int3':
    case 'store-int2': {
      const type = kind.slice('store-'.length)
      return { name: `stored ${type}`, steps: [step(`store/${type}`, out)] }
    }
    case 'codebook':
      return { name: 'stored codebook', steps: [step('store/codebook', out)] }
    case 'sparse':
      return { name: 'stored sparse', steps: [step('store/sparse', out)] }
  }
}

/**
 * Applies the steps one after the other; a step that refuses the model is passed over. Where a step changed what the
 * values between the layers hold, ranges are found anew for one behind it that needs them.
 */
export async function applySteps(model: Model, steps: readonly RecipeStep[], env: TransformEnv): Promise<Model> {
  let current = model
  const unrounded = env.unrounded ?? model
  let known: TransformEnv = { ...env, unrounded, seen: env.seen ?? seenOnce(unrounded, env) }
  let isStale = false
  for (const [i, { transform: id, params }] of steps.entries()) {
    env.signal?.throwIfAborted()
    const transform = findTransform(id)
    const checked = checkParams(transform, params)
    if (transform.refuses(current, known) !== null) continue
    if (transform.needsCalibration && isStale) {
      // Ends alone are found several times as fast, but steps behind this one read the same ranges.
      known = await calibratedAnew(current, known, steps.slice(i).every(isAboutEnds) ? 'range' : 'histogram')
      isStale = false
    }
    const next = await transform.apply(current, checked, known)
    if (next !== current && transform.role !== 'rounds' && transform.role !== 'corrects') {
      known = { ...known, unrounded: next, seen: seenOnce(next, env) }
      isStale = true
    }
    current = next
  }
  return current
}

/** The largest and the smallest value are all that the step asks of ranges, if it asks anything. */
function isAboutEnds({ transform: id, params }: RecipeStep): boolean {
  const transform = findTransform(id)
  return !transform.needsCalibration || checkParams(transform, params).range === 'min-max'
}

async function calibratedAnew(model: Model, env: TransformEnv, detail: 'histogram' | 'range'): Promise<TransformEnv> {
  const { calibration: _, ...rest } = env
  const found = env.samples && (await calibrateUnits(model, env.samples, env, detail))
  return found === undefined ? rest : { ...rest, calibration: found }
}

/** Why steps have nothing to do on a model, each reason once. */
export function refusals(
  model: Model,
  steps: readonly RecipeStep[],
  env: Pick<TransformEnv, 'portable'>,
): readonly string[] {
  return [...new Set(steps.flatMap(({ transform }) => findTransform(transform).refuses(model, env) ?? []))]
}

export interface PlanContext {
  readonly calibrated: boolean
  /**
   * Quality can be measured. Without that weights in 4 bits are not tried. Nothing else is sure to be mild either:
   * dynamic int8 has one grid for all channels of an activation, and one large channel takes it from the others.
   */
  readonly judged: boolean
  readonly portable: boolean
  readonly objective: 'latency' | 'size'
  /** ARM prefers signed activations. */
  readonly activations: 'uint8' | 'int8'
  /** The model was given in float16, and is computed in float32. */
  readonly widened?: boolean
}

/**
 * The recipes that a search tries on a prepared model, cheapest promise first. Only what the model has something
 * for: no depthwise variant without depthwise layers, no dynamic one without MatMul or LSTM, nothing to store without
 * float32 weights.
 */
export function planRecipes(
  model: Model,
  { calibrated, judged, portable, objective, activations, widened = false }: PlanContext,
): readonly Recipe[] {
  const applies = (id: string): boolean => findTransform(id).refuses(model, { portable }) === null
  const dynamic = applies('quantize/dynamic')
  const store = step('store/int8')
  const tail = dynamic ? [step('quantize/dynamic'), store] : [store]
  const recipes: Recipe[] = [{ name: widened ? 'computed in float32' : 'cleaned only', steps: [] }]
  if (applies('store/f16')) recipes.push({ name: 'stored float16', steps: [step('store/f16')] })
  if (applies('store/int8')) recipes.push({ name: 'stored int8', steps: [store] })
  if (judged && objective === 'size' && applies('store/int4'))
    recipes.push({ name: 'stored int4', steps: [step('store/int4')] })
  for (const grid of ['binary', 'ternary'] as const)
    if (applies(`store/${grid}`)) recipes.push({ name: `stored ${grid}`, steps: [step(`store/${grid}`)] })
  if (dynamic) {
    recipes.push({ name: 'dynamic int8', steps: tail })
    recipes.push({ name: 'dynamic int8, per tensor', steps: [step('quantize/dynamic', { perChannel: false }), store] })
  }
  if (judged && applies('quantize/nbits'))
    recipes.push({ name: 'int4 blocks', steps: [step('quantize/nbits', { block: '32' }), ...tail] })
  if (calibrated && applies('quantize/static')) recipes.push(...staticRecipes(model, activations, tail))
  return recipes
}

function staticRecipes(model: Model, activations: 'uint8' | 'int8', tail: readonly RecipeStep[]): readonly Recipe[] {
  const units = findUnits(model.graph)
  const has = (kind: string): boolean => units.some((u) => u.kind === kind)
  const fixed = (name: string, params: Readonly<Record<string, unknown>>): Recipe => ({
    name: `static int8, ${name}`,
    steps: [step('quantize/static', { activations, ...params }), ...tail],
  })
  const products = has('matmul') || has('gemm')
  return [
    fixed('min-max', {}),
    fixed('percentile', { range: 'percentile' }),
    fixed('mse', { range: 'mse' }),
    fixed('entropy', { range: 'entropy' }),
    fixed('per tensor', { perChannel: false }),
    ...(has('depthwise') ? [fixed('depthwise in float', { depthwise: false })] : []),
    ...(has('map') ? [fixed('layers only', { maps: false })] : []),
    ...(products && units.some((u) => u.kind === 'conv') ? [fixed('products dynamic', { matmul: false })] : []),
  ]
}
