/** Numbers of a textbook and of glmnet, on tables of test/data. */

import { describe, expect, test } from 'vitest'
import { readCells } from '../../test/tables.js'
import type { DenseMatrix } from './design.js'
import { ols } from './ols.js'
import { type LinearModel, path } from './path.js'

const matrix = (rows: readonly (readonly number[])[]): DenseMatrix => ({
  rows: rows.length,
  columns: rows[0]!.length,
  data: Float64Array.from(rows.flat()),
})

// coef(glmnet(x, y, thresh = 1e-30), s = 0.1, exact = TRUE) of glmnet 4.1-6.
test('glmnet QuickStart at λ = 0.1', async () => {
  const rows = readCells('quickstart.csv').cells.map((cells) => cells.map(Number))
  const x = matrix(rows.map((row) => row.slice(0, 20)))
  const { models, df, dualGap } = await path(
    x,
    rows.map((row) => row[20]!),
    { lambdas: [0.1], tolerance: 1e-20 },
  )
  const wanted: Readonly<Record<number, number>> = {
    1: 1.32058695866546,
    3: 0.67509670881486,
    5: -0.81738171748608,
    6: 0.52143826417504,
    7: 0.00483959165081,
    8: 0.31941202199103,
    11: 0.14249978527371,
    14: -1.0599836655014,
    20: -1.0218713109378,
  }
  expect(models[0]!.intercept).toBeCloseTo(0.15093188624493, 12)
  for (const [j, v] of models[0]!.coefficients.entries()) expect(v).toBeCloseTo(wanted[j + 1] ?? 0, 12)
  expect(df).toEqual([9])
  expect(dualGap[0]!).toBeLessThan(1e-15)
})

/** Hastie, Tibshirani and Friedman 2009, table 3.3: columns with deviation 1 (by n − 1) over all 97 rows. */
describe('prostate cancer', () => {
  const { cells } = readCells('prostate.csv')
  const raw = cells.map((row) => row.slice(0, 8).map(Number))
  const columns = Array.from({ length: 8 }, (_, j) => raw.map((row) => row[j]!))
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length
  const scaled = columns.map((column) => {
    const center = mean(column)
    const deviation = Math.sqrt(column.reduce((sum, v) => sum + (v - center) ** 2, 0) / (column.length - 1))
    return column.map((v) => (v - center) / deviation)
  })
  const part = (flag: string) => {
    const rows = [...cells.keys()].filter((i) => cells[i]![9] === flag)
    return { x: matrix(rows.map((i) => scaled.map((c) => c[i]!))), y: rows.map((i) => Number(cells[i]![8])) }
  }
  const [train, left] = [part('T'), part('F')]

  const errorOf = ({ coefficients, intercept }: Pick<LinearModel, 'coefficients' | 'intercept'>): number =>
    mean(
      left.y.map((y, i) => (y - coefficients.reduce((sum, b, j) => sum + b * left.x.data[i * 8 + j]!, intercept)) ** 2),
    )

  test('least squares, by QR and by the path at λ = 0', async () => {
    const wanted = [0.679528, 0.263053, -0.141465, 0.210147, 0.305201, -0.288493, -0.021305, 0.266956]
    const { models } = await path(train.x, train.y, { lambdas: [0] })
    for (const model of [ols(train.x, train.y), models[0]!]) {
      expect(model.intercept).toBeCloseTo(2.464933, 6)
      for (const [j, v] of wanted.entries()) expect(model.coefficients[j]!).toBeCloseTo(v, 5)
      expect(errorOf(model)).toBeCloseTo(0.521274, 6)
    }
  })

  test('a ridge of 5 degrees of freedom', async () => {
    // The penalty there is λ Σ β² beside the sum of squares, here λ/2 Σ β² beside half their mean.
    const options = { lambdas: [23.9989 / 67], l1Ratio: 0, isStandardized: false }
    const { models, dualGap } = await path(train.x, train.y, options)
    const wanted = [0.420982, 0.238788, -0.048017, 0.162314, 0.227123, -0.000086, 0.041077, 0.132447]
    for (const [j, v] of wanted.entries()) expect(models[0]!.coefficients[j]!).toBeCloseTo(v, 5)
    expect(errorOf(models[0]!)).toBeCloseTo(0.49036, 5)
    expect(dualGap[0]!).toBeLessThan(1e-20)
  })

  test('and its degrees of freedom: the trace of what maps y to the fit, column by column', async () => {
    // Each fitted value is linear in y: hᵢᵢ is how much it moves with its own y, less 1/n of the intercept.
    const n = train.y.length
    const options = { lambdas: [23.9989 / 67], l1Ratio: 0, isStandardized: false }
    let trace = -1
    for (let i = 0; i < n; i++) {
      const unit = Float64Array.from({ length: n }, (_, k) => Number(k === i))
      const { coefficients, intercept } = (await path(train.x, unit, options)).models[0]!
      trace += coefficients.reduce((sum, b, j) => sum + b * train.x.data[i * 8 + j]!, intercept)
    }
    expect(trace).toBeCloseTo(5, 5)
  })
})
