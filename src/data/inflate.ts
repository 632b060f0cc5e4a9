/** Decompression of streams in constant memory: raw deflate (zip members) and gzip. */

import { Gunzip, Inflate } from 'fflate'
import { messageOf, PareError } from '../util/errors.js'
import { byteReader, type Chunks, type Source } from './source.js'

/** Deflate expands at most about 1,000-fold, so a piece of input this long gives at most 16 MB of output. */
const STEP = 1 << 14

type Inflator = { push(chunk: Uint8Array, final?: boolean): void }

/** Inflates raw deflate data. Throws `SAMPLES_CORRUPT` on data that is damaged or ends too early. */
export const inflateRaw = (chunks: Chunks, where: string): Chunks =>
  inflateWith((onData) => new Inflate(onData), chunks, where)

/** Inflates gzip data, also of several members. Throws `SAMPLES_CORRUPT`; a cut between blocks shows as an early end. */
export const gunzip = (chunks: Chunks, where: string): Chunks =>
  inflateWith((onData) => new Gunzip(onData), chunks, where)

async function* inflateWith(
  make: (onData: (chunk: Uint8Array) => void) => Inflator,
  chunks: Chunks,
  where: string,
): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = []
  const inflator = make((chunk) => {
    if (chunk.byteLength > 0) ready.push(chunk)
  })
  const push = (piece: Uint8Array, final: boolean) => {
    try {
      inflator.push(piece, final)
    } catch (cause) {
      throw new PareError('SAMPLES_CORRUPT', 'the compressed data is damaged', {
        where,
        value: messageOf(cause),
        remedy: 'Copy or download the file again, or write it uncompressed (np.savez).',
        cause,
      })
    }
  }
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += STEP) {
      push(chunk.subarray(at, at + STEP), false)
      yield* ready.splice(0)
    }
  }
  push(new Uint8Array(0), true)
  yield* ready.splice(0)
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
