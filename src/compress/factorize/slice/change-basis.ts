/** Holds a stream in another basis: constants of what makes and reads it are turned, and coordinates that are not kept cut. */

import { float, floatAttr } from '../../../ir/attrs.js'
import { withConstants } from '../../../ir/edits.js'
import { withGraph } from '../../../ir/graphs.js'
import { elementCount, f32, floats } from '../../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../../ir/types.js'
import { type Products, transposed } from '../../../linalg/products.js'
import { freshNames } from '../../../passes/names.js'
import { sweep } from '../../../passes/sweep.js'
import { nextTurn } from '../../../util/turns.js'
import { cutUnits } from '../../prune/cut.js'
import type { Slice } from '../../prune/groups.js'
import type { Basis } from './basis.js'
import { indicesAlong, type Stream } from './streams.js'
import type { NormView } from './views.js'

/** A basis for a stream, and what its normalizations become. */
export interface BasisChange {
  readonly stream: Stream
  readonly basis: Basis
  readonly norms: ReadonlyMap<Node, NormChange>
}

export interface NormChange {
  /** [size, kept]: what stands for `from` in front of the readers of this normalization. */
  readonly from: Float64Array
  readonly scale: number
  /** [kept]; null for none. */
  readonly bias: Float64Array | null
  readonly epsilon: number
}

/**
 * z = γ x̂ + β in front of W becomes z' = γ' ŷ + β' in front of W diag(γ) (S + n/|n| uᵀ), u = 1/√kept: ŷ is the normalized
 * y = R x, whose length is that of x but for the `share` of its square that is kept, so that √(size · share / kept) ŷ is
 * R x̂. β' = R (β/γ) + |n| u lies partly along the direction of ones, which ŷ never has: there n = (1 − S R) (β/γ), what the
 * basis has lost of the bias, comes back whole.
 */
export function changedNorm(
  { scale, bias }: Pick<NormView, 'scale' | 'bias'>,
  { kept, to, from }: Basis,
  { share, epsilon }: { readonly share: number; readonly epsilon: number },
): NormChange {
  const size = scale.length
  const before = bias.map((b, i) => b / scale[i]!)
  const inside = new Float64Array(kept)
  for (let k = 0; k < kept; k++) for (let i = 0; i < size; i++) inside[k]! += to[k * size + i]! * before[i]!
  const lost = before.map((b, i) => {
    let found = 0
    for (let k = 0; k < kept; k++) found += from[i * kept + k]! * inside[k]!
    return b - found
  })
  const length = Math.hypot(...lost)
  const one = 1 / Math.sqrt(kept)
  const raised = from.map((v, at) => {
    const i = Math.floor(at / kept)
    return scale[i]! * (v + (length > 0 ? (lost[i]! / length) * one : 0))
  })
  const grown = (size * share) / kept
  return {
    from: raised,
    scale: Math.sqrt(grown),
    bias: before.some((b) => b !== 0) ? inside.map((v) => v + length * one) : null,
    epsilon: epsilon * grown,
  }
}

export const epsilonOf = (norm: Node): number => floatAttr(norm, 'epsilon', 1e-5)

/** The model with all of these streams in their bases. */
export async function changeBases(
  model: Model,
  changes: readonly BasisChange[],
  products: Products,
  signal?: AbortSignal,
): Promise<Model> {
  if (changes.length === 0) return model
  const constants = new Map<string, Tensor>()
  for (const { stream, basis, norms } of changes) {
    for (const slice of stream.group.units[0]!.slices) {
      await nextTurn(signal)
      const t = constants.get(slice.constant) ?? model.graph.constants.get(slice.constant)!
      const indices = indicesAlong(stream.group, slice)
      constants.set(
        slice.constant,
        await along(t, slice.axis, indices, matrixFor(slice, stream, basis, norms), products),
      )
    }
  }
  const rotated = withGraph(model, withConstants(model.graph, constants))
  const gone = changes.flatMap(({ stream, basis }) => stream.group.units.slice(basis.kept))
  return withNorms(cutUnits(rotated, gone), changes)
}

/** [kept, size]: R for what makes the stream; for what reads it Sᵀ, of its own normalization where there is one. */
function matrixFor(
  { constant, role }: Slice,
  { readings, group }: Stream,
  { kept, to, from }: Basis,
  norms: BasisChange['norms'],
): Float64Array {
  if (role === 'output') return to
  const { norm } = readings.find(({ layer }) => layer.weight === constant)!
  return transposed(norm === null ? from : norms.get(norm)!.from, group.units.length, kept)
}

/** Elements that are multiplied in one product. */
const AT_ONCE = 2 ** 20

/** Each vector v along an axis, at these indices, becomes A v; A: [kept, size]. What is not kept stays, to be cut. */
async function along(
  t: Tensor,
  axis: number,
  indices: readonly number[],
  a: Float64Array,
  products: Products,
): Promise<Tensor> {
  const size = indices.length
  const kept = a.length / size
  const [outer, all, inner] = [
    elementCount(t.shape.slice(0, axis)),
    t.shape[axis]!,
    elementCount(t.shape.slice(axis + 1)),
  ]
  const data = floats(t).slice()
  const place = (k: number, at: number): number => (Math.floor(at / inner) * all + indices[k]!) * inner + (at % inner)
  const step = Math.max(1, Math.floor(AT_ONCE / size))
  for (let from = 0; from < outer * inner; from += step) {
    const n = Math.min(step, outer * inner - from)
    const vectors = new Float64Array(size * n)
    for (let k = 0; k < size; k++) for (let at = 0; at < n; at++) vectors[k * n + at] = data[place(k, from + at)]!
    const made = await products.multiply(a, vectors, { m: kept, k: size, n })
    for (let k = 0; k < kept; k++) for (let at = 0; at < n; at++) data[place(k, from + at)] = made[k * n + at]!
  }
  return { ...f32(t.shape, data), ...(t.doc !== undefined && { doc: t.doc }) }
}

function withNorms(model: Model, changes: readonly BasisChange[]): Model {
  const byOutput = new Map(
    changes.flatMap(({ norms, basis }) =>
      [...norms].map(([norm, change]) => [norm.outputs[0]!, { ...change, kept: basis.kept }] as const),
    ),
  )
  if (byOutput.size === 0) return model
  const fresh = freshNames(model)
  const constants = new Map<string, Tensor>()
  const constant = (hint: string, t: Tensor): string => {
    const name = fresh(hint)
    constants.set(name, t)
    return name
  }
  const nodes = model.graph.nodes.map((node) => {
    const change = byOutput.get(node.outputs[0] ?? '')
    if (change === undefined) return node
    const { kept, scale, bias, epsilon } = change
    const inputs = [node.inputs[0]!, constant(node.inputs[1]!, f32([kept], new Float32Array(kept).fill(scale)))]
    if (bias !== null) inputs.push(constant(node.inputs[2]!, f32([kept], bias)))
    return { ...node, inputs, attrs: { ...node.attrs, epsilon: float(epsilon) } }
  })
  return withGraph(model, sweep(withConstants({ ...model.graph, nodes }, constants)))
}
