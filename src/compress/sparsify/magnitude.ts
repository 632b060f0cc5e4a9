/** The smallest weights become zero (Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks"). */

import { withGraph } from '../../ir/graphs.js'
import { weightMatrix, withWeightMatrix } from '../layers/layer.js'
import type { Transform } from '../transform.js'
import { leastOfAll } from './least.js'
import { prunable, refusesSparse, scopeParam, smallestToZero, sparseParams } from './sparsify.js'

const params = { ...sparseParams, scope: scopeParam } as const

export const sparsifyMagnitude: Transform<typeof params> = {
  id: 'sparsify/magnitude',
  summary: 'the smallest weights set to zero',
  params,
  needsCalibration: false,
  role: 'prepares',
  refuses: refusesSparse,
  async apply(model, p) {
    const layers = [...prunable(model.graph, p).values()].map(([layer]) => layer!)
    if (layers.length === 0) return model
    const matrices = layers.map((layer) => weightMatrix(layer, model.graph))
    const sparse =
      p.scope === 'global' && p.pattern === 'free'
        ? leastOfAll(
            matrices,
            matrices.map((m) => Float64Array.from(m, Math.abs)),
            p.ratio,
          )
        : matrices.map((matrix, i) => smallestToZero(matrix, layers[i]!, p))
    const graph = layers.reduce((g, layer, i) => withWeightMatrix(g, layer, sparse[i]!), model.graph)
    return withGraph(model, graph)
  },
}
