/** What the readers of a stream see of it on the samples, and what their weights do with it. */

import type { Engine } from '../../../engine/engine.js'
import { nodeKey } from '../../../ir/graphs.js'
import { elementCount, floats } from '../../../ir/tensor.js'
import type { Graph, Node } from '../../../ir/types.js'
import { multiplied, transposed } from '../../../linalg/products.js'
import { type Layer, weightMatrix } from '../../layers/layer.js'
import type { InputMoments, Moments } from '../../layers/moments.js'
import { traceOf, variesEnough } from '../covariance.js'
import type { Reading, Stream } from './streams.js'

/** Of coordinates, over samples and positions. */
export interface Spread {
  readonly mean: Float64Array
  /** [size, size] */
  readonly covariance: Float64Array
  /** Columns that were seen. */
  readonly count: number
}

/** What one reader does with the coordinates: Σ WᵀW over its outputs, [size, size], and what it sees of them. */
export interface ReaderView extends Spread {
  readonly weights: Float64Array
}

/** A normalization z = γ x̂ + β, by coordinate, and what was seen of x̂. */
export interface NormView extends Spread {
  readonly scale: Float64Array
  readonly bias: Float64Array
}

/** The layers whose moments tell all of a stream: its readers, or its normalizations, whose outputs a layer might read. */
export function layersToObserve({ readings, norms, group }: Stream): readonly Layer[] {
  if (norms.length === 0) return readings.map(({ layer }) => layer)
  const size = group.units.length
  return norms.map((node) => ({
    node,
    kind: 'product',
    input: node.outputs[0]!,
    weight: node.inputs[1]!,
    groups: 1,
    rows: size,
    depth: size,
    isTransposed: true,
  }))
}

/** The views of all readers, or why one has none. */
export async function readerViews(
  { readings }: Stream,
  graph: Graph,
  moments: InputMoments,
  engine: Engine,
): Promise<readonly ReaderView[] | string> {
  const views: ReaderView[] = []
  for (const reading of readings) {
    const { layer, channels } = reading
    const positions = layer.kind === 'conv' ? elementCount(graph.constants.get(layer.weight)!.shape.slice(2)) : 1
    const spread = spreadOf(layer, moments, { positions, channels })
    if (typeof spread === 'string') return spread
    views.push({ ...spread, weights: await squared(reading, positions, graph, engine) })
  }
  return views
}

/** Squares of β/γ beyond which sums in float32 tell little of x̂. */
const FURTHEST = 1e4

/** The views of all normalizations, or why there is none. `layers`: those to observe, in the order of the norms. */
export function normViews(
  { norms }: Stream,
  layers: readonly Layer[],
  graph: Graph,
  moments: InputMoments,
): ReadonlyMap<Node, NormView> | string {
  const views = new Map<Node, NormView>()
  for (const [i, norm] of norms.entries()) {
    const layer = layers[i]!
    const scale = Float64Array.from(floats(graph.constants.get(norm.inputs[1]!)!))
    const bias = norm.inputs[2]
      ? Float64Array.from(floats(graph.constants.get(norm.inputs[2])!))
      : new Float64Array(scale.length)
    if (scale.some((g, k) => g === 0 || (bias[k]! / g) ** 2 > FURTHEST))
      return `${nodeKey(norm)} hardly lets one of its coordinates through`
    const channels = Array.from(scale.keys())
    const spread = spreadOf(layer, moments, { positions: 1, channels })
    if (typeof spread === 'string') return spread
    views.set(norm, {
      scale,
      bias,
      count: spread.count,
      mean: spread.mean.map((m, k) => (m - bias[k]!) / scale[k]!),
      covariance: spread.covariance.map((c, at) => {
        const [k, l] = [Math.floor(at / scale.length), at % scale.length]
        return c / (scale[k]! * scale[l]!)
      }),
    })
  }
  return views
}

/** Where coordinates lie among the columns of a layer: a channel has as many as its kernel has positions. */
interface Columns {
  readonly positions: number
  readonly channels: readonly number[]
}

/** The mean over the positions of the kernel, or why nothing is known. */
function spreadOf(layer: Layer, { of, missing }: InputMoments, columns: Columns): Spread | string {
  const moments = of.get(layer)
  if (moments === undefined) return `${nodeKey(layer.node)}: ${missing.get(layer) ?? 'nothing is known of it'}`
  const { squares, mean } = averaged(moments, layer.depth, columns)
  const size = mean.length
  const covariance = squares.map((v, at) => v - mean[Math.floor(at / size)]! * mean[at % size]!)
  if (!variesEnough(moments.count, traceOf(covariance, size), traceOf(squares, size)))
    return `${nodeKey(layer.node)}: what enters it does not vary on the samples`
  return { mean, covariance, count: moments.count }
}

function averaged({ h, mean }: Moments, depth: number, { positions, channels }: Columns) {
  const size = channels.length
  const squares = new Float64Array(size * size)
  const means = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    for (let p = 0; p < positions; p++) {
      const row = channels[i]! * positions + p
      means[i]! += mean[row]! / positions
      for (let j = 0; j < size; j++)
        squares[i * size + j]! += h[row * depth + channels[j]! * positions + p]! / positions
    }
  }
  return { squares, mean: means }
}

/** Σ WᵀW over outputs and positions, [size, size]. */
function squared({ layer, channels }: Reading, positions: number, graph: Graph, engine: Engine): Promise<Float64Array> {
  const w = weightMatrix(layer, graph)
  const size = channels.length
  const rows = (w.length / layer.depth) * positions
  const own = new Float64Array(rows * size)
  for (let row = 0; row < rows; row++) {
    const from = Math.floor(row / positions) * layer.depth + (row % positions)
    for (let k = 0; k < size; k++) own[row * size + k] = w[from + channels[k]! * positions]!
  }
  return multiplied(transposed(own, rows, size), own, { m: size, k: rows, n: size }, engine)
}
