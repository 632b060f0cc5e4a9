/** CSV files (RFC 4180; also with tabs or semicolons) as samples, a row each, streamed. Node only. */

import { PareError } from '../util/errors.js'
import { cellText, csvBlocks } from './csv-blocks.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { parseNumber, type TableOptions, tableMapper } from './table.js'

export interface CsvOptions extends TableOptions {
  /** Default: the most frequent of comma, tab and semicolon in the first line. */
  readonly delimiter?: string
  /** Whether the first row names the columns. Default: unless all its cells are numbers; columns are then `0`, `1`, … */
  readonly header?: boolean
}

/** Throws `CSV_EMPTY`, `CSV_FORMAT`, and what tables throw. */
export async function csvSamples(source: Source, options: CsvOptions = {}): Promise<Samples> {
  const first = await firstRecord(source, options)
  const columns = first.columns
  const toSample = tableMapper(columns, options, source.name)
  return {
    name: source.name,
    count: null,
    ...(options.classes && { classes: options.classes }),
    async *read({ signal } = {}) {
      let row = first.hasHeader ? -1 : 0
      for await (const record of csvRecords(source, first)) {
        signal?.throwIfAborted()
        row++
        if (row > 0) yield toSample(record, row)
      }
    },
  }
}

export interface CsvColumns {
  readonly columns: readonly string[]
  readonly hasHeader: boolean
  readonly delimiter: string
}

/** The names of the columns. Throws `CSV_EMPTY`, `CSV_FORMAT`. */
export async function firstRecord(
  source: Source,
  options: Pick<CsvOptions, 'delimiter' | 'header'>,
): Promise<CsvColumns> {
  const delimiter = options.delimiter ?? (await guessDelimiter(source))
  for await (const record of csvRecords(source, { delimiter, hasHeader: options.header ?? true })) {
    const hasHeader = options.header ?? !record.every((cell) => parseNumber(cell) !== undefined)
    const columns = hasHeader ? record.map((c) => c.trim()) : record.map((_, i) => String(i))
    return { columns, hasHeader, delimiter }
  }
  throw new PareError('CSV_EMPTY', 'the table has no rows', { where: source.name, remedy: 'Give a file with rows.' })
}

/** The rows of the file, its header among them. Throws `CSV_FORMAT`. */
export async function* csvRecords(
  source: Source,
  { delimiter, hasHeader }: Pick<CsvColumns, 'delimiter' | 'hasHeader'>,
): AsyncGenerator<readonly string[]> {
  for await (const block of csvBlocks(source, delimiter, hasHeader)) {
    const { rows, width } = block
    for (let i = 0; i < rows; i++) yield Array.from({ length: width }, (_, j) => cellText(block, i * width + j))
  }
}

async function guessDelimiter(source: Source): Promise<string> {
  for await (const chunk of source.stream()) {
    const line =
      new TextDecoder()
        .decode(chunk)
        .split(/\r?\n/)
        .find((l) => l !== '') ?? ''
    const counts = [',', '\t', ';'].map((d) => [d, line.split(d).length] as const)
    return counts.reduce((best, next) => (next[1] > best[1] ? next : best))[0]
  }
  return ','
}
