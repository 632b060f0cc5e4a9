/** A fit of a stream of rows is the fit of the same table in memory. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvInPieces } from '../../test/pieces.js'
import { wholeTable } from '../data/columns.js'
import { describeTable } from '../data/describe.js'
import { openTable } from '../data/open-table.js'
import { random } from '../util/random.js'
import { type FitOptions, fitTable } from './fit.js'
import { fitStream } from './fit-stream.js'
import { earlyRows } from './gather-rows.js'

async function both(text: string, options: FitOptions) {
  const cells = await openTable(csvInPieces(text, 700))
  const described = await describeTable(cells)
  return {
    streamed: await fitStream(cells, described, options),
    whole: await fitTable(await wholeTable(cells, described), options),
  }
}

/** Numbers far from 0, a category, missing cells. */
function houses(rows: number, seed: number): string {
  const { normal, integer, uniform } = random(seed)
  const lines = Array.from({ length: rows }, () => {
    const [size, city, age] = [1e4 + normal(0, 3), ['Bonn', 'Oslo', 'Rome'][integer(3)]!, normal(50, 9)]
    const price = 2 * size + (city === 'Rome' ? 5 : 0) - 0.5 * age + normal()
    return `${size},${uniform() < 0.1 ? '' : city},${uniform() < 0.1 ? 'NA' : age},${normal()},${price}`
  })
  return ['size,city,age,noise,price', ...lines].join('\n')
}

const close = (found: Float64Array, wanted: Float64Array, within: number): void => {
  expect(found.length).toBe(wanted.length)
  for (const [i, v] of wanted.entries()) expect(Math.abs(found[i]! - v)).toBeLessThanOrEqual(within * (1 + Math.abs(v)))
}

test('folds, path, choice, coefficients, errors and graph are those of the table in memory', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        rows: fc.integer({ min: 30, max: 200 }),
        seed: fc.integer({ min: 0, max: 1000 }),
        select: fc.constantFrom('cv', 'cv-1se', 'aic', 'bic', 'ebic'),
        hasIntercept: fc.boolean(),
        l1Ratio: fc.constantFrom(0, 0.5, 1),
      }),
      async ({ rows, seed, ...options }) => {
        const text = houses(rows, seed)
        const given = {
          target: 'price',
          folds: 5,
          seed,
          missing: 'mean',
          nLambdas: 20,
          tolerance: 1e-10,
          ...options,
        } as const
        const { streamed, whole } = await both(text, given)
        expect(streamed.names).toEqual(whole.names)
        expect(streamed.sampled).toBeNull()
        close(streamed.path.lambdas, whole.path.lambdas, 1e-8)
        for (const [i, model] of whole.path.models.entries()) {
          close(streamed.path.models[i]!.coefficients, model.coefficients, 1e-5)
        }
        close(streamed.deviations, whole.deviations, 1e-9)
        expect(streamed.variance / whole.variance).toBeCloseTo(1, 9)
        if (whole.crossValidation !== null) {
          close(
            Float64Array.from(streamed.crossValidation!.error),
            Float64Array.from(whole.crossValidation.error),
            1e-5,
          )
        }
        close(streamed.actual, whole.actual, 0)
      },
    ),
    { numRuns: 20 },
  )
})

test.each<Partial<FitOptions>>([
  { model: 'adaptive-lasso', penaltyFactors: { age: 0 } },
  { model: 'adaptive-lasso', select: 'bic' },
  { model: 'mcp', isPositive: true },
  { model: 'scad', weights: 'noise', without: ['size'] },
  { model: 'group-lasso', weights: 'noise', columnGroups: [['size', 'age']], select: 'cv-1se' },
  { model: 'group-lasso', select: 'aic', without: ['noise'] },
  { l1Ratio: [0.2, 0.8], weights: 'noise' },
])('every model, weights and roles of columns: %j', async (options) => {
  const [head, ...lines] = houses(120, 4).split('\n')
  // The column noise becomes whole weights from 0 on.
  const weighing = lines.map((line, i) =>
    line
      .split(',')
      .with(3, String(i % 4))
      .join(','),
  )
  const text = [head, ...(options.weights ? weighing : lines)].join('\n')
  const given = { target: 'price', folds: 4, seed: 2, missing: 'mean', nLambdas: 15, tolerance: 1e-11 } as const
  const { streamed, whole } = await both(text, { ...given, ...options })
  expect([streamed.names, streamed.groups, streamed.kind]).toEqual([whole.names, whole.groups, whole.kind])
  expect([streamed.chosen, streamed.l1Ratio]).toEqual([whole.chosen, whole.l1Ratio])
  close(streamed.path.lambdas, whole.path.lambdas, 1e-6)
  close(streamed.linear.coefficients, whole.linear.coefficients, 1e-4)
  for (const [i, { score }] of whole.ratios.entries()) expect(streamed.ratios[i]!.score / score).toBeCloseTo(1, 5)
  expect(streamed.variance / whole.variance).toBeCloseTo(1, 8)
  expect(streamed.sampled).toEqual(whole.sampled)
  expect(streamed.isDrawn).toBe(false)
  close(streamed.actual, whole.actual, 0)
})

test('the rows that are kept are of the table, each with its number, and predicted by the model', async () => {
  const { normal } = random(1)
  const lines = Array.from({ length: 12_000 }, (_, i) => `${i},${normal()},${3 * i + normal()}`)
  const { streamed, whole } = await both(['i,noise,y', ...lines].join('\n'), { target: 'y', nLambdas: 10 })
  expect(streamed.sampled).toHaveLength(5000)
  expect(new Set(streamed.sampled).size).toBe(5000)
  expect(streamed.isDrawn).toBe(true)
  for (const [k, row] of streamed.sampled!.entries()) {
    expect(streamed.actual[k]).toBe(whole.actual[row])
    expect(streamed.fitted[k]! - whole.fitted[row]!).toBeCloseTo(0, 4)
  }
  const mean = streamed.sampled!.reduce((sum, row) => sum + row, 0) / 5000
  // Its standard error is 12,000 / √12 / √5000 · √(7/12) = 37.
  expect(Math.abs(mean - 6000)).toBeLessThan(5 * 37)
})

test('rows that are gathered while the table is described give the same; what is no number makes them be read again', async () => {
  const { normal } = random(3)
  const lines = Array.from({ length: 400 }, () => [1e3 + normal(), normal(), normal()] as const)
  const rows = (city: (i: number) => string) =>
    lines.map(([a, b, e], i) => `${a},${city(i)},${a - 2 * b + e},${b}`).join('\n')
  const target = { target: 'y', seed: 5 }
  for (const [text, isOnePass] of [
    [`a,c,y,b\n${rows((i) => String(i % 7))}`, true],
    [`a,c,y,b\n${rows((i) => (i === 390 ? '' : '1'))}`, false],
    [`a,c,y,b\n${rows((i) => ['Rome', 'Bonn'][i % 2]!)}`, false],
  ] as const) {
    const cells = await openTable(csvInPieces(text, 700))
    let passes = 0
    const blocks = (columns: readonly number[]) => {
      passes++
      return cells.blocks(columns)
    }
    const counted = { ...cells, blocks }
    const early = earlyRows(target)
    const described = await describeTable(counted, { onNumbers: early.onNumbers })
    const once = await fitStream(counted, described, { ...target, missing: 'mean', early })
    expect(passes).toBe(isOnePass ? 1 : 2)
    const twice = await fitStream(cells, described, { ...target, missing: 'mean' })
    expect(once.names).toEqual(twice.names)
    close(once.linear.coefficients, twice.linear.coefficients, 1e-6)
    close(once.actual, twice.actual, 0)
    expect(once.chosen).toBe(twice.chosen)
  }
})

test.each([
  ['a missing number', 'x,y\n1,2\n,3\n', {}, 'TABLE_MISSING', 't.csv, row 2, column x'],
  ['infinity', `x,y\n${'1,2\n2,1\n'.repeat(300)}inf,3\n`, {}, 'DESIGN_FINITE', 't.csv, row 601, column x'],
  ['a target with a missing cell', 'x,y\n1,2\n3,\n', {}, 'TABLE_MISSING', 't.csv, row 2, column y'],
  ['a target of text', 'x,y\n1,a\n3,b\n', {}, 'TABLE_TARGET', 't.csv, column y'],
  ['no such target', 'x,y\n1,2\n', { target: 'z' }, 'TABLE_COLUMN', 't.csv'],
  ['an empty column', 'x,y\n,1\n,2\n', { missing: 'mean' }, 'TABLE_MISSING', 't.csv, column x'],
  ['no rows', 'x,y\n', {}, 'DESIGN_EMPTY', undefined],
  ['a target alone', 'y\n1\n2\n', {}, 'DESIGN_EMPTY', undefined],
  ['a weight below 0', 'x,w,y\n1,1,2\n2,-1,3\n', { weights: 'w', folds: 2 }, 'DESIGN_WEIGHT', 't.csv, row 2, column w'],
  ['weights of text', 'x,w,y\n1,a,2\n2,b,3\n', { weights: 'w' }, 'TABLE_CELL', 't.csv, column w'],
  ['an offset', 'x,w,y\n1,1,2\n2,1,3\n', { offset: 'w' }, 'FAMILY', undefined],
  ['more folds than rows', 'x,y\n1,1\n2,2\n', {}, 'FOLDS', undefined],
] as const)('%s', async (_, text, options, code, where) => {
  const cells = await openTable(csvInPieces(text, 700))
  const described = await describeTable(cells)
  await expect(fitStream(cells, described, { target: 'y', ...options })).rejects.toMatchObject({
    code,
    ...(where && { detail: { where } }),
  })
})

test('text among numbers is named with its row, however late', async () => {
  const text = `x,y\n${'1,2\n'.repeat(5000)}oops,3\n`
  await expect(describeTable(await openTable(csvInPieces(text, 700)))).rejects.toMatchObject({
    code: 'TABLE_CELL',
    detail: { where: 't.csv, row 5001, column x', value: 'oops' },
  })
})
