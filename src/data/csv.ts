/** CSV files (RFC 4180; also with tabs or semicolons) as samples, a row each, streamed. Node only. */

import { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { messageOf, PareError } from '../util/errors.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { type Cell, parseNumber, type TableOptions, tableMapper } from './table.js'

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
      for await (const record of csvRecords(source, options.delimiter)) {
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
}

/** The names of the columns. */
export async function firstRecord(source: Source, { delimiter, header }: CsvOptions): Promise<CsvColumns> {
  for await (const record of csvRecords(source, delimiter)) {
    const hasHeader = header ?? !record.every((cell) => parseNumber(cell) !== undefined)
    return { columns: hasHeader ? record.map((c) => c.trim()) : record.map((_, i) => String(i)), hasHeader }
  }
  throw new PareError('CSV_EMPTY', 'the table has no rows', { where: source.name, remedy: 'Give a file with rows.' })
}

/** The rows of the file, its header among them. Throws `CSV_FORMAT`. */
export async function* csvRecords(
  source: Source,
  delimiter?: string,
): AsyncGenerator<readonly string[] & readonly Cell[]> {
  const parser = parse({
    bom: true,
    skip_empty_lines: true,
    delimiter: delimiter ?? (await guessDelimiter(source)),
  })
  const input = Readable.from(source.stream())
  input.on('error', (error) => parser.destroy(error))
  input.pipe(parser)
  try {
    for await (const record of parser) yield record as string[]
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && String(cause.code).startsWith('CSV_'))) throw cause
    throw new PareError('CSV_FORMAT', 'the table cannot be read', {
      where: source.name,
      value: messageOf(cause),
      remedy: 'Check the row that it names, and the delimiter (--data-option delimiter).',
      cause,
    })
  } finally {
    input.destroy()
  }
}

async function guessDelimiter(source: Source): Promise<string> {
  const head = new TextDecoder().decode(await source.slice(0, 1 << 16))
  const line = head.split(/\r?\n/).find((l) => l !== '') ?? ''
  const counts = [',', '\t', ';'].map((d) => [d, line.split(d).length] as const)
  return counts.reduce((best, next) => (next[1] > best[1] ? next : best))[0]
}
