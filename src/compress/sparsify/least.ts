/** The weights of least worth become zero: of each layer, or of all. */

import { markLeast, markNeighbours, neighboursOf, withZeros } from './pattern.js'
import type { SparseParams } from './sparsify.js'

/** Of a matrix [rows, depth] by the worth of each element, in the pattern that is asked for. */
export function leastOfEach(
  matrix: Float32Array,
  worths: Float64Array,
  depth: number,
  { ratio, pattern }: Pick<SparseParams, 'ratio' | 'pattern'>,
): Float32Array {
  const rule = neighboursOf(pattern)
  if (rule !== null) return withZeros(matrix, markNeighbours(worths, depth, rule.keep, rule.of))
  const marks = new Uint8Array(matrix.length)
  markLeast(worths, Math.round(ratio * matrix.length), marks)
  return withZeros(matrix, marks)
}

/** Of all matrices together. */
export function leastOfAll(
  matrices: readonly Float32Array[],
  worths: readonly Float64Array[],
  ratio: number,
): readonly Float32Array[] {
  const total = matrices.reduce((n, m) => n + m.length, 0)
  const all = new Float64Array(total)
  const starts: number[] = []
  let at = 0
  for (const own of worths) {
    starts.push(at)
    all.set(own, at)
    at += own.length
  }
  const marks = new Uint8Array(total)
  markLeast(all, Math.round(ratio * total), marks)
  return matrices.map((matrix, i) => withZeros(matrix, marks.subarray(starts[i]!, starts[i]! + matrix.length)))
}
