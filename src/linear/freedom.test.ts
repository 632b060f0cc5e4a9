import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import type { DenseMatrix } from './design.js'
import { wholeOf } from './fold-moments.js'
import { freedomOf } from './freedom.js'
import { type ModelOptions, pathOfModel } from './gaussian-model.js'
import { momentsOf } from './moments.js'

const { normal } = random(11)
const [n, p] = [30, 6]
const data = Float64Array.from({ length: n * p }, () => normal())
// Columns 4 and 5 are the levels of a category with column 3: together they are 1.
for (let i = 0; i < n; i++) for (const j of [3, 4, 5]) data[i * p + j] = Number(i % 3 === j - 3)
const x: DenseMatrix = { rows: n, columns: p, data }
const y = Float64Array.from({ length: n }, (_, i) => data[i * p]! - data[i * p + 1]! + data[i * p + 4]! + normal())
const lambdas = [0.3, 0.1, 0.02]

const fitted = (y: Float64Array, options: ModelOptions) => {
  const moments = momentsOf(x, y)
  const path = pathOfModel(options, p)(wholeOf(moments))
  const at = path.models.map(({ coefficients, intercept }) =>
    Float64Array.from({ length: n }, (_, i) => coefficients.reduce((s, b, j) => s + b * data[i * p + j]!, intercept)),
  )
  return { moments, path, at }
}

test.each<ModelOptions>([
  { l1Ratio: 0 },
  { l1Ratio: 0.5, penaltyFactors: [1, 2, 1, 0, 1, 1] },
  { l1Ratio: 0.5, isStandardized: false },
  { model: 'group-lasso', columnGroups: [0, 0, 1, 2, 2, 2] },
  { model: 'group-lasso', columnGroups: [0, 0, 1, 2, 2, 2], l1Ratio: 0.4, groupFactors: [1, 2, 0.5] },
])('they are how much the fit of each row follows its own y, less the intercept: %j', (given) => {
  const options = { ...given, lambdas, tolerance: 1e-15 }
  const { moments, path } = fitted(y, options)
  const found = freedomOf(moments, path, options)
  const step = 1e-4
  // The divergence Σ ∂ŷᵢ/∂yᵢ (Stein 1981) by central differences.
  const slopes = Array.from(y, (_, i) => {
    const [up, down] = [step, -step].map(
      (by) =>
        fitted(
          y.map((v, k) => (k === i ? v + by : v)),
          options,
        ).at,
    )
    return lambdas.map((_, l) => (up![l]![i]! - down![l]![i]!) / (2 * step))
  })
  for (const [l, df] of found.entries()) {
    const divergence = slopes.reduce((sum, s) => sum + s[l]!, 0) - 1
    expect(df).toBeCloseTo(divergence, 4)
    expect(df).toBeLessThan(5.01)
  }
})

test('of a lasso, MCP and SCAD they are the columns', () => {
  for (const options of [{}, { model: 'mcp' }, { model: 'scad' }] as const) {
    const { moments, path } = fitted(y, { ...options, lambdas })
    expect(freedomOf(moments, path, { ...options, lambdas })).toBe(path.df)
  }
})
