/**
 * The directory of a zip archive and its members as streams (PKWARE APPNOTE 6.3.9): stored and deflated members,
 * archives over 4 GB (zip64). Nothing is held in memory but the directory. Node only.
 */

import { crc32 } from 'node:zlib'
import { viewOf } from '../util/bytes.js'
import { PareError } from '../util/errors.js'
import { inflateRaw } from './inflate.js'
import { type Chunks, type Source, truncated } from './source.js'

export interface ZipEntry {
  readonly name: string
  readonly size: number
  readonly compressedSize: number
  /** Where the local header begins. */
  readonly offset: number
  readonly deflated: boolean
  /** CRC-32 of the content. */
  readonly crc: number
}

const END = 0x06054b50
const END64 = 0x06064b50
const LOCATOR64 = 0x07064b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const UNKNOWN32 = 0xffffffff

export const isZip = (head: Uint8Array): boolean =>
  head[0] === 0x50 && head[1] === 0x4b && ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6))

/** Throws `SAMPLES_TRUNCATED` where the directory at the end is missing, `ZIP_CORRUPT`, `ZIP_METHOD`. */
export async function zipEntries(source: Source): Promise<readonly ZipEntry[]> {
  const { start, size } = await directoryPlace(source)
  if (start + size > source.size) throw truncated(source.name, 'the list of members')
  const bytes = await source.slice(start, start + size)
  const view = viewOf(bytes)
  const entries: ZipEntry[] = []
  let at = 0
  while (at + 46 <= size && view.getUint32(at, true) === CENTRAL) {
    const nameLength = view.getUint16(at + 28, true)
    const extraLength = view.getUint16(at + 30, true)
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true)
    if (next > size) break
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength))
    const [expanded, compressedSize, offset] = sizes64(view, at, at + 46 + nameLength, extraLength)
    const method = view.getUint16(at + 10, true)
    const encrypted = (view.getUint16(at + 8, true) & 1) === 1
    if (encrypted || (method !== 0 && method !== 8)) {
      throw new PareError('ZIP_METHOD', 'a member of the archive is encrypted or compressed in an unknown way', {
        where: `${source.name}/${name}`,
        value: encrypted ? 'encrypted' : `method ${method}`,
        remedy: 'Write it with np.savez or np.savez_compressed.',
      })
    }
    entries.push({
      name,
      size: expanded,
      compressedSize,
      offset,
      deflated: method === 8,
      crc: view.getUint32(at + 16, true),
    })
    at = next
  }
  if (at !== size) throw corrupt(source.name, 'its list of members')
  return entries
}

/** Sizes and offset of an entry; those over 4 GB lie in an extra field (id 1), in this order. */
function sizes64(view: DataView, at: number, extraStart: number, extraLength: number): [number, number, number] {
  const values = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  const end = extraStart + extraLength
  for (let field = extraStart; field + 4 <= end; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue
    let from = field + 4
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== UNKNOWN32 || from + 8 > end) continue
      values[i] = Number(view.getBigUint64(from, true))
      from += 8
    }
  }
  return values as [number, number, number]
}

async function directoryPlace(source: Source): Promise<{ start: number; size: number }> {
  const tailStart = Math.max(0, source.size - 22 - 65_535)
  const tail = await source.slice(tailStart, source.size)
  const view = viewOf(tail)
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue
    const size = view.getUint32(at + 12, true)
    const start = view.getUint32(at + 16, true)
    const located = at >= 20 && view.getUint32(at - 20, true) === LOCATOR64
    if (!located) return { start, size }
    const end64 = Number(view.getBigUint64(at - 12, true))
    const record = await source.slice(end64, end64 + 56)
    if (record.byteLength < 56 || viewOf(record).getUint32(0, true) !== END64) throw corrupt(source.name, 'its end')
    return {
      size: Number(viewOf(record).getBigUint64(40, true)),
      start: Number(viewOf(record).getBigUint64(48, true)),
    }
  }
  throw truncated(source.name, 'the archive: its list of members, which comes last, is missing')
}

/** The content of a member, inflated as it is read. Throws `ZIP_CORRUPT` where length or checksum are not as listed. */
export async function* readEntry(source: Source, entry: ZipEntry): Chunks {
  const where = `${source.name}/${entry.name}`
  const local = await source.slice(entry.offset, entry.offset + 30)
  if (local.byteLength < 30) throw truncated(where, 'the member')
  const view = viewOf(local)
  if (view.getUint32(0, true) !== LOCAL) throw corrupt(where, 'where the member begins')
  const start = entry.offset + 30 + view.getUint16(26, true) + view.getUint16(28, true)
  const end = start + entry.compressedSize
  if (end > source.size) throw truncated(where, 'the member')
  const raw = source.stream(start, end)
  let size = 0
  let crc = 0
  for await (const chunk of entry.deflated ? inflateRaw(raw, where) : raw) {
    size += chunk.byteLength
    crc = crc32(chunk, crc)
    if (size > entry.size || (size === entry.size && crc !== entry.crc)) {
      throw corrupt(where, 'a member, whose checksum is wrong,')
    }
    yield chunk
  }
  if (size !== entry.size) throw truncated(where, 'the member')
}

const corrupt = (where: string, what: string): PareError =>
  new PareError('ZIP_CORRUPT', `the archive is damaged: ${what} cannot be read`, {
    where,
    remedy: 'Copy, download or write it again.',
  })
