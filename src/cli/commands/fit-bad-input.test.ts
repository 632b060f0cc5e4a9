/** Tables that are odd or wrong, and what `pare fit` answers. */

import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pare } from '../../../test/pare.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-bad-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function fitted(table: string, ...args: readonly string[]) {
  const [from, to] = [join(folder, 'table.csv'), join(folder, 'model.onnx')]
  await writeFile(from, table)
  const { status, answer } = await pare('fit', from, '--target', 'y', '-o', to, ...args)
  const isWritten = await access(to).then(
    () => true,
    () => false,
  )
  await rm(to, { force: true })
  return { status, result: answer.result, error: answer.error, warnings: answer.warnings, isWritten }
}

const s = (i: number): number => Math.sin(1.7 * i)

/** Rows under a header. */
const table = (header: string, rows: number, row: (i: number) => readonly (number | string)[]): string =>
  [header, ...Array.from({ length: rows }, (_, i) => row(i).join(','))].join('\n')

const cell = (i: number, odd: string): number | string => (i === 3 ? odd : s(i))

test.each<[string, string, readonly string[], string, string | RegExp]>([
  ['an empty file', '', [], 'CSV_EMPTY', 'table.csv: the table has no rows'],
  ['blank lines', '\n\n', [], 'CSV_EMPTY', 'table.csv: the table has no rows'],
  ['a header only', 'a,y\n', [], 'DESIGN_EMPTY', 'table.csv: the table has no rows under its header'],
  ['the target alone', table('y', 20, (i) => [s(i)]), [], 'DESIGN_EMPTY', 'no column beside the one to predict'],
  ['one row', 'a,y\n1,2\n', [], 'FOLDS', 'more folds than rows to part (got "10 folds of 1 row"). Give more rows.'],
  ['one row, by a criterion', 'a,y\n1,2\n', ['--select', 'bic'], 'CRITERIA_NOISE', '0 degrees of freedom'],
  ['2 rows of 10 folds', 'a,y\n1,2\n3,4\n', [], 'FOLDS', '(got "10 folds of 2 rows"). Give 2 folds, or more rows.'],
  ['an archive', 'PK\x03\x04…', [], 'TABLE_FORMAT', 'table.csv: this is an archive, such as a workbook'],
  ['a name twice', table('a,a,y', 20, (i) => [s(i), i, i]), [], 'TABLE_COLUMN', 'columns 1 and 2: two columns have'],
  [
    'the target twice',
    table('y,a,y', 20, (i) => [s(i), i, i]),
    [],
    'TABLE_COLUMN',
    'columns 1 and 3: two columns have',
  ],
  [
    'a target that is none',
    table('size,Y', 20, (i) => [s(i), i]),
    [],
    'TABLE_COLUMN',
    'there are size, Y (got "y"). Did you mean Y?',
  ],
  [
    'a target that is none of many',
    table(Array.from({ length: 99 }, (_, j) => `x${j}`).join(), 1, () => Array(99).fill(1)),
    [],
    'TABLE_COLUMN',
    /x18, x19, … and 79 more \(got "y"\)/,
  ],
  [
    'a category that is none',
    table('town,y', 20, (i) => [s(i), i]),
    ['--category', 'twon'],
    'TABLE_COLUMN',
    'Did you mean town?',
  ],
  ['text among numbers', table('a,y', 20, (i) => [cell(i, 'abc'), i]), [], 'TABLE_CELL', 'row 4, column a: '],
  ['text in the target', table('a,y', 20, (i) => [i, cell(i, 'abc')]), [], 'TABLE_CELL', 'row 4, column y: '],
  ['a missing number', table('a,y', 20, (i) => [cell(i, ''), i]), [], 'TABLE_MISSING', 'table.csv, row 4, column a: '],
  ['NaN', table('a,y', 20, (i) => [cell(i, 'NaN'), i]), [], 'TABLE_MISSING', 'row 4, column a: '],
  ['infinity', table('a,y', 20, (i) => [cell(i, 'inf'), i]), [], 'DESIGN_FINITE', 'table.csv, row 4, column a: '],
  ['minus infinity', table('a,y', 20, (i) => [cell(i, '-Infinity'), i]), [], 'DESIGN_FINITE', 'row 4, column a: '],
  ['a number that is infinite', table('a,y', 20, (i) => [cell(i, '1e999'), i]), [], 'DESIGN_FINITE', 'row 4, column a'],
  ['a square that is infinite', table('a,y', 20, (i) => [cell(i, '1e200'), i]), [], 'DESIGN_RANGE', 'row 4, column a'],
  [
    'an infinite target',
    table('a,y', 20, (i) => [i, cell(i, 'inf')]),
    [],
    'DESIGN_FINITE',
    'table.csv, row 4, column y',
  ],
  ['a missing target', table('a,y', 20, (i) => [i, cell(i, '')]), [], 'TABLE_MISSING', 'table.csv, row 4, column y'],
  [
    'a missing class',
    table('a,y', 20, (i) => [i, i === 3 ? '' : i % 2 ? 'u' : 'v']),
    [],
    'TABLE_MISSING',
    'table.csv, row 4, column y',
  ],
  ['no target at all', table('a,y', 20, (i) => [i, '']), [], 'TABLE_MISSING', 'table.csv, row 1, column y'],
  [
    'an empty column',
    table('a,y', 20, (i) => ['', i]),
    ['--missing', 'mean'],
    'TABLE_MISSING',
    'table.csv, column a: a column is empty',
  ],
  ['one class', table('a,y', 30, (i) => [s(i), 'yes']), [], 'RESPONSE', 'there is one class only (got "yes")'],
  [
    'one class of numbers',
    table('a,y', 30, (i) => [s(i), 1]),
    ['--family', 'binomial'],
    'RESPONSE',
    'a class has no rows (got 0)',
  ],
  [
    'a class of one row',
    table('a,y', 30, (i) => [s(i), i === 3 ? 'rare' : 'common']),
    ['--folds', '2'],
    'RESPONSE',
    /a class has no rows \(got "rare"\).*for cross-validation at least two/,
  ],
  [
    'a name of its own for each row, to be predicted',
    table('a,y', 2000, (i) => [s(i), `level${i}`]),
    [],
    'RESPONSE',
    'more classes than can be held in memory (got "2000 classes of 2000 rows")',
  ],
  [
    'a constant target, by a criterion',
    table('a,y', 20, (i) => [s(i), 0.1]),
    ['--select', 'bic'],
    'CRITERIA_NOISE',
    'the fit is exact',
  ],
  ['a row that is too short', 'a,b,y\n1,2,3\n1,2\n', [], 'CSV_FORMAT', 'row 2'],
])('%s is an error, and nothing is written', async (_, text, args, code, message) => {
  const { status, error, isWritten } = await fitted(text, ...args)
  expect([status, error?.code, isWritten]).toEqual([3, code, false])
  expect(error.message).toMatch(message)
})

test.each<[string, string, readonly string[], object]>([
  [
    'a constant column',
    table('a,b,y', 20, (i) => [s(i), 5, 2 * s(i) + s(3 * i)]),
    [],
    { nonzero: 1, coefficients: { b: 0 } },
  ],
  [
    'columns that are all zero',
    table('a,b,y', 20, (i) => [0, 0, s(i)]),
    [],
    { lambda: 1, nonzero: 0, devianceRatio: 0, coefficients: { a: 0, b: 0 } },
  ],
  [
    'two equal columns',
    table('a,b,y', 20, (i) => [s(i), s(i), 2 * s(i) + 0.1 * s(5 * i)]),
    [],
    { nonzero: 1, coefficients: { b: 0 } },
  ],
  [
    'a constant target',
    table('a,y', 20, (i) => [s(i), 0.1]),
    [],
    { intercept: 0.1, nonzero: 0, devianceRatio: 0, dualGap: 0, meanSquaredError: 0 },
  ],
  [
    'constant counts',
    table('a,y', 20, (i) => [s(i), 3]),
    ['--family', 'poisson'],
    { lambda: 1, nonzero: 0, models: [{ intercept: expect.closeTo(Math.log(3), 12) }] },
  ],
  [
    'two rows of two folds',
    'a,y\n1,2\n3,4\n',
    ['--folds', '2'],
    { nonzero: 0, intercept: 3, meanSquaredError: expect.closeTo(4, 12) },
  ],
  [
    'classes that are parted perfectly',
    table('a,y', 30, (i) => [s(i), s(i) > 0 ? 'yes' : 'no']),
    ['--folds', '3'],
    { family: 'binomial', misclassification: expect.toSatisfy((v: number) => v < 0.2) },
  ],
  [
    'more columns than rows',
    table(`y,${Array.from({ length: 30 }, (_, j) => `x${j}`).join()}`, 12, (i) => [
      s(i),
      ...Array.from({ length: 30 }, (_, j) => s(31 * i + j * j)),
    ]),
    ['--folds', '4'],
    { nonzero: expect.toSatisfy((v: number) => v < 12), dualGap: expect.toSatisfy((v: number) => v <= 1e-7) },
  ],
  [
    'a name of its own for each row',
    table('id,a,y', 40, (i) => [`row${i}`, s(i), 2 * s(i) + 0.1 * s(5 * i)]),
    ['--select', 'cv-1se', '--folds', '4'],
    { coefficients: { 'id=row3': 0, a: expect.closeTo(2, 0) } },
  ],
  [
    'a category of 1,000 levels',
    table('c,a,y', 1500, (i) => [`level${i % 1000}`, s(i), 2 * s(i) + 0.1 * s(5 * i)]),
    ['--select', 'cv-1se', '--folds', '2'],
    { dualGap: expect.toSatisfy((v: number) => v <= 1e-7), coefficients: { a: expect.closeTo(2, 0) } },
  ],
])('%s: there is an answer', async (_, text, args, wanted) => {
  const { status, result, isWritten } = await fitted(text, ...args)
  expect([status, isWritten]).toEqual([0, true])
  expect(result).toMatchObject(wanted)
})

test('names of rows are told of, kinds of them, what is left out and what is said to be kinds are not', async () => {
  const names = table('id,a,y', 40, (i) => [`row${i}`, s(i), 2 * s(i) + 0.1 * s(5 * i)])
  const { warnings } = await fitted(names, '--folds', '4')
  expect(warnings).toEqual([
    expect.stringMatching(/table\.csv, column id: 40 different texts in 40 rows.*--without id/),
  ])
  for (const [text, ...args] of [
    [names, '--without', 'id'],
    [names, '--category', 'id'],
    [table('id,a,y', 40, (i) => [`kind${i % 20}`, s(i), i])],
  ] as const)
    expect((await fitted(text, '--folds', '4', ...args)).warnings).toEqual([])
})

test('rows are left out one by one of a ridge of numbers alone', async () => {
  const numbers = table('a,b,y', 20, (i) => [s(i), s(i * i), i])
  const { status, result } = await fitted(numbers, '--model', 'ridge', '--select', 'loo')
  expect(status).toBe(0)
  expect(result.meanSquaredError).toBeGreaterThan(0)
  for (const [text, model] of [
    [numbers, 'lasso'],
    [table('a,y', 20, (i) => [s(i), i % 2 ? 'x' : 'z']), 'ridge'],
  ] as const) {
    const refused = await fitted(text, '--model', model, '--select', 'loo')
    expect([refused.status, refused.error.code, refused.isWritten]).toEqual([2, 'OPTION_SELECT', false])
  }
})

test('a folder is no table', async () => {
  const { status, answer } = await pare('fit', folder, '--target', 'y', '-o', join(folder, 'x.onnx'))
  expect(status).toBe(3)
  expect(answer.error).toMatchObject({ code: 'SAMPLES_FILE', value: 'a folder' })
})
