/**
 * Weights of two or three values a channel, stored as digits of base 2 or 3, 8 or 5 of them a byte. The engine takes the
 * digits apart once, as it loads the model: byte / base^i mod base, all in uint8.
 */

import { type SignGrid, signsOf } from '../../grids/signs.js'
import { elementCount, f32, floats, i64, tensor } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { type Expand, hintOf, overhead, toFloat } from './expand.js'

/** The first opset whose Div takes bytes. */
export const SIGNS_OPSET = 14

interface Digits {
  readonly base: 2 | 3
  readonly aByte: number
  /** sign = (digit − zero) · unit, exactly. */
  readonly zero: number
  readonly unit: 1 | 2
}

const DIGITS: Readonly<Record<SignGrid, Digits>> = {
  binary: { base: 2, aByte: 8, zero: 0.5, unit: 2 },
  ternary: { base: 3, aByte: 5, zero: 1, unit: 1 },
}

export const isOnSigns = (t: Tensor, grid: SignGrid): boolean => signsOf(floats(t), t.shape, grid) !== null

/** weight = (digits − zero) · (unit · α), which is ±α or 0 without any rounding. */
export const expandSigns =
  (grid: SignGrid): Expand =>
  (r, name, t) => {
    const digits = DIGITS[grid]
    const count = elementCount(t.shape)
    const bytes = Math.ceil(count / digits.aByte)
    if (t.byteLength <= bytes + overhead(name, OPS, CONSTANTS)) return null
    const found = signsOf(floats(t), t.shape, grid)
    if (found === null) return null
    const { axis, scales, signs } = found
    if (t.byteLength - bytes - scales.byteLength <= overhead(name, OPS, CONSTANTS)) return null
    const hint = hintOf(name)
    const next = (op: string, inputs: readonly string[]): string => r.node(op, inputs, r.fresh(`${hint}_d`))
    const list = (...values: readonly number[]): string => r.constant(i64([values.length], values), 'shape')
    const small = (values: readonly number[]): string =>
      r.constant(tensor('uint8', [values.length], Uint8Array.from(values)), 'digits')
    const packed = r.constant(tensor('uint8', [bytes, 1], pack(signs, digits)), `${hint}_q`)
    const powers = Array.from({ length: digits.aByte }, (_, i) => digits.base ** i)
    const apart = next('Mod', [next('Div', [packed, small(powers)]), small([digits.base])])
    const flat = next('Reshape', [apart, list(-1)])
    const cut = count === bytes * digits.aByte ? flat : next('Slice', [flat, list(0), list(count)])
    const real = r.node('Cast', [next('Reshape', [cut, list(...t.shape)])], r.fresh(`${hint}_c`), toFloat)
    const centred = next('Sub', [real, r.constant(f32([], [digits.zero]), 'zero')])
    const shape = axis === null ? [] : t.shape.map((d, i) => (i === axis ? d : 1)).slice(axis)
    const scale = r.constant(
      f32(
        shape,
        scales.map((s) => digits.unit * s),
      ),
      `${hint}_s`,
    )
    return r.node('Mul', [centred, scale], r.fresh(`${hint}_f`))
  }

/** Most nodes and constants that expanding takes. */
const OPS = 8
const CONSTANTS = 9

function pack(signs: Int8Array, { base, aByte }: Digits): Uint8Array {
  const packed = new Uint8Array(Math.ceil(signs.length / aByte))
  for (let i = 0; i < signs.length; i++) {
    const digit = base === 2 ? (signs[i]! < 0 ? 0 : 1) : signs[i]! + 1
    packed[Math.floor(i / aByte)]! += digit * base ** (i % aByte)
  }
  return packed
}
