/** Opens a table of any supported format, told by its content, then its extension. Node only. */

import { PareError } from '../util/errors.js'
import type { CellTable } from './cells.js'
import { csvCells } from './csv-cells.js'
import { gunzip, isGzip } from './inflate.js'
import type { Source } from './source.js'

export interface TableFormat {
  /** Of CSV. Default: the most frequent of comma, tab and semicolon in the first line. */
  readonly delimiter?: string | undefined
  /** Of a database. Default: its only one. */
  readonly table?: string | undefined
  /** SQL whose result is the table, of a database. */
  readonly query?: string | undefined
}

/** Parquet from this size on is read by DuckDB where that is installed. */
const LARGE = 2 ** 26

/**
 * CSV (also gzipped), Parquet; JSON and databases by DuckDB. Throws `TABLE_FORMAT`, `DUCKDB_MISSING`, and what the
 * readers throw.
 */
export async function openTable(source: Source, format: TableFormat = {}): Promise<CellTable> {
  const head = await source.slice(0, 16)
  if (new TextDecoder('latin1').decode(head.subarray(0, 4)) === 'PK\x03\x04') {
    throw new PareError('TABLE_FORMAT', 'this is an archive, such as a workbook of a spreadsheet, and no table', {
      where: source.name,
      remedy: 'Save the sheet as CSV, or unpack the archive.',
    })
  }
  const kind = kindOf(source.name, new TextDecoder('latin1').decode(head))
  if (kind !== 'duckdb' && kind !== 'sqlite' && (format.table ?? format.query) !== undefined) {
    throw new PareError('TABLE_FORMAT', 'only a database is asked for a table or by a query', {
      where: source.name,
      remedy: 'Leave --table and --query out, or give a file of DuckDB or SQLite.',
    })
  }
  if (kind === 'csv') return csvCells(isGzip(head) ? inflated(source) : source, format.delimiter)
  // Heavy readers are loaded where they are used.
  const duckdb = await import('./duckdb.js')
  if (kind === 'parquet' && (source.size < LARGE || source.path === undefined || !(await duckdb.isInstalled())))
    return (await import('./parquet-cells.js')).parquetCells(source)
  return duckdb.duckdbCells(source, kind, format)
}

function kindOf(name: string, head: string): 'parquet' | 'duckdb' | 'sqlite' | 'json' | 'csv' {
  if (head.startsWith('PAR1')) return 'parquet'
  if (head.startsWith('DUCK', 8)) return 'duckdb'
  if (head.startsWith('SQLite format 3')) return 'sqlite'
  return /\.(json|jsonl|ndjson)(\.gz)?$/i.test(name) || /^\s*(\[\s*)?\{/.test(head) ? 'json' : 'csv'
}

const inflated = (source: Source): Source => ({ ...source, stream: () => gunzip(source.stream(), source.name) })
