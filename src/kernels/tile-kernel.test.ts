/** The compiled loops give the bits of the plain ones: no sum changes its order, only several elements go at a time. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { compiledTileKernel, openTileKernel, plainTileKernel, TILE_ROWS, type TileKernel } from './tile-kernel.js'

const problems = fc.record({
  columns: fc.integer({ min: 1, max: 20 }),
  blocks: fc.integer({ min: 1, max: 3 }),
  rows: fc.integer({ min: 0, max: 9 }),
  first: fc.integer({ min: -1, max: 9 }),
  seed: fc.nat(),
})

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never

/** All that the four functions leave behind, one after the other. */
function products(open: (length: number, listed: number) => TileKernel, problem: Problem) {
  const { columns, blocks, rows, first, seed } = problem
  const { normal, integer } = random(seed)
  const height = blocks * TILE_ROWS
  const lengths = [columns * height, height, height, 2 * height, columns, columns, rows * columns, columns * height]
  const kernel = open(
    lengths.reduce((a, b) => a + b),
    rows + columns,
  )
  let at = 0
  const parts = lengths.map((length) => {
    at += length
    return kernel.memory.subarray(at - length, at)
  })
  const [data, target, v, z, coefficients, sums, out, wide] = parts as [
    ...[Float64Array, Float64Array, Float64Array, Float64Array],
    ...[Float64Array, Float64Array, Float64Array, Float64Array],
  ]
  for (const part of [data, target, v, coefficients]) for (let i = 0; i < part.length; i++) part[i] = normal()
  const [left, right] = [kernel.lists.subarray(0, rows), kernel.lists.subarray(rows)]
  for (let a = 0; a < rows; a++) left[a] = integer(columns)
  for (let b = 0; b < columns; b++) right[b] = integer(columns)
  const tile = { data, height }
  const start = target.slice()
  kernel.addColumns(tile, right, coefficients, target)
  kernel.dotColumns(tile, right, v, sums)
  // A row must not begin behind the last column.
  const from = Math.min(first, columns - rows)
  kernel.multiplyColumns(tile, { left, right, out, stride: columns, first: from }, v, z)
  const single = new Float32Array(wide.buffer, wide.byteOffset, columns * height)
  kernel.scaleColumns(tile, right, coefficients, v, single)
  return {
    memory: kernel.memory.slice(),
    data,
    start,
    target,
    v,
    coefficients,
    sums,
    out,
    left,
    right,
    from,
    single,
    height,
  }
}

test('this engine runs the compiled loops', () => {
  expect(openTileKernel(100, 1).isCompiled).toBe(true)
})

test('compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const compiled = products((length, listed) => compiledTileKernel(length, listed)!, problem).memory
      const plain = products(plainTileKernel, problem).memory
      expect(Buffer.from(compiled.buffer).equals(Buffer.from(plain.buffer))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('they are the products that they say', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const { columns } = problem
      const { data, start, target, v, coefficients, sums, out, left, right, from, single, height } = products(
        plainTileKernel,
        problem,
      )
      const cell = (i: number, j: number): number => data[j * height + i]!
      const sum = (f: (i: number) => number): number =>
        Array.from({ length: height }, (_, i) => f(i)).reduce((a, b) => a + b)
      for (let i = 0; i < height; i++) {
        const added = right.reduce((total, j, b) => total + coefficients[b]! * cell(i, j), 0)
        expect(target[i]).toBeCloseTo(start[i]! + added, 10)
      }
      for (let b = 0; b < columns; b++) {
        const j = right[b]!
        expect(sums[b]).toBeCloseTo(
          sum((i) => cell(i, j) * v[i]!),
          10,
        )
        for (let i = 0; i < height; i++)
          expect(single[b * height + i]).toBe(Math.fround(coefficients[b]! * (v[i]! * cell(i, j))))
        for (let a = 0; a < left.length; a++) {
          // Of the upper triangle, and some that lie left of it.
          if (from >= 0 && b < from + a) continue
          expect(out[a * columns + b]).toBeCloseTo(
            sum((i) => v[i]! * cell(i, left[a]!) * cell(i, j)),
            10,
          )
        }
      }
    }),
    { numRuns: 100 },
  )
})
