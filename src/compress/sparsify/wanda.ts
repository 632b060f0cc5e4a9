/**
 * Wanda (Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models", eq. 1): each output loses
 * the weights of the least |w_j| · ‖x_j‖, where ‖x_j‖² = n H_jj is what input j brought over all columns.
 */

import { eachGroup } from '../layers/judged.js'
import { markLeast, markNeighbours, neighboursOf, withZeros } from './pattern.js'
import { shareOf, sparsifyBySamples } from './sparsify.js'

export const sparsifyWanda = sparsifyBySamples(
  'sparsify/wanda',
  'the weights of least magnitude times activation set to zero',
  'Wanda',
  (matrix, { layer, seen }, { ratio, pattern }, { signal }) => {
    const { depth } = layer
    return eachGroup(layer, matrix, signal, (weights, group) => {
      const scores = wandaScores(weights, depth, seen.subarray(group * depth * depth))
      const rule = neighboursOf(pattern)
      if (rule !== null) return withZeros(weights, markNeighbours(scores, depth, rule.keep, rule.of))
      const marks = new Uint8Array(weights.length)
      // Up to each row as many as the ratio asks for up to there.
      const share = shareOf(group, weights.length, ratio)
      for (let end = depth, gone = 0; end <= weights.length; end += depth) {
        const count = Math.round(share * end) - gone
        markLeast(scores, count, marks, end - depth, end)
        gone += count
      }
      return withZeros(weights, marks)
    })
  },
)

/** |w| √H_jj of weights [rows, depth]. */
export function wandaScores(weights: Float32Array, depth: number, h: Float64Array): Float64Array {
  const scale = Float64Array.from({ length: depth }, (_, j) => Math.sqrt(h[j * depth + j]!))
  return Float64Array.from(weights, (w, i) => Math.abs(w) * scale[i % depth]!)
}
