/** Files written whole or not at all: to a temporary file beside the target, flushed to disk, then renamed. Node only. */

import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { messageOf, PareError } from './errors.js'

/** What a file is made of: bytes or text, in one piece or several that are asked for one after the other. */
export type Chunks = Uint8Array | string | Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>

/** A file that is complete on disk under a temporary name. */
export interface StagedFile {
  /** Gives the file its name, in place of any older one. */
  commit(): Promise<void>
  /** Removes it. Does nothing after `commit`. */
  discard(): Promise<void>
}

/**
 * Writes a file so that readers see the old one or the whole new one, never a part. Links are followed, the mode of an
 * older file is kept; a device or pipe is written directly. On failure nothing is left behind.
 * Throws `FILE_UNWRITABLE`, `DISK_FULL`, and what making the chunks throws.
 */
export async function writeFileAtomic(path: string, chunks: Chunks): Promise<void> {
  const staged = await stageFile(path, chunks)
  try {
    await staged.commit()
  } catch (error) {
    await staged.discard()
    throw error
  }
}

/**
 * Whether `writeFileAtomic` could write here, found out by making an empty file beside it, which is removed again;
 * what is there stays as it is. Throws the same.
 */
export async function checkWritable(path: string): Promise<void> {
  const old = await stat(path).catch(() => null)
  // A device or a pipe would take an empty file for the whole of it.
  if (old !== null && !old.isFile() && !old.isDirectory()) return
  await (await stageFile(path, '')).discard()
}

/** The first half of `writeFileAtomic`, for files that must change together. Throws the same. */
export async function stageFile(path: string, chunks: Chunks): Promise<StagedFile> {
  const target = await placeOf(path)
  const old = await stat(target).catch(() => null)
  if (old?.isDirectory()) {
    throw new PareError('FILE_UNWRITABLE', 'there is a folder of this name', {
      where: path,
      remedy: 'Give the name of a file, or remove the folder.',
    })
  }
  if (old !== null && !old.isFile()) {
    await guarded(path, () => fill(target, 'w', chunks))
    return { commit: async () => {}, discard: async () => {} }
  }
  const temporary = join(dirname(target), `.${basename(target).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`)
  // What went wrong before is worth more to the reader than that it cannot be cleaned up.
  const discard = () => rm(temporary, { force: true }).catch(() => {})
  try {
    await guarded(path, () => fill(temporary, 'wx', chunks, old?.mode))
  } catch (error) {
    await discard()
    throw error
  }
  return {
    discard,
    commit: () =>
      guarded(path, async () => {
        await rename(temporary, target)
        await flushFolder(dirname(target))
      }),
  }
}

const MOST_LINKS = 40

/** Where a file is or will be: links are followed, those that lead to nothing too. Throws `FILE_UNWRITABLE`. */
export async function placeOf(path: string): Promise<string> {
  let place = path
  for (let links = 0; links < MOST_LINKS; links++) {
    const whole = await realpath(place).catch(() => null)
    if (whole !== null) return whole
    const folder = dirname(resolve(place))
    const parent = await realpath(folder).catch(() => folder)
    const target = await readlink(place).catch(() => null)
    if (target === null) return join(parent, basename(place))
    place = resolve(parent, target)
  }
  throw new PareError('FILE_UNWRITABLE', 'the links lead in a circle', {
    where: path,
    remedy: 'Remove them, or choose another place.',
  })
}

/** Makes a folder and those around it; one that is there will do. Throws `FILE_UNWRITABLE`, `DISK_FULL`. */
export async function makeFolder(path: string): Promise<void> {
  await guarded(path, () => makeFolders(resolve(path)))
}

/** Node's own `recursive` tries for ever where the system says ENOENT although the folder around is there (/proc). */
async function makeFolders(path: string): Promise<void> {
  const parent = dirname(path)
  try {
    await mkdir(path)
  } catch (error) {
    if (await isFolder(path)) return
    if (codeOf(error) !== 'ENOENT') throw error
    if (await isFolder(parent)) {
      throw new PareError('FILE_UNWRITABLE', 'no folder can be made here', {
        where: path,
        remedy: 'Choose another place.',
        cause: error,
      })
    }
    await makeFolders(parent)
    await makeFolders(path)
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Bytes that one call to the system reads or writes at most: it refuses 2 GiB and more. */
const PIECE = 2 ** 28

async function fill(path: string, flags: string, chunks: Chunks, mode?: number): Promise<void> {
  const file = await open(path, flags, mode)
  try {
    if (mode !== undefined) await file.chmod(mode & 0o7777)
    for await (const chunk of typeof chunks === 'string' || chunks instanceof Uint8Array ? [chunks] : chunks) {
      await writeAll(file, typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk)
    }
    await file.sync().catch((error: unknown) => {
      if (codeOf(error) !== 'EINVAL') throw error
    })
  } finally {
    await file.close()
  }
}

/** Bytes of a file from `start` on; fewer where it ends before. */
export async function readRange(file: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, Math.min(PIECE, length - at), start + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return bytes.subarray(0, at)
}

/** All bytes of a file, of 2 GiB and more too, which `readFile` refuses. */
export async function readWhole(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r')
  try {
    return await readRange(file, 0, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(PIECE, bytes.byteLength - at))
    at += bytesWritten
  }
}

/** Makes the rename itself durable, where the system can. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

const codeOf = (error: unknown): string | undefined => (error as { readonly code?: string } | null)?.code

/** Does work on a file; errors of the system are `FILE_UNWRITABLE` or `DISK_FULL`. */
export async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explained(path, error)
  }
}

/** Errors of the system as ours; any other as it is. */
function explained(where: string, cause: unknown): unknown {
  const code = codeOf(cause)
  if (cause instanceof PareError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return cause
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new PareError('DISK_FULL', 'there is no room left for this file', {
      where,
      remedy: 'Free some space or write to another disk; what was there before is unchanged.',
      cause,
    })
  }
  return new PareError('FILE_UNWRITABLE', `the file cannot be written: ${messageOf(cause)}`, {
    where,
    remedy: REMEDIES[code] ?? 'Choose another place.',
    cause,
  })
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'Create its folder first.',
  ENOTDIR: 'A part of the path is a file; choose another place.',
  EACCES: 'Get the right to write into its folder, or choose another place.',
  EPERM: 'Get the right to write into its folder, or choose another place.',
  EROFS: 'The disk is read-only; choose another place.',
  EMFILE: 'Too many files are open; close some.',
}
