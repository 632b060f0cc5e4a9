import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countSaturations, maddubs, maySaturate } from './pair-saturation.js'

/**
 * VPMADDUBSW as its definition reads, in exact integers: each unsigned byte of the first operand times the signed
 * byte of the second gives 16 bits exactly; neighbouring products are added and saturated to signed 16 bits.
 */
function vpmaddubsw(a: Uint8Array, w: Int8Array): { readonly lanes: Int16Array; readonly saturated: number } {
  const lanes = new Int16Array(a.length >> 1)
  let saturated = 0
  for (let i = 0; i < lanes.length; i++) {
    const products = [0, 1].map((j) => BigInt(a[2 * i + j]!) * BigInt(w[2 * i + j]!))
    for (const p of products) if (BigInt.asIntN(16, p) !== p) throw new Error('a product needs more than 16 bits')
    const exact = products[0]! + products[1]!
    lanes[i] = Number(exact > 32767n ? 32767n : exact < -32768n ? -32768n : exact)
    if (BigInt.asIntN(16, exact) !== exact) saturated++
  }
  return { lanes, saturated }
}

const u8 = fc.integer({ min: 0, max: 255 })
const s8 = fc.integer({ min: -128, max: 127 })
/** Bytes that are often at their ends, where saturation happens. */
const activation = fc.oneof(u8, fc.constantFrom(0, 254, 255))
const weight = fc.oneof(s8, fc.constantFrom(-128, -127, 127, 64, -64))

const product = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 4 }), depth: fc.nat(9) })
  .chain(({ rows, columns, depth }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      depth: fc.constant(depth),
      w: fc.int8Array({ minLength: rows * depth, maxLength: rows * depth }),
      a: fc.uint8Array({ minLength: columns * depth, maxLength: columns * depth }),
      extreme: fc.boolean(),
    }),
  )
  .map(({ extreme, ...rest }) =>
    extreme ? { ...rest, w: rest.w.map((v) => (v < 0 ? -128 : 127)), a: rest.a.map((v) => (v < 128 ? v : 255)) } : rest,
  )

/** What the kernel's instruction does over a whole product: pairs (0,1), (2,3), …; a last odd element stands alone. */
function saturationsOf({
  rows,
  columns,
  depth,
  w,
  a,
}: {
  rows: number
  columns: number
  depth: number
  w: Int8Array
  a: Uint8Array
}): number {
  let count = 0
  const even = depth - (depth % 2)
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      count += vpmaddubsw(a.subarray(c * depth, c * depth + even), w.subarray(r * depth, r * depth + even)).saturated
  return count
}

/** The largest activation of each input. */
const peaksOf = (a: Uint8Array, columns: number, depth: number): Uint8Array =>
  Uint8Array.from({ length: depth }, (_, k) =>
    Array.from({ length: columns }, (_, c) => a[c * depth + k]!).reduce((x, y) => Math.max(x, y), 0),
  )

test('maddubs is one lane of the instruction', () => {
  fc.assert(
    fc.property(activation, weight, activation, weight, (a0, w0, a1, w1) => {
      const { lanes } = vpmaddubsw(Uint8Array.of(a0, a1), Int8Array.of(w0, w1))
      expect(maddubs(a0, w0, a1, w1) + 0).toBe(lanes[0])
    }),
  )
  expect(maddubs(255, 127, 255, 127)).toBe(32767)
  expect(maddubs(255, -128, 255, -128)).toBe(-32768)
  expect(maddubs(255, 127, 255, -128)).toBe(-255)
})

describe('countSaturations', () => {
  test('counts the lanes that the instruction saturates', () => {
    fc.assert(
      fc.property(product, (p) => {
        expect(countSaturations(p.w, p.rows, p.depth, p.a, p.columns)).toBe(saturationsOf(p))
      }),
    )
  })

  test('takes pairs from even places on, and never across rows', () => {
    const full = Uint8Array.of(0, 255, 255, 0)
    expect(countSaturations(Int8Array.of(0, 127, 127, 0), 1, 4, full, 1)).toBe(0)
    expect(countSaturations(Int8Array.of(127, 127, 0, 0), 1, 4, Uint8Array.of(255, 255, 0, 0), 1)).toBe(1)
    // Depth 3: the last element of a row has no neighbour.
    expect(countSaturations(Int8Array.of(0, 0, 127, 127, 0, 0), 2, 3, Uint8Array.of(255, 0, 255), 1)).toBe(0)
  })

  test('the sums at the very edge of 16 bits do not count', () => {
    const sums = [
      [127, 255, 2, 191, 32767],
      [127, 254, 2, 255, 32768],
      [127, 255, 2, 192, 32769],
      [-128, 255, -1, 128, -32768],
      [-128, 255, -1, 129, -32769],
    ] as const
    for (const [w0, a0, w1, a1, sum] of sums) {
      expect(w0 * a0 + w1 * a1).toBe(sum)
      const outside = sum > 32767 || sum < -32768
      expect(countSaturations(Int8Array.of(w0, w1), 1, 2, Uint8Array.of(a0, a1), 1)).toBe(outside ? 1 : 0)
      expect(maySaturate(Int8Array.of(w0, w1), 1, 2, Uint8Array.of(a0, a1))).toBe(outside)
    }
  })
})

describe('maySaturate', () => {
  test('never says no where activations below the peaks saturate', () => {
    fc.assert(
      fc.property(product, fc.nat(20), (p, slack) => {
        const peak = peaksOf(p.a, p.columns, p.depth).map((v) => Math.min(255, v + slack))
        if (saturationsOf(p) > 0) expect(maySaturate(p.w, p.rows, p.depth, peak)).toBe(true)
      }),
    )
  })

  test('says yes only where some activation below the peaks does', () => {
    fc.assert(
      fc.property(product, ({ rows, depth, w, a }) => {
        const peak = a.slice(0, depth)
        // Each pair is at its worst where the activations that pull the same way are at their peak, the others at 0.
        const worst = Array.from({ length: rows }, (_, r) =>
          [1, -1].map((sign) => peak.map((p, k) => (Math.sign(w[r * depth + k]!) === sign ? p : 0))),
        ).flat()
        const fires = worst.some((b) => saturationsOf({ rows, columns: 1, depth, w, a: Uint8Array.from(b) }) > 0)
        expect(maySaturate(w, rows, depth, peak)).toBe(fires)
      }),
    )
  })

  test('weights up to 64 in magnitude never fire, whatever the activations', () => {
    const limited = fc.integer({ min: 1, max: 8 }).chain((depth) =>
      fc.record({
        w: fc.array(fc.integer({ min: -64, max: 64 }), { minLength: depth, maxLength: depth }),
        a: fc.array(activation, { minLength: depth, maxLength: depth }),
      }),
    )
    fc.assert(
      fc.property(limited, ({ w, a }) => {
        const weights = Int8Array.from(w)
        expect(maySaturate(weights, 1, w.length, new Uint8Array(w.length).fill(255))).toBe(false)
        expect(countSaturations(weights, 1, w.length, Uint8Array.from(a), 1)).toBe(0)
      }),
    )
    const edge = Int8Array.of(64, 64, -64, -64)
    expect(maySaturate(edge, 1, 4, new Uint8Array(4).fill(255))).toBe(false)
    expect(vpmaddubsw(new Uint8Array(4).fill(255), edge).saturated).toBe(0)
    expect(maySaturate(Int8Array.of(65, 64), 1, 2, Uint8Array.of(255, 255))).toBe(true)
  })
})
