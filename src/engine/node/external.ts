/** Models whose weights lie in files beside them, for runtimes that do not open files, and bytes that have lost them. */

import { readFile } from 'node:fs/promises'
import { resolveInside, tensorsOf } from '../../onnx/external.js'
import { PareError } from '../../util/errors.js'
import { readWhole } from '../../util/files.js'
import type { OrtSessionOptions } from '../ort.js'

/** Every entry of external data has this key; models without the word need no decoding (and no decoder loaded). */
const KEY = 'location'

/** Names of the files that a model's weights lie in, as the model gives them; none where the engine must judge it. */
async function externalLocations(bytes: Uint8Array): Promise<readonly string[]> {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(KEY)) return []
  const { decodeModel } = await import('../../onnx/codec.js')
  try {
    return [...new Set([...tensorsOf(decodeModel(bytes))].flatMap((t) => t.external?.location ?? []))]
  } catch {
    return []
  }
}

/**
 * Throws `ENGINE_LOAD` for bytes that need other files: the native runtime would look for them in the directory that
 * the process happens to run in.
 */
export async function refuseExternal(bytes: Uint8Array): Promise<void> {
  const [location] = await externalLocations(bytes)
  if (location === undefined) return
  throw new PareError('ENGINE_LOAD', 'weights of the model lie in another file, and only its bytes were given', {
    where: 'model',
    value: location,
    remedy: 'Give { path } of the model file with its data files beside it, or put the weights inside the model.',
  })
}

/**
 * The bytes of a model file and of the files that its weights lie in. Throws `ENGINE_LOAD` where one is missing or lies
 * outside the model's folder, links resolved.
 */
export async function externalFiles(
  path: string,
): Promise<{ readonly model: Uint8Array; readonly externalData: NonNullable<OrtSessionOptions['externalData']> }> {
  const model = await readFile(path)
  const externalData = []
  for (const location of await externalLocations(model)) {
    const file = await resolveInside(path, location).catch(refusedToLoad)
    externalData.push({ path: location, data: await readWhole(file) })
  }
  return { model, externalData }
}

/** Whichever runtime finds it, a model that cannot be loaded is `ENGINE_LOAD`. */
function refusedToLoad(error: unknown): never {
  throw error instanceof PareError ? new PareError('ENGINE_LOAD', error.what, { ...error.detail, cause: error }) : error
}
