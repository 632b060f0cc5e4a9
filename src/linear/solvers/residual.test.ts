/** The solver on rows by itself, where its working set is wide or narrow, and the bounds that screen columns. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { regression } from '../../../test/regressions.js'
import { sparse } from '../../../test/sparse.js'
import { random } from '../../util/random.js'
import { standardizer } from '../columns.js'
import { dualityGap, type Fit, type Penalized } from '../quadratic.js'
import { productsOf, type RowProblem, residualOf, rowProblem } from '../row-problem.js'
import { rowSolver, solveRows } from './residual.js'
import { correlationsOfAll, screenOf } from './screen.js'

interface Shape {
  readonly rows: number
  readonly p: number
  readonly seed: number
  readonly isSparse: boolean
  readonly free: number
  readonly isBounded: boolean
  readonly l1Ratio: number
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 3, max: 30 }),
  p: fc.integer({ min: 4, max: 60 }),
  seed: fc.nat(),
  isSparse: fc.boolean(),
  free: fc.integer({ min: 0, max: 3 }),
  isBounded: fc.boolean(),
  l1Ratio: fc.constantFrom(0, 0.2, 1),
})

function drawn({ rows, p, seed, isSparse, free }: Shape): RowProblem {
  const { x, y } = regression({ rows, columns: p, seed })
  const { columns, y: centred } = standardizer(isSparse ? sparse(x) : x)(y, {
    hasIntercept: true,
    isStandardized: true,
  })
  return rowProblem(
    columns,
    centred,
    Array.from({ length: free }, (_, k) => k),
  )
}

/** λ as a part of the largest one; free columns and those that they explain are held at 0. */
function penalizedAt(problem: RowProblem, part: number, { seed, isBounded, l1Ratio }: Shape): Penalized {
  const { uniform, integer } = random(seed + 1)
  const most = problem.q.reduce((m, v) => Math.max(m, Math.abs(v)), 0) || 1
  const out = new Set([...problem.free, ...problem.gone])
  const list = (f: () => number): Float64Array => problem.q.map((_, j) => (out.has(j) ? 0 : f()))
  return {
    l1: list(() => part * most * l1Ratio),
    l2: list(() => part * (1 - l1Ratio)),
    lower: list(() => (isBounded ? -integer(2) * uniform() : Number.NEGATIVE_INFINITY)),
    upper: list(() => (isBounded ? integer(2) * uniform() : Number.POSITIVE_INFINITY)),
  }
}

const zeroFit = ({ q }: RowProblem): Fit => ({ beta: new Float64Array(q.length), residual: q.slice(), passes: 0 })

/** Correlations from nothing but the coefficients. */
function exactly(problem: RowProblem, beta: Float64Array): Float64Array {
  const left = residualOf(problem.columns, problem.y, beta)
  problem.project(left)
  return productsOf(problem.columns, left)
}

test('narrow and wide working sets end at gaps below the tolerance, with columns taken out and bounds', () => {
  fc.assert(
    fc.property(shapes, fc.constantFrom(0, 3, 1000), (shape, mostCompact) => {
      const problem = drawn(shape)
      const solver = rowSolver(problem, () => false, mostCompact)
      let fit = zeroFit(problem)
      for (const part of [0.8, 0.3, 0.25, 0.1]) {
        const penalized = penalizedAt(problem, part, shape)
        fit = solveRows(solver, penalized, fit, { tolerance: 1e-8, maxPasses: 20_000 })
        const exact = { beta: fit.beta, residual: exactly(problem, fit.beta) }
        expect(dualityGap(problem, penalized, exact)).toBeLessThanOrEqual((1e-8 * 0.5 + 1e-13) * problem.yy)
        for (const [j, b] of fit.beta.entries()) {
          expect(b >= penalized.lower[j]! && b <= penalized.upper[j]!).toBe(true)
          // What is not exact is a bound: no smaller, and below the threshold.
          const [said, is] = [Math.abs(fit.residual[j]!), Math.abs(exact.residual[j]!)]
          if (Math.abs(said - is) > 1e-9) {
            expect(said).toBeGreaterThanOrEqual(is)
            expect(said).toBeLessThan(penalized.l1[j]!)
          }
        }
      }
    }),
    { numRuns: 60 },
  )
})

test('bounds by past residuals hold for any residual, and are exact where they are needed', () => {
  fc.assert(
    fc.property(shapes, fc.double({ min: 1e-6, max: 1, noNaN: true }), (shape, step) => {
      const problem = drawn(shape)
      const { normal, integer } = random(shape.seed + 2)
      const screen = screenOf(problem, (j) => j === 1)
      const thresholds = problem.q.map(() => 0.5 * Math.abs(normal()))
      const residual = problem.y.slice()
      for (let round = 0; round < 8; round++) {
        const isNeeded = Uint8Array.from(problem.q, () => Number(integer(10) === 0))
        const found = correlationsOfAll(screen, residual, thresholds, isNeeded)
        const exact = productsOf(problem.columns, residual)
        for (const [j, c] of exact.entries()) {
          if (j === 1 && isNeeded[j] === 0) continue
          expect(Math.abs(found[j]!)).toBeGreaterThanOrEqual(Math.abs(c) - 1e-12)
          const isExact = isNeeded[j] === 1 || Math.abs(found[j]!) > thresholds[j]!
          if (isExact) expect(Math.abs(found[j]! - c)).toBeLessThan(1e-12)
        }
        const noise = new Float64Array(residual.length)
        for (let i = 0; i < shape.rows; i++) noise[i] = normal()
        problem.project(noise)
        for (let i = 0; i < residual.length; i++) residual[i] = 0.9 * residual[i]! + step * 0.1 * noise[i]!
      }
    }),
    { numRuns: 60 },
  )
})

test('too few passes are said by the gap', () => {
  const shape: Shape = { rows: 30, p: 60, seed: 5, isSparse: false, free: 0, isBounded: false, l1Ratio: 1 }
  const problem = drawn(shape)
  for (const mostCompact of [0, 1000]) {
    const penalized = penalizedAt(problem, 0.01, shape)
    const options = { tolerance: 1e-12, maxPasses: 2 }
    const fit = solveRows(
      rowSolver(problem, () => false, mostCompact),
      penalized,
      zeroFit(problem),
      options,
    )
    expect(fit.passes).toBe(2)
    expect(dualityGap(problem, penalized, fit)).toBeGreaterThan(1e-12 * 0.5 * problem.yy)
  }
})
