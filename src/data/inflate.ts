/** Decompression of streams in constant memory, by the platform itself: raw deflate (zip members) and gzip. */

import { messageOf, PareError } from '../util/errors.js'
import { byteReader, type Chunks, type Source } from './source.js'

/** Inflates raw deflate data. Throws `SAMPLES_CORRUPT` on data that is damaged or ends too early. */
export const inflateRaw = (chunks: Chunks, where: string): Chunks => inflate('deflate-raw', chunks, where)

/** Inflates gzip data, also of several members. Throws `SAMPLES_CORRUPT` on data that is damaged or ends too early. */
export const gunzip = (chunks: Chunks, where: string): Chunks => inflate('gzip', chunks, where)

async function* inflate(format: CompressionFormat, chunks: Chunks, where: string): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new DecompressionStream(format)
  const reader = readable.getReader()
  const feeding = feed(chunks, writable.getWriter())
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      yield value
    }
  } catch (cause) {
    // What the source threw says more than that the inflator was given up.
    const { error = cause } = await feeding
    if (error instanceof PareError) throw error
    throw new PareError('SAMPLES_CORRUPT', 'the compressed data is damaged', {
      where,
      value: messageOf(cause),
      remedy: 'Copy or download the file again, or write it uncompressed (np.savez).',
      cause,
    })
  } finally {
    await reader.cancel().catch(() => undefined)
    await feeding
  }
}

/** Writes until the end, or until nobody reads any more; never rejects. */
async function feed(
  chunks: Chunks,
  writer: WritableStreamDefaultWriter<BufferSource>,
): Promise<{ readonly error?: unknown }> {
  try {
    for await (const chunk of chunks) await writer.write(chunk as Uint8Array<ArrayBuffer>)
    await writer.close()
    return {}
  } catch (error) {
    await writer.abort(error).catch(() => undefined)
    return { error }
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
