/** Models on disk, with their external data. Node only. */

import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Model } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import { readRange, type StagedFile, stageFile } from '../util/files.js'
import { decodeModel, encodeModel, MAX_MESSAGE } from './codec.js'
import { externalFiles, tensorsOf } from './external.js'
import { foreignFormat } from './foreign.js'

/** Bytes that tell another format. */
const HEAD = 512

/**
 * Reads a model. Weights in files beside it are checked to be there and read when asked for.
 *
 * Throws what `decodeModel` throws, and `FILE_MISSING`, `FILE_IS_FOLDER`, `FILE_UNREADABLE`, `MODEL_FORMAT` (another
 * format, a pointer or a web page), `MODEL_SIZE`, `EXTERNAL_PATH`, `EXTERNAL_MISSING`, `EXTERNAL_SHORT`.
 */
export async function readModel(path: string): Promise<Model> {
  const bytes = await readBytes(path)
  const files = externalFiles(path)
  let model: Model
  try {
    model = decodeModel(bytes, { where: path, external: files.read })
  } catch (error) {
    throw foreignFormat(path, bytes.subarray(0, HEAD), error) ?? error
  }
  await files.check(model)
  return model
}

async function readBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  try {
    const stats = await file.stat()
    if (stats.isDirectory()) throw await isFolder(path)
    if (!stats.isFile()) return await readStream(file, path)
    const head = await readRange(file, 0, Math.min(HEAD, stats.size))
    const foreign = foreignFormat(path, head)
    if (foreign !== null) throw foreign
    if (stats.size > MAX_MESSAGE) {
      const error = tooLarge(path, stats.size)
      throw foreignFormat(path, head, error) ?? error
    }
    return await readRange(file, 0, stats.size)
  } catch (cause) {
    throw cause instanceof PareError ? cause : unreadable(path, cause)
  } finally {
    await file.close()
  }
}

/** A pipe has no size: it is read to its end, or until it can be no model (a device may have no end). */
async function readStream(file: FileHandle, path: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of file.createReadStream({ autoClose: false })) {
    parts.push(part as Uint8Array)
    size += (part as Uint8Array).byteLength
    // No message of protobuf begins with a zero.
    if (parts[0]![0] === 0) break
    if (size > MAX_MESSAGE) throw tooLarge(path, `more than ${MAX_MESSAGE}`)
  }
  return Buffer.concat(parts)
}

const tooLarge = (where: string, value: number | string): PareError =>
  new PareError('MODEL_SIZE', 'an ONNX file has less than 2 GB; larger weights lie in files beside it', {
    where,
    value,
    remedy: 'Give the .onnx file, or export the model with external data.',
  })

function unreadable(where: string, cause: unknown): PareError {
  const code = (cause as { readonly code?: string }).code
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new PareError('FILE_MISSING', 'there is no such file', { where, remedy: 'Check the path.', cause })
  }
  return new PareError('FILE_UNREADABLE', `the file cannot be read: ${messageOf(cause)}`, {
    where,
    remedy: 'Get the right to read it, or copy it elsewhere.',
    cause,
  })
}

async function isFolder(where: string): Promise<PareError> {
  const names = (await readdir(where).catch(() => [])).filter((name) => name.endsWith('.onnx')).sort()
  return new PareError('FILE_IS_FOLDER', 'this is a folder, not a model', {
    where,
    remedy:
      names.length === 0 ? 'Give a .onnx file; the folder holds none.' : `Give a file in it: ${names.join(', ')}.`,
  })
}

export interface WriteModelOptions {
  /** Weights of more than this many bytes altogether go into `<model>.data` beside the model. Default 1e9. */
  readonly externalAbove?: number
}

/**
 * Writes a model, and beside it the file with its weights where they are large. What was there stays untouched until
 * everything new is on disk. A model that was read from the very same files can be written over them; weights of it
 * that were not loaded must then be read again (`EXTERNAL_CHANGED`).
 *
 * Throws what `encodeModel` throws, and `FILE_UNWRITABLE`, `DISK_FULL`.
 */
export async function writeModel(
  model: Model,
  path: string,
  { externalAbove = 1e9 }: WriteModelOptions = {},
): Promise<void> {
  const weights = new Set(tensorsOf(model))
  const total = [...weights].reduce((n, t) => n + t.byteLength, 0)
  const special = await stat(path).then(
    (old) => !old.isFile() && !old.isDirectory(),
    () => false,
  )
  const outside = total > externalAbove && !special
  // Beside the file itself, not beside a link to it.
  const target = await realpath(path).catch(() => path)
  const encoded = encodeModel(model, outside ? { external: { location: `${basename(target)}.data` } } : {})
  const staged: StagedFile[] = []
  try {
    for (const file of encoded.external) staged.push(await stageFile(`${target}.data`, file.chunks()))
    staged.push(await stageFile(target, encoded.chunks))
    for (const file of staged) await file.commit()
  } catch (error) {
    for (const file of staged) await file.discard()
    throw error
  }
}
