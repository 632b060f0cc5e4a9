/** Moments of rows that come in blocks, of which no more than one is in memory. */

import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { checkShape, type DenseMatrix, emptyDesign, firstUnfit, placeOf, unfit } from '../linear/design.js'
import { gatherMoments } from '../linear/gather-moments.js'
import { addMoments, type Moments } from '../linear/moments.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'

export interface BlockOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  readonly engine?: Engine | undefined
  readonly precision?: FloatType
}

/** Throws `DESIGN_…` with the row of all rows, `PCA_SHAPE`, and what the blocks throw. */
export async function momentsOfBlocks(
  blocks: AsyncIterable<DenseMatrix> | Iterable<DenseMatrix>,
  { engine, precision, signal, onProgress }: BlockOptions,
): Promise<Moments> {
  let all: Moments | null = null
  let rows = 0
  for await (const x of blocks) {
    throwIfAborted(signal)
    checkShape(x, x.rows)
    if (all !== null && x.columns !== all.means.length) throw otherColumns(rows, x.columns, all.means.length)
    const odd = firstUnfit(x.data)
    if (odd >= 0) throw unfit(`X, ${placeOf(x, odd, rows)}`, x.data[odd]!)
    const own = await gatherMoments(x, null, {
      engine,
      precision: precision ?? (x.data instanceof Float32Array ? 'float32' : 'float64'),
      ...(signal && { signal }),
    })
    all = all === null ? own : addMoments(all, own, all.scatter)
    rows += x.rows
    onProgress?.({ task: 'reading rows', done: rows })
  }
  if (all === null) throw emptyDesign('no block of rows')
  return all
}

const otherColumns = (before: number, value: number, wanted: number): PareError =>
  new PareError('PCA_SHAPE', 'a block of rows has another number of columns than those before', {
    where: `the block that begins at row ${before + 1}`,
    value,
    remedy: `Give ${wanted}.`,
  })
