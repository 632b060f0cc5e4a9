import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { BLOCK_RANGES, blockGrid } from './block-ranges.js'
import { type BlockShape, hqqGrid, levelOf, lpLoss } from './hqq.js'

const shapeOf = (bits: number, hasZero: boolean): BlockShape => ({
  bits,
  hasZero,
  roundScale: Math.fround,
  roundZero: (z) => (hasZero ? Math.min(2 ** bits - 1, Math.max(0, Math.round(z))) : z),
})

const blocks = fc.array(fc.float({ min: -4, max: 4, noNaN: true, noDefaultInfinity: true }), {
  minLength: 1,
  maxLength: 40,
})
const shapes = fc
  .record({ bits: fc.constantFrom(2, 3, 4, 8), hasZero: fc.boolean() })
  .map((s) => shapeOf(s.bits, s.hasZero))

const errorsOf = (block: readonly number[], range: (typeof BLOCK_RANGES)[number], shape: BlockShape) => {
  const grid = blockGrid(block, range, shape)
  return { grid, errors: block.map((v) => v - grid.scale * (levelOf(v, grid, shape) - grid.zero)) }
}
const squared = (errors: readonly number[]): number => errors.reduce((n, e) => n + e * e, 0)

describe('grids of blocks', () => {
  test('inside the range of the grid no value is further from it than half a step', () => {
    fc.assert(
      fc.property(blocks, shapes, fc.constantFrom(...BLOCK_RANGES), (block, shape, range) => {
        const { grid, errors } = errorsOf(block, range, shape)
        const [a, b] = [-grid.zero * grid.scale, (2 ** shape.bits - 1 - grid.zero) * grid.scale]
        block.forEach((v, i) => {
          const isInside = v >= Math.min(a, b) && v <= Math.max(a, b)
          if (isInside && grid.scale !== 0)
            expect(Math.abs(errors[i]!)).toBeLessThanOrEqual(Math.abs(grid.scale) * 0.5000001)
        })
      }),
      { numRuns: 200 },
    )
  })

  test('half-quadratic: its loss is never above that of rounding to nearest on the whole range', () => {
    fc.assert(
      fc.property(blocks, shapes, (block, shape) => {
        const start = blockGrid(block, 'absmax', shape)
        expect(lpLoss(block, blockGrid(block, 'hqq', shape), shape)).toBeLessThanOrEqual(lpLoss(block, start, shape))
        // From what it found it goes no further up either.
        const found = hqqGrid(block, start, shape)
        expect(lpLoss(block, hqqGrid(block, found, shape), shape)).toBeLessThanOrEqual(lpLoss(block, found, shape))
      }),
      { numRuns: 200 },
    )
  })

  test('least squares: its error is never above that of the whole range', () => {
    fc.assert(
      fc.property(blocks, shapes, (block, shape) => {
        const [mse, whole] = [errorsOf(block, 'mse', shape), errorsOf(block, 'absmax', shape)]
        expect(squared(mse.errors)).toBeLessThanOrEqual(squared(whole.errors) * (1 + 1e-12))
      }),
      { numRuns: 200 },
    )
  })

  test.each([2, 3, 4])('of normal weights in %i bits both gain by their own measure', (bits) => {
    const r = random(5)
    const sums = { absmax: [0, 0], mse: [0, 0], hqq: [0, 0] }
    const shape = shapeOf(bits, true)
    for (let n = 0; n < 64; n++) {
      const block = Array.from({ length: 64 }, () => r.normal())
      for (const range of BLOCK_RANGES) {
        const { grid, errors } = errorsOf(block, range, shape)
        sums[range][0]! += squared(errors)
        sums[range][1]! += lpLoss(block, grid, shape)
      }
    }
    expect(sums.mse[0]!).toBeLessThan(0.99 * sums.absmax[0]!)
    expect(sums.hqq[1]!).toBeLessThan(sums.absmax[1]!)
  })

  test('zeros alone give zeros, and a value alone is met', () => {
    for (const range of BLOCK_RANGES) {
      for (const shape of [shapeOf(4, false), shapeOf(4, true)]) {
        expect(errorsOf([0, 0, 0], range, shape).errors).toEqual([0, 0, 0])
        expect(errorsOf([3], range, shape).errors[0]).toBeCloseTo(0, 5)
      }
    }
  })
})
