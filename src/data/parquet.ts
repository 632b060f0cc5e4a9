/**
 * Parquet files as samples, a row each, read in slices of a group of rows. Lists (also nested) become arrays. Node only.
 */

import * as zlib from 'node:zlib'
import { gunzipSync } from 'fflate'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { messageOf, PareError } from '../util/errors.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { type Cell, type TableOptions, tableMapper } from './table.js'

type Decompress = (input: Uint8Array) => Uint8Array

/** Node has Zstandard from 22.15 and 23.8 on. */
const { zstdDecompressSync } = zlib as { readonly zstdDecompressSync?: Decompress }

/** Beside Snappy, which the reader has. */
const compressors: Readonly<Record<string, Decompress>> = {
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
  ...(zstdDecompressSync && { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }),
}

export const isParquet = (head: Uint8Array): boolean => new TextDecoder('latin1').decode(head.subarray(0, 4)) === 'PAR1'

/** Rows that are objects at once; writers put up to a million into a group. */
const SLICE = 1 << 16

/** Memory holds a slice of rows and its columns' bytes; one group where columns hold lists. Throws `PARQUET_READ`, and what tables throw. */
export async function parquetSamples(source: Source, options: TableOptions = {}): Promise<Samples> {
  const { columns, count, read } = await openParquet(source)
  const toSample = tableMapper(columns, options, source.name)
  return {
    name: source.name,
    count,
    ...(options.classes && { classes: options.classes }),
    async *read({ signal } = {}) {
      let row = 0
      for await (const cells of read()) {
        signal?.throwIfAborted()
        row++
        yield toSample(cells, row)
      }
    },
  }
}

interface ParquetRows {
  readonly columns: readonly string[]
  readonly count: number
  /** The cells of each row. */
  read(): AsyncIterable<readonly Cell[]>
}

/** Throws `PARQUET_READ`, also while it is read. */
export async function openParquet(source: Source): Promise<ParquetRows> {
  const file = {
    byteLength: source.size,
    slice: async (start: number, end?: number) => {
      const bytes = await source.slice(start < 0 ? source.size + start : start, end ?? source.size)
      return bytes.slice().buffer as ArrayBuffer
    },
  }
  const readable = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => {
      throw unreadable(source.name, cause)
    })
  const metadata = await readable(parquetMetadataAsync(file))
  const { children } = parquetSchema(metadata)
  const columns = children.map(({ element }) => element.name)
  // A column of lists is decoded from its start to find a row, so that slices would cost more than they save.
  const flat = children.every((column) => column.children.length === 0)
  return {
    columns,
    count: Number(metadata.num_rows),
    async *read() {
      for (const [rowStart, rowEnd] of slices(metadata.row_groups, flat ? SLICE : Number.POSITIVE_INFINITY)) {
        const objects = await readable(parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }))
        for (const object of objects) yield columns.map((column) => object[column])
      }
    },
  }
}

/** Ranges of rows, none of them longer than `most` or across groups. */
function* slices(
  groups: readonly { readonly num_rows: bigint }[],
  most: number,
): Generator<readonly [start: number, end: number]> {
  let end = 0
  for (const group of groups) {
    let start = end
    end += Number(group.num_rows)
    for (; start < end; start += most) yield [start, Math.min(end, start + most)]
  }
}

function unreadable(where: string, cause: unknown): PareError {
  const codec = /compression codec: (\w+)/.exec(messageOf(cause))?.[1]
  if (codec !== undefined) {
    return new PareError('PARQUET_READ', 'the table is compressed in a way that is not read here', {
      where,
      value: codec,
      remedy: `Write it with compression='snappy' or 'gzip'${codec === 'ZSTD' ? ', or run Node 22.15 or newer, which has Zstandard' : ''}.`,
      cause,
    })
  }
  return new PareError('PARQUET_READ', 'the table cannot be read', {
    where,
    value: messageOf(cause),
    remedy: 'Check that the file is complete, or write it again.',
    cause,
  })
}
