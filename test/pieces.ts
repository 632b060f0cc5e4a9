/** Text as a source that gives a few bytes at a time, so that blocks end anywhere. */

import type { Source } from '../src/data/source.js'

export function csvInPieces(text: string, size: number): Source {
  const bytes = new TextEncoder().encode(text)
  return {
    name: 't.csv',
    size: bytes.byteLength,
    slice: async (start, end) => bytes.subarray(start, end),
    async *stream() {
      for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
    },
  }
}
