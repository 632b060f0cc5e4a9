/** ZZᵀ of the centred and scaled rows of a dense matrix, for fewer rows than columns. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { openGram } from '../linalg/gram.js'
import { multiplied, transposed } from '../linalg/products.js'
import { type DenseMatrix, stridesOf } from '../linear/design.js'
import { inFlight } from '../util/in-flight.js'
import type { Frame } from './centred-operator.js'

export interface RowGramOptions {
  readonly engine?: Engine | undefined
  readonly signal?: AbortSignal | undefined
}

/** Columns of a tile. */
const TILE = 1552

/** Multiplications from which on the engine is worth its way. */
const MANY = 1e8

/** [rows, rows] */
export async function rowGram(x: DenseMatrix, frame: Frame, o: RowGramOptions): Promise<Float64Array> {
  const { rows, columns } = x
  const take = filler(x, frame)
  if (o.engine === undefined || rows * rows * columns < MANY) {
    const z = new Float64Array(rows * columns)
    for (let i = 0; i < rows; i++) take(i, 0, columns, z, i * columns)
    return multiplied(z, transposed(z, rows, columns), { m: rows, k: columns, n: rows }, undefined)
  }
  // Rows take the place of columns: a sum over tiles of some columns each.
  const gram = await openGram({ engine: o.engine, columns: rows, precision: 'float64', tile: TILE })
  try {
    const sum = gram.begin()
    const tasks = inFlight(1)
    for (let from = 0; from < columns; from += TILE) {
      throwIfAborted(o.signal)
      const to = Math.min(columns, from + TILE)
      const parts = gram.room(1)
      for (const [a, block] of gram.blocks.entries()) {
        const part = parts[a] as Float64Array
        for (let i = block.from, at = 0; i < block.to; i++, at += TILE) {
          take(i, from, to, part, at)
          part.fill(0, at + to - from, at + TILE)
        }
      }
      await tasks.push(sum.add(parts))
    }
    await tasks.end()
    return sum.end()
  } finally {
    await gram.close()
  }
}

/** Writes columns `from` to `to` of row i of Z to where they belong. */
function filler(x: DenseMatrix, { means, scales }: Frame) {
  const [byRow, byColumn] = stridesOf(x)
  const factors = scales.map((s) => 1 / s)
  return (i: number, from: number, to: number, out: Float64Array, at: number): void => {
    for (let j = from, next = i * byRow + from * byColumn; j < to; j++, at++, next += byColumn)
      out[at] = (x.data[next]! - means[j]!) * factors[j]!
  }
}
