/** The smallest weights become zero (Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks"). */

import { withGraph } from '../../ir/graphs.js'
import { weightMatrix, withWeightMatrix } from '../layers/layer.js'
import type { Transform } from '../transform.js'
import { markLeast, withZeros } from './pattern.js'
import { prunable, refusesSparse, smallestToZero, sparseParams } from './sparsify.js'

const params = {
  ...sparseParams,
  scope: {
    kind: 'choice',
    choices: ['layer', 'global'],
    default: 'layer',
    doc: 'whether each layer loses the same share, or the model as a whole its smallest weights (pattern free)',
  },
} as const

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
        ? smallestOfAll(matrices, p.ratio)
        : matrices.map((matrix, i) => smallestToZero(matrix, layers[i]!, p))
    const graph = layers.reduce((g, layer, i) => withWeightMatrix(g, layer, sparse[i]!), model.graph)
    return withGraph(model, graph)
  },
}

function smallestOfAll(matrices: readonly Float32Array[], ratio: number): readonly Float32Array[] {
  const total = matrices.reduce((n, m) => n + m.length, 0)
  const magnitudes = new Float64Array(total)
  const starts: number[] = []
  let at = 0
  for (const matrix of matrices) {
    starts.push(at)
    for (const w of matrix) magnitudes[at++] = Math.abs(w)
  }
  const marks = new Uint8Array(total)
  markLeast(magnitudes, Math.round(ratio * total), marks)
  return matrices.map((matrix, i) => withZeros(matrix, marks.subarray(starts[i]!, starts[i]! + matrix.length)))
}
