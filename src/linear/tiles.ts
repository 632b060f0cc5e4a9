/**
 * A copy of the columns in tiles of some hundred rows, each column of a tile by itself and a column of ones after the
 * last: few columns of many can be read alone, and all that is done with a row is done while it lies in the cache.
 */

import { STRIP as ROWS } from '../kernels/centre-loops.js'
import { openTileKernel, type TileKernel } from '../kernels/tile-kernel.js'
import type { Tile } from '../kernels/tile-products.js'
import { openRowTile } from './row-tile.js'
import type { Rows } from './rows.js'

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

/** The rows that count, less the shifts. */
export function tilesOf({ x, index, isAll, shifts }: Pick<Rows, 'x' | 'index' | 'isAll' | 'shifts'>): Tiles {
  const columns = x.columns + 1
  const height = Math.min(HEIGHT, ceiling(index.length, ROWS))
  const each = Math.max(1, Math.floor(BLOCK / (columns * height)))
  const all = Math.ceil(index.length / height)
  const filler = openRowTile(x, null, { columns: x.columns, height, isSingle: false })
  filler.begin({ shifts, factors: new Float64Array(x.columns).fill(1) })
  const list = isAll ? {} : { rows: index }
  const blocks: Block[] = []
  for (let first = 0; first < all; first += each) {
    const block = blockOf(first, Math.min(each, all - first), { rows: index.length, columns, height })
    blocks.push(block)
    for (const { tile, from, to } of block.tiles) {
      filler.fill(from, to, list)
      filler.copy({ from: 0, to: x.columns }, tile.data, 0)
      tile.data.fill(1, x.columns * height, x.columns * height + to - from)
    }
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
