/** Small designs with what is awkward: more columns than rows, twins, constants, columns far from zero. */

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
