import fc from 'fast-check'
import { expect, test } from 'vitest'
import { awkwardProblem, drawnProblem } from '../../test/awkward-design.js'
import { mcp, scad } from '../penalties/index.js'
import { random } from '../util/random.js'
import { adaptivePath } from './adaptive.js'
import type { DenseMatrix } from './design.js'
import { nonconvexPath } from './nonconvex.js'
import { path } from './path.js'

/** A design with XᵀX = n I, columns of mean 0: cosines. */
function orthogonal(rows: number, columns: number): DenseMatrix {
  const data = Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns]
    return Math.SQRT2 * Math.cos((Math.PI * (i + 0.5) * (j + 1)) / rows)
  })
  return { rows, columns, data }
}

test.each([
  ['mcp', mcp],
  ['scad', scad],
] as const)('%s on orthogonal columns is its proximal step', async (penalty, of) => {
  const x = orthogonal(40, 8)
  const { normal } = random(2)
  const truth = [3, -2, 1, 0.5, 0.3, 0, 0, 0]
  const y = Float64Array.from({ length: 40 }, (_, i) =>
    truth.reduce((s, b, j) => s + b * x.data[i * 8 + j]!, normal(0, 0.3)),
  )
  const found = await nonconvexPath(x, y, { penalty, nLambdas: 12, lambdaMinRatio: 0.01, tolerance: 1e-16 })
  for (const { lambda, coefficients } of found.models) {
    const expected = Float64Array.from(truth, (_, j) => y.reduce((s, v, i) => s + (v * x.data[i * 8 + j]!) / 40, 0))
    of(lambda).prox(expected, 1)
    for (const [j, v] of expected.entries()) expect(coefficients[j]).toBeCloseTo(v, 7)
  }
})

test('each model fulfils the optimality conditions of its own penalty, recomputed from X, and beats the lasso in them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({ ...drawnProblem, penalty: fc.constantFrom('mcp' as const, 'scad' as const) }),
      async ({ penalty, ...drawn }) => {
        const { x, y, weighted, yy, at } = awkwardProblem(drawn)
        const options = { nLambdas: 8, lambdaMinRatio: 0.05, ...weighted }
        const found = await nonconvexPath(x, y, { penalty, ...options })
        const gamma = penalty === 'mcp' ? 3 : 3.7
        const lasso = await path(x, y, { lambdas: found.lambdas, ...weighted })
        for (const [m, { lambda, coefficients }] of found.models.entries()) {
          const of = penalty === 'mcp' ? mcp(lambda) : scad(lambda)
          const objective = (given: Float64Array): number => {
            const { beta, square } = at(given)
            return 0.5 * square + of.value(beta)
          }
          const { beta, pull: pulls } = at(coefficients)
          for (const [j, pull] of pulls.entries()) {
            const size = Math.abs(beta[j]!)
            const slope =
              penalty === 'mcp'
                ? Math.max(0, lambda - size / gamma)
                : Math.min(lambda, Math.max(0, gamma * lambda - size) / (gamma - 1))
            const miss = size === 0 ? Math.max(0, Math.abs(pull) - slope) : Math.abs(pull - slope * Math.sign(beta[j]!))
            expect(miss ** 2).toBeLessThanOrEqual(1.01e-7 * 0.5 * yy)
          }
          // The first round of the first strengths is the lasso itself.
          if (m < 3)
            expect(objective(coefficients)).toBeLessThanOrEqual(objective(lasso.models[m]!.coefficients) + 1e-6 * yy)
        }
      },
    ),
    { numRuns: 60, seed: 2 },
  )
})

test('the adaptive lasso leaves out what the first model did not find, and shrinks large coefficients less', async () => {
  const { normal } = random(8)
  const [n, p] = [120, 12]
  const data = Float64Array.from({ length: n * p }, () => normal())
  const x: DenseMatrix = { rows: n, columns: p, data }
  const y = Float64Array.from({ length: n }, (_, i) => 3 * data[i * p]! - 2 * data[i * p + 1]! + normal())
  const found = await adaptivePath(x, y, { first: 'lasso', seed: 1 })
  expect(found.penaltyFactors.filter((v) => v === Number.POSITIVE_INFINITY).length).toBeGreaterThan(0)
  for (const { coefficients } of found.models)
    for (const [j, v] of found.penaltyFactors.entries())
      if (v === Number.POSITIVE_INFINITY) expect(coefficients[j]).toBe(0)
  expect(Math.max(...found.dualGap)).toBeLessThanOrEqual(1e-7)
  const plain = await path(x, y)
  const bias = (of: typeof plain): number => Math.abs(3 - of.models[of.df.lastIndexOf(2)]!.coefficients[0]!)
  expect(bias(found)).toBeLessThan(0.5 * bias(plain))
  const ridge = await adaptivePath(x, y, { seed: 1, nLambdas: 20 })
  expect(ridge.penaltyFactors.every(Number.isFinite)).toBe(true)
  expect(ridge.penaltyFactors[0]).toBeLessThan(ridge.penaltyFactors[5]!)
})

test('a shape that is none is an error', async () => {
  await expect(nonconvexPath(orthogonal(8, 2), new Float64Array(8), { penalty: 'mcp', gamma: 1 })).rejects.toThrow(
    'above 1',
  )
})
