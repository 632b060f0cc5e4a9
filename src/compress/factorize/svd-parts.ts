/** W as a product of two: A B, [rows, r] by [r, depth]. Of a convolution B keeps the kernel, and A sees one position. */

import type { Engine } from '../../engine/engine.js'
import { multiplied, transposed } from '../../linalg/products.js'
import { type Cut, type Decomposition, depthOf, principal, type Weight } from './decompose.js'
import { rankByCriterion, rankByTail, type Spectrum } from './rank.js'

/**
 * The truncated singular value decomposition in the metric of the inputs (Zhang et al., Accelerating very deep
 * convolutional networks for classification and detection, TPAMI 2016): what is lost is the tail of the spectrum of W L.
 */
export async function svdParts(weight: Weight, metric: Float64Array | null, engine: Engine): Promise<Decomposition> {
  const { matrix, rows, channels } = weight
  const depth = depthOf(weight)
  const { squares, vectors } = await principal(matrix, rows, metric, engine)
  const spectrum: Spectrum = { squares, long: Math.max(rows, depth) }
  const cut = (rank: number): Cut => ({
    ranks: [rank],
    parameters: rank * (rows + depth),
  })
  return {
    byTail: (tail) => cut(rankByTail(spectrum, tail)),
    byCriterion: (criterion) => cut(rankByCriterion(spectrum, criterion)),
    async parts({ ranks: [rank] }) {
      const r = rank!
      const kept = vectors.subarray(0, r * rows)
      return [
        {
          matrix: await multiplied(kept, matrix, { m: r, k: rows, n: depth }, engine),
          outputs: r,
          inputs: channels,
          isKernel: true,
        },
        { matrix: transposed(kept, r, rows), outputs: rows, inputs: r, isKernel: false },
      ]
    },
  }
}
