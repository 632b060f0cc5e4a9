/**
 * Where bytes come from: a file or memory, read by range or as a stream. The readers of this folder
 * work on any source; `files.ts` has the one for files on disk.
 */

import { concatBytes } from '../util/bytes.js'
import { PareError } from '../util/errors.js'

export type Chunks = AsyncIterable<Uint8Array>

export interface Source {
  /** The file's name, for messages. */
  readonly name: string
  /** Where it lies, of a file on disk. */
  readonly path?: string
  readonly size: number
  /** Bytes `start` to `end` (exclusive); shorter where the source ends before. */
  slice(start: number, end: number): Promise<Uint8Array>
  /** The same range in pieces; the whole source by default. */
  stream(start?: number, end?: number): Chunks
}

const CHUNK = 1 << 16

export function bytesSource(name: string, bytes: Uint8Array): Source {
  return {
    name,
    size: bytes.byteLength,
    slice: async (start, end) => bytes.subarray(start, end),
    async *stream(start = 0, end = bytes.byteLength) {
      for (let at = start; at < end; at += CHUNK) yield bytes.subarray(at, Math.min(end, at + CHUNK))
    },
  }
}

/** Takes exact counts of bytes from a stream of pieces. */
export interface ByteReader {
  /** The next `count` bytes in memory of their own; fewer only where the stream ends. */
  read(count: number): Promise<Uint8Array>
  close(): Promise<void>
}

export function byteReader(chunks: Chunks): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]()
  let piece: Uint8Array = new Uint8Array(0)
  return {
    async read(count) {
      if (count <= piece.byteLength) {
        const out = piece.slice(0, count)
        piece = piece.subarray(count)
        return out
      }
      const parts = [piece]
      let have = piece.byteLength
      piece = new Uint8Array(0)
      while (have < count) {
        const next = await iterator.next()
        if (next.done) break
        const wanted = count - have
        parts.push(next.value.subarray(0, wanted))
        have += Math.min(next.value.byteLength, wanted)
        if (next.value.byteLength > wanted) piece = next.value.slice(wanted)
      }
      return concatBytes(parts)
    },
    async close() {
      await iterator.return?.()
    },
  }
}

/** The error of a file that ends too early. */
export const truncated = (where: string, what: string, value?: unknown): PareError =>
  new PareError('SAMPLES_TRUNCATED', `the file ends inside ${what}`, {
    where,
    ...(value !== undefined && { value }),
    remedy: 'Copy or download the file again; it is incomplete.',
  })
