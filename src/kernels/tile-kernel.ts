/** The loops of tile-products.ts, compiled where that is possible, with the memory that they work on. */

import { compiled } from './compiled.js'
import { addColumns, dotColumns, multiplyColumns, type Product, scaleColumns, type Tile } from './tile-products.js'
import { TILES_WASM } from './tiles-wasm.js'

export interface TileKernel {
  readonly isCompiled: boolean
  /** Zeros at first. Every array and list that goes to a function below is a part of these. */
  readonly memory: Float64Array
  readonly lists: Int32Array
  readonly addColumns: typeof addColumns
  readonly dotColumns: typeof dotColumns
  readonly multiplyColumns: typeof multiplyColumns
  readonly scaleColumns: typeof scaleColumns
}

/** Rows of a tile are a multiple of this. */
export const TILE_ROWS = 8

/** A kernel with a memory of its own, of so many numbers and columns in lists; the plain one without WebAssembly SIMD. */
export function openTileKernel(length: number, listed: number): TileKernel {
  return compiledTileKernel(length, listed) ?? plainTileKernel(length, listed)
}

export function plainTileKernel(length: number, listed: number): TileKernel {
  const [memory, lists] = [new Float64Array(length), new Int32Array(listed)]
  return { isCompiled: false, memory, lists, addColumns, dotColumns, multiplyColumns, scaleColumns }
}

interface Exports {
  addColumns(count: number, height: number, tile: number, list: number, coefficients: number, target: number): void
  dotColumns(count: number, height: number, tile: number, list: number, v: number, out: number): void
  multiplyColumns(
    rows: number,
    columns: number,
    height: number,
    tile: number,
    left: number,
    right: number,
    weights: number,
    z: number,
    out: number,
    stride: number,
    first: number,
  ): void
  scaleColumns(
    count: number,
    height: number,
    tile: number,
    list: number,
    coefficients: number,
    roots: number,
    out: number,
  ): void
}

const instance = compiled<Exports>(TILES_WASM)

/** Null where WebAssembly cannot be, or not with so much memory. */
export function compiledTileKernel(length: number, listed: number): TileKernel | null {
  const made = instance(8 * length + 4 * listed)
  if (made === null) return null
  const { memory, calls } = made
  return {
    isCompiled: true,
    memory: new Float64Array(memory.buffer, 0, length),
    lists: new Int32Array(memory.buffer, 8 * length, listed),
    addColumns: ({ data, height }: Tile, columns, coefficients, target) =>
      calls.addColumns(
        columns.length,
        height,
        data.byteOffset,
        columns.byteOffset,
        coefficients.byteOffset,
        target.byteOffset,
      ),
    dotColumns: ({ data, height }: Tile, columns, v, out) =>
      calls.dotColumns(columns.length, height, data.byteOffset, columns.byteOffset, v.byteOffset, out.byteOffset),
    multiplyColumns: ({ data, height }: Tile, { left, right, out, stride, first }: Product, weights, z) =>
      calls.multiplyColumns(
        left.length,
        right.length,
        height,
        data.byteOffset,
        left.byteOffset,
        right.byteOffset,
        weights.byteOffset,
        z.byteOffset,
        out.byteOffset,
        stride,
        first,
      ),
    scaleColumns: ({ data, height }: Tile, columns, coefficients, roots, out) =>
      calls.scaleColumns(
        columns.length,
        height,
        data.byteOffset,
        columns.byteOffset,
        coefficients.byteOffset,
        roots.byteOffset,
        out.byteOffset,
      ),
  }
}
