/**
 * A transform makes a model smaller or faster and may change its outputs a little (a pass may not). Its parameters
 * are declared once: validation, command-line flags, documentation and the search space all come from there.
 */

import type { Samples } from '../data/samples.js'
import type { Histogram } from '../grids/histogram.js'
import type { Model } from '../ir/types.js'
import type { Env } from '../passes/pass.js'
import { PareError } from '../util/errors.js'
import type { SeenWeights } from './layers/judged.js'

/** The values that a search tries; one alone is fixed. Default: all of a flag or choice, and a number's default. */
export interface SearchValues {
  readonly values: readonly (string | number | boolean)[]
}

/** The numbers that a search draws from, evenly, or with `log` evenly in their logarithms. */
export interface SearchRange {
  readonly low: number
  readonly high: number
  readonly log?: boolean
}

export type ParamSpec =
  | { readonly kind: 'flag'; readonly default: boolean; readonly doc: string; readonly search?: SearchValues }
  | {
      readonly kind: 'choice'
      readonly choices: readonly string[]
      readonly default: string
      readonly doc: string
      readonly search?: SearchValues
    }
  | {
      readonly kind: 'number'
      readonly default: number
      readonly min: number
      readonly max: number
      readonly whole?: boolean
      readonly doc: string
      readonly search?: SearchValues | SearchRange
    }
  /** Names of nodes. */
  | { readonly kind: 'names'; readonly default: readonly string[]; readonly doc: string }

export type ParamSpecs = Readonly<Record<string, ParamSpec>>

type ParamValue<P extends ParamSpec> = P extends { kind: 'flag' }
  ? boolean
  : P extends { kind: 'choice'; choices: readonly (infer C)[] }
    ? C
    : P extends { kind: 'number' }
      ? number
      : readonly string[]

export type Params<S extends ParamSpecs> = { readonly [K in keyof S]: ParamValue<S[K]> }

/** What was seen of a model's values on the calibration samples. */
export interface Calibration {
  /** Number of samples seen. */
  readonly samples: number
  readonly histograms: ReadonlyMap<string, Histogram>
  /** The largest value of each input channel of layers: see `peakKey`. */
  readonly peaks: ReadonlyMap<string, Float32Array>
}

export interface TransformEnv extends Env {
  /** Absent where there are no samples: transforms that need it refuse. */
  readonly calibration?: Calibration
  /** What transforms may look at, and recovery learns from; never what judges. */
  readonly samples?: Samples
  /** All samples that do not judge, as many as memory holds: what recovery learns from. Default: `samples`. */
  readonly training?: Samples
  /** The model before any step: what recovery and corrections bring a model back to. */
  readonly teacher?: Model
  /** The model before the first step that rounded: what a correction compares with. Default: `teacher`. */
  readonly unrounded?: Model
  /** What enters layers of the model before the first step that rounded, found when first asked for. */
  readonly seen?: () => Promise<SeenWeights>
  /** Keep to operators of the ONNX standard. */
  readonly portable?: boolean
  /** Told of the losses over the course of a recovery. */
  readonly onRecovered?: (losses: readonly number[]) => void
  /** Told in a sentence what a step did that its result does not show, such as layers for which it kept to a plainer way. */
  readonly report?: (message: string) => void
}

/** What a transform may know before it refuses. */
export type RefusalEnv = Pick<TransformEnv, 'portable' | 'samples' | 'training' | 'teacher' | 'unrounded'>

export interface Transform<S extends ParamSpecs = ParamSpecs> {
  /** `quantize/static` */
  readonly id: string
  /** One sentence for help and reports. */
  readonly summary: string
  readonly params: S
  readonly needsCalibration: boolean
  /**
   * What it does in a list of steps; absent where it changes the model and makes it smaller in float.
   * - `prepares`: readies a model in float for the steps behind it, and by itself makes no file smaller.
   * - `rounds`: puts weights on a grid; the values between layers keep their names and stay near what they were.
   * - `corrects`: mends what rounding did.
   */
  readonly role?: 'prepares' | 'rounds' | 'corrects'
  /** Why the transform has nothing to do on this model, or null. */
  refuses(model: Model, env: RefusalEnv): string | null
  apply(model: Model, params: Params<S>, env: TransformEnv): Promise<Model>
}

/** Fills in defaults and checks every value. */
export function checkParams<S extends ParamSpecs>(
  transform: Transform<S>,
  given: Readonly<Record<string, unknown>>,
): Params<S> {
  const fail = (name: string, what: string, value: unknown, remedy: string): never => {
    throw new PareError('PARAM_INVALID', what, { where: `${transform.id}: ${name}`, value, remedy })
  }
  for (const name of Object.keys(given)) {
    if (given[name] !== undefined && !Object.hasOwn(transform.params, name)) {
      fail(name, 'there is no such parameter', given[name], `It takes: ${Object.keys(transform.params).join(', ')}.`)
    }
  }
  const entries = Object.entries(transform.params).map(([name, spec]) => {
    const value = given[name] ?? spec.default
    switch (spec.kind) {
      case 'flag':
        if (typeof value !== 'boolean') fail(name, 'a flag is true or false', value, 'Give true or false.')
        break
      case 'choice':
        if (!spec.choices.includes(value as string))
          fail(name, 'not one of the choices', value, `Give one of: ${spec.choices.join(', ')}.`)
        break
      case 'number':
        if (typeof value !== 'number' || !(value >= spec.min && value <= spec.max)) {
          fail(name, `a number from ${spec.min} to ${spec.max} is needed`, value, 'Give a number in that range.')
        }
        if (spec.whole && !Number.isInteger(value)) fail(name, 'a whole number is needed', value, 'Round it.')
        break
      case 'names':
        if (!Array.isArray(value) || value.some((v) => typeof v !== 'string'))
          fail(name, 'a list of node names is needed', value, 'Give an array of strings.')
        break
    }
    return [name, value]
  })
  return Object.fromEntries(entries) as Params<S>
}
