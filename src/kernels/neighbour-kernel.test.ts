/** The compiled loops give the bits of the plain ones, and both what a search over all pairs gives. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { compiledNeighbours, digammas, openNeighbourKernel, plainNeighbours } from './neighbour-kernel.js'
import type { ClassMembers, Strips } from './neighbour-loops.js'

interface Shape {
  readonly rows: number
  readonly k: number
  readonly size: number
  readonly classes: number
  readonly seed: number
  /** Whether values are few whole numbers. */
  readonly isCoarse: boolean
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 1, max: 60 }),
  k: fc.integer({ min: 1, max: 5 }),
  size: fc.integer({ min: 1, max: 20 }),
  classes: fc.integer({ min: 1, max: 4 }),
  seed: fc.nat(),
  isCoarse: fc.boolean(),
})

function drawn({ rows, size, classes, seed, isCoarse }: Shape) {
  const { normal, integer } = random(seed)
  const value = (): number => (isCoarse ? integer(5) - 2 : normal() * 10 ** (integer(7) - 3))
  const values = Float64Array.from({ length: rows }, value)
  const sorted = values.toSorted()
  const radii = Float64Array.from(sorted, () => Math.abs(value()))
  const codes = Int32Array.from(sorted, () => integer(classes))
  const places = Array.from({ length: classes }, (_, c) => [...codes.keys()].filter((i) => codes[i] === c))
  const full = places.filter((of) => of.length > 0)
  const starts = full.map((_, c) => full.slice(0, c).flat().length)
  const members: ClassMembers = { members: Int32Array.from(full.flat()), starts: Int32Array.of(...starts, rows) }
  const points = Array.from(sorted, (u) => [u, value()] as const)
  const cut = Array.from({ length: Math.ceil(rows / size) }, (_, s) =>
    points.slice(s * size, (s + 1) * size).sort(([, a], [, b]) => a - b),
  )
  const strips: Strips = {
    size,
    u: Float64Array.from(cut.flat(), ([u]) => u),
    v: Float64Array.from(cut.flat(), ([, v]) => v),
    lows: Float64Array.from(cut, (strip) => Math.min(...strip.map(([u]) => u))),
    highs: Float64Array.from(cut, (strip) => Math.max(...strip.map(([u]) => u))),
  }
  return { values, sorted, radii, codes, members, strips }
}

const kth = (distances: readonly number[], k: number): number =>
  distances.toSorted((a, b) => a - b)[Math.min(k, distances.length) - 1] ?? 0

test('this engine runs the compiled loops', () => {
  expect(openNeighbourKernel(3).isCompiled).toBe(true)
})

test('compiled and plain give the same bits, and those of a search over all pairs', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const { values, sorted, radii, codes, members, strips } = drawn(shape)
      const { rows, k } = shape
      const rest = (i: number) => [...sorted.keys()].filter((j) => j !== i)
      const same = (i: number) => rest(i).filter((j) => codes[j] === codes[i])
      const { u, v } = strips
      const order = [...values.keys()].sort((i, j) => values[i]! - values[j]! || i - j)
      const ofClass = sorted.map((x, i) =>
        kth(
          same(i).map((j) => Math.abs(sorted[j]! - x)),
          k,
        ),
      )
      const joint = u.map((a, i) =>
        kth(
          rest(i).map((j) => Math.max(Math.abs(u[j]! - a), Math.abs(v[j]! - v[i]!))),
          k,
        ),
      )
      const psi = digammas(rows)
      const within = sorted.map((x, i) => psi[1 + rest(i).filter((j) => Math.abs(sorted[j]! - x) < radii[i]!).length]!)
      for (const kernel of [plainNeighbours(rows), compiledNeighbours(rows)!]) {
        expect([...kernel.order(values)]).toEqual(order)
        expect(kernel.nearestOfClass(sorted, members, k)).toEqual(ofClass)
        if (rows > k) expect(kernel.nearestJoint(strips, k)).toEqual(joint)
        expect(kernel.digammaWithin(sorted, radii)).toBe(within.reduce((sum, p) => sum + p, 0))
      }
    }),
    { numRuns: 300 },
  )
})

test('values of all sizes and signs are sorted, equal ones in their order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -2, max: 2 })), { minLength: 1 }),
      (list) => {
        const values = Float64Array.from(list, (v) => v + 0)
        expect(compiledNeighbours(values.length)!.order(values)).toEqual(plainNeighbours(values.length).order(values))
      },
    ),
    { numRuns: 300 },
  )
})

test('ψ of whole numbers', () => {
  const [, one, two, , , , ten] = digammas(10).filter((_, m) => m < 3 || m > 6)
  expect(one).toBeCloseTo(-0.5772156649015329, 15)
  expect(two).toBeCloseTo(0.42278433509846713, 15)
  expect(ten).toBeCloseTo(2.251752589066721, 14)
})

test('more than WebAssembly can address is left to the plain loops', () => {
  expect(compiledNeighbours(2 ** 27)).toBeNull()
})
