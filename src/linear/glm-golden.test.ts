/** Numbers of other software, on tables of test/data. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { certify } from '../../test/glm-certificate.js'
import type { DenseMatrix } from './design.js'
import { glmCrossValidate } from './glm-cross-validate.js'
import { type GlmOptions, glmPath } from './glm-path.js'

/** Columns with standard deviation 1 and mean 0, and the cells of the last one. */
function readStandardized(name: string): {
  readonly x: DenseMatrix
  readonly labels: readonly string[]
  readonly raw: DenseMatrix
} {
  const text = readFileSync(new URL(`../../test/data/${name}`, import.meta.url), 'utf8')
  const cells = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
  const [rows, columns] = [cells.length, cells[0]!.length - 1]
  const data = Float64Array.from(cells.flatMap((row) => row.slice(0, -1).map(Number)))
  const scaled = data.slice()
  for (let j = 0; j < columns; j++) {
    const column = Array.from({ length: rows }, (_, i) => data[i * columns + j]!)
    const mean = column.reduce((s, v) => s + v, 0) / rows
    const deviation = Math.sqrt(column.reduce((s, v) => s + (v - mean) ** 2, 0) / rows)
    for (let i = 0; i < rows; i++) scaled[i * columns + j] = (column[i]! - mean) / deviation
  }
  const labels = cells.map((row) => row.at(-1)!)
  return { x: { rows, columns, data: scaled }, labels, raw: { rows, columns, data } }
}

const solved = async (x: DenseMatrix, codes: ArrayLike<number>, options: GlmOptions) => {
  const path = await glmPath(x, codes, { isStandardized: false, tolerance: 1e-11, ...options })
  const model = path.models[0]!
  const certificate = certify(x, codes, model, { isStandardized: false, ...options })
  expect(certificate.gap).toBeLessThan(1e-8)
  return { model, path, ...certificate }
}

describe('breast cancer, standardized; C = 1 of scikit-learn is λ = 1/n, its objective ours times n', () => {
  const { x, labels } = readStandardized('breast-cancer.csv')
  const y = labels.map((l) => Number(l === 'benign'))
  const n = x.rows

  test('ridge', async () => {
    const { model, objective } = await solved(x, y, { family: 'binomial', l1Ratio: 0, lambdas: [1 / n] })
    expect(objective * n).toBeCloseTo(37.75894596, 8)
    expect(model.intercepts[0]).toBeCloseTo(0.21450272, 7)
  })

  test('lasso', async () => {
    const { path, objective } = await solved(x, y, { family: 'binomial', lambdas: [1 / n] })
    expect(objective * n).toBeCloseTo(46.08168567, 7)
    expect(path.df[0]).toBe(16)
  })

  test('without a penalty the classes are parted, which is said, and does not take for ever', async () => {
    const path = await glmPath(x, y, { family: 'binomial', lambdas: [0] })
    expect(path.warnings).toEqual([expect.stringContaining('part the classes perfectly')])
    expect(path.models[0]!.coefficients[0]!.every(Number.isFinite)).toBe(true)
  })

  test('labels, and what cross-validation says of them', async () => {
    const cv = await glmCrossValidate(x, labels, { family: 'binomial', folds: 5, nLambdas: 30, lambdaMinRatio: 1e-3 })
    expect(cv.path.classes).toEqual(['benign', 'malignant'])
    expect(cv.misclassification!.error[cv.least]).toBeLessThan(0.04)
    expect(cv.oneStandardError).toBeLessThan(cv.least)
    expect(cv.error[0]).toBeCloseTo(cv.path.nullDeviance, 1)
  })
})

describe('iris', () => {
  const { x, labels, raw } = readStandardized('iris.csv')
  const names = ['setosa', 'versicolor', 'virginica']
  const codes = labels.map((l) => names.indexOf(l))
  const n = x.rows

  // LogisticRegression(C=1, tol=1e-12, solver='lbfgs').fit(standardized X, y) of scikit-learn 1.9.1.
  test('softmax with a ridge', async () => {
    const { model, objective } = await solved(x, codes, { family: 'multinomial', l1Ratio: 0, lambdas: [1 / n] })
    expect(objective * n).toBeCloseTo(31.3787682608, 7)
    const expected = [-1.07406585, 1.16011502, -1.93069194, -1.81155613]
    for (const [j, v] of expected.entries()) expect(model.coefficients[0]![j]).toBeCloseTo(v, 4)
  })

  // The same with penalty='l1', solver='saga', max_iter=200000.
  test('softmax with a lasso', async () => {
    const { model, path, objective } = await solved(x, codes, { family: 'multinomial', lambdas: [1 / n] })
    expect(objective * n).toBeCloseTo(28.7045670832, 6)
    expect(path.df[0]).toBe(6)
    const expected = [0, -0.69847255, 4.16560498, 5.03510688]
    for (const [j, v] of expected.entries()) expect(model.coefficients[2]![j]).toBeCloseTo(v, 3)
  })

  const columns = [0, 1, 3]
  const three: DenseMatrix = {
    rows: n,
    columns: 3,
    data: Float64Array.from({ length: 3 * n }, (_, i) => x.data[Math.floor(i / 3) * 4 + columns[i % 3]!]!),
  }
  const petal = Float64Array.from({ length: n }, (_, i) => raw.data[i * 4 + 2]!)

  // PoissonRegressor(alpha=0.1, tol=1e-12, solver='newton-cholesky') of the floor of the petals' length on the others.
  test('counts', async () => {
    const { model, path } = await solved(three, petal.map(Math.floor), {
      family: 'poisson',
      l1Ratio: 0,
      lambdas: [0.1],
    })
    const expected = [0.16865709834321632, -0.1721132968603088, 0.3903246201721805]
    for (const [j, v] of expected.entries()) expect(model.coefficients[0]![j]).toBeCloseTo(v, 5)
    expect(model.intercepts[0]).toBeCloseTo(1.0287795037497194, 6)
    expect(path.devianceRatio[0]).toBeCloseTo(0.9156018738472161, 6)
  })

  // scipy 1.17.1 minimize(BFGS, gtol=1e-12) of the petals' length on the others, δ = 0.3.
  test('Huber', async () => {
    const path = await glmPath(three, petal, {
      family: 'huber',
      delta: 0.3,
      lambdas: [0],
      isStandardized: false,
      tolerance: 1e-12,
    })
    const expected = [0.5731817223105865, -0.27195122696944235, 1.131739156945958]
    for (const [j, v] of expected.entries()) expect(path.models[0]!.coefficients[0]![j]).toBeCloseTo(v, 4)
    expect(path.models[0]!.intercepts[0]).toBeCloseTo(3.7522276826944734, 4)
  })
})
