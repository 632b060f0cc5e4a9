/** Why a model has nothing to quantize: said by what its weights are, since that is where it mostly lies. */

import { subgraphs } from '../ir/attrs.js'
import { elementCount } from '../ir/tensor.js'
import type { Graph, Model, Tensor } from '../ir/types.js'
import { standardOpset } from '../passes/standard-domain.js'
import { upgradeOpset } from '../passes/upgrade-opset.js'
import { TARGET_OPSET } from './prepare.js'
import { allFinite } from './quantize/weights.js'
import { type RecipeStep, refusals } from './recipes.js'

/** Smaller constants are no weights, or not worth it. */
const WEIGHT = 64

/** The first whose operators are known; storing weights needs no newer one. */
const KNOWN_OPSET = 7

/** One or two sentences, the last of which says what to do. */
export function whyNothing(prepared: Model, steps: readonly RecipeStep[], portable: boolean): string {
  const opset = standardOpset(prepared.opsets)
  if (opset < KNOWN_OPSET) {
    return `Its opset is ${opset}, and operators are known here from opset ${KNOWN_OPSET} on: export it again with a newer one, or convert it with onnx.version_converter in Python.`
  }
  const odd = oddWeights(
    prepared,
    steps.some((s) => s.transform === 'store/f16'),
  )
  if (odd !== null) return odd
  const reasons = refusals(prepared, steps, { portable })
  if (reasons.length === 0) return 'Its weights are excluded or too small.'
  const [blocker] = upgradeOpset(TARGET_OPSET).plan(prepared).blockers
  const why = `The reason: ${reasons.join('; ')}.`
  if (blocker === undefined || !reasons.some((r) => r.includes('needs opset'))) return `${why} See \`pare inspect\`.`
  return `${why} ${blocker.node} bars opset ${blocker.version}: ${blocker.reason}. store-int8 and f16 do without.`
}

/** Where most of the weights' bytes are no finite float32, what they are; else null. */
function oddWeights({ graph }: Model, toHalf: boolean): string | null {
  const weights = weightsOf(graph)
  const kinds = new Map<string, { bytes: number; first: string }>()
  for (const [name, t] of weights) {
    const kind = kindOf(t)
    const old = kinds.get(kind) ?? { bytes: 0, first: name }
    kinds.set(kind, { bytes: old.bytes + t.byteLength, first: old.first })
  }
  const [most] = [...kinds].sort(([, a], [, b]) => b.bytes - a.bytes)
  if (most === undefined) return null
  const [kind, { first }] = most
  if (kind === 'float32') return null
  if (kind === 'NaN') return `Its weights hold NaN or infinities (first: ${first}): train or export the model again.`
  if (kind === 'float16' && toHalf) return `Its weights are float16 already (first: ${first}).`
  if (/^u?int/.test(kind))
    return `Its weights are ${kind} already (first: ${first}): give the float32 model that it was made from.`
  return `Its weights are ${kind} (first: ${first}): give the float32 model.`
}

const kindOf = (t: Tensor): string => (t.dtype !== 'float32' ? t.dtype : allFinite(t) ? 'float32' : 'NaN')

/** int64 and int32 are shapes and indices, bias of integer layers among them. */
const NO_WEIGHTS: ReadonlySet<string> = new Set(['int64', 'int32', 'bool', 'string'])

function weightsOf(graph: Graph): readonly (readonly [string, Tensor])[] {
  const own = [...graph.constants].filter(([, t]) => !NO_WEIGHTS.has(t.dtype) && elementCount(t.shape) >= WEIGHT)
  return [...own, ...graph.nodes.flatMap((n) => subgraphs(n).flatMap(({ graph: inner }) => weightsOf(inner)))]
}

/** Names of weights with NaN or infinities: they stay as they are, whatever the kind. */
export const weightsWithNaN = ({ graph }: Model): readonly string[] =>
  weightsOf(graph).flatMap(([name, t]) => (kindOf(t) === 'NaN' ? [name] : []))
