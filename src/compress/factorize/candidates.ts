/** The weights of a model that may be taken apart, with what their layers see. */

import { consumers, nodeKey } from '../../ir/graphs.js'
import { elementCount } from '../../ir/tensor.js'
import type { Graph, Model } from '../../ir/types.js'
import { counted } from '../../util/format.js'
import { findLayers, type Layer, layersByWeight } from '../layers/layer.js'
import { type InputMoments, inputMoments, type Moments } from '../layers/moments.js'
import { isPlainGemm } from '../quantize/products.js'
import type { TransformEnv } from '../transform.js'
import { type BiasPlace, biasPlace } from './bias.js'
import { shrunk, variesEnough } from './covariance.js'
import { type Weight, weightOf } from './decompose.js'

/** Which layers: all, or convolutions that see more than one position. */
export type Reach = 'all' | 'kernels'

export interface Reader {
  readonly layer: Layer
  readonly bias: BiasPlace | null
  /** Absent without samples, and where there is no telling. */
  readonly moments: Moments | undefined
}

/** One weight and all that read it. */
export interface Candidate {
  readonly readers: readonly Reader[]
  readonly weight: Weight
  /**
   * What is least in it is least in the outputs: the mean over the readers of H, less what their biases can take up. Null
   * where all inputs are taken to be alike: without samples, or where they do not tell.
   */
  readonly metric: Float64Array | null
}

/** Lists of layers that share a weight: those whose weight nothing else reads, of one group. */
export function splittable(graph: Graph, reach: Reach, exclude: readonly string[] = []): readonly (readonly Layer[])[] {
  const excluded = new Set(exclude)
  const layers = findLayers(graph).filter(
    (layer) =>
      layer.groups === 1 &&
      !excluded.has(nodeKey(layer.node)) &&
      (layer.node.op !== 'Gemm' || isPlainGemm(layer.node)) &&
      (reach === 'all' || (layer.node.op === 'Conv' && kernelOf(layer, graph) > 1)),
  )
  return [...layersByWeight(graph, layers).values()]
}

const kernelOf = ({ weight }: Layer, graph: Graph): number => elementCount(graph.constants.get(weight)!.shape.slice(2))

export async function candidates(
  model: Model,
  shared: readonly (readonly Layer[])[],
  env: TransformEnv,
): Promise<readonly Candidate[]> {
  const { graph } = model
  const seen = env.samples && (await inputMoments(model, shared.flat(), env))
  const nodes = consumers(graph)
  const found = shared.map((layers): Candidate => {
    const readers = layers.map(
      (layer): Reader => ({ layer, bias: biasPlace(layer, graph, nodes), moments: seen?.of.get(layer) }),
    )
    return { readers, weight: weightOf(layers[0]!, graph), metric: metricOf(readers) }
  })
  if (seen !== undefined) warnOfAlike(found, seen, env)
  return found
}

function warnOfAlike(found: readonly Candidate[], { missing }: InputMoments, { onWarning }: TransformEnv): void {
  const alike = found.filter(({ metric }) => metric === null).map(({ readers }) => readers.map(({ layer }) => layer))
  const [first] = alike
  if (first === undefined) return
  const reason = first.map((layer) => missing.get(layer)).find((why) => why !== undefined)
  onWarning?.(
    `Inputs of ${counted(alike.flat().length, 'layer')} are taken to be alike: ${nodeKey(first[0]!.node)}: ${reason ?? 'what enters it does not vary on the samples'}.`,
  )
}

function metricOf(readers: readonly Reader[]): Float64Array | null {
  const sums = new Float64Array(readers[0]!.layer.depth ** 2)
  let [count, variance, squares] = [0, 0, 0]
  for (const { bias, moments } of readers) {
    if (moments === undefined) return null
    const { h, mean } = moments
    const depth = mean.length
    for (let i = 0; i < depth; i++) {
      const shift = bias === null ? 0 : mean[i]!
      for (let j = 0; j < depth; j++) sums[i * depth + j]! += (h[i * depth + j]! - shift * mean[j]!) * moments.count
      squares += h[i * (depth + 1)]! * moments.count
      variance += (h[i * (depth + 1)]! - shift * mean[i]!) * moments.count
    }
    count += moments.count
  }
  if (!variesEnough(count, variance, squares)) return null
  return shrunk(
    sums.map((v) => v / count),
    readers[0]!.layer.depth,
    count,
  )
}
