/**
 * Small integers, packed: as digits of a base, several a byte, or as planes of 4, 2 and 1 bits, whichever is smaller. The
 * engine takes them apart once, as it loads the model, all in uint8: byte / baseⁱ mod base, and planes by Σ plane · 2ʲ.
 */

import { tensor } from '../../ir/tensor.js'
import type { Rewriter } from '../quantize/rewrite.js'
import { bytesOf, list, type Part } from './expand.js'

/** The first opset whose Div takes bytes. */
export const DIGITS_OPSET = 14

interface Plane {
  readonly base: number
  /** What its digits count for. */
  readonly unit: number
}

const digitsAByte = (base: number): number => {
  let n = 0
  for (let power = base; power <= 256; power *= base) n++
  return n
}

/** Integers 0 … base − 1, of bases up to 256, in a list; the part makes them anew as uint8. */
export function digits(values: ArrayLike<number>, base: number): Part {
  const planes = planesOf(base)
  const count = values.length
  const packed = planes.map((plane) => pack(values, plane))
  const isOne = planes.length === 1
  return {
    bytes: packed.reduce((n, p) => n + p.length, 0),
    ops: planes.length * (base > 16 && isOne ? 0 : 4) + 2 * (planes.length - 1),
    constants: planes.length * 6,
    emit(r, hint) {
      const parts = planes.map(({ base: b, unit }, i) => {
        const digit = unpacked(r, packed[i]!, b, count, hint)
        return unit === 1 ? digit : r.node('Mul', [digit, bytesOf(r, [unit])], r.fresh(`${hint}_d`))
      })
      return parts.reduce((sum, part) => r.node('Add', [sum, part], r.fresh(`${hint}_d`)))
    },
  }
}

/** Bytes that so many integers below `base` take. */
export const digitBytes = (count: number, base: number): number =>
  planesOf(base).reduce((n, plane) => n + Math.ceil(count / digitsAByte(plane.base)), 0)

/** Bits that an integer below `base` takes. */
export const bitsFor = (base: number): number => planesOf(base).reduce((n, p) => n + 8 / digitsAByte(p.base), 0)

/** One of digits, or several of bits where they are fewer: 3 bits are 2 + 1, where base 8 has two digits a byte. */
function planesOf(base: number): readonly Plane[] {
  const bits = Math.ceil(Math.log2(Math.max(2, base)))
  const whole = [{ base: Math.max(2, base), unit: 1 }]
  if (8 / digitsAByte(whole[0]!.base) <= bits) return whole
  let unit = 1
  return [4, 2, 1]
    .filter((width) => bits & width)
    .map((width) => {
      const plane = { base: 2 ** width, unit }
      unit *= plane.base
      return plane
    })
}

function pack(values: ArrayLike<number>, { base, unit }: Plane): Uint8Array {
  const aByte = digitsAByte(base)
  const powers = Array.from({ length: aByte }, (_, i) => base ** i)
  const packed = new Uint8Array(Math.ceil(values.length / aByte))
  for (let i = 0; i < values.length; i++)
    packed[Math.floor(i / aByte)]! += (Math.floor(values[i]! / unit) % base) * powers[i % aByte]!
  return packed
}

function unpacked(r: Rewriter, packed: Uint8Array, base: number, count: number, hint: string): string {
  const aByte = digitsAByte(base)
  const next = (op: string, inputs: readonly string[]): string => r.node(op, inputs, r.fresh(`${hint}_d`))
  if (aByte === 1) return r.constant(tensor('uint8', [packed.length], packed), `${hint}_q`)
  const bytes = r.constant(tensor('uint8', [packed.length, 1], packed), `${hint}_q`)
  const powers = Array.from({ length: aByte }, (_, i) => base ** i)
  const apart = next('Mod', [next('Div', [bytes, bytesOf(r, powers)]), bytesOf(r, [base])])
  const flat = next('Reshape', [apart, list(r, -1)])
  return count === packed.length * aByte ? flat : next('Slice', [flat, list(r, 0), list(r, count)])
}
