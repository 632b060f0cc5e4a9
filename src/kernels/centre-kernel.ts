/** The loops of centre-loops.ts, compiled where that is possible, with the memory that they work on. */

import { type Centring, centreColumn, centreRows, STRIP, type Strip, type Target } from './centre-loops.js'
import { CENTRE_WASM } from './centre-wasm.js'
import { compiled } from './compiled.js'

export interface CentreShape {
  /** Of a tile. */
  readonly columns: number
  /** Of the rows that come in strips: the first ones, or all. */
  readonly width: number
  /** Rows of a tile, a multiple of `STRIP`. */
  readonly height: number
  readonly isSingle: boolean
}

export interface CentreKernel {
  readonly isCompiled: boolean
  /** Zeros at first. */
  readonly centring: Centring
  /** Its roots are those of a tile: [height]. */
  readonly strip: Strip
  /** [height] */
  readonly column: Float64Array
  /** [columns, height] */
  readonly tile: Float64Array | Float32Array
  /** The strip to rows `place` and after of the tile. */
  centreRows(place: number): void
  /** The column to column j of the tile. */
  centreColumn(j: number): void
}

/** The plain one where WebAssembly SIMD is missing. */
export const openCentreKernel = (shape: CentreShape): CentreKernel =>
  compiledCentreKernel(shape) ?? plainCentreKernel(shape)

/** Numbers of float64 of each part, in the order that they lie in: pairs may be read over the end of all but the last. */
function lengthsOf({ columns, width, height, isSingle }: CentreShape): readonly number[] {
  const each = columns + (columns % 2)
  const tile = columns * height
  return [each, each, each, each, STRIP * width, height, height, isSingle ? tile / 2 : tile]
}

function partsOf(buffer: ArrayBuffer, shape: CentreShape) {
  let at = 0
  const [shifts, factors, sums, squares, data, roots, column, tile] = lengthsOf(shape).map((length) => {
    at += length
    return new Float64Array(buffer, 8 * (at - length), length)
  }) as [
    ...[Float64Array, Float64Array, Float64Array, Float64Array],
    ...[Float64Array, Float64Array],
    ...Float64Array[],
  ]
  const { columns, width, height, isSingle } = shape
  const numbers = tile as Float64Array
  return {
    centring: { shifts, factors, sums, squares },
    strip: { data, stride: width, columns: width, roots },
    column: column as Float64Array,
    tile: isSingle ? new Float32Array(buffer, numbers.byteOffset, columns * height) : numbers,
  }
}

export function plainCentreKernel(shape: CentreShape): CentreKernel {
  const { height } = shape
  const parts = partsOf(new ArrayBuffer(8 * lengthsOf(shape).reduce((a, b) => a + b)), shape)
  const { centring, strip, column, tile } = parts
  const target = (place: number): Target => ({ data: tile.subarray(place), height })
  return {
    isCompiled: false,
    ...parts,
    centreRows: (place) =>
      centreRows({ ...strip, roots: strip.roots.subarray(place, place + STRIP) }, centring, target(place)),
    centreColumn: (j) => centreColumn(column, j, centring, strip.roots, tile.subarray(j * height)),
  }
}

interface Exports {
  centreRows(
    columns: number,
    stride: number,
    strip: number,
    shifts: number,
    factors: number,
    roots: number,
    sums: number,
    squares: number,
    out: number,
    height: number,
    isSingle: number,
  ): void
  centreColumn(
    height: number,
    column: number,
    shift: number,
    factor: number,
    roots: number,
    sum: number,
    square: number,
    out: number,
    isSingle: number,
  ): void
}

const instance = compiled<Exports>(CENTRE_WASM)

/** Null where WebAssembly cannot be, or not with so much memory. */
export function compiledCentreKernel(shape: CentreShape): CentreKernel | null {
  const { height } = shape
  const made = instance(8 * lengthsOf(shape).reduce((a, b) => a + b))
  if (made === null) return null
  const { calls, memory } = made
  const parts = partsOf(memory.buffer as ArrayBuffer, shape)
  const { centring, strip, column, tile } = parts
  const { shifts, factors, sums, squares } = centring
  const isSingle = Number(shape.isSingle)
  return {
    isCompiled: true,
    ...parts,
    centreRows: (place) =>
      calls.centreRows(
        strip.columns,
        strip.stride,
        strip.data.byteOffset,
        shifts.byteOffset,
        factors.byteOffset,
        strip.roots.byteOffset + 8 * place,
        sums.byteOffset,
        squares.byteOffset,
        tile.byteOffset + tile.BYTES_PER_ELEMENT * place,
        height,
        isSingle,
      ),
    centreColumn: (j) =>
      calls.centreColumn(
        height,
        column.byteOffset,
        shifts[j]!,
        factors[j]!,
        strip.roots.byteOffset,
        sums.byteOffset + 8 * j,
        squares.byteOffset + 8 * j,
        tile.byteOffset + tile.BYTES_PER_ELEMENT * j * height,
        isSingle,
      ),
  }
}
