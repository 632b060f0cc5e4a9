import fc from 'fast-check'
import { expect, test } from 'vitest'
import { elements, floatToHalf, halfToFloat, numbers, tensor, tensorOfBytes } from './tensor.js'

test('every half-precision number is itself', () => {
  for (let bits = 0; bits < 1 << 16; bits++) {
    const value = halfToFloat(bits)
    if (Number.isNaN(value)) expect(Number.isNaN(halfToFloat(floatToHalf(value)))).toBe(true)
    else if (floatToHalf(value) !== bits) expect(floatToHalf(value)).toBe(bits)
  }
})

/** Of the two neighbours the nearer one, of two equally near ones the even one. */
function nearestHalf(value: number): number {
  const size = Math.abs(value)
  let low = 0
  for (let step = 1 << 14; step >= 1; step >>= 1) {
    if (low + step <= 0x7bff && halfToFloat(low + step) <= size) low += step
  }
  const above = low === 0x7bff ? 65536 : halfToFloat(low + 1)
  const [down, up] = [size - halfToFloat(low), above - size]
  const bits = up < down || (up === down && low % 2 === 1) ? low + 1 : low
  return value < 0 || Object.is(value, -0) ? bits | 0x8000 : bits
}

test('rounding to half precision is to nearest, ties to even, also from double precision', () => {
  const near = fc.tuple(fc.integer({ min: 0, max: 0x7bfe }), fc.constantFrom(0, 2 ** -40, -(2 ** -40), 2 ** -50))
  const between = near.map(([bits, off]) => ((halfToFloat(bits) + halfToFloat(bits + 1)) / 2) * (1 + off))
  const small = fc.double({ min: -70_000, max: 70_000, noNaN: true })
  fc.assert(
    fc.property(fc.oneof(between, small), (value) => floatToHalf(value) === nearestHalf(value)),
    { numRuns: 3000 },
  )
  expect(floatToHalf(1 + 2 ** -11 + 2 ** -40)).toBe(0x3c01)
  expect([Number.POSITIVE_INFINITY, -1e300, 65520].map(floatToHalf)).toEqual([0x7c00, 0xfc00, 0x7c00])
})

test('packed elements are read low bits first, with their sign', () => {
  expect([...numbers(tensorOfBytes('int4', [3], Uint8Array.of(0x8f, 0x07)))]).toEqual([-1, -8, 7])
  expect([...numbers(tensorOfBytes('uint2', [5], Uint8Array.of(0b11100100, 1)))]).toEqual([0, 1, 2, 3, 1])
})

test('data that lies where no typed array can begin is copied', () => {
  const bytes = new Uint8Array(9)
  new DataView(bytes.buffer).setFloat32(1, 1.5, true)
  expect([...elements(tensorOfBytes('float32', [2], bytes.subarray(1)))]).toEqual([1.5, 0])
  expect([...elements(tensor('int64', [], BigInt64Array.of(-1n)))]).toEqual([-1n])
})
