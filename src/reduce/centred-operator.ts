/**
 * A design with its columns centred and brought to one scale, as the products that it takes part in: dense rows are
 * centred a tile at a time, sparse ones never, since (X − 1mᵀ)B = XB − 1(mᵀB).
 */

import type { Engine, Session } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { STRIP } from '../kernels/centre-loops.js'
import { BESIDE } from '../linalg/gram.js'
import { openProducts, transposed } from '../linalg/products.js'
import type { LinearOperator } from '../linalg/randomized-svd.js'
import { type DenseMatrix, type DesignMatrix, isSparse, type SparseMatrix } from '../linear/design.js'
import { openRowTile } from '../linear/row-tile.js'
import { encodeModel } from '../onnx/codec.js'
import { inFlight } from '../util/in-flight.js'

/** z = (x − mean) / scale, by column. */
export interface Frame {
  readonly means: Float64Array
  readonly scales: Float64Array
}

export interface CentredOperator extends LinearOperator {
  close(): Promise<void>
}

export const centredOperator = (x: DesignMatrix, frame: Frame, engine: Engine | undefined): CentredOperator =>
  isSparse(x) ? sparseOperator(x, frame) : denseOperator(x, frame, engine)

function sparseOperator(
  { rows, columns, columnStarts, rowIndices, values }: SparseMatrix,
  { means, scales }: Frame,
): CentredOperator {
  return {
    rows,
    columns,
    async multiply(b, k) {
      const out = new Float64Array(rows * k)
      const away = new Float64Array(k)
      const own = new Float64Array(k)
      for (let j = 0; j < columns; j++) {
        for (let c = 0; c < k; c++) {
          own[c] = b[j * k + c]! / scales[j]!
          away[c]! += means[j]! * own[c]!
        }
        for (let at = columnStarts[j]!; at < columnStarts[j + 1]!; at++) {
          const [v, to] = [values[at]!, rowIndices[at]! * k]
          for (let c = 0; c < k; c++) out[to + c]! += v * own[c]!
        }
      }
      for (let i = 0, to = 0; i < rows; i++) for (let c = 0; c < k; c++, to++) out[to]! -= away[c]!
      return out
    },
    async multiplyTransposed(b, k) {
      const out = new Float64Array(columns * k)
      const sums = new Float64Array(k)
      for (let i = 0, at = 0; i < rows; i++) for (let c = 0; c < k; c++, at++) sums[c]! += b[at]!
      for (let j = 0; j < columns; j++) {
        const row = out.subarray(j * k, (j + 1) * k)
        for (let c = 0; c < k; c++) row[c] = -means[j]! * sums[c]!
        for (let at = columnStarts[j]!; at < columnStarts[j + 1]!; at++) {
          const [v, from] = [values[at]!, rowIndices[at]! * k]
          for (let c = 0; c < k; c++) row[c]! += v * b[from + c]!
        }
        for (let c = 0; c < k; c++) row[c]! /= scales[j]!
      }
      return out
    },
    close: async () => {},
  }
}

/** Numbers of a tile, about. */
const TOGETHER = 1 << 21

function denseOperator(x: DenseMatrix, { means, scales }: Frame, engine: Engine | undefined): CentredOperator {
  const { rows, columns } = x
  const height = STRIP * Math.ceil(Math.min(rows, Math.max(1, TOGETHER / columns)) / STRIP)
  const tile = openRowTile(x, null, { columns, height, isSingle: false })
  const factors = scales.map((s) => 1 / s)
  const products = engine === undefined ? loopTiles(columns, height) : engineTiles(columns, height, engine)

  /** All tiles, [columns, height], one of them being filled while another one is multiplied. */
  const each = async (use: (z: Float64Array, from: number, to: number) => Promise<void>): Promise<void> => {
    const tasks = inFlight(1)
    tile.begin({ shifts: means, factors })
    for (let from = 0; from < rows; from += height) {
      const to = Math.min(rows, from + height)
      const room = products.room()
      tile.fill(from, to, {})
      tile.copy({ from: 0, to: columns }, room, 0)
      await tasks.push(use(room, from, to))
    }
    await tasks.end()
  }

  return {
    rows,
    columns,
    async multiply(b, k) {
      const out = new Float64Array(rows * k)
      await each(async (z, from, to) => {
        const part = await products.across(z, b, k)
        out.set(part.subarray(0, (to - from) * k), from * k)
      })
      return out
    },
    async multiplyTransposed(b, k) {
      const out = new Float64Array(columns * k)
      await each(async (z, from, to) => {
        const own = new Float64Array(height * k)
        own.set(b.subarray(from * k, to * k))
        const part = await products.along(z, own, k)
        for (let at = 0; at < out.length; at++) out[at]! += part[at]!
      })
      return out
    },
    close: () => products.close(),
  }
}

/** Products of a tile Z, [columns, height]; the room that it came in is gone. */
interface TileProducts {
  room(): Float64Array
  /** ZᵀB of [columns, k]: [height, k]. */
  across(z: Float64Array, b: Float64Array, k: number): Promise<Float64Array>
  /** ZB of [height, k]: [columns, k]. */
  along(z: Float64Array, b: Float64Array, k: number): Promise<Float64Array>
  close(): Promise<void>
}

function loopTiles(columns: number, height: number): TileProducts {
  const products = openProducts(undefined)
  return {
    room: () => new Float64Array(columns * height),
    across: (z, b, k) => products.multiply(transposed(z, columns, height), b, { m: height, k: columns, n: k }),
    along: (z, b, k) => products.multiply(z, b, { m: columns, k: height, n: k }),
    close: () => products.close(),
  }
}

function engineTiles(columns: number, height: number, engine: Engine): TileProducts {
  const spare: Float64Array[] = []
  const sessions: Partial<Record<'across' | 'along', Promise<Session>>> = {}
  const run = async (way: 'across' | 'along', z: Float64Array, b: Float64Array, k: number): Promise<Float64Array> => {
    sessions[way] ??= engine.load(encodeModel(tileModel(columns, height, way)).bytes, { config: BESIDE })
    const session = await sessions[way]
    const feeds = {
      tile: tensor('float64', [columns, height], z),
      right: tensor('float64', [way === 'across' ? columns : height, k], b),
    }
    const { tile, result } = await session.run(feeds, { lend: ['tile'] })
    spare.push(numbers(tile!) as Float64Array)
    return numbers(result!) as Float64Array
  }
  return {
    room: () => spare.pop() ?? new Float64Array(columns * height),
    across: (z, b, k) => run('across', z, b, k),
    along: (z, b, k) => run('along', z, b, k),
    async close() {
      for (const session of Object.values(sessions)) await (await session).close()
    },
  }
}

function tileModel(columns: number, height: number, way: 'across' | 'along'): Model {
  const b = builder(['tile', 'right', 'result'], 'float64')
  const value = (shape: readonly (number | string)[]) => ({ kind: 'tensor', dtype: 'float64', shape }) as const
  const [inner, outer] = way === 'across' ? [columns, height] : [height, columns]
  const inputs = [b.input('tile', value([columns, height])), b.input('right', value([inner, 'K']))]
  // Asked for as what it is: a transposition by itself would be written out.
  const options = way === 'across' ? { domain: 'com.microsoft', attrs: { transA: int(1) } } : {}
  b.ops(way === 'across' ? 'FusedMatMul' : 'MatMul', inputs, { ...options, outputs: ['result'] })
  b.output('result', value([outer, 'K']))
  return modelOf(b.graph('tile'), { '': 21, 'com.microsoft': 1 })
}
