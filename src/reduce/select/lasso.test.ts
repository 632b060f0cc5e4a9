/** The order of the lasso against the paths and criteria of src/linear. */

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { fitTableOf } from '../../../test/fit-tables.js'
import type { Table, TableColumn } from '../../data/columns.js'
import { fileSource } from '../../data/files.js'
import { readColumns } from '../../data/read-columns.js'
import { fitTable } from '../../linear/fit.js'
import { fitGlm } from '../../linear/fit-glm.js'
import { random } from '../../util/random.js'
import { lasso } from './lasso.js'

const read = async (name: string): Promise<Table> =>
  readColumns(await fileSource(join(repositoryRoot, 'test/data', name)))

const columnOfName = (name: string): string => name.split('=')[0]!

test('diabetes: the columns come in as they do by least angle regression', async () => {
  const { columns } = await read('diabetes.csv')
  const { names, order, scores, chosen } = await lasso(columns.slice(0, -1), columns.at(-1)!)
  // Efron, Hastie, Johnstone and Tibshirani 2004, §1: 3, 9, 4, 7, 2, 10, 5, 8, 6, 1.
  expect(order.map((j) => names[j])).toEqual(['bmi', 's5', 'bp', 's3', 'sex', 's6', 's1', 's4', 's2', 'age'])
  expect(chosen).toBeNull()
  for (const [i, j] of order.entries()) if (i > 0) expect(scores[j]).toBeLessThanOrEqual(scores[order[i - 1]!]!)
})

describe('what a criterion chooses is what a fit by it has', () => {
  test.each(['aic', 'bic', 'ebic'] as const)('numbers, %s', async (select) => {
    const table = await read('diabetes.csv')
    const fit = await fitTable(table, { target: 'target', select })
    const { names, chosen } = await lasso(table.columns.slice(0, -1), table.columns.at(-1)!, { criterion: select })
    const wanted = fit.names.filter((_, j) => fit.linear.coefficients[j] !== 0)
    expect(chosen!.map((j) => names[j]!).sort()).toEqual([...wanted].sort())
  })

  test.each([['price'], ['flag'], ['level']] as const)('%s, with categories as one', async (target) => {
    const made = fitTableOf(target)
    const columns = made.columns.filter(({ name }) => name !== 'age' && name !== 'w')
    const table = { ...made, columns }
    const fit =
      target === 'price'
        ? await fitTable(table, { target, select: 'bic' })
        : await fitGlm(table, { target, select: 'bic' })
    const vectors = 'glm' in fit ? fit.glm.coefficients : [fit.linear.coefficients]
    const wanted = new Set(fit.names.filter((_, j) => vectors.some((of) => of[j] !== 0)).map(columnOfName))
    const { names, chosen, scores } = await lasso(columns.slice(0, -1), columns.at(-1)!, { criterion: 'bic' })
    expect(new Set(chosen!.map((j) => names[j]))).toEqual(wanted)
    expect(names).toEqual(columns.slice(0, -1).map(({ name }) => name))
    for (const [j, name] of names.entries()) {
      const entry = (fit.path.models as readonly { readonly coefficients: unknown }[]).findIndex(({ coefficients }) =>
        (coefficients instanceof Float64Array ? [coefficients] : (coefficients as Float64Array[])).some((of) =>
          fit.names.some((own, k) => columnOfName(own) === name && of[k] !== 0),
        ),
      )
      expect(scores[j]).toBeCloseTo(entry < 0 ? 0 : fit.path.lambdas[entry]! / fit.path.lambdas[0]!, 6)
    }
  })
})

test('more columns than rows: an order there is, a criterion is refused', async () => {
  const { normal } = random(2)
  const [rows, count] = [20, 60]
  const data = Float64Array.from({ length: rows * count }, () => normal())
  const y = Float64Array.from({ length: rows }, (_, i) => 3 * data[i * count + 4]! + 0.1 * normal())
  const x = { rows, columns: count, data }
  const { order } = await lasso(x, y)
  expect(order[0]).toBe(4)
  expect(order).toHaveLength(count)
  await expect(lasso({ ...x, data: data.slice(0, count), rows: 1 }, [1], { criterion: 'bic' })).rejects.toMatchObject({
    code: 'CRITERIA_NOISE',
  })
})

test('constant and copied columns: the first is never in, of copies one is before the other', async () => {
  const { normal } = random(3)
  const a = Float64Array.from({ length: 50 }, () => normal())
  const number = (name: string, values: Float64Array): TableColumn => ({ kind: 'number', name, values })
  const x = [
    number(
      'c',
      a.map(() => 4),
    ),
    number('a', a),
    number('b', a.slice()),
    number(
      'd',
      a.map(() => normal()),
    ),
  ]
  const { scores, order } = await lasso(
    x,
    a.map((v) => v + 0.3 * normal()),
  )
  expect(scores[0]).toBe(0)
  expect(order[0]).toBe(1)
  expect(scores.every(Number.isFinite)).toBe(true)
})
