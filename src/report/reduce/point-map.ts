/** A map of points, and the form in which it lies in its page: coordinates as base64, columns with few bytes a row. */

import type { TableColumn } from '../../data/columns.js'
import { toBase64 } from '../../util/bytes.js'
import { PareError } from '../../util/errors.js'

export interface PointMap {
  /** Of each row; finite. */
  readonly x: ArrayLike<number>
  readonly y: ArrayLike<number>
  readonly axes: readonly [string, string]
  /** What is known of the rows: the first colours the map, all are shown for a point. */
  readonly columns: readonly TableColumn[]
}

/** Numbers as little-endian bytes in base64. */
export interface Packed {
  readonly type: 'u1' | 'u2' | 'i4' | 'f4' | 'f8'
  readonly data: string
}

export interface PackedMap {
  readonly rows: number
  readonly axes: readonly [string, string]
  /** Least and largest x, then y. */
  readonly bounds: readonly [number, number, number, number]
  /** `u2`: from the least (0) to the largest (65535). */
  readonly x: Packed
  readonly y: Packed
  readonly columns: readonly PackedColumn[]
}

export type PackedColumn =
  | { readonly kind: 'number'; readonly name: string; readonly values: Packed }
  /** Codes are one more than the index of the level; 0 where there is none. */
  | { readonly kind: 'category'; readonly name: string; readonly levels: readonly string[]; readonly codes: Packed }

/** Up to so many rows the page holds their coordinates as float32, else rounded to 1/65535 of their range. */
export const MOST_EXACT = 200_000

/** Throws `MAP_POINTS`. */
export function checkMap({ x, y, columns }: PointMap): void {
  const odd = columns.find((c) => (c.kind === 'number' ? c.values : c.codes).length !== x.length)
  if (x.length < 1 || y.length !== x.length || odd !== undefined) {
    throw new PareError('MAP_POINTS', 'a map needs as many values of x, y and of each column as it has points', {
      where: odd === undefined ? 'x and y' : `column ${odd.name}`,
      value:
        odd === undefined ? `${x.length} and ${y.length}` : (odd.kind === 'number' ? odd.values : odd.codes).length,
      remedy: 'Give one of each for every point, and at least one point.',
    })
  }
  for (let i = 0; i < x.length; i++) {
    if (Number.isFinite(x[i]) && Number.isFinite(y[i])) continue
    throw new PareError('MAP_POINTS', 'a coordinate is not finite', {
      where: `point ${i + 1}`,
      value: [x[i], y[i]],
      remedy: 'Leave the point out.',
    })
  }
}

/** Throws `MAP_POINTS`. */
export function packMap(map: PointMap): PackedMap {
  checkMap(map)
  const { x, y, axes, columns } = map
  const bounds = boundsOf(map)
  const isExact = x.length <= MOST_EXACT
  return {
    rows: x.length,
    axes,
    bounds,
    x: isExact ? pack('f4', x) : packRounded(x, bounds[0], bounds[1]),
    y: isExact ? pack('f4', y) : packRounded(y, bounds[2], bounds[3]),
    columns: columns.map(packColumn),
  }
}

/** Least and largest x, then y. */
export function boundsOf({ x, y }: Pick<PointMap, 'x' | 'y'>): readonly [number, number, number, number] {
  const least = (v: ArrayLike<number>, sign: number): number => {
    let found = Number.POSITIVE_INFINITY
    for (let i = 0; i < v.length; i++) found = Math.min(found, sign * v[i]!)
    return sign * found
  }
  return [least(x, 1), least(x, -1), least(y, 1), least(y, -1)]
}

function packColumn(column: TableColumn): PackedColumn {
  const { name } = column
  if (column.kind === 'category') {
    const { codes, levels } = column
    const type = levels.length < 255 ? 'u1' : levels.length < 65_535 ? 'u2' : 'i4'
    const shifted = Int32Array.from(codes, (code) => code + 1)
    return { kind: 'category', name, levels, codes: pack(type, shifted) }
  }
  const { values } = column
  const isShort = values.every((v) => Object.is(Math.fround(v), v))
  return { kind: 'number', name, values: pack(isShort ? 'f4' : 'f8', values) }
}

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array } as const

function pack(type: Packed['type'], values: ArrayLike<number>): Packed {
  const array = ARRAYS[type].from(values)
  return { type, data: toBase64(new Uint8Array(array.buffer)) }
}

const packRounded = (values: ArrayLike<number>, low: number, high: number): Packed =>
  pack(
    'u2',
    Uint16Array.from(values, (v) => Math.round(((v - low) / (high - low || 1)) * 65_535)),
  )

/** What `packMap` packed. */
export function unpackMap(packed: PackedMap): PointMap {
  const { axes, bounds, columns } = packed
  return {
    axes,
    x: unpackCoordinates(packed.x, bounds[0], bounds[1]),
    y: unpackCoordinates(packed.y, bounds[2], bounds[3]),
    columns: columns.map((column): TableColumn => {
      const { name } = column
      if (column.kind === 'number') return { kind: 'number', name, values: Float64Array.from(unpack(column.values)) }
      const codes = Int32Array.from(unpack(column.codes), (code) => code - 1)
      return { kind: 'category', name, levels: column.levels, codes }
    }),
  }
}

function unpack({ type, data }: Packed): InstanceType<(typeof ARRAYS)[Packed['type']]> {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0))
  return new ARRAYS[type](bytes.buffer)
}

function unpackCoordinates(packed: Packed, low: number, high: number): Float32Array {
  const values = unpack(packed)
  if (packed.type !== 'u2') return Float32Array.from(values)
  return Float32Array.from(values, (v) => low + (v / 65_535) * (high - low))
}
