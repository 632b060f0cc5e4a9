/** The compiled loops give the bits of the plain ones: no sum changes its order, only several elements go at a time. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import {
  type CentreKernel,
  type CentreShape,
  compiledCentreKernel,
  openCentreKernel,
  plainCentreKernel,
} from './centre-kernel.js'
import { STRIP } from './centre-loops.js'

const problems = fc.record({
  width: fc.integer({ min: 1, max: 9 }),
  others: fc.integer({ min: 0, max: 2 }),
  strips: fc.integer({ min: 1, max: 3 }),
  isSingle: fc.boolean(),
  seed: fc.nat(),
})

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never

const shapeOf = ({ width, others, strips, isSingle }: Problem): CentreShape => ({
  columns: width + others,
  width,
  height: strips * STRIP,
  isSingle,
})

/** All columns of a tile, those that come in strips and those that come alone. */
function filled(kernel: CentreKernel, { width, others, strips, seed }: Problem) {
  const { normal } = random(seed)
  const draw = (target: Float64Array): Float64Array => {
    for (let i = 0; i < target.length; i++) target[i] = normal()
    return target.slice()
  }
  const { centring, strip, column, tile } = kernel
  const [shifts, factors, roots] = [draw(centring.shifts), draw(centring.factors), draw(strip.roots)]
  const values: number[][] = Array.from({ length: width + others }, () => [])
  for (let s = 0; s < strips; s++) {
    const rows = draw(strip.data)
    for (let j = 0; j < width; j++) for (let i = 0; i < STRIP; i++) values[j]!.push(rows[i * width + j]!)
    kernel.centreRows(s * STRIP)
  }
  for (let j = width; j < width + others; j++) {
    values[j] = [...draw(column)]
    kernel.centreColumn(j)
  }
  return { shifts, factors, roots, values, tile, sums: centring.sums, squares: centring.squares }
}

test('this engine runs the compiled loops', () => {
  expect(openCentreKernel({ columns: 2, width: 1, height: 16, isSingle: true }).isCompiled).toBe(true)
})

test('compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const bits = (kernel: CentreKernel): readonly string[] => {
        const { tile, sums, squares } = filled(kernel, problem)
        return [tile, sums, squares].map((a) => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('hex'))
      }
      expect(bits(compiledCentreKernel(shapeOf(problem))!)).toEqual(bits(plainCentreKernel(shapeOf(problem))))
    }),
    { numRuns: 300 },
  )
})

test('they do what they say', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const { shifts, factors, roots, values, tile, sums, squares } = filled(
        plainCentreKernel(shapeOf(problem)),
        problem,
      )
      for (const [j, column] of values.entries()) {
        const wanted = column.map((z, i) => roots[i]! * (z - shifts[j]!) * factors[j]!)
        for (const [i, v] of wanted.entries())
          expect(tile[j * roots.length + i]).toBeCloseTo(v, problem.isSingle ? 4 : 12)
        expect(sums[j]).toBeCloseTo(
          wanted.reduce((sum, v, i) => sum + roots[i]! * v, 0),
          10,
        )
        expect(squares[j]).toBeCloseTo(
          wanted.reduce((sum, v) => sum + v * v, 0),
          10,
        )
      }
    }),
    { numRuns: 100 },
  )
})
