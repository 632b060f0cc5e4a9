/** Files on disk as sources. Node only. */

import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf, PareError } from '../util/errors.js'
import type { Source } from './source.js'

/** Opens nothing until read, and leaves nothing open. Throws `SAMPLES_MISSING` where there is no such file, `SAMPLES_FILE`. */
export async function fileSource(path: string): Promise<Source> {
  const info = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause)
  })
  // Files are read more than once, and from any place.
  if (!info.isFile()) {
    throw new PareError('SAMPLES_FILE', 'a file on disk is needed here', {
      where: path,
      value: info.isDirectory() ? 'a folder' : 'a stream or a device',
      remedy: 'Give the name of a file; write to one what comes from a stream.',
    })
  }
  return {
    name: basename(path),
    path,
    size: info.size,
    async slice(start, end) {
      const file = await open(path)
      try {
        const buffer = new Uint8Array(Math.max(0, Math.min(end, info.size) - start))
        let have = 0
        while (have < buffer.byteLength) {
          const { bytesRead } = await file.read(buffer, have, buffer.byteLength - have, start + have)
          if (bytesRead === 0) break
          have += bytesRead
        }
        return buffer.subarray(0, have)
      } finally {
        await file.close()
      }
    },
    async *stream(start = 0, end = info.size) {
      if (start < end) yield* createReadStream(path, { start, end: end - 1 }) as AsyncIterable<Uint8Array>
    },
  }
}

export const missing = (path: string, cause: unknown): PareError =>
  new PareError('SAMPLES_MISSING', 'there is no file or folder to read samples from', {
    where: path,
    value: messageOf(cause),
    remedy: 'Check the path.',
    cause,
  })

/** Paths of all files below a folder, relative to it with `/`, in code-unit order; hidden files are left out. */
export async function listFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  const visit = async (prefix: string): Promise<void> => {
    const entries = await readdir(join(folder, prefix), { withFileTypes: true })
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      const kind = entry.isSymbolicLink() ? await stat(join(folder, path)).catch(() => entry) : entry
      if (kind.isDirectory() && !entry.isSymbolicLink()) await visit(path)
      else if (kind.isFile()) found.push(path)
    }
  }
  await visit('')
  return found.sort()
}
