/** The loops of neighbour-loops.ts, compiled where that is possible. */

import { compiled } from './compiled.js'
import {
  type ClassMembers,
  digammaWithin,
  nearestJoint,
  nearestOfClass,
  type Strips,
  sortOrder,
} from './neighbour-loops.js'
import { NEIGHBOURS_WASM } from './neighbours-wasm.js'

/** Of at most as many rows as it was opened for. */
export interface NeighbourKernel {
  readonly isCompiled: boolean
  /** ψ(1), ψ(2), … from the second place on. */
  readonly digamma: Float64Array
  /** Rows by their values, the least first; equal ones in their order. No value is NaN or −0. */
  readonly order: (values: Float64Array) => Int32Array
  /** Σ ψ(number of j with |xⱼ − xᵢ| < rᵢ, i among them), of sorted values. */
  readonly digammaWithin: (sorted: Float64Array, radii: Float64Array) => number
  /** By place in the sorted values: distance to the k-th nearest of the same class. */
  readonly nearestOfClass: (sorted: Float64Array, members: ClassMembers, k: number) => Float64Array
  /** By place: distance to the k-th nearest other point under the maximum norm; there are more than k. */
  readonly nearestJoint: (strips: Strips, k: number) => Float64Array
}

/** The plain one where WebAssembly SIMD is missing, or they need over 4 GiB. */
export function openNeighbourKernel(rows: number): NeighbourKernel {
  return compiledNeighbours(rows) ?? plainNeighbours(rows)
}

/** γ of Euler and Mascheroni: ψ(1) = −γ. */
const EULER = 0.577_215_664_901_532_9

/** ψ(1) … ψ(n) from the second place on. */
export function digammas(n: number): Float64Array {
  const values = new Float64Array(n + 1)
  let harmonic = 0
  for (let m = 1; m <= n; m++) {
    values[m] = harmonic - EULER
    harmonic += 1 / m
  }
  return values
}

export function plainNeighbours(rows: number): NeighbourKernel {
  const digamma = digammas(rows)
  const filled = (length: number, fill: (radii: Float64Array) => void): Float64Array => {
    const radii = new Float64Array(length)
    fill(radii)
    return radii
  }
  return {
    isCompiled: false,
    digamma,
    order: sortOrder,
    digammaWithin: (sorted, radii) => digammaWithin(sorted, radii, digamma),
    nearestOfClass: (sorted, members, k) => filled(sorted.length, (radii) => nearestOfClass(sorted, members, k, radii)),
    nearestJoint: (strips, k) => filled(strips.u.length, (radii) => nearestJoint(strips, k, radii)),
  }
}

interface Exports {
  sortOrder(n: number, keys: number, order: number, otherKeys: number, otherOrder: number, counts: number): void
  digammaWithin(n: number, sorted: number, radii: number, digamma: number): number
  nearestOfClass(classes: number, sorted: number, members: number, starts: number, k: number, radii: number): void
  nearestJoint(
    n: number,
    size: number,
    u: number,
    v: number,
    lows: number,
    highs: number,
    k: number,
    best: number,
    radii: number,
  ): void
}

const instance = compiled<Exports>(NEIGHBOURS_WASM)

/** Of six digits of 11 bits, as sorting counts them. */
const COUNTS = 6 * 2048

/** Null where it cannot be: no SIMD, a page that forbids WebAssembly, or more memory than it can have. */
export function compiledNeighbours(rows: number): NeighbourKernel | null {
  // Two lists and their ends hold one more.
  const room = rows + 2
  const [numbers, integers] = [7, 2]
  const made = instance(8 * numbers * room + 4 * (integers * room + COUNTS))
  if (made === null) return null
  const { calls, memory } = made
  const [a, b, radii, digamma, lows, highs, best] = Array.from(
    { length: numbers },
    (_, k) => new Float64Array(memory.buffer, 8 * k * room, room),
  ) as [Float64Array, ...[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]]
  const integersAt = (from: number, length: number) =>
    new Int32Array(memory.buffer, 8 * numbers * room + 4 * from, length)
  const [c, d, counts] = [integersAt(0, room), integersAt(room, room), integersAt(2 * room, COUNTS)]
  digamma.set(digammas(rows))
  return {
    isCompiled: true,
    digamma,
    order(values) {
      a.set(values)
      calls.sortOrder(values.length, a.byteOffset, c.byteOffset, b.byteOffset, d.byteOffset, counts.byteOffset)
      return c.slice(0, values.length)
    },
    digammaWithin(sorted, given) {
      a.set(sorted)
      radii.set(given)
      return calls.digammaWithin(sorted.length, a.byteOffset, radii.byteOffset, digamma.byteOffset)
    },
    nearestOfClass(sorted, { members, starts }, k) {
      a.set(sorted)
      c.set(members)
      d.set(starts)
      const [classes, x, of, at] = [starts.length - 1, a.byteOffset, c.byteOffset, d.byteOffset]
      calls.nearestOfClass(classes, x, of, at, k, radii.byteOffset)
      return radii.slice(0, sorted.length)
    },
    nearestJoint({ size, u, v, lows: least, highs: most }, k) {
      a.set(u)
      b.set(v)
      lows.set(least)
      highs.set(most)
      const [x, y, from, to] = [a.byteOffset, b.byteOffset, lows.byteOffset, highs.byteOffset]
      calls.nearestJoint(u.length, size, x, y, from, to, k, best.byteOffset, radii.byteOffset)
      return radii.slice(0, u.length)
    },
  }
}
