/** Small designs with what is awkward: more columns than rows, twins, constants, columns far from zero. */

import fc from 'fast-check'
import type { DenseMatrix } from '../src/linear/design.js'
import { random } from '../src/util/random.js'

export function awkwardDesign(
  seed: number,
  rows: number,
  columns: number,
  order: DenseMatrix['order'] = 'row-major',
): DenseMatrix {
  const { normal, integer } = random(seed)
  const made: Float64Array[] = []
  for (let j = 0; j < columns; j++) {
    const kind = j > 0 ? integer(6) : 5
    if (kind === 0) made.push(made[integer(j)]!)
    else if (kind === 1) made.push(new Float64Array(rows).fill(normal()))
    else made.push(Float64Array.from({ length: rows }, () => (kind === 2 ? 100 : 0) + normal(0, kind === 3 ? 10 : 1)))
  }
  const data = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) data[order === 'row-major' ? i * columns + j : j * rows + i] = made[j]![i]!
  return { rows, columns, data, order }
}

export interface DrawnProblem {
  readonly seed: number
  readonly n: number
  readonly p: number
  readonly isWeighted: boolean
}

/** Of every size that small tests draw. */
export const drawnProblem = {
  seed: fc.nat(1e6),
  n: fc.integer({ min: 6, max: 25 }),
  p: fc.integer({ min: 1, max: 30 }),
  isWeighted: fc.boolean(),
} as const

/** An awkward design, a response of its first column, and weights, some of them 0; and all of it standardized. */
export function awkwardProblem({ seed, n, p, isWeighted }: DrawnProblem) {
  const x = awkwardDesign(seed, n, p)
  const { normal, integer } = random(seed).fork(1)
  const y = Float64Array.from({ length: n }, (_, i) => x.data[i * p]! + normal(0, 0.5))
  const weights = isWeighted ? Float64Array.from({ length: n }, (_, i) => (i < 3 ? 1 : integer(3))) : undefined
  const { shares, columns, y: centred } = standardizedData(x, y, weights)
  const mean = (f: (i: number) => number): number => shares.reduce((s, w, i) => s + w * f(i), 0)
  /** Coefficients on the scale of the fit, what they leave of y, and how each column pulls at that. */
  const at = (coefficients: Float64Array) => {
    const beta = coefficients.map((b, j) => b * columns[j]!.scale)
    const r = centred.map((v, i) => columns.reduce((s, { z }, j) => s - beta[j]! * z[i]!, v))
    return { beta, r, square: mean((i) => r[i]! ** 2), pull: columns.map(({ z }) => mean((i) => r[i]! * z[i]!)) }
  }
  return { x, y, weighted: weights ? { weights } : {}, centred, mean, yy: mean((i) => centred[i]! ** 2), at }
}

/** Columns with mean 0 and standard deviation 1 with weights of sum 1, those without spread as zeros; and y about its mean. */
export function standardizedData(x: DenseMatrix, y: ArrayLike<number>, weights?: ArrayLike<number>) {
  const total = Array.from({ length: x.rows }, (_, i) => weights?.[i] ?? 1).reduce((a, b) => a + b, 0)
  const shares = Float64Array.from({ length: x.rows }, (_, i) => (weights?.[i] ?? 1) / total)
  const cell = (i: number, j: number): number =>
    x.data[x.order === 'column-major' ? j * x.rows + i : i * x.columns + j]!
  const mean = (f: (i: number) => number): number => shares.reduce((s, w, i) => s + w * f(i), 0)
  const columns = Array.from({ length: x.columns }, (_, j) => {
    const center = mean((i) => cell(i, j))
    const deviation = Math.sqrt(mean((i) => (cell(i, j) - center) ** 2))
    const isFlat = deviation <= 1e-12 * Math.abs(center)
    return {
      scale: isFlat ? 1 : deviation,
      z: Float64Array.from(shares, (_, i) => (isFlat ? 0 : (cell(i, j) - center) / deviation)),
    }
  })
  const center = mean((i) => y[i]!)
  return { shares, columns, y: Float64Array.from(shares, (_, i) => y[i]! - center) }
}
