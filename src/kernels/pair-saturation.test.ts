import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maddubs, pairReach } from './pair-saturation.js'

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

/** What the kernel's instruction does to a row: pairs (0,1), (2,3), …; a last odd element stands alone. */
function saturates(w: Int8Array, a: Uint8Array): boolean {
  const even = w.length - (w.length % 2)
  return vpmaddubsw(a.subarray(0, even), w.subarray(0, even)).saturated > 0
}

const rowsOf = <T extends { subarray(from: number, to: number): T }>(
  list: T,
  rows: number,
  depth: number,
): readonly T[] => Array.from({ length: rows }, (_, r) => list.subarray(r * depth, (r + 1) * depth))

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

const reachOf = (w: readonly number[], peak: readonly number[]): number =>
  pairReach(Int8Array.from(w), 1, w.length, Uint8Array.from(peak))[0]!

describe('the reach of pairs', () => {
  test('is never within 16 bits where activations below the peaks saturate', () => {
    fc.assert(
      fc.property(product, fc.nat(20), ({ rows, columns, depth, w, a }, slack) => {
        const peak = peaksOf(a, columns, depth).map((v) => Math.min(255, v + slack))
        const reach = pairReach(w, rows, depth, peak)
        rowsOf(w, rows, depth).forEach((row, r) => {
          for (const column of rowsOf(a, columns, depth))
            if (saturates(row, column)) expect(reach[r]).toBeGreaterThan(1)
        })
      }),
    )
  })

  test('is beyond 16 bits only where some activation below the peaks saturates', () => {
    fc.assert(
      fc.property(product, ({ rows, depth, w, a }) => {
        const peak = a.slice(0, depth)
        const reach = pairReach(w, rows, depth, peak)
        rowsOf(w, rows, depth).forEach((row, r) => {
          // Each pair is at its worst where the activations that pull the same way are at their peak, the others at 0.
          const fires = [1, -1].some((sign) =>
            saturates(
              row,
              peak.map((p, k) => (Math.sign(row[k]!) === sign ? p : 0)),
            ),
          )
          expect(reach[r]! > 1).toBe(fires)
        })
      }),
    )
  })

  test('is that of the row alone, in pairs from even places on', () => {
    expect(reachOf([0, 127, 127, 0], [0, 255, 255, 0])).toBeLessThan(1)
    expect(reachOf([127, 127, 0, 0], [255, 255, 0, 0])).toBeCloseTo((2 * 127 * 255) / 32767, 10)
    // Depth 3: the last element of a row has no neighbour.
    const reach = pairReach(Int8Array.of(0, 0, 127, 127, 0, 0), 2, 3, Uint8Array.of(255, 0, 255))
    expect([...reach].every((r) => r <= 1)).toBe(true)
  })

  test('at the very edge of 16 bits is 1', () => {
    const sums = [
      [127, 255, 2, 191, 32767],
      [127, 254, 2, 255, 32768],
      [127, 255, 2, 192, 32769],
      [-128, 255, -1, 128, -32768],
      [-128, 255, -1, 129, -32769],
    ] as const
    for (const [w0, a0, w1, a1, sum] of sums) {
      expect(w0 * a0 + w1 * a1).toBe(sum)
      expect(reachOf([w0, w1], [a0, a1]) > 1).toBe(sum > 32767 || sum < -32768)
    }
  })

  test('of weights up to 64 in magnitude is within 16 bits, whatever the activations', () => {
    const limited = fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 1, maxLength: 8 })
    const all = (n: number): readonly number[] => new Array<number>(n).fill(255)
    fc.assert(fc.property(limited, (w) => reachOf(w, all(w.length)) <= 1))
    expect(vpmaddubsw(new Uint8Array(4).fill(255), Int8Array.of(64, 64, -64, -64)).saturated).toBe(0)
    expect(reachOf([65, 64], [255, 255])).toBeGreaterThan(1)
  })
})
