/** Weights of two or three values a channel, stored as digits of base 2 or 3, 8 or 5 of them a byte. */

import { type SignGrid, signsOf } from '../../grids/signs.js'
import { elementCount, f32, floats } from '../../ir/tensor.js'
import type { Tensor } from '../../ir/types.js'
import { digits } from './digits.js'
import { type Expand, hintOf, list, overhead, toFloat } from './expand.js'

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
    const { base, aByte, zero, unit } = DIGITS[grid]
    const bytes = Math.ceil(elementCount(t.shape) / aByte)
    if (t.byteLength <= bytes + overhead(name, OPS, CONSTANTS)) return null
    const found = signsOf(floats(t), t.shape, grid)
    if (found === null) return null
    const { axis, scales, signs } = found
    if (t.byteLength - bytes - scales.byteLength <= overhead(name, OPS, CONSTANTS)) return null
    const hint = hintOf(name)
    const flat = digits(
      signs.map((s) => (base === 2 ? Number(s > 0) : s + 1)),
      base,
    ).emit(r, hint)
    const shaped = r.node('Reshape', [flat, list(r, ...t.shape)], r.fresh(`${hint}_d`))
    const real = r.node('Cast', [shaped], r.fresh(`${hint}_c`), toFloat)
    const centred = r.node('Sub', [real, r.constant(f32([], [zero]), 'zero')], r.fresh(`${hint}_d`))
    const shape = axis === null ? [] : t.shape.map((d, i) => (i === axis ? d : 1)).slice(axis)
    const scale = r.constant(
      f32(
        shape,
        scales.map((s) => unit * s),
      ),
      `${hint}_s`,
    )
    return r.node('Mul', [centred, scale], r.fresh(`${hint}_f`))
  }

/** Most nodes and constants that expanding takes. */
const OPS = 8
const CONSTANTS = 9
