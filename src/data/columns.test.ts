import { expect, test } from 'vitest'
import { type ColumnOptions, readColumns } from './read-columns.js'
import { bytesSource } from './source.js'

const read = (text: string, options: ColumnOptions = {}) =>
  readColumns(bytesSource('t.csv', new TextEncoder().encode(text)), options)

test('numbers, categories with their levels in order, missing cells', async () => {
  const { rows, columns } = await read('size,city,floor\n1.5,Rome,1\n,Bonn,NA\n-2e3,,3\n4,Rome,\n')
  expect(rows).toBe(4)
  expect(columns).toEqual([
    { kind: 'number', name: 'size', values: Float64Array.of(1.5, Number.NaN, -2000, 4) },
    { kind: 'category', name: 'city', codes: Int32Array.of(1, 0, -1, 1), levels: ['Bonn', 'Rome'] },
    { kind: 'number', name: 'floor', values: Float64Array.of(1, Number.NaN, 3, Number.NaN) },
  ])
})

test('numbers that are names, and names among which some are numbers', async () => {
  const forced = await read('code,y\n10,1\n9,2\n10,3\n', { categories: ['code'] })
  expect(forced.columns[0]).toEqual({
    kind: 'category',
    name: 'code',
    codes: Int32Array.of(0, 1, 0),
    levels: ['10', '9'],
  })
  const mixed = await read('room,y\nA,1\n12,2\nB,3\n')
  expect(mixed.columns[0]).toMatchObject({ kind: 'category', levels: ['12', 'A', 'B'], codes: Int32Array.of(1, 0, 2) })
})

test('only the columns that are asked for; semicolons; no header', async () => {
  expect((await read('a;b\n1;2\n3;4\n', { only: ['b'] })).columns).toEqual([
    { kind: 'number', name: 'b', values: Float64Array.of(2, 4) },
  ])
  expect((await read('1,2\n3,4\n')).columns.map((c) => c.name)).toEqual(['0', '1'])
})

test('text among numbers names its row and column; unknown columns are named', async () => {
  await expect(read('a,b\n1,2\n3,x7\n5,6\n')).rejects.toMatchObject({
    code: 'TABLE_CELL',
    detail: { where: 't.csv, row 2, column b', value: 'x7' },
  })
  await expect(read('a,b\n1,2\n', { only: ['c'] })).rejects.toMatchObject({ code: 'TABLE_COLUMN' })
  await expect(read('a,b\n1,2\n', { categories: ['c'] })).rejects.toMatchObject({ code: 'TABLE_COLUMN' })
})

test('a first column without a name is left out with a warning; any other must have one', async () => {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const { columns } = await read('\ta\ty\n1\t5\t6\n2\t7\t8\n', { onWarning })
  expect(columns.map((c) => c.name)).toEqual(['a', 'y'])
  expect(columns[0]).toMatchObject({ values: Float64Array.of(5, 7) })
  expect(warnings).toEqual([expect.stringContaining('t.csv: the first column has no name')])
  await expect(read('a,,y\n1,2,3\n')).rejects.toMatchObject({
    code: 'TABLE_COLUMN',
    detail: { where: 't.csv, column 2' },
  })
  expect((await read('a,,y\n1,2,3\n', { only: ['y'], onWarning })).columns.map((c) => c.name)).toEqual(['y'])
  expect(warnings).toHaveLength(1)
})

test('numbers that are written for people are text, with a warning; codes and categories are without', async () => {
  const warnings: string[] = []
  const options = { delimiter: ';', categories: ['forced'], onWarning: (text: string) => warnings.push(text) }
  await read('a;b;date;ip;forced;y\n1,5;999;2024-01-02;1.2.3.4;1,5;1\n2,5;1 234;2024-01-03;1.2.3.5;2,5;2\n', options)
  expect(warnings).toEqual([
    't.csv, column a: what looks like numbers, such as 1,5, is read as text; write 1234.5 for 1,234.5 or 1234,5',
    't.csv, column b: what looks like numbers, such as 1 234, is read as text; write 1234.5 for 1,234.5 or 1234,5',
  ])
})
