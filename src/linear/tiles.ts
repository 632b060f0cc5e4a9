/**
 * A copy of the columns in tiles of some hundred rows, each column of a tile by itself and a column of ones after the
 * last: few columns of many can be read alone, and all that is done with a row is done while it lies in the cache.
 */

import { openTileKernel, TILE_ROWS, type TileKernel } from '../kernels/tile-kernel.js'
import type { Tile } from '../kernels/tile-products.js'
import { type DenseMatrix, stridesOf } from './design.js'

export interface Tiles {
  /** Of the copy. */
  readonly rows: number
  /** With that of ones. */
  readonly columns: number
  readonly height: number
  readonly blocks: readonly Block[]
}

/** Tiles that share a memory, and room for the operands of what is done with them. */
export interface Block {
  readonly kernel: TileKernel
  readonly tiles: readonly { readonly tile: Tile; readonly from: number; readonly to: number }[]
  /** Of one tile's rows. Zero beyond those that it has. */
  readonly forward: Float64Array
  readonly backward: Float64Array
  /** Two columns. */
  readonly scratch: Float64Array
  /** Of one number a column. */
  readonly coefficients: Float64Array
  readonly sums: Float64Array
  /** [STRIP, columns], or a tile in float32. */
  readonly strip: Float64Array
  readonly left: Int32Array
  readonly right: Int32Array
}

/** Rows of a Gram matrix that are summed at a time. */
export const STRIP = 32

/** Two columns of this height and four more of them fill the first cache, 32 KiB, to three quarters. */
const HEIGHT = 512

/** Numbers in the tiles of one memory, at most (but one tile at least): 256 MiB. */
const BLOCK = 1 << 25

const ceiling = (n: number, unit: number): number => Math.ceil(n / unit) * unit

/** Rows `index` of x less the shifts. */
export function tilesOf(x: DenseMatrix, index: Uint32Array, shifts: Float64Array): Tiles {
  const columns = x.columns + 1
  const height = Math.min(HEIGHT, ceiling(index.length, TILE_ROWS))
  const each = Math.max(1, Math.floor(BLOCK / (columns * height)))
  const all = Math.ceil(index.length / height)
  const blocks: Block[] = []
  for (let first = 0; first < all; first += each) {
    const block = blockOf(first, Math.min(each, all - first), { rows: index.length, columns, height })
    blocks.push(block)
    for (const { tile, from, to } of block.tiles) fill(tile, x, index.subarray(from, to), shifts)
  }
  return { rows: index.length, columns, height, blocks }
}

function blockOf(first: number, count: number, { rows, columns, height }: Omit<Tiles, 'blocks'>): Block {
  const lengths = [
    count * columns * height,
    height,
    height,
    2 * height,
    columns,
    columns,
    Math.max(STRIP, height / 2) * columns,
  ]
  const kernel = openTileKernel(
    lengths.reduce((sum, n) => sum + n, 0),
    2 * columns,
  )
  let at = 0
  const parts = lengths.map((n) => {
    at += n
    return kernel.memory.subarray(at - n, at)
  })
  const [data, forward, backward, scratch, coefficients, sums, strip] = parts
  const tiles = Array.from({ length: count }, (_, t) => ({
    tile: { data: data!.subarray(t * columns * height, (t + 1) * columns * height), height },
    from: (first + t) * height,
    to: Math.min(rows, (first + t + 1) * height),
  }))
  return {
    kernel,
    tiles,
    forward: forward!,
    backward: backward!,
    scratch: scratch!,
    coefficients: coefficients!,
    sums: sums!,
    strip: strip!,
    left: kernel.lists.subarray(0, columns),
    right: kernel.lists.subarray(columns),
  }
}

/** Eight rows at a time, a line of the cache of each column. */
function fill({ data, height }: Tile, x: DenseMatrix, index: Uint32Array, shifts: Float64Array): void {
  const [byRow, byColumn] = stridesOf(x)
  const { data: from, columns } = x
  const row = (i: number): number => index[Math.min(i, index.length - 1)]! * byRow
  for (let i = 0; i < index.length; i += TILE_ROWS) {
    const [r0, r1, r2, r3] = [row(i), row(i + 1), row(i + 2), row(i + 3)]
    const [r4, r5, r6, r7] = [row(i + 4), row(i + 5), row(i + 6), row(i + 7)]
    for (let k = 0, to = i, at = 0; k < columns; k++, to += height, at += byColumn) {
      const shift = shifts[k]!
      data[to] = from[r0 + at]! - shift
      data[to + 1] = from[r1 + at]! - shift
      data[to + 2] = from[r2 + at]! - shift
      data[to + 3] = from[r3 + at]! - shift
      data[to + 4] = from[r4 + at]! - shift
      data[to + 5] = from[r5 + at]! - shift
      data[to + 6] = from[r6 + at]! - shift
      data[to + 7] = from[r7 + at]! - shift
    }
  }
  // Rows that are not there came out as the last one.
  for (let k = 0; k <= columns; k++) data.fill(0, k * height + index.length, (k + 1) * height)
  data.fill(1, columns * height, columns * height + index.length)
}
