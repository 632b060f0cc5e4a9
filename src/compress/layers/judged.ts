/**
 * Choices of weights by what layers see, held against a plain one. Half of the samples is what a choice is made by; on the
 * other half it must be better than the plain choice, or that one stands.
 */

import { split } from '../../data/split.js'
import { nodeKey } from '../../ir/graphs.js'
import type { Model, Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import { nextTurn } from '../../util/turns.js'
import type { TransformEnv } from '../transform.js'
import { reconstructionError } from './error.js'
import { type Layer, layersByWeight } from './layer.js'
import { type InputMoments, inputMoments } from './moments.js'
import { findAllLayers } from './recurrent.js'

/** A weight, with the moments of what all layers that read it see: [groups, depth, depth]. */
export interface SeenWeight {
  /** One of them. */
  readonly layer: Layer
  readonly seen: Float64Array
  readonly heldOut: Float64Array
}

export interface SeenWeights {
  readonly of: ReadonlyMap<string, SeenWeight>
  /** Weights of which nothing was seen, and why. */
  readonly missing: ReadonlyMap<string, string>
  /** Choices that were made by it: of a weight, by method and grid. */
  readonly chosen: WeakMap<Tensor, Map<string, Int8Array>>
}

/**
 * What is seen of each weight. Throws `CALIBRATION_MISSING` without samples. A single sample is both halves.
 */
export async function seenWeights(
  model: Model,
  byWeight: ReadonlyMap<string, readonly Layer[]>,
  env: TransformEnv,
  what: string,
): Promise<SeenWeights> {
  if (env.samples === undefined) {
    throw new PareError('CALIBRATION_MISSING', `${what} needs samples`, { remedy: 'Give --data.' })
  }
  const layers = [...byWeight.values()].flat()
  if (layers.length === 0) return { of: new Map(), missing: new Map(), chosen: new WeakMap() }
  const halves = await split(env.samples, { seed: env.seed ?? 0, ...(env.signal && { signal: env.signal }) })
  const seen = await inputMoments(model, layers, { ...env, samples: halves.calibration })
  const isAlone = halves.heldOut.count === 0
  const heldOut = isAlone ? seen : await inputMoments(model, layers, { ...env, samples: halves.heldOut })
  const missing = new Map<string, string>()
  const of = new Map<string, SeenWeight>()
  for (const [weight, own] of byWeight) {
    const reason = own
      .map((layer) => seen.missing.get(layer) ?? heldOut.missing.get(layer))
      .find((r) => r !== undefined)
    if (reason !== undefined) missing.set(weight, reason)
    else of.set(weight, { layer: own[0]!, seen: together(own, seen), heldOut: together(own, heldOut) })
  }
  return { of, missing, chosen: new WeakMap() }
}

/** What asks for it. */
export const ROUNDING = 'rounding by what layers do'

/** The same of all layers of a model, found when first asked for and then known. */
export function seenOnce(model: Model, env: TransformEnv): () => Promise<SeenWeights> {
  let found: Promise<SeenWeights> | null = null
  return () => {
    found ??= seenWeights(model, layersByWeight(model.graph, findAllLayers(model.graph)), env, ROUNDING)
    return found
  }
}

/** Σ x xᵀ / n over the columns of several layers. */
function together(layers: readonly Layer[], { of }: InputMoments): Float64Array {
  const all = layers.map((layer) => of.get(layer)!)
  if (all.length === 1) return all[0]!.h
  const total = all.reduce((n, { count }) => n + count, 0)
  const sum = new Float64Array(all[0]!.h.length)
  for (const { h, count } of all) for (let i = 0; i < sum.length; i++) sum[i]! += (h[i]! * count) / total
  return sum
}

/** A choice of weights for a layer, and how far it is from the weights that it stands for. */
export interface Choice<T> {
  readonly value: T
  /** [groups · rows, depth] */
  readonly delta: Float64Array
}

/** Counts what became of choices, to be told. */
export interface Judge {
  /** `better` where it leaves the outputs nearer on held-out samples than `plain`, else that one. */
  choose<T>(weight: SeenWeight, better: Choice<T>, plain: Choice<T>): T
  /** Whether there was anything to choose. */
  isAsked(): boolean
  /** One sentence. A weight that was asked about more than once counts as it was last. */
  tell(method: string, plain: string, missing: ReadonlyMap<string, string>): string
}

const nameOf = ({ node, kind }: Layer): string =>
  kind === 'input' || kind === 'state' ? `${nodeKey(node)} (${kind})` : nodeKey(node)

export function openJudge(): Judge {
  const won = new Map<Layer, boolean>()
  return {
    choose({ layer, heldOut }, better, plain) {
      const isBetter =
        reconstructionError(better.delta, heldOut, layer) < reconstructionError(plain.delta, heldOut, layer)
      won.set(layer, isBetter)
      return isBetter ? better.value : plain.value
    },
    isAsked: () => won.size > 0,
    tell(method, plain, missing) {
      const lost = [...won].flatMap(([layer, isBetter]) => (isBetter ? [] : [nameOf(layer)]))
      const total = won.size + missing.size
      const of = `${method} for ${won.size - lost.length} of ${total} ${total === 1 ? 'weight' : 'weights'}`
      const back = lost.length === 0 ? '' : `; ${plain}, which is no worse on held-out samples, for ${lost.join(', ')}`
      const [first] = missing
      const blind =
        first === undefined ? '' : `; ${plain} for ${missing.size} of which nothing is known (${first[0]}: ${first[1]})`
      return `${of}${back}${blind}.`
    },
  }
}

/** Works on one group of a layer after the other; a turn of the event loop before each. */
export async function eachGroup(
  { groups, rows, depth }: Layer,
  matrix: Float32Array,
  signal: AbortSignal | undefined,
  work: (weights: Float32Array, group: number) => Float32Array,
): Promise<Float32Array> {
  const out = new Float32Array(matrix.length)
  const size = rows * depth
  for (let g = 0; g < groups; g++) {
    await nextTurn(signal)
    out.set(work(matrix.subarray(g * size, (g + 1) * size), g), g * size)
  }
  return out
}
