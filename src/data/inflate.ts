/** Decompression of streams in constant memory, off the main thread: raw deflate (zip members) and gzip. Node only. */

import { pipeline, Readable, type Transform } from 'node:stream'
import { createGunzip, createInflateRaw } from 'node:zlib'
import { messageOf, PareError } from '../util/errors.js'
import { byteReader, type Chunks, type Source } from './source.js'

/** Bytes that the inflator gives at a time: small ones cost a round trip to its thread each. */
const CHUNK = 1 << 18

/** Inflates raw deflate data. Throws `SAMPLES_CORRUPT` on data that is damaged or ends too early. */
export const inflateRaw = (chunks: Chunks, where: string): Chunks =>
  inflate(createInflateRaw({ chunkSize: CHUNK }), chunks, where)

/** Inflates gzip data, also of several members. Throws `SAMPLES_CORRUPT` on data that is damaged or ends too early. */
export const gunzip = (chunks: Chunks, where: string): Chunks =>
  inflate(createGunzip({ chunkSize: CHUNK }), chunks, where)

async function* inflate(inflator: Transform, chunks: Chunks, where: string): AsyncGenerator<Uint8Array> {
  // Where the reader stops early, the pipeline ends the source; what fails comes out of the last stream.
  const source = Readable.from(chunks)
  const closed = new Promise((resolve) => source.once('close', resolve))
  const inflated = pipeline(source, inflator, () => {})
  try {
    // A Buffer's slice is no copy, as that of every other array of bytes is.
    for await (const { buffer, byteOffset, byteLength } of inflated as AsyncIterable<Uint8Array>) {
      yield new Uint8Array(buffer, byteOffset, byteLength)
    }
  } catch (cause) {
    if (cause instanceof PareError) throw cause
    throw new PareError('SAMPLES_CORRUPT', 'the compressed data is damaged', {
      where,
      value: messageOf(cause),
      remedy: 'Copy or download the file again, or write it uncompressed (np.savez).',
      cause,
    })
  } finally {
    await closed
  }
}

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

/** The first 16 bytes of a file, where it is gzipped those of its content. Throws `SAMPLES_CORRUPT`. */
export async function contentHead(source: Source): Promise<Uint8Array> {
  const head = await source.slice(0, 16)
  if (!isGzip(head)) return head
  const reader = byteReader(gunzip(source.stream(), source.name))
  try {
    return await reader.read(16)
  } finally {
    await reader.close()
  }
}
