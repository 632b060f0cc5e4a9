/** The report of a fit of classes and counts. */

import { expect, test } from 'vitest'
import { expectWhole } from '../../test/report/markup.js'
import type { Table } from '../data/columns.js'
import { fitGlm, type GlmFitOptions } from '../linear/fit-glm.js'
import { random } from '../util/random.js'
import { renderFit } from './fit.js'

const { normal } = random(3)
const rows = 90
const a = Float64Array.from({ length: rows }, () => normal())
const b = Float64Array.from({ length: rows }, () => normal())
const table: Table = {
  name: 'made.csv',
  rows,
  columns: [
    { kind: 'number', name: 'a', values: a },
    { kind: 'number', name: 'b', values: b },
    {
      kind: 'category',
      name: 'two',
      codes: Int32Array.from(a, (v, i) => Number(v + 0.5 * b[i]! > 0 || i % 9 === 0)),
      levels: ['no', 'yes'],
    },
    {
      kind: 'category',
      name: 'three',
      codes: Int32Array.from(a, (v, i) => (i % 9 === 0 ? i % 3 : v > 0.5 ? 2 : Number(v > -0.5))),
      levels: ['low', 'mid', 'high'],
    },
    { kind: 'number', name: 'count', values: a.map((v, i) => Math.floor(Math.exp(1 + v) + (i % 3))) },
  ],
}

async function pageOf(target: string, options: Partial<GlmFitOptions> = {}): Promise<string> {
  const { select = 'cv' } = options
  const columns = table.columns.filter(({ name }) => ['a', 'b', target].includes(name))
  const fit = await fitGlm({ ...table, columns }, { target, folds: 5, ...options })
  return renderFit({ table: 'made.csv', model: 'lasso', select, fit, commandLine: 'pare fit made.csv' })
}

const figures = (page: string): readonly string[] =>
  [...page.matchAll(/<svg id="([a-z-]+)-wide"/g)].map(([, id]) => id!)

test('two classes: by deviance and wrong rows, without what only numbers have', async () => {
  const page = await pageOf('two')
  expectWhole(page)
  expect(figures(page)).toEqual(['path', 'cross-validation'])
  expect(page).toMatch(/<h1>[^<]*of the deviance of two</)
  expect(page).toContain('adds to the log odds of yes')
  expect(page).toContain('mean deviance, rows left out')
  expect(page).toContain('of their classes are wrong')
  expect(page).not.toMatch(/R²|variance|RMSE|mean squared|residual/i)
})

test('several classes: a coefficient for each column and class', async () => {
  const page = await pageOf('three')
  expectWhole(page)
  for (const name of ['intercept (high)', 'a (low)', 'a (high)']) expect(page).toContain(`<th scope="row">${name}</th>`)
  expect(page).toMatch(/Columns kept<\/dt><dd><span class="big">\d of 2</)
  expect(page).toContain('one column for one class')
})

test('counts: predicted against actual, without residuals', async () => {
  const page = await pageOf('count', { family: 'poisson' })
  expectWhole(page)
  expect(figures(page)).toEqual(['path', 'cross-validation', 'agreement'])
  expect(page).toContain('the log of count')
})

test('criteria chose: no rows were left out; the measure that chose names its axis', async () => {
  const page = await pageOf('two', { select: 'bic' })
  expectWhole(page)
  expect(figures(page)).toEqual(['path', 'criteria'])
  expect(page).toContain('no rows were left out to judge it')
  expect(page).not.toMatch(/variance/)
  expect(await pageOf('two', { measure: 'misclassification' })).toContain('share of wrong classes, rows left out')
})
