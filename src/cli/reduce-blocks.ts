/** Rows that are read in blocks, as often as they are asked for, of which one block is in memory. */

import type { FloatType } from '../ir/builder.js'
import type { DenseMatrix } from '../linear/design.js'

export interface RowBlocks {
  readonly rows: number
  readonly columns: number
  /** That of the blocks. */
  readonly precision: FloatType
  /** Of so many numbers, about; from the first row each time. A block may be changed once the next one is asked for. */
  blocks(together?: number): AsyncIterable<DenseMatrix>
}

/** As many numbers as products take at once. */
export const TOGETHER = 2 ** 21

/** Rows of a block. */
export const blockRows = ({ rows, columns }: Pick<RowBlocks, 'rows' | 'columns'>, together: number): number =>
  Math.min(rows, Math.max(1, Math.floor(together / columns)))

export const roomOf = ({ precision }: Pick<RowBlocks, 'precision'>, length: number): Float32Array | Float64Array =>
  precision === 'float32' ? new Float32Array(length) : new Float64Array(length)

/** What all rows take, in bytes. */
export const sizeOf = ({ rows, columns, precision }: RowBlocks): number =>
  rows * columns * (precision === 'float32' ? 4 : 8)

/** All rows in memory. */
export async function heldRows(x: RowBlocks): Promise<DenseMatrix> {
  const { rows, columns } = x
  const data = roomOf(x, rows * columns)
  let at = 0
  for await (const block of x.blocks()) {
    data.set(block.data, at)
    at += block.data.length
  }
  return { rows, columns, data }
}
