/** SparseGPT as a transform: weights set to zero, and the others changed to make good for them. */

import { eachGroup } from '../layers/judged.js'
import { solveSparse } from './sparsegpt-solver.js'
import { shareOf, smallestToZero, sparsifyBySamples } from './sparsify.js'

export const sparsifySparseGpt = sparsifyBySamples(
  'sparsify/sparsegpt',
  'weights set to zero where the others make good for it, and changed for that',
  'SparseGPT',
  (matrix, { layer, seen }, { ratio, ...p }, { signal }) => {
    const { rows, depth } = layer
    return eachGroup(layer, matrix, signal, (weights, group) => {
      const h = seen.subarray(group * depth * depth, (group + 1) * depth * depth)
      const own = { ...p, ratio: shareOf(group, weights.length, ratio) }
      return solveSparse(weights, rows, depth, h, own) ?? smallestToZero(weights, layer, own)
    })
  },
)
