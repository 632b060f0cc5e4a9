/** Tables to files: CSV, TSV, Parquet (by the optional package `@duckdb/node-api`) or npy. Node only. */

import { createReadStream } from 'node:fs'
import { extname, join } from 'node:path'
import type { DuckDBAppender } from '@duckdb/node-api'
import { floatTensor } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { writeFileAtomic } from '../util/files.js'
import { shortestFloat } from '../util/format.js'
import { inTempFolder } from '../util/temp.js'
import type { CategoryColumn, NumberColumn, TableColumn } from './columns.js'
import { identifier, loadDuckDB, quoted } from './duckdb.js'
import { encodeNpy } from './npy.js'

const FORMATS = ['csv', 'tsv', 'parquet', 'npy'] as const
type WrittenFormat = (typeof FORMATS)[number]

/** Numbers that are float32 by what they are, and so are written in no more digits than that holds. */
export interface FloatColumn {
  readonly kind: 'number'
  readonly name: string
  /** NaN where a cell is missing. */
  readonly values: Float32Array
}

type WrittenColumn = TableColumn | FloatColumn

/** A table, of which some columns may be float32. */
export interface WrittenTable {
  readonly name: string
  readonly rows: number
  readonly columns: readonly WrittenColumn[]
}

/** What the ending of a file asks for. Throws `OUTPUT_FORMAT`. */
function writtenFormat(path: string): WrittenFormat {
  const ending = extname(path).slice(1).toLowerCase()
  const format = FORMATS.find((f) => f === ending)
  if (format) return format
  throw new PareError('OUTPUT_FORMAT', 'the ending says nothing of how the table is to be written', {
    where: path,
    value: ending === '' ? 'no ending' : `.${ending}`,
    remedy: 'Give a name that ends with .csv, .tsv, .parquet or .npy.',
  })
}

/**
 * Whole or not at all (`writeFileAtomic`). Of npy the columns of numbers alone, as float32 [rows, columns], float64 where
 * one needs it. Throws `OUTPUT_FORMAT`, `DUCKDB_MISSING`, `FILE_UNWRITABLE`, `DISK_FULL`.
 */
export async function writeTable(path: string, table: WrittenTable): Promise<void> {
  const format = writtenFormat(path)
  if (format === 'npy') return writeFileAtomic(path, npyOf(table))
  if (format === 'parquet') return writeParquet(path, table)
  return writeFileAtomic(path, linesOf(table, format === 'tsv' ? '\t' : ','))
}

/** Throws `DUCKDB_MISSING` where the format needs what is not installed: before the work is done. */
export async function checkFormat(path: string): Promise<void> {
  if (writtenFormat(path) === 'parquet') await loadDuckDB('writing Parquet')
}

/** Rows that are made into text at a time. */
const BLOCK = 4096

function* linesOf({ columns, rows }: WrittenTable, delimiter: string): Generator<string> {
  const needsQuotes = new RegExp(`["\\r\\n${delimiter}]`)
  const cell = (text: string): string => (needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  yield `${columns.map(({ name }) => cell(name)).join(delimiter)}\n`
  for (let from = 0; from < rows; from += BLOCK) {
    let text = ''
    for (let i = from; i < Math.min(rows, from + BLOCK); i++)
      text += `${columns.map((column) => cell(textOf(column, i))).join(delimiter)}\n`
    yield text
  }
}

function textOf(column: WrittenColumn, row: number): string {
  if (column.kind === 'category') return column.levels[column.codes[row]!] ?? ''
  const value = column.values[row]!
  if (Number.isNaN(value)) return ''
  return column.values instanceof Float32Array ? shortestFloat(value) : String(value)
}

function npyOf({ columns, rows }: WrittenTable): Uint8Array {
  const numbers = columns.filter((c): c is Exclude<WrittenColumn, CategoryColumn> => c.kind === 'number')
  const width = numbers.length
  const data = new Float64Array(rows * width)
  for (const [k, { values }] of numbers.entries()) for (let i = 0; i < rows; i++) data[i * width + k] = values[i]!
  const isShort = data.every((v) => Object.is(Math.fround(v), v))
  return encodeNpy(floatTensor(isShort ? 'float32' : 'float64', [rows, width], data))
}

async function writeParquet(path: string, table: WrittenTable): Promise<void> {
  const { DuckDBInstance } = await loadDuckDB('writing Parquet')
  const { columns, rows } = table
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const types = columns.map((c) => `${identifier(c.name)} ${c.kind === 'number' ? numberType(c) : 'VARCHAR'}`)
    await connection.run(`CREATE TABLE written (${types.join(', ')})`)
    const appender = await connection.createAppender('written')
    const append = columns.map(cellAppender)
    for (let i = 0; i < rows; i++) {
      for (const cell of append) cell(appender, i)
      appender.endRow()
    }
    appender.closeSync()
    await inTempFolder('parquet', async (folder) => {
      const file = join(folder, 'table.parquet')
      await connection.run(`COPY written TO ${quoted(file)} (FORMAT parquet)`)
      await writeFileAtomic(path, createReadStream(file) as AsyncIterable<Uint8Array>)
    })
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

const isFloat = ({ values }: NumberColumn | FloatColumn): boolean =>
  values instanceof Float32Array || values.every((v) => Object.is(Math.fround(v), v))

const numberType = (column: NumberColumn | FloatColumn): string => (isFloat(column) ? 'FLOAT' : 'DOUBLE')

function cellAppender(column: WrittenColumn): (to: DuckDBAppender, row: number) => void {
  if (column.kind === 'category') {
    const { codes, levels } = column
    return (to, row) => (codes[row]! < 0 ? to.appendNull() : to.appendVarchar(levels[codes[row]!]!))
  }
  const { values } = column
  const isShort = isFloat(column)
  return (to, row) => {
    const value = values[row]!
    if (Number.isNaN(value)) to.appendNull()
    else if (isShort) to.appendFloat(value)
    else to.appendDouble(value)
  }
}
