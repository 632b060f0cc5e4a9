/** What the readers of a stream see of it on the samples, and what their weights do with it. */

import { nodeKey } from '../../../ir/graphs.js'
import { floats } from '../../../ir/tensor.js'
import type { Graph, Node } from '../../../ir/types.js'
import { weightMatrix } from '../../layers/layer.js'
import type { InputMoments } from '../../layers/moments.js'
import type { ReaderView } from './basis.js'
import type { Reading, Stream } from './streams.js'

/** Of a reader: where its input channels lie among the columns of its weight. */
interface Columns {
  readonly depth: number
  /** Of the kernel. */
  readonly positions: number
  readonly channels: readonly number[]
}

const columnsOf = ({ layer, channels }: Reading, graph: Graph): Columns => {
  const { shape } = graph.constants.get(layer.weight)!
  const positions = layer.kind === 'conv' ? layer.depth / shape[1]! : 1
  return { depth: layer.depth, positions, channels }
}

/** The views of all readers, or why one has none. */
export function readerViews(
  { readings }: Stream,
  graph: Graph,
  { of, missing }: InputMoments,
): readonly ReaderView[] | string {
  const views: ReaderView[] = []
  for (const reading of readings) {
    const moments = of.get(reading.layer)
    if (moments === undefined) return missingOf(reading, missing)
    const columns = columnsOf(reading, graph)
    views.push({ weights: weightsOf(reading, columns, graph), seen: averaged(moments.h, columns) })
  }
  return views
}

const missingOf = ({ layer }: Reading, missing: InputMoments['missing']): string =>
  `${nodeKey(layer.node)}: ${missing.get(layer) ?? 'nothing is known of it'}`

/** The mean over the positions of the kernel of the second moments of channels, [size, size]. */
function averaged(h: Float64Array, { depth, positions, channels }: Columns): Float64Array {
  const size = channels.length
  const sum = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let p = 0; p < positions; p++)
        sum[i * size + j]! += h[(channels[i]! * positions + p) * depth + channels[j]! * positions + p]! / positions
    }
  }
  return sum
}

/** Σ WᵀW over outputs and positions, [size, size]. */
function weightsOf({ layer }: Reading, { depth, positions, channels }: Columns, graph: Graph): Float64Array {
  const w = weightMatrix(layer, graph)
  const size = channels.length
  const sum = new Float64Array(size * size)
  for (let row = 0; row < w.length; row += depth) {
    for (let p = 0; p < positions; p++) {
      for (let i = 0; i < size; i++) {
        const v = w[row + channels[i]! * positions + p]!
        for (let j = 0; j < size; j++) sum[i * size + j]! += v * w[row + channels[j]! * positions + p]!
      }
    }
  }
  return sum
}

/** A normalization z = γ x̂ + β, by coordinate. */
export interface Affine {
  readonly scale: Float64Array
  readonly bias: Float64Array
}

/** Null where a coordinate is hardly there: x̂ cannot be told from z. */
export function affineOf(norm: Node, graph: Graph): Affine | null {
  const numbersOf = (name: string | undefined): Float64Array | null => {
    const t = graph.constants.get(name ?? '')
    return t === undefined ? null : Float64Array.from(floats(t))
  }
  const scale = numbersOf(norm.inputs[1])
  if (scale === null) return null
  const most = scale.reduce((m, v) => Math.max(m, Math.abs(v)), 0)
  if (scale.some((v) => !(Math.abs(v) > LEAST * most))) return null
  const bias = norm.inputs[2] ? numbersOf(norm.inputs[2]) : new Float64Array(scale.length)
  return bias && { scale, bias }
}

/** Of the largest scale. */
const LEAST = 1e-6

/** E[x̂ x̂ᵀ] of each normalization, from what one of its readers sees: E[z zᵀ] and E[z]; or why it is not known. */
export function normedViews(
  { norms, readings }: Stream,
  affines: ReadonlyMap<Node, Affine>,
  { of, missing }: InputMoments,
): ReadonlyMap<Node, Float64Array> | string {
  const views = new Map<Node, Float64Array>()
  for (const norm of norms) {
    const own = readings.filter((r) => r.norm === norm)
    const first = own.find(({ layer }) => of.has(layer))
    if (first === undefined) return own[0] ? missingOf(own[0], missing) : `no layer reads ${nodeKey(norm)}`
    const { scale, bias } = affines.get(norm)!
    const { h, mean } = of.get(first.layer)!
    const size = scale.length
    const x = new Float64Array(size * size)
    for (let i = 0; i < size; i++) {
      const a = first.channels[i]!
      for (let j = 0; j < size; j++) {
        const b = first.channels[j]!
        const second = h[a * first.layer.depth + b]! - mean[a]! * bias[j]! - bias[i]! * mean[b]! + bias[i]! * bias[j]!
        x[i * size + j] = second / (scale[i]! * scale[j]!)
      }
    }
    views.set(norm, x)
  }
  return views
}
