/** Input that is odd or wrong, and what is answered: for each a model that is defined, or an error that names the place. */

import { describe, expect, test } from 'vitest'
import { adaptivePath } from './adaptive.js'
import { crossValidate } from './cross-validate.js'
import type { DenseMatrix } from './design.js'
import { foldsOf } from './folds.js'
import { glmCrossValidate } from './glm-cross-validate.js'
import { glmPath } from './glm-path.js'
import { nonconvexPath } from './nonconvex.js'
import { ols } from './ols.js'
import { path } from './path.js'

const N = 20

const wave = (i: number, j: number): number => Math.sin(1.7 * i + 2.3 * j * i + j)

const matrix = (rows: number, columns: number, cell: (i: number, j: number) => number): DenseMatrix => ({
  rows,
  columns,
  data: Float64Array.from({ length: rows * columns }, (_, at) => cell(Math.floor(at / columns), at % columns)),
})

const X = matrix(N, 3, wave)
const Y = Float64Array.from({ length: N }, (_, i) => 3 + 2 * wave(i, 0) - wave(i, 2) + 0.1 * Math.cos(9 * i))
const CLASSES = Array.from(Y, (v, i) => (v > 3 === i % 5 > 0 ? 'yes' : 'no'))
const COUNTS = Array.from(Y, (v) => Math.round(v))
const TIGHT = { tolerance: 1e-14, nLambdas: 20, lambdaMinRatio: 1e-3 }

const coded = (code: string) => expect.objectContaining({ code })

/** Every way to fit numbers, and classes. */
const FITS: Readonly<
  Record<string, (x: DenseMatrix, y: ArrayLike<number>, weights?: ArrayLike<number>) => Promise<unknown>>
> = {
  path: (x, y, weights) => path(x, y, weights && { weights }),
  crossValidate: (x, y, weights) => crossValidate(x, y, { folds: 2, ...(weights && { weights }) }),
  ols: async (x, y, weights) => ols(x, y, weights && { weights }),
  adaptivePath: (x, y, weights) => adaptivePath(x, y, { folds: 2, ...(weights && { weights }) }),
  nonconvexPath: (x, y, weights) => nonconvexPath(x, y, { penalty: 'mcp', ...(weights && { weights }) }),
  gaussian: (x, y, weights) => glmPath(x, y, { family: 'gaussian', ...(weights && { weights }) }),
  huber: (x, y, weights) => glmPath(x, y, { family: 'huber', ...(weights && { weights }) }),
}

describe('columns', () => {
  test('one that is constant, whatever its value, has the coefficient 0 and changes no other', async () => {
    const [numbers, classes] = [
      await path(X, Y, TIGHT),
      await glmPath(X, CLASSES, { family: 'binomial', lambdas: [0.05, 0.01] }),
    ]
    for (const value of [0, 0.1, 1e9]) {
      const wider = matrix(N, 4, (i, j) => (j === 3 ? value : wave(i, j)))
      const found = await path(wider, Y, TIGHT)
      for (const [k, { coefficients }] of numbers.models.entries())
        expect(Array.from(found.models[k]!.coefficients)).toEqual([...coefficients, 0])
      const { models } = await glmPath(wider, CLASSES, { family: 'binomial', lambdas: [0.05, 0.01] })
      expect(models[1]!.coefficients[0]![3]).toBe(0)
      for (const [j, v] of classes.models[1]!.coefficients[0]!.entries())
        expect(models[1]!.coefficients[0]![j]).toBeCloseTo(v, 3)
    }
  })

  test('without an intercept a constant column is one', async () => {
    const ones = matrix(N, 4, (i, j) => (j === 3 ? 5 : wave(i, j)))
    const options = { hasIntercept: false, lambdas: [0], isStandardized: false }
    const [a, b] = [await path(ones, Y, options), ols(X, Y)]
    expect(5 * a.models[0]!.coefficients[3]!).toBeCloseTo(b.intercept, 8)
  })

  test('of two that are equal the lasso takes one, the ridge both alike; cross-validation answers', async () => {
    const twice = matrix(N, 4, (i, j) => wave(i, j === 3 ? 0 : j))
    const [lasso, ridge, once] = [
      await path(twice, Y, TIGHT),
      await path(twice, Y, { ...TIGHT, l1Ratio: 0 }),
      await path(X, Y, TIGHT),
    ]
    for (const [k, { coefficients }] of lasso.models.entries()) {
      expect(coefficients[0]! * coefficients[3]!).toBe(0)
      expect(coefficients[0]! + coefficients[3]!).toBeCloseTo(once.models[k]!.coefficients[0]!, 5)
      expect(lasso.df[k]).toBe(once.df[k])
    }
    const { coefficients } = ridge.models.at(-1)!
    expect(coefficients[0]).toBeCloseTo(coefficients[3]!, 10)
    const { error, least } = await crossValidate(twice, Y, { folds: 4 })
    expect(error[least]!).toBeLessThan(error[0]!)
    expect(ols(twice, Y).warnings).toEqual(['One column is explained by others and left out.'])
  })

  test('all constant: the intercept alone, at one and the same strengths', async () => {
    for (const value of [0, 0.1]) {
      const x = matrix(N, 2, () => value)
      const { models, lambdas, df } = await path(x, Y)
      expect(lambdas[0]).toBe(1)
      expect(new Set(df)).toEqual(new Set([0]))
      expect(models.at(-1)!.intercept).toBeCloseTo(Y.reduce((a, b) => a + b) / N, 12)
      const { error, least } = await crossValidate(x, Y, { folds: 4 })
      expect(least).toBe(0)
      expect(error[0]).toBeGreaterThan(0)
      expect((await glmPath(x, CLASSES, { family: 'binomial' })).df.at(-1)).toBe(0)
    }
  })

  test('one that is constant in the rows outside of a fold, as rare levels are, has no coefficient there', async () => {
    const x = matrix(N, 3, (i, j) => (j === 0 ? wave(i, 0) : j === 1 ? Number(i < 2) / 3 : Number(i === 3)))
    const foldIds = Array.from({ length: N }, (_, i) => (i < 5 ? 0 : 1 + (i % 3)))
    const options = { foldIds, ...TIGHT, lambdas: [0.1, 0.01, 0.001] }
    const found = await crossValidate(x, Y, options)
    const without = await crossValidate(
      matrix(N, 1, (i) => wave(i, 0)),
      Y,
      options,
    )
    for (const [k, e] of found.foldErrors[0]!.entries()) expect(e).toBeCloseTo(without.foldErrors[0]![k]!, 8)
  })

  test('more of them than rows: solved to the gap, and with no more coefficients than rows', async () => {
    const x = matrix(8, 30, (i, j) => wave(i, j * j))
    const { df, dualGap } = await path(x, Y.subarray(0, 8))
    expect(Math.max(...dualGap)).toBeLessThanOrEqual(1e-7)
    expect(Math.max(...df)).toBeLessThan(8)
    expect(ols(x, Y.subarray(0, 8)).rank).toBe(8)
  })

  test('whose squares vanish count as constant', async () => {
    const { df } = await path(
      matrix(N, 2, (i, j) => 1e-200 * wave(i, j)),
      Y,
    )
    expect(new Set(df)).toEqual(new Set([0]))
  })
})

describe('what is predicted', () => {
  test('a constant is the intercept, whatever its value and the weights', async () => {
    for (const value of [0, 0.1, 1e9]) {
      const y = Y.map(() => value)
      const weights = Y.map((_, i) => 0.1 + 0.3 * i)
      for (const options of [{}, { weights }]) {
        const { models, lambdas, df, dualGap } = await path(X, y, options)
        expect(lambdas[0]).toBe(1)
        expect([Math.max(...df), Math.max(...dualGap)]).toEqual([0, 0])
        expect(models[0]!.intercept).toBeCloseTo(value, 12)
        const { error } = await crossValidate(X, y, { ...options, folds: 4 })
        expect(Math.max(...error)).toBeLessThan(1e-12 * (1 + value))
      }
    }
  })

  test('that differs by rounding alone is a constant', async () => {
    const { df, lambdas } = await path(
      X,
      Y.map((_, i) => (i % 2 ? 0.3 : 0.1 + 0.2)),
    )
    expect([lambdas[0], Math.max(...df)]).toEqual([1, 0])
  })

  test('constant counts too, and nothing is said of rounding', async () => {
    for (const value of [1, 3, 17]) {
      const { models, lambdas, warnings, df } = await glmPath(X, Array(N).fill(value), { family: 'poisson' })
      expect([lambdas[0], warnings, Math.max(...df)]).toEqual([1, [], 0])
      expect(models[0]!.intercepts[0]).toBeCloseTo(Math.log(value), 12)
    }
  })

  test('so does one of very many rows, whose terms would drift if they were just added up', async () => {
    const rows = 300_000
    const x = { rows, columns: 1, data: Float64Array.from({ length: rows }, (_, i) => Math.sin(i)) }
    const { lambdas, warnings, df } = await glmPath(x, new Float64Array(rows).fill(3), { family: 'poisson' })
    expect([lambdas[0], warnings, Math.max(...df)]).toEqual([1, [], 0])
  })

  test('one class alone is an error that names it or the one that has no rows', async () => {
    const solve = (y: readonly (number | string)[], family: 'binomial' | 'multinomial') => glmPath(X, y, { family })
    await expect(solve(Array(N).fill('yes'), 'binomial')).rejects.toThrow('there is one class only (got "yes")')
    await expect(solve(Array(N).fill('yes'), 'multinomial')).rejects.toThrow('there is one class only (got "yes")')
    // Shares of a thirtieth do not add up to 1.
    for (const rows of [N, 30]) {
      const x = matrix(rows, 2, wave)
      for (const [value, other] of [
        [1, 0],
        [0, 1],
      ])
        await expect(glmPath(x, Array(rows).fill(value), { family: 'binomial' })).rejects.toThrow(
          `a class has no rows (got ${other})`,
        )
    }
  })

  test('classes that are parted perfectly: finite where something is penalized, else said', async () => {
    const y = Array.from(Y, (_, i) => Number(wave(i, 0) > 0))
    const held = await glmPath(X, y, { family: 'binomial' })
    expect(held.warnings).toEqual([])
    expect(Math.max(...held.dualGap)).toBeLessThanOrEqual(1e-7)
    const free = await glmPath(X, y, { family: 'binomial', lambdas: [0] })
    expect(free.warnings).toEqual([expect.stringContaining('part the classes perfectly')])
    expect(free.models[0]!.coefficients[0]!.every(Number.isFinite)).toBe(true)
  })

  test('classes are dealt out evenly over folds; a class of one row is an error that says so', async () => {
    const rare = (count: number): readonly string[] => Array.from(Y, (_, i) => (i < count ? 'rare' : 'common'))
    const { deviance } = await glmCrossValidate(X, rare(2), { family: 'binomial', folds: 10, nLambdas: 3 })
    expect(deviance.foldErrors.flat().every(Number.isFinite)).toBe(true)
    await expect(glmCrossValidate(X, rare(1), { family: 'binomial', folds: 5, nLambdas: 3 })).rejects.toThrow(
      /outside of fold \d: a class has no rows \(got "rare"\)\. .*at least two/,
    )
  })

  test('more classes than memory holds are refused at once', async () => {
    const y = Array.from({ length: 2000 }, (_, i) => `level${i % 1000}`)
    await expect(glmPath(matrix(2000, 1, wave), y, { family: 'multinomial' })).rejects.toThrow(
      'more classes than can be held in memory (got "1000 classes of 2000 rows")',
    )
  })

  test.each([
    ['a negative count', COUNTS.map((c, i) => (i === 4 ? -1 : c)), 'poisson', 'y, row 5: a count is'],
    ['only zeros', COUNTS.map(() => 0), 'poisson', 'all counts are 0'],
    ['text among numbers', ['1', ...COUNTS.slice(1)], 'huber', 'y, row 1: a number is needed'],
    ['a missing class', ['', ...CLASSES.slice(1)], 'binomial', 'y, row 1: a class is missing'],
  ] as const)('%s is an error', async (_, y, family, message) => {
    await expect(glmPath(X, y, { family })).rejects.toThrow(message)
  })
})

describe('numbers that are none', () => {
  const spoilt = (value: number): DenseMatrix => matrix(N, 3, (i, j) => (i === 4 && j === 1 ? value : wave(i, j)))
  const at = (value: number): Float64Array => Y.map((v, i) => (i === 4 ? value : v))

  test.each(Object.entries(FITS))('%s names the place', async (_, solve) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      await expect(solve(spoilt(value), Y)).rejects.toThrow(/^X, row 5, column 2: .*not finite/)
      await expect(solve(X, at(value))).rejects.toThrow(/^y, row 5: .*not finite/)
      await expect(solve(X, Y, at(value))).rejects.toThrow(/^weights, row 5: a weight is a finite number/)
    }
    await expect(solve(spoilt(-1e200), Y)).rejects.toThrow(/^X, row 5, column 2: .*square would be infinite/)
    await expect(solve(X, at(1e200))).rejects.toThrow(/^y, row 5: .*square would be infinite/)
  })

  test('the place is right in one column, in one row, and in columns that lie one after the other', async () => {
    const rows = { rows: 4, columns: 1, data: Float64Array.of(1, 2, Number.NaN, 3) }
    const columns = { rows: 1, columns: 4, data: Float64Array.of(1, 2, Number.NaN, 3) }
    const byColumn = { rows: 2, columns: 3, data: Float64Array.of(1, 2, 3, Number.NaN, 5, 6), order: 'column-major' }
    await expect(path(rows, [1, 2, 3, 4])).rejects.toThrow('X, row 3, column 1')
    await expect(path(columns, [1])).rejects.toThrow('X, row 1, column 3')
    await expect(path(byColumn as DenseMatrix, [1, 2])).rejects.toThrow('X, row 2, column 2')
  })
})

describe('weights', () => {
  test.each(Object.entries(FITS))('%s: below 0 is an error, all 0 is nothing to fit', async (_, solve) => {
    await expect(
      solve(
        X,
        Y,
        Y.map((_, i) => (i === 2 ? -1 : 1)),
      ),
    ).rejects.toThrow(coded('DESIGN_WEIGHT'))
    await expect(
      solve(
        X,
        Y,
        Y.map(() => 0),
      ),
    ).rejects.toThrow(coded('DESIGN_EMPTY'))
    await expect(solve(X, Y, [1, 2])).rejects.toThrow(coded('DESIGN_SHAPE'))
  })

  test('of 0 leave the row out; a fold without weight does not count', async () => {
    const weights = Y.map((_, i) => Number(i >= 5))
    const rest = matrix(N - 5, 3, (i, j) => wave(i + 5, j))
    const foldIds = Array.from(Y, (_, i) => Math.floor(i / 5))
    const [a, b] = [await path(X, Y, { ...TIGHT, weights }), await path(rest, Y.subarray(5), TIGHT)]
    for (const [k, { coefficients }] of b.models.entries())
      for (const [j, v] of coefficients.entries()) expect(a.models[k]!.coefficients[j]).toBeCloseTo(v, 9)
    const [c, d] = [
      await crossValidate(X, Y, { ...TIGHT, weights, foldIds }),
      await crossValidate(rest, Y.subarray(5), { ...TIGHT, foldIds: foldIds.slice(5).map((id) => id - 1) }),
    ]
    for (const [k, e] of d.error.entries()) expect(c.error[k]).toBeCloseTo(e, 9)
    for (const [k, e] of d.standardError.entries()) expect(c.standardError[k]).toBeCloseTo(e, 9)
    const one = Y.map((_, i) => Number(i === 3))
    await expect(crossValidate(X, Y, { weights: one, foldIds })).rejects.toThrow(coded('FOLDS'))
  })
})

describe('few rows', () => {
  test('none is nothing to fit, whatever the family', async () => {
    const none = matrix(0, 3, wave)
    for (const solve of Object.values(FITS)) await expect(solve(none, [])).rejects.toThrow('0 rows, 3 columns')
    await expect(glmPath(none, [], { family: 'binomial' })).rejects.toThrow(coded('DESIGN_EMPTY'))
    await expect(path(matrix(3, 0, wave), [1, 2, 3])).rejects.toThrow('3 rows, 0 columns')
  })

  test('one is its own intercept, and cannot be parted', async () => {
    const { models } = await path(matrix(1, 3, wave), [7])
    expect(models.at(-1)).toMatchObject({ intercept: 7, coefficients: new Float64Array(3) })
    expect(() => foldsOf(1)).toThrow(
      'there are more folds than rows to part (got "10 folds of 1 row"). Give more rows.',
    )
  })

  test('two make two folds and no more', async () => {
    const x = matrix(2, 3, wave)
    await expect(crossValidate(x, [1, 2])).rejects.toThrow('(got "10 folds of 2 rows"). Give 2 folds, or more rows.')
    expect((await crossValidate(x, [1, 2], { folds: 2 })).error[0]).toBeCloseTo(1, 12)
  })
})

describe('many columns, which are summed where they are placed', () => {
  const [rows, columns] = [20, 400]
  const data = Float64Array.from({ length: rows * columns }, (_, at) => Math.sin(3 * at + (at % 7)))
  const y = data.slice(0, rows)

  test.each(['row-major', 'column-major'] as const)(
    '%s: a cell that is no number is named, wherever it stands',
    async (order) => {
      for (const [row, column] of [
        [0, 0],
        [rows - 1, columns - 1],
        [7, 123],
      ] as const) {
        for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e200, -5e150]) {
          for (const array of [Float64Array, Float32Array]) {
            const spoilt = array.from(data)
            spoilt[order === 'row-major' ? row * columns + column : column * rows + row] = value
            const x = { rows, columns, data: spoilt, order }
            await expect(path(x, y)).rejects.toThrow(`X, row ${row + 1}, column ${column + 1}`)
          }
        }
      }
    },
  )
})
