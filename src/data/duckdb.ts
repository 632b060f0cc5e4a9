/** Databases, JSON and large Parquet as tables of cells, by the optional package `@duckdb/node-api`. Node only. */

import type { DuckDBConnection } from '@duckdb/node-api'
import { messageOf, PareError } from '../util/errors.js'
import { type CellBlock, type CellTable, valueColumn } from './cells.js'
import type { TableFormat } from './open-table.js'
import type { Source } from './source.js'

type DuckDB = typeof import('@duckdb/node-api')

export type DuckDBFormat = 'json' | 'parquet' | 'duckdb' | 'sqlite'

export const isInstalled = (): Promise<boolean> =>
  loadDuckDB().then(
    () => true,
    () => false,
  )

/** Throws `DUCKDB_MISSING`, `DUCKDB_EXTENSION`, `DUCKDB_READ` also while it is read, `TABLE_CHOICE`, `TABLE_NESTED`. */
export async function duckdbCells(source: Source, format: DuckDBFormat, options: TableFormat = {}): Promise<CellTable> {
  const { DuckDBInstance } = await loadDuckDB()
  const { name, path } = source
  if (path === undefined) {
    throw new PareError('TABLE_FORMAT', 'this format is only read from a file on disk', {
      where: name,
      value: format,
      remedy: 'Write it to a file, or give CSV or Parquet.',
    })
  }
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const close = (): void => {
    connection.closeSync()
    instance.closeSync()
  }
  try {
    const from = await relationOf(connection, { name, path }, format, options)
    const columns = await columnsOf(connection, name, from)
    return {
      name,
      names: columns.map((c) => c.name),
      blocks: (wanted) =>
        blocksOf(
          connection,
          name,
          from,
          wanted.map((at) => columns[at]!),
        ),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** Throws `DUCKDB_MISSING` with the line that installs it. */
export async function loadDuckDB(what = 'reading JSON and databases'): Promise<DuckDB> {
  try {
    return await import('@duckdb/node-api')
  } catch (cause) {
    throw new PareError('DUCKDB_MISSING', `${what} needs the package @duckdb/node-api`, {
      value: messageOf(cause),
      remedy: 'Run: npm install @duckdb/node-api. Or give the table as CSV or Parquet.',
      cause,
    })
  }
}

type Place = Required<Pick<Source, 'name' | 'path'>>

/** What stands after FROM. */
async function relationOf(
  connection: DuckDBConnection,
  { name, path }: Place,
  format: DuckDBFormat,
  { table, query }: TableFormat,
): Promise<string> {
  if (format === 'parquet') return `read_parquet(${quoted(path)})`
  // Types of columns are those that all rows have.
  if (format === 'json') return `read_json(${quoted(path)}, sample_size = -1)`
  await attach(connection, { name, path }, format)
  if (query !== undefined) return `(${query.replace(/;\s*$/, '')})`
  const tables = await texts(
    connection,
    name,
    "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'given' ORDER BY ALL",
  )
  const chosen = table ?? (tables.length === 1 ? tables[0] : undefined)
  if (chosen !== undefined && tables.includes(chosen)) return identifier(chosen)
  throw new PareError('TABLE_CHOICE', 'it is not clear which table of the database is meant', {
    where: name,
    ...(table !== undefined && { value: table }),
    remedy: `Name one with --table, or give a --query; there ${tables.length === 0 ? 'are none' : `are ${tables.join(', ')}`}.`,
  })
}

async function attach(connection: DuckDBConnection, { name, path }: Place, format: 'duckdb' | 'sqlite'): Promise<void> {
  if (format === 'sqlite') {
    try {
      await connection.run('INSTALL sqlite; LOAD sqlite')
    } catch (cause) {
      throw new PareError('DUCKDB_EXTENSION', 'DuckDB cannot load what it reads SQLite with', {
        where: name,
        value: firstLine(cause),
        remedy: 'It is downloaded once: connect to the network, or write the table as CSV or Parquet.',
        cause,
      })
    }
  }
  const type = format === 'sqlite' ? ', TYPE sqlite' : ''
  await asked(connection, name, `ATTACH ${quoted(path)} AS given (READ_ONLY${type})`)
  await asked(connection, name, 'USE given')
}

interface Column {
  readonly name: string
  /** Gives a number, or text. */
  readonly expression: string
}

const NUMBER = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\))$/
const DATE = /^(DATE|TIMESTAMP.*)$/

/** Lists and records are no cells, and are only an error where they are asked for. */
async function columnsOf(connection: DuckDBConnection, where: string, from: string): Promise<readonly Column[]> {
  const rows = (await asked(connection, where, `DESCRIBE SELECT * FROM ${from}`)).getRowObjects()
  return rows.map(({ column_name, column_type }) => {
    const [name, type] = [String(column_name), String(column_type)]
    const column = identifier(name)
    if (NUMBER.test(type)) return { name, expression: `CAST(${column} AS DOUBLE)` }
    // As a Date of JavaScript writes it, which is what other readers give.
    if (DATE.test(type)) return { name, expression: `strftime(CAST(${column} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ')` }
    if (type === 'JSON') return { name, expression: `${column} ->> '$'` }
    if (/\[\d*\]$|^(STRUCT|MAP|UNION)/.test(type)) return { name, expression: `error(${quoted(NESTED + name)})` }
    return { name, expression: `CAST(${column} AS VARCHAR)` }
  })
}

const NESTED = 'lists or records in the column '

async function* blocksOf(
  connection: DuckDBConnection,
  where: string,
  from: string,
  columns: readonly Column[],
): AsyncGenerator<CellBlock> {
  const list = columns.map(({ expression }, k) => `${expression} AS c${k}`).join(', ')
  const result = await readable(where, () => connection.stream(`SELECT ${list === '' ? '0' : list} FROM ${from}`))
  for (;;) {
    const chunk = await readable(where, () => result.fetchChunk())
    if (chunk === null || chunk.rowCount === 0) return
    yield { rows: chunk.rowCount, columns: columns.map((_, k) => valueColumn(chunk.getColumnValues(k))) }
  }
}

type Rows = Awaited<ReturnType<DuckDBConnection['runAndReadAll']>>

const asked = (connection: DuckDBConnection, where: string, sql: string): Promise<Rows> =>
  readable(where, () => connection.runAndReadAll(sql))

const texts = async (connection: DuckDBConnection, where: string, sql: string): Promise<readonly string[]> =>
  (await asked(connection, where, sql)).getRows().map(([text]) => String(text))

async function readable<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const nested = messageOf(cause).split(NESTED)[1]
    if (nested !== undefined) {
      throw new PareError('TABLE_NESTED', 'the cells of a column are lists or records', {
        where,
        value: nested,
        remedy: 'Leave the column out, or give each part a column of its own.',
        cause,
      })
    }
    throw new PareError('DUCKDB_READ', 'the table cannot be read', {
      where,
      value: firstLine(cause),
      remedy: 'Check the file, and the query where there is one.',
      cause,
    })
  }
}

const firstLine = (cause: unknown): string => messageOf(cause).split('\n')[0]!

export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`
