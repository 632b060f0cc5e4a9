/** Tables by DuckDB: the same as by the readers of our own, whichever format they lie in. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { wholeTable } from './columns.js'
import { describeTable } from './describe.js'
import { duckdbCells } from './duckdb.js'
import { fileSource } from './files.js'
import { openTable, type TableFormat } from './open-table.js'
import { parquetCells } from './parquet-cells.js'
import { readColumns } from './read-columns.js'
import { bytesSource } from './source.js'

let folder: string
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-duckdb-'))
})
afterAll(() => rm(folder, { recursive: true }))

const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

async function write(file: string, ...statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    if (file.endsWith('.duckdb')) await connection.run(`ATTACH ${sqlText(at(file))} AS made; USE made`)
    for (const sql of statements) await connection.run(sql)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Text as a person may write it into a cell; what stands for nothing; numbers of many forms. */
const cell = fc.oneof(
  fc.constantFrom(
    '',
    'NA',
    'nan',
    '-',
    'Rome',
    'Bonn',
    "O'Hara",
    'a,"b"',
    ' x ',
    'é',
    '1_000',
    '0x1f',
    'inf',
    '+inf',
    '007',
    '1.50',
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
)

const columns = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 12 }))
  .chain(([width, rows]) =>
    fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: rows, maxLength: rows }),
  )

const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await work()
  } catch (error) {
    const { code, detail } = error as { readonly code: string; readonly detail: { where: string; value: unknown } }
    return { code, where: detail.where.replace(/^[^,]*/, ''), value: detail.value }
  }
}

/** Without its name. */
const bare = async (table: Promise<{ readonly rows: number; readonly columns: unknown }>) => {
  const { rows, columns: found } = await table
  return { rows, columns: found }
}

test('CSV, and the same cells as text in DuckDB, are one table: types, what is missing, categories, and errors', async () => {
  let n = 0
  await fc.assert(
    fc.asyncProperty(columns, fc.boolean(), async (rows, isForced) => {
      const names = ['n', ...rows[0]!.map((_, j) => `c${j}`)]
      const whole = rows.map((row, i) => [String(i), ...row])
      const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
      const csv = [names, ...whole].map((row) => row.map(quoted).join(',')).join('\n')
      const file = `${n++}.duckdb`
      const values = whole.map((row) => `(${row.map(sqlText).join(', ')})`).join(', ')
      await write(
        file,
        `CREATE TABLE t (${names.map((name) => `${name} VARCHAR`).join(', ')})`,
        `INSERT INTO t VALUES ${values}`,
      )
      const options = isForced ? { categories: ['c0'] } : {}
      const ours = await outcome(() => bare(readColumns(bytesSource('t.csv', new TextEncoder().encode(csv)), options)))
      const theirs = await outcome(async () => bare(readColumns(await fileSource(at(file)), options)))
      expect(theirs).toEqual(ours)
    }),
    { numRuns: 12 },
  )
})

const TYPED = `SELECT i::INTEGER AS whole, (i / 7)::DOUBLE AS real, (i / 3)::FLOAT AS small, i::BIGINT * 4000000000 AS big,
  CASE WHEN i % 5 = 0 THEN NULL ELSE 'level ' || (i % 3) END AS text, i % 2 = 0 AS yes,
  DATE '2024-01-01' + i::INTEGER AS day, CASE WHEN i = 4 THEN NULL ELSE i + 0.25 END::DECIMAL(9, 2) AS price
  FROM range(3000) r(i)`

test('Parquet by DuckDB is Parquet by our own reader', async () => {
  await write('t.parquet', `COPY (${TYPED}) TO ${sqlText(at('t.parquet'))}`)
  const source = await fileSource(at('t.parquet'))
  const categories = ['whole']
  const [ours, theirs] = [await parquetCells(source), await duckdbCells(source, 'parquet')]
  const [a, b] = [await describeTable(ours, { categories }), await describeTable(theirs, { categories })]
  expect(b).toEqual(a)
  expect(a.columns.map((c) => [c.name, c.kind])).toEqual([
    ['whole', 'category'],
    ['real', 'number'],
    ['small', 'number'],
    ['big', 'number'],
    ['text', 'category'],
    ['yes', 'category'],
    ['day', 'category'],
    ['price', 'number'],
  ])
  expect(a.columns.map((c) => c.missing)).toEqual([null, null, null, null, 1, null, null, 5])
  expect(await wholeTable(theirs, b)).toEqual(await wholeTable(ours, a))
  theirs.close()
})

test('JSON: a list of records, and a record a line; what a record lacks is missing', async () => {
  const rows = [
    { a: 1, city: 'Rome', mixed: 3 },
    { a: 2.5, mixed: 'x' },
    { city: 'Bonn', mixed: 'y' },
  ]
  await writeFile(at('t.json'), JSON.stringify(rows))
  await writeFile(at('t.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
  for (const file of ['t.json', 't.jsonl']) {
    const { columns: found } = await readColumns(await fileSource(at(file)))
    expect(found).toEqual([
      { kind: 'number', name: 'a', values: Float64Array.of(1, 2.5, Number.NaN) },
      { kind: 'category', name: 'city', codes: Int32Array.of(1, -1, 0), levels: ['Bonn', 'Rome'] },
      { kind: 'category', name: 'mixed', codes: Int32Array.of(0, 1, 2), levels: ['3', 'x', 'y'] },
    ])
  }
})

test('a database gives its only table, the one that is named, or what a query finds', async () => {
  await write('one.duckdb', 'CREATE TABLE "odd ""name" AS SELECT 1 AS a, 2 AS "b c"')
  await write('two.duckdb', 'CREATE TABLE x AS SELECT range AS a FROM range(5)', 'CREATE TABLE y AS SELECT 7 AS b')
  const read = async (file: string, format: TableFormat = {}) => readColumns(await fileSource(at(file)), format)
  expect((await read('one.duckdb')).columns.map((c) => c.name)).toEqual(['a', 'b c'])
  expect((await read('two.duckdb', { table: 'y' })).columns).toEqual([
    { kind: 'number', name: 'b', values: Float64Array.of(7) },
  ])
  expect((await read('two.duckdb', { query: 'SELECT a * 2 AS twice FROM x WHERE a > 2;' })).columns).toEqual([
    { kind: 'number', name: 'twice', values: Float64Array.of(6, 8) },
  ])
  await expect(read('two.duckdb')).rejects.toMatchObject({
    code: 'TABLE_CHOICE',
    message: expect.stringContaining('x, y'),
  })
  await expect(read('two.duckdb', { table: 'z' })).rejects.toMatchObject({
    code: 'TABLE_CHOICE',
    detail: { value: 'z' },
  })
  await expect(read('two.duckdb', { query: 'SELECT q FROM x' })).rejects.toMatchObject({ code: 'DUCKDB_READ' })
})

test('lists and records are an error where they are asked for, and only there', async () => {
  await writeFile(at('nested.json'), JSON.stringify([{ a: 1, list: [1, 2], record: { b: 1 } }]))
  const source = await fileSource(at('nested.json'))
  expect((await readColumns(source, { only: ['a'] })).rows).toBe(1)
  for (const only of ['list', 'record'])
    await expect(readColumns(source, { only: [only] })).rejects.toMatchObject({
      code: 'TABLE_NESTED',
      detail: { where: 'nested.json', value: only },
    })
})

test('damaged files, formats that need a file, questions that only a database answers', async () => {
  await writeFile(at('bad.json'), '[{"a": 1}, {"a"')
  await writeFile(at('plain.csv'), 'a,b\n1,2\n')
  await expect(readColumns(await fileSource(at('bad.json')))).rejects.toMatchObject({
    code: 'DUCKDB_READ',
    detail: { where: 'bad.json' },
  })
  const bytes = bytesSource('t.json', new TextEncoder().encode('[{"a": 1}]'))
  await expect(openTable(bytes)).rejects.toMatchObject({ code: 'TABLE_FORMAT' })
  await expect(openTable(await fileSource(at('plain.csv')), { table: 'x' })).rejects.toMatchObject({
    code: 'TABLE_FORMAT',
  })
})

test('without DuckDB, the error has the line that installs it', async () => {
  await writeFile(at('t.json'), '[{"a": 1}]')
  vi.doMock('@duckdb/node-api', () => {
    throw new Error('Cannot find package')
  })
  try {
    await expect(readColumns(await fileSource(at('t.json')))).rejects.toMatchObject({
      code: 'DUCKDB_MISSING',
      message: expect.stringContaining('npm install @duckdb/node-api'),
    })
  } finally {
    vi.doUnmock('@duckdb/node-api')
  }
})
