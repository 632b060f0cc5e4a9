/**
 * Setting weights to zero: what the ways of choosing them share. The engine multiplies by zeros as by anything else, so
 * this makes a model no faster; a compact store makes it smaller.
 */

import { nodeKey, withGraph } from '../../ir/graphs.js'
import type { Graph, Model } from '../../ir/types.js'
import { changeOf } from '../layers/error.js'
import { openJudge, type SeenWeight, seenWeights } from '../layers/judged.js'
import { type Layer, layersByWeight, weightMatrix, withWeightMatrix } from '../layers/layer.js'
import { findAllLayers } from '../layers/recurrent.js'
import type { Params, Transform, TransformEnv } from '../transform.js'
import { leastOfEach } from './least.js'
import { PATTERNS } from './pattern.js'

export const sparseParams = {
  ratio: {
    kind: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    doc: 'share of the weights that become zero',
    search: { low: 0.4, high: 0.95 },
  },
  pattern: {
    kind: 'choice',
    choices: PATTERNS,
    default: 'free',
    doc: 'any weights, or such that N of M neighbours stay (then ratio does not count)',
    search: { values: ['free'] },
  },
  minElements: { kind: 'number', default: 128, min: 1, max: 1e9, doc: 'leave smaller weights alone' },
  exclude: { kind: 'names', default: [], doc: 'nodes whose weights stay as they are' },
} as const

export const scopeParam = {
  kind: 'choice',
  choices: ['layer', 'global'],
  default: 'layer',
  doc: 'whether each layer loses the same share, or the model as a whole its least weights (pattern free)',
} as const

export type SparseParams = Params<typeof sparseParams>

/** Layers that may be made sparse, by the weight that they read. */
export function prunable(
  graph: Graph,
  p: Pick<SparseParams, 'minElements' | 'exclude'>,
): ReadonlyMap<string, readonly Layer[]> {
  const excluded = new Set(p.exclude)
  const all = layersByWeight(graph, findAllLayers(graph))
  return new Map(
    [...all].filter(
      ([weight, layers]) =>
        graph.constants.get(weight)!.byteLength / 4 >= p.minElements &&
        !layers.some((layer) => excluded.has(nodeKey(layer.node))),
    ),
  )
}

const NOTHING_PRUNABLE = 'no Conv, MatMul, Gemm or LSTM with constant weights'

export const refusesSparse = (model: Model): string | null =>
  prunable(model.graph, { minElements: sparseParams.minElements.default, exclude: [] }).size > 0
    ? null
    : NOTHING_PRUNABLE

/** The least of a layer's weights by magnitude become zero: what every other way is held against. */
export const smallestToZero = (matrix: Float32Array, { depth }: Layer, p: SparseParams): Float32Array =>
  leastOfEach(matrix, Float64Array.from(matrix, Math.abs), depth, p)

/** The share that a group of so many weights loses, a whole number of them, such that all groups together lose `ratio`. */
export const shareOf = (group: number, size: number, ratio: number): number =>
  (Math.round(ratio * size * (group + 1)) - Math.round(ratio * size * group)) / size

/** Sparse weights [groups · rows, depth] of a layer, by what was seen to enter it. */
export type ChooseSparse = (
  matrix: Float32Array,
  weight: SeenWeight,
  p: SparseParams,
  env: TransformEnv,
) => Promise<Float32Array>

/** A transform that chooses by what layers see, and keeps to magnitudes where that is not better. */
export function sparsifyBySamples(
  id: string,
  summary: string,
  method: string,
  choose: ChooseSparse,
): Transform<typeof sparseParams> {
  return {
    id,
    summary,
    params: sparseParams,
    needsCalibration: false,
    role: 'prepares',
    refuses: (model, { samples }) => (samples === undefined ? `${id} needs samples` : refusesSparse(model)),
    async apply(model, p, env) {
      const byWeight = prunable(model.graph, p)
      const { of, missing } = await seenWeights(model, byWeight, env, id)
      const judge = openJudge()
      let { graph } = model
      for (const [weight, [layer]] of byWeight) {
        const matrix = weightMatrix(layer!, graph)
        const plain = smallestToZero(matrix, layer!, p)
        const seen = of.get(weight)
        let chosen = plain
        if (seen !== undefined) {
          const better = await choose(matrix, seen, p, env)
          const options = [better, plain].map((value) => ({ value, delta: changeOf(value, matrix) }))
          chosen = judge.choose(seen, options[0]!, options[1]!)
        }
        graph = withWeightMatrix(graph, layer!, chosen)
      }
      if (byWeight.size > 0) env.report?.(`${id}: ${judge.tell(method, 'magnitude', missing)}`)
      return byWeight.size === 0 ? model : withGraph(model, graph)
    },
  }
}
