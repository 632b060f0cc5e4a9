/** Ways to write weights: what each becomes, and how a list of them is given back. Zeros stay zeros in all. */

import { codebookOf } from '../../grids/codebook.js'
import { elements, f32, floats, floatToHalf, halfToFloat, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { bestAxis } from './axis.js'
import { bitsFor, digits } from './digits.js'
import { fileBytes, type Part, plain, toFloat, toInt32 } from './expand.js'
import { halvesOf } from './half.js'

/** A weight on a grid. */
export interface Written {
  /** What stands for each element; 0 for 0. */
  readonly values: ArrayLike<number>
  /** The part that makes some of the elements anew, as float32, from what stands for them. */
  code(values: ArrayLike<number>): Part
  /** What the elements are to be multiplied by, shaped to broadcast; null where they are complete. */
  readonly scale: Tensor | null
}

export const VALUE_KINDS = ['exact', 'float16', 'int8', 'int4', 'codebook'] as const
export type ValueKind = (typeof VALUE_KINDS)[number]

/** Null where the kind cannot hold such weights. */
export function written(kind: ValueKind, t: Tensor, name: string, bits: number): Written | null {
  switch (kind) {
    case 'exact':
      return { values: floats(t), scale: null, code: (values) => exactly(values, name) }
    case 'float16':
      return onHalf(floats(t))
    case 'int8':
      return onScales(t, 127)
    case 'int4':
      return onScales(t, 7)
    case 'codebook':
      return { values: onCodebook(floats(t), bits), scale: null, code: (values) => exactly(values, name) }
  }
}

/** The smallest of those that lose nothing: entries of a codebook, float16, float32. */
export function exactly(values: ArrayLike<number>, name: string): Part {
  const list = Float32Array.from(values)
  const half = Uint16Array.from(list, floatToHalf)
  const isHalf = half.every((h, i) => halfToFloat(h) === list[i])
  const different = fewDifferent(list)
  const tried = [
    plain(f32([list.length], list)),
    ...(isHalf ? [halves(half)] : []),
    ...(different === null ? [] : [entries(list, different)]),
  ]
  const size = (part: Part): number => fileBytes(name, [part])
  return tried.reduce((best, part) => (size(part) < size(best) ? part : best))
}

/** What places of one byte tell apart. */
const MOST = 256

/** The different values, ascending; null where they are too many. */
function fewDifferent(list: Float32Array): Float32Array | null {
  const found = new Set<number>()
  for (const v of list) if (found.add(v).size > MOST) return null
  return Float32Array.from(found).sort()
}

/** Each value as its place in a codebook that holds all of them. */
function entries(values: Float32Array, codebook: Float32Array): Part {
  const place = new Map(Array.from(codebook, (v, i) => [v, i] as const))
  const packed = digits(
    Uint8Array.from(values, (v) => place.get(v)!),
    codebook.length,
  )
  return {
    bytes: packed.bytes + codebook.byteLength,
    ops: packed.ops + 2,
    constants: packed.constants + 1,
    emit(r, hint) {
      const at = r.node('Cast', [packed.emit(r, hint)], r.fresh(`${hint}_i`), toInt32)
      const table = r.constant(f32([codebook.length], codebook), `${hint}_codebook`)
      return r.node('Gather', [table, at], r.fresh(`${hint}_v`))
    },
  }
}

const halves = (half: Uint16Array): Part => ({
  bytes: half.byteLength,
  ops: 1,
  constants: 1,
  emit: (r, hint) =>
    r.node('Cast', [r.constant(tensor('float16', [half.length], half), `${hint}_h`)], r.fresh(`${hint}_v`), toFloat),
})

/** Values on a codebook of 2^bits entries, zeros exactly; one entry is zero's where some value is. */
export function onCodebook(values: Float32Array, bits: number, importance?: Float64Array): Float32Array {
  const { codebook, indices } = codebookOf(values, {
    size: 2 ** bits,
    keepZero: true,
    ...(importance && { importance }),
  })
  return Float32Array.from(indices, (i) => codebook[i]!)
}

function onHalf(data: Float32Array): Written | null {
  const half = halvesOf(data)
  if (half === null) return null
  const values = Float32Array.from(half, halfToFloat)
  return { values, scale: null, code: (list) => halves(Uint16Array.from(Float32Array.from(list), floatToHalf)) }
}

/** value = q · scale with q in −limit … limit, along the axis that loses least. */
function onScales(t: Tensor, limit: number): Written {
  const { values, scale, axis } = bestAxis(floats(t), t.shape, limit)
  const shape = axis === null ? [] : t.shape.map((d, i) => (i === axis ? d : 1)).slice(axis)
  return {
    values: elements(values) as Int8Array,
    scale: tensor('float32', shape, elements(scale)),
    code: (list) => integers(Int8Array.from(list), limit),
  }
}

function integers(values: Int8Array, limit: number): Part {
  const base = 2 * limit + 1
  const isWhole = bitsFor(base) === 8
  const raw: Part = isWhole
    ? plain(tensor('int8', [values.length], values), 'q')
    : digits(
        Uint8Array.from(values, (v) => v + limit),
        base,
      )
  return {
    bytes: raw.bytes,
    ops: raw.ops + (isWhole ? 1 : 2),
    constants: raw.constants + (isWhole ? 0 : 1),
    emit(r, hint) {
      const real = r.node('Cast', [raw.emit(r, hint)], r.fresh(`${hint}_c`), toFloat)
      return isWhole ? real : r.node('Sub', [real, r.constant(f32([], [limit]), 'zero')], r.fresh(`${hint}_v`))
    },
  }
}
