/** Moments of tables that come one after the other, of which only the one that came last is in memory. */

import type { FloatType } from '../ir/builder.js'
import type { RunOptions } from '../util/env.js'
import type { DenseMatrix } from './design.js'
import {
  type EngineMoments,
  type EngineMomentsOptions,
  type Gathering,
  heightOf,
  openEngineMoments,
  precisionOf,
  sampleFrame,
} from './engine-moments.js'
import { isMany } from './gather-moments.js'
import { addMoments, isWhole, type Moments, momentsOf } from './moments.js'

export interface BlockMoments {
  /** Comes back once the rows are read. `check` throws where a cell is no number that can be summed. */
  add(x: DenseMatrix, check: () => void): Promise<void>
  end(): Promise<Moments>
  close(): Promise<void>
}

export interface BlockMomentsOptions extends Pick<RunOptions, 'signal'> {
  /** Without one all is done in plain loops, which is some ten times slower. */
  readonly engine?: EngineMomentsOptions['engine'] | undefined
  /** Of products on the engine. Default: that of the first table. */
  readonly precision?: FloatType | undefined
}

/** Of X alone. There is one table at least, and all have as many columns. */
export function blockMoments({ engine, precision, signal }: BlockMomentsOptions): BlockMoments {
  let opened: EngineMoments | undefined
  let last: Gathering | null = null
  let all: Moments | null = null
  const take = (own: Moments): void => {
    all = all === null ? own : addMoments(all, own, all.scatter)
  }
  const settle = async (): Promise<void> => {
    if (last !== null) take(await last.end())
    last = null
  }
  const onEngine = async (x: DenseMatrix, moments: EngineMoments, check: () => void): Promise<void> => {
    const options = signal ? { signal } : {}
    const frame = last?.frame ?? sampleFrame(x, null, [undefined], undefined)
    let own = await moments.begin({ x, y: null }, frame, options)
    if (!own.isUsable) check()
    // While the rows are there: what comes of them is known later.
    if (!own.isNear) {
      await own.end()
      own = await moments.begin({ x, y: null }, own.frame, options)
    }
    await settle()
    if (own.isUsable) last = own
    else take(await wholeOf(own, x))
  }
  return {
    async add(x, check) {
      if (engine === undefined || !isMany(x.rows, x.columns)) {
        check()
        take(momentsOf(x, null))
        return
      }
      opened ??= await openEngineMoments({ engine, ...shapeFor(x, precision) })
      await onEngine(x, opened, check)
    },
    async end() {
      await settle()
      return all!
    },
    async close() {
      await opened?.close()
    },
  }
}

function shapeFor({ rows, columns, data }: DenseMatrix, given: FloatType | undefined) {
  const precision = precisionOf(columns, given ?? (data instanceof Float32Array ? 'float32' : 'float64'))
  return { columns, precision, height: heightOf(columns, precision, [rows]) }
}

/** Of numbers so large that squares of them overflow: by loops, where those of the engine did. */
async function wholeOf(own: Gathering, x: DenseMatrix): Promise<Moments> {
  const moments = await own.end()
  return isWhole(moments) ? moments : momentsOf(x, null)
}
