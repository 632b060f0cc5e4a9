/** Moments of rows that come in blocks, of which no more than one is in memory. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { blockMoments } from '../linear/block-moments.js'
import { checkShape, type DenseMatrix, emptyDesign, firstUnfit, placeOf, unfit } from '../linear/design.js'
import type { Moments } from '../linear/moments.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'

export interface BlockOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  readonly engine?: Engine | undefined
  readonly precision?: FloatType
}

/**
 * A block may be changed once the next one is asked for. Throws `DESIGN_…` with the row of all rows, `PCA_SHAPE`, and what
 * the blocks throw.
 */
export async function momentsOfBlocks(
  blocks: AsyncIterable<DenseMatrix> | Iterable<DenseMatrix>,
  { engine, precision, signal, onProgress }: BlockOptions,
): Promise<Moments> {
  const sums = blockMoments({ engine, precision, ...(signal && { signal }) })
  let columns = 0
  let rows = 0
  try {
    for await (const x of blocks) {
      throwIfAborted(signal)
      checkShape(x, x.rows)
      if (rows > 0 && x.columns !== columns) throw otherColumns(rows, x.columns, columns)
      columns = x.columns
      await sums.add(x, () => {
        const odd = firstUnfit(x.data)
        if (odd >= 0) throw unfit(`X, ${placeOf(x, odd, rows)}`, x.data[odd]!)
      })
      rows += x.rows
      onProgress?.({ task: 'reading rows', done: rows })
    }
    if (rows === 0) throw emptyDesign('no block of rows')
    return await sums.end()
  } finally {
    await sums.close()
  }
}

const otherColumns = (before: number, value: number, wanted: number): PareError =>
  new PareError('PCA_SHAPE', 'a block of rows has another number of columns than those before', {
    where: `the block that begins at row ${before + 1}`,
    value,
    remedy: `Give ${wanted}.`,
  })
