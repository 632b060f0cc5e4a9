/** Parquet files as samples, a row each: read one group of rows at a time. Lists (also nested) become arrays. */

import { gunzipSync } from 'fflate'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { messageOf, PareError } from '../util/errors.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { type TableOptions, tableMapper } from './table.js'

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
  const compressors = { GZIP: (input: Uint8Array) => gunzipSync(input) }
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

const unreadable = (where: string, cause: unknown): PareError =>
  new PareError('PARQUET_READ', 'the table cannot be read', {
    where,
    value: messageOf(cause),
    remedy: 'Check that the file is complete; write it with snappy, gzip or no compression.',
    cause,
  })
