import { describe, expect, test } from 'vitest'
import { drawingOf, expectWhole, unbalanced } from '../../test/report/markup.js'
import type { Table } from '../data/columns.js'
import { type FitOptions, fitTable, type LinearFit } from '../linear/fit.js'
import { random } from '../util/random.js'
import { renderFit } from './fit.js'

interface Made {
  readonly rows?: number
  readonly columns?: number
  readonly noise?: number
  readonly names?: (j: number) => string
  /** Of the columns, from the first. */
  readonly weights?: readonly number[]
}

/** Columns c0, c1, … and y, a sum of the first of them. */
function made({ rows = 60, columns = 4, noise = 0.3, names = (j) => `c${j}`, weights = [2, -1] }: Made = {}): Table {
  const { normal } = random(5)
  const xs = Array.from({ length: columns }, () => Float64Array.from({ length: rows }, () => normal()))
  const y = Float64Array.from({ length: rows }, (_, i) =>
    weights.reduce((sum, w, j) => sum + w * (xs[j]?.[i] ?? 0), 10 + noise * normal()),
  )
  const column = (name: string, values: Float64Array) => ({ kind: 'number', name, values }) as const
  return { name: 'made.csv', rows, columns: [...xs.map((x, j) => column(names(j), x)), column('y', y)] }
}

const fitOf = (table: Table, options: Partial<FitOptions> = {}): Promise<LinearFit> =>
  fitTable(table, { target: 'y', folds: 5, ...options })

const pageOf = (fit: LinearFit, select: FitOptions['select'] = 'cv'): string =>
  renderFit({ table: 'made.csv', model: 'lasso', select, fit, commandLine: 'pare fit made.csv --target y -o y.onnx' })

const figures = (page: string): readonly string[] =>
  [...page.matchAll(/<svg id="([a-z-]+)-wide"/g)].map(([, id]) => id!)

test('a report says what was found and draws how', async () => {
  const page = pageOf(await fitOf(made()))
  expectWhole(page)
  expect(page).toBe(pageOf(await fitOf(made())))
  expect(figures(page)).toEqual(['path', 'cross-validation', 'agreement', 'residuals'])
  for (const id of figures(page)) expect(page).toContain(`id="${id}-narrow"`)
  expect(/<h1>([^<]*)/.exec(page)![1]).toMatch(/^\d( of 4)? columns explain 9\d(\.\d\d)?\u00a0% of the variance of y$/)
  expect(page).toContain('has the least error of 5-fold cross-validation')
  expect(page).toContain('pare fit made.csv --target y -o y.onnx')
  expect(page.length).toBeLessThan(120_000)
})

test('marks: both choices of cross-validation, the chosen one by name', async () => {
  const table = made({ noise: 2 })
  const chosen = async (select: 'cv' | 'cv-1se') => {
    const page = pageOf(await fitOf(table, { select }), select)
    const drawn = [...drawingOf(page, 'path-wide').matchAll(/<text class="mark[^>]*>([^<]*)/g)].map(([, t]) => t)
    expect([...drawingOf(page, 'cross-validation-wide').matchAll(/<line class="mark/g)]).toHaveLength(2)
    return drawn.sort()
  }
  expect(await chosen('cv')).toEqual(['least error, chosen', 'one SE'])
  expect(await chosen('cv-1se')).toEqual(['least error', 'one SE, chosen'])
})

test('where a criterion chose, its curves stand in place of the error, and no row was left out', async () => {
  const page = pageOf(await fitOf(made(), { select: 'bic' }), 'bic')
  expectWhole(page)
  expect(figures(page)).toEqual(['path', 'criteria', 'agreement', 'residuals'])
  const drawn = drawingOf(page, 'criteria-wide')
  for (const name of ['AIC', 'BIC', 'EBIC']) expect(drawn).toMatch(new RegExp(`class="label [^"]*"[^>]*>${name}<`))
  expect(drawn).toMatch(/class="mark chosen"[^>]*>[A-Z, ]*BIC[A-Z, ]*, chosen</)
  expect(page).toContain('no rows were left out to judge it')
  expect(page).not.toContain('on rows left out')
})

test('where each row was left out, no folds are told of', async () => {
  const page = pageOf(await fitOf(made({ noise: 2 }), { select: 'loo', l1Ratio: 0 }), 'loo')
  expectWhole(page)
  expect(figures(page)).toEqual(['path', 'cross-validation', 'agreement', 'residuals'])
  expect(page).toContain('has the least error of rows left out one by one')
  expect(page).toContain('Each row is predicted by a model that was fitted on the others')
  expect(page).not.toMatch(/fold/)
})

test('coefficients: by the size of a standard deviation, those at 0 counted', async () => {
  const table = made({ weights: [0.5, 3] })
  const scaled = { ...table, columns: table.columns.map((c, j) => (j === 0 ? times(c, 0.01) : c)) }
  const fit = await fitOf(scaled, { lambdas: [0.2] })
  const page = pageOf(fit)
  expectWhole(page)
  const rows = [...page.matchAll(/<tr><th scope="row">([^<]*)<\/th><td class="number">([^<]*)</g)].map((m) => m[1])
  // The coefficient of c0 is the largest, what a standard deviation of it does is not.
  expect(Math.abs(fit.linear.coefficients[0]!)).toBeGreaterThan(Math.abs(fit.linear.coefficients[1]!))
  expect(rows.slice(0, 3)).toEqual(['intercept', 'c1', 'c0'])
  const zeros = fit.names.filter((_, j) => fit.linear.coefficients[j] === 0)
  expect(zeros.length).toBeGreaterThan(0)
  expect(page).toContain(
    `${zeros.length} column${zeros.length > 1 ? 's' : ''} with the coefficient 0: ${zeros.join(', ')}.`,
  )
  expect(page).toContain('is the only strength that was fitted')
})

const times = (column: Table['columns'][number], factor: number): Table['columns'][number] =>
  column.kind === 'number' ? { ...column, values: column.values.map((v) => v * factor) } : column

test.each<[string, Partial<FitOptions>, readonly string[]]>([
  ['An MCP regression', { model: 'mcp' }, ['a local minimum', 'is at most']],
  [
    'A group lasso',
    { model: 'group-lasso', select: 'bic', columnGroups: [['c0', 'c1']] },
    ['Groups kept', 'degrees of freedom'],
  ],
  ['An elastic net', { l1Ratio: [0.1, 0.9] }, ['Of the shares 0.1 and 0.9 of the lasso, 0.1 has the least error']],
  [
    'A ridge',
    { l1Ratio: 0, select: 'aic' },
    ['weighs how well the rows are fitted against the number of effective degrees'],
  ],
])('%s, in the words of its kind', async (name, options, texts) => {
  const fit = await fitOf(made({ noise: 1 }), options)
  const words = name.replace(/^An? /, '')
  const page = renderFit({
    table: 'made.csv',
    model: words,
    select: options.select ?? 'cv',
    fit,
    commandLine: 'pare fit',
  })
  expectWhole(page)
  expect(page).toContain(`${name} on 60 rows and 4 columns.`)
  for (const text of texts) expect(page).toContain(text)
})

test('rows that weigh nothing are no dots, and the others keep their numbers', async () => {
  const table = made({ rows: 40 })
  const weights = Float64Array.from({ length: 40 }, (_, i) => Number(i >= 10))
  const weighted = { ...table, columns: [...table.columns, { kind: 'number', name: 'w', values: weights } as const] }
  const fit = await fitOf(weighted, { weights: 'w' })
  const page = pageOf(fit)
  expectWhole(page)
  expect(page).toContain('on 40 rows (weighted by w) and 4 columns')
  expect([...drawingOf(page, 'agreement-wide').matchAll(/h0/g)]).toHaveLength(30)
  const left = fit.actual.map((v, k) => Math.abs(v - fit.fitted[k]!))
  expect([...fit.sampled!]).toEqual(Array.from({ length: 30 }, (_, k) => k + 10))
  const worst = 10 + left.indexOf(Math.max(...left))
  expect(drawingOf(page, 'residuals-wide')).toContain(`>row ${worst + 1}<`)
})

test('the model of the report is the one that was fitted: coefficients times deviations', async () => {
  const fit = await fitOf(made())
  const page = pageOf(fit)
  const j = fit.linear.coefficients.findIndex((b) => b !== 0)
  const values = (made().columns[j] as { values: Float64Array }).values
  const mean = values.reduce((a, b) => a + b) / values.length
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
  const size = (fit.linear.coefficients[j]! * deviation).toPrecision(3).replace('-', '−')
  expect(page).toMatch(new RegExp(`>${fit.names[j]}</th><td class="number">[^<]*</td><td class="number">${size}<`))
})

describe('odd data', () => {
  const evil = (j: number): string => `<img src=x onerror="a">&${'\u202e'}${'w'.repeat(200)}${j}`

  test('names cannot become markup', async () => {
    const table = made({ names: evil })
    const named = { ...table, columns: table.columns.map((c) => (c.name === 'y' ? { ...c, name: '</h1>&<b>' } : c)) }
    const fit = await fitTable(named, { target: '</h1>&<b>', folds: 5 })
    const page = renderFit({ table: '<t>', model: '<m>', select: 'cv', fit, commandLine: '<c> & d' })
    expect(unbalanced(page)).toEqual([])
    expect(page).not.toMatch(/<img|<b>|<t>|<m>|<c>|\u202e/)
    expect(page).toContain('&lt;/h1&gt;&amp;&lt;b&gt;')
    expect(page).not.toMatch(/NaN|undefined/)
  })

  test.each<[string, Made, Partial<FitOptions>, string]>([
    ['one strength', {}, { nLambdas: 1 }, 'No column helps to predict y'],
    ['λ = 0', {}, { lambdas: [1, 0.1, 0] }, 'columns explain'],
    ['λ = 0 alone', {}, { lambdas: [0] }, 'columns explain'],
    ['one column', { columns: 1 }, {}, '1 column explains'],
    ['ten rows', { rows: 10, columns: 2 }, {}, 'columns explain'],
    ['a constant', { weights: [], noise: 0 }, {}, 'y is the same in every row'],
    ['nothing to find', { weights: [], rows: 40 }, { lambdas: [5] }, 'No column helps to predict y'],
    ['large numbers', { weights: [3e9, -1e9] }, {}, 'columns explain'],
    ['small numbers', { weights: [3e-9, -1e-9], noise: 1e-10 }, {}, 'columns explain'],
    ['a ridge', {}, { l1Ratio: 0 }, '4 columns explain'],
    ['as good as exact', { noise: 1e-9 }, {}, 'of the variance of y'],
    ['worse than the mean', { weights: [], rows: 12, columns: 8 }, { lambdas: [1e-3] }, 'no better than its mean'],
  ])('%s', async (_, data, options, headline) => {
    const page = pageOf(await fitOf(made(data), options))
    expectWhole(page)
    expect(/<h1>([^<]*)/.exec(page)![1]).toContain(headline)
  })

  test('500 columns: the largest have names, the table scrolls', async () => {
    const fit = await fitOf(made({ rows: 80, columns: 500, weights: [3, -2, 1] }), { l1Ratio: 0.5, nLambdas: 30 })
    const page = pageOf(fit)
    expectWhole(page)
    expect(page.length).toBeLessThan(500_000)
    const drawn = drawingOf(page, 'path-wide')
    expect([...drawn.matchAll(/class="label hue/g)]).toHaveLength(10)
    expect([...drawn.matchAll(/class="curve rest"/g)]).toHaveLength(1)
    for (const name of ['c0', 'c1', 'c2']) expect(drawn).toMatch(new RegExp(`class="label hue[^>]*>${name}<`))
    expect(page).toContain('class="scroll tall"')
  })

  test('20,000 rows: counted in squares, and the file stays small', async () => {
    const page = pageOf(await fitOf(made({ rows: 20_000 }), { nLambdas: 10 }))
    expectWhole(page)
    expect(page.length).toBeLessThan(300_000)
    expect(page).toContain('All 20000 rows, counted in squares')
    expect(drawingOf(page, 'agreement-wide')).not.toContain('class="dots')
    // Every row is in some square: the strongest one is there.
    expect(drawingOf(page, 'agreement-wide')).toContain('class="cell cell4"')
    const few = pageOf(await fitOf(made({ rows: 50 })))
    expect([...drawingOf(few, 'agreement-wide').matchAll(/h0/g)]).toHaveLength(50)
  })
})
