/** Rows of a design, y last, one tile at a time, in which columns lie one after the other as products want them. */

import { type CentreKernel, openCentreKernel } from '../kernels/centre-kernel.js'
import { STRIP } from '../kernels/centre-loops.js'
import type { DenseMatrix } from './design.js'

export interface RowTileShape {
  /** Of the design and y. */
  readonly columns: number
  /** A multiple of `STRIP`. */
  readonly height: number
  readonly isSingle: boolean
}

/** What is done to the columns, and the sums of what comes out. */
interface Frame {
  readonly shifts: ArrayLike<number>
  readonly factors: ArrayLike<number>
}

export interface RowTile {
  readonly height: number
  /** From here on; returns Σ √w v and Σ v² of v = √w (z − shift) factor, by column, of all tiles to come. */
  begin(frame: Frame): { readonly sums: Float64Array; readonly squares: Float64Array }
  /** Takes rows `from` to `to` of the list or of all; zeros fill the tile up. Returns Σ w. */
  fill(from: number, to: number, rows: TileRows): number
  /** Some columns of the tile to where tile t has them. */
  copy(columns: { readonly from: number; readonly to: number }, target: Float32Array | Float64Array, t: number): void
}

export interface TileRows {
  readonly rows?: ArrayLike<number>
  /** w of all rows, and what divides them. Default: 1. */
  readonly weights?: ArrayLike<number>
  readonly unit?: number
  /** In their place: w of the rows of the list. */
  readonly shares?: ArrayLike<number>
}

/** Without y, or with it as the last column. `kernel`: of that shape and width, to be used by one tile at a time. */
export function openRowTile(
  x: DenseMatrix,
  y: ArrayLike<number> | null,
  shape: RowTileShape,
  kernel: CentreKernel = openCentreKernel({ ...shape, width: x.columns }),
): RowTile {
  const { height } = shape
  const { centring, strip, column, tile } = kernel
  const { roots } = strip
  const p = x.columns

  const takeRows = (from: number, to: number, rows: ArrayLike<number> | undefined): void => {
    for (let place = 0; place < to - from; place += STRIP) {
      const [first, last] = [from + place, Math.min(to, from + place + STRIP)]
      if (rows === undefined) strip.data.set(x.data.subarray(first * p, last * p))
      else
        for (let i = first; i < last; i++)
          strip.data.set(x.data.subarray(rows[i]! * p, (rows[i]! + 1) * p), (i - first) * p)
      // 0 times what is left there might be no number.
      for (let i = last - first; i < STRIP; i++) strip.data.set(centring.shifts.subarray(0, p), i * p)
      kernel.centreRows(place)
    }
  }

  const takeColumn = (
    j: number,
    values: ArrayLike<number>,
    from: number,
    to: number,
    rows: ArrayLike<number> | undefined,
  ): void => {
    for (let i = from; i < to; i++) column[i - from] = values[rows?.[i] ?? i]!
    column.fill(centring.shifts[j]!, to - from)
    kernel.centreColumn(j)
  }

  const takeColumns = (from: number, to: number, rows: ArrayLike<number> | undefined): void => {
    for (let j = 0; j < p; j++) takeColumn(j, x.data.subarray(j * x.rows, (j + 1) * x.rows), from, to, rows)
  }

  return {
    height,
    begin({ shifts, factors }) {
      centring.shifts.set(shifts)
      centring.factors.set(factors)
      centring.sums.fill(0)
      centring.squares.fill(0)
      return centring
    },
    fill(from, to, { rows, weights, unit = 1, shares }) {
      let total = 0
      for (let i = from; i < to; i++) {
        const w = shares?.[i] ?? (weights === undefined ? 1 : weights[rows?.[i] ?? i]! / unit)
        roots[i - from] = Math.sqrt(w)
        total += w
      }
      roots.fill(0, to - from)
      if (x.order === 'column-major') takeColumns(from, to, rows)
      else {
        takeRows(from, to, rows)
        const end = STRIP * Math.ceil((to - from) / STRIP)
        if (end < height) for (let j = 0; j < p; j++) tile.fill(0, j * height + end, (j + 1) * height)
      }
      if (y !== null) takeColumn(p, y, from, to, rows)
      return total
    },
    copy(columns, target, t) {
      const own = tile.subarray(columns.from * height, columns.to * height)
      target.set(own, t * own.length)
    },
  }
}
