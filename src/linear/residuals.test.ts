import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { columnMajor } from '../../test/regressions.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { random } from '../util/random.js'
import { type DenseMatrix, stridesOf } from './design.js'
import { type Moments, momentsOf } from './moments.js'
import { type PathSolution, solvePath } from './path.js'
import { meanSquare, pointAt } from './quadratic.js'
import { refined } from './refine.js'
import { gatherResiduals, type ResidualMoments } from './residuals.js'
import { standardized } from './standard.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine()
})
afterAll(() => engine.close())

interface Drawn {
  readonly x: DenseMatrix
  readonly y: Float64Array
  readonly weights: Float64Array
  readonly means: Float64Array
  readonly models: readonly Float64Array[]
}

function drawn(seed: number, rows: number, columns: number, many: number): Drawn {
  const { normal, integer } = random(seed)
  const list = (length: number, f: () => number): Float64Array => Float64Array.from({ length }, f)
  return {
    x: { rows, columns, data: list(rows * columns, () => normal(3, 2)) },
    y: list(rows, () => normal(1)),
    weights: list(rows, () => integer(3)).fill(1, 0, 1),
    means: list(columns + 1, () => normal()),
    models: Array.from({ length: many }, () => list(columns, () => (integer(2) === 0 ? 0 : normal()))),
  }
}

/** As it is written. */
function plainly({ x, y, weights, means, models }: Drawn): readonly ResidualMoments[] {
  const [byRow, byColumn] = stridesOf(x)
  const cell = (i: number, j: number): number => x.data[i * byRow + j * byColumn]! - means[j]!
  const total = weights.reduce((a, b) => a + b, 0)
  return models.map((beta) => {
    const r = y.map((v, i) => v - means[x.columns]! - beta.reduce((sum, b, j) => sum + b * cell(i, j), 0))
    return {
      meanSquare: r.reduce((sum, v, i) => sum + weights[i]! * v * v, 0) / total,
      correlations: beta.map((_, j) => r.reduce((sum, v, i) => sum + weights[i]! * v * cell(i, j), 0) / total),
    }
  })
}

function expectClose(found: readonly ResidualMoments[], wanted: readonly ResidualMoments[]): void {
  expect(found.length).toBe(wanted.length)
  for (const [l, { meanSquare, correlations }] of wanted.entries()) {
    expect(Math.abs(found[l]!.meanSquare - meanSquare)).toBeLessThan(1e-11 * meanSquare)
    for (const [j, v] of correlations.entries())
      expect(Math.abs(found[l]!.correlations[j]! - v)).toBeLessThan(1e-11 * (1 + Math.abs(v)) * (1 + meanSquare))
  }
}

test('residuals of many models are those of single rows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1e6),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 12 }),
      fc.boolean(),
      async (seed, rows, columns, many, isTurned) => {
        const made = drawn(seed, rows, columns, many)
        const x = isTurned ? columnMajor(made.x) : made.x
        expectClose(await gatherResiduals(x, made.y, made.models, made), plainly(made))
      },
    ),
    { numRuns: 50 },
  )
})

test('on the engine they are the same', async () => {
  const made = drawn(1, 20_000, 160, 40)
  const { x, y, models } = made
  expectClose(await gatherResiduals(x, y, models, { ...made, engine }), await gatherResiduals(x, y, models, made))
  const none = models.map((beta) => beta.map(() => 0))
  expectClose(await gatherResiduals(x, y, none, { ...made, engine }), await gatherResiduals(x, y, none, made))
})

/** Columns that lean on their neighbours, and y of a few of them. */
function correlated(seed: number, rows: number, columns: number) {
  const { normal } = random(seed)
  const data = new Float64Array(rows * columns)
  const y = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    let last = 0
    for (let j = 0; j < columns; j++) {
      last = 0.6 * last + 0.8 * normal()
      data[i * columns + j] = last + 2
      if (j % 4 === 1) y[i]! += 2 * last
    }
    y[i]! += normal()
  }
  return { x: { rows, columns, data } satisfies DenseMatrix, y }
}

/** Each entry of a Gram matrix off by up to a part of its scale, as products in a lesser precision leave it. */
function blurred(scatter: Float64Array, part: number, seed: number): Float64Array {
  const m = Math.sqrt(scatter.length)
  const { uniform } = random(seed)
  const out = scatter.slice()
  for (let j = 0; j < m; j++)
    for (let k = j; k < m; k++) {
      const e = uniform(-part, part) * Math.sqrt(scatter[j * m + j]! * scatter[k * m + k]!)
      out[j * m + k]! += e
      if (k > j) out[k * m + j]! += e
    }
  return out
}

test('coarse moments say so, and are corrected by the rows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1e6),
      fc.constantFrom(1, 0.5, 0),
      fc.constantFrom(undefined, 0),
      fc.boolean(),
      async (seed, l1Ratio, factor, hasIntercept) => {
        const { x, y } = correlated(seed, 80, 12)
        const exact = momentsOf(x, y)
        const rounding = 1e-5
        const moments = { ...exact, scatter: blurred(exact.scatter, rounding, seed), rounding }
        const penaltyFactors = factor === undefined ? undefined : Array.from({ length: 12 }, (_, j) => Number(j > 0))
        const options = {
          l1Ratio,
          hasIntercept,
          isStandardized: false,
          nLambdas: 10,
          lambdaMinRatio: 1e-2,
          tolerance: 1e-9,
          ...(penaltyFactors && { penaltyFactors }),
        }
        const coarse = solvePath(moments, options)
        const found = await refined(coarse, x, y, options)
        const { yy } = solvePath(exact, options).standard.problem
        for (const { gap } of found) expect(gap).toBeLessThanOrEqual(options.tolerance * 0.5 * yy * (1 + 1e-4))
        // What moments alone said bounds what the rows say.
        const seen = await refined({ ...coarse, most: Number.POSITIVE_INFINITY }, x, y, options)
        expect(seen).toBe(coarse.solved)
        for (const [i, { beta, gap }] of coarse.solved.entries()) {
          const lambda = coarse.lambdas[i]!
          const best = solvePath(exact, { ...options, lambdas: [lambda], tolerance: 1e-12 }).solved[0]!.beta
          const [own, least] = [beta, best].map((b) => objectiveOf(coarse, exact, b, lambda))
          expect(own! - least!).toBeLessThanOrEqual(gap + 1e-12)
        }
      },
    ),
    { numRuns: 30 },
  )
})

/** ½‖y − Xβ‖²/n and the penalty, from moments. */
function objectiveOf(
  { standard: { offsets }, terms }: PathSolution,
  moments: Moments,
  beta: Float64Array,
  lambda: number,
) {
  const hasIntercept = offsets.some((v) => v !== 0)
  const { problem } = standardized(moments, { hasIntercept, isStandardized: false })
  const { l1, l2 } = terms.at(lambda)
  const penalty = beta.reduce((sum, b, j) => sum + l1[j]! * Math.abs(b) + 0.5 * l2[j]! * b * b, 0)
  return 0.5 * meanSquare(problem, pointAt(problem, beta)) + penalty
}
