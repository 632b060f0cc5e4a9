/**
 * Parquet files as samples, a row each: read one group of rows at a time. Lists (also nested) become arrays. Node only.
 */

import * as zlib from 'node:zlib'
import { gunzipSync } from 'fflate'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { messageOf, PareError } from '../util/errors.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { type TableOptions, tableMapper } from './table.js'

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

/** Memory holds one group of rows. Throws `PARQUET_READ`, and what tables throw. */
export async function parquetSamples(source: Source, options: TableOptions = {}): Promise<Samples> {
  const file = {
    byteLength: source.size,
    slice: async (start: number, end?: number) => {
      const bytes = await source.slice(start < 0 ? source.size + start : start, end ?? source.size)
      return bytes.slice().buffer as ArrayBuffer
    },
  }
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => {
    throw unreadable(source.name, cause)
  })
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name)
  const toSample = tableMapper(columns, options, source.name)
  return {
    name: source.name,
    count: Number(metadata.num_rows),
    ...(options.classes && { classes: options.classes }),
    async *read({ signal } = {}) {
      let row = 0
      for (const group of metadata.row_groups) {
        signal?.throwIfAborted()
        const rowEnd = row + Number(group.num_rows)
        const objects = await parquetReadObjects({ file, metadata, compressors, rowStart: row, rowEnd }).catch(
          (cause: unknown) => {
            throw unreadable(source.name, cause)
          },
        )
        for (const object of objects) {
          signal?.throwIfAborted()
          row++
          yield toSample(
            columns.map((column) => object[column]),
            row,
          )
        }
      }
    },
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
