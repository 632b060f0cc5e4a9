/**
 * Weights that share few values while they train: each is made of a codebook, which trains, and of the places of its
 * elements in it, which stay. The gradient of an entry is then the sum of those of the weights that take it (Han et al.
 * 2016, Deep Compression, section 3.3, eq. 3), by the gradient of Gather alone.
 */

import { codebookOf } from '../grids/codebook.js'
import { int } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elementCount, f32, floats, i64, tensor } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { parametersOf, withoutBiases, withParameters } from '../train/parameters.js'
import { PareError } from '../util/errors.js'
import { allFinite } from './quantize/weights.js'

export interface ShareOptions {
  /** Of a place: a codebook has 2^bits entries. 1 to 8. */
  readonly bits: number
  /** Patterns of weights, or of nodes that read them, that share nothing. */
  readonly exclude?: readonly string[]
  /** Smaller weights share nothing, nor do those with NaN or infinities. Default 128. */
  readonly minElements?: number
}

export interface SharedWeights {
  /** What `train` takes: give it `keepZeros`, so that the entry of pruned weights stays zero. */
  readonly model: Model
  /** The model that was given, with the weights that a trained one of the other form has. */
  plain(trained: Model): Model
}

interface Shared {
  readonly name: string
  readonly shape: readonly number[]
  readonly places: Uint8Array
  /** The constant that holds its codebook, [entries, 1]. */
  readonly codebook: string
}

/** Weights of at least two axes in float32 that are no biases, each on a codebook of its own. Throws `SHARE_BITS`, `TRAIN_FREEZE`. */
export function sharedWeights(model: Model, { bits, exclude = [], minElements = 128 }: ShareOptions): SharedWeights {
  if (!Number.isInteger(bits) || bits < 1 || bits > 8) throw wrongBits(bits)
  const { graph } = model
  const b = builder(allNames(graph))
  const isShared = ({ dtype, shape }: Tensor): boolean => dtype === 'float32' && elementCount(shape) >= minElements
  const shared = withoutBiases(model, parametersOf(model, exclude))
    .filter((name) => isShared(graph.constants.get(name)!))
    .filter((name) => allFinite(graph.constants.get(name)!))
    .map((name) => share(b, name, graph.constants.get(name)!, bits))
  const names = new Set(shared.map(({ name }) => name))
  const added = b.graph()
  const constants = new Map([...[...graph.constants].filter(([name]) => !names.has(name)), ...added.constants])
  return {
    model: { ...model, graph: { ...graph, nodes: [...added.nodes, ...graph.nodes], constants } },
    plain: (trained) => withParameters(model, new Map(shared.map((w) => [w.name, weightOf(w, trained)]))),
  }
}

function share(b: Builder, name: string, t: Tensor, bits: number): Shared {
  const { codebook, indices } = codebookOf(floats(t), { size: 2 ** bits, keepZero: true })
  const places = Uint8Array.from(indices)
  const table = b.constant(f32([codebook.length, 1], codebook), `${name}_codebook`)
  const at = b.op('Cast', [b.constant(tensor('uint8', [places.length], places), `${name}_places`)], {
    attrs: { to: int(6) },
  })
  const shape = b.constant(i64([t.shape.length], t.shape), 'shape')
  b.ops('Reshape', [b.op('Gather', [table, at]), shape], { outputs: [name] })
  return { name, shape: t.shape, places, codebook: table }
}

function weightOf({ shape, places, codebook }: Shared, { graph }: Model): Tensor {
  const entries = floats(graph.constants.get(codebook)!)
  return f32(
    shape,
    Float32Array.from(places, (place) => entries[place]!),
  )
}

const wrongBits = (value: number): PareError =>
  new PareError('SHARE_BITS', 'a place in a codebook takes 1 to 8 bits', {
    where: 'bits',
    value,
    remedy: 'Give a whole number from 1 to 8.',
  })
