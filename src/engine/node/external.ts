/** Models whose weights lie in files beside them, for runtimes that do not open files, and bytes that have lost them. */

import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { subgraphs } from '../../ir/attrs.js'
import type { Graph, Tensor } from '../../ir/types.js'
import { PareError } from '../../util/errors.js'
import type { OrtSessionOptions } from '../ort.js'

function tensorsOf(graph: Graph): readonly Tensor[] {
  return [
    ...graph.constants.values(),
    ...graph.nodes.flatMap((node) => [
      ...Object.values(node.attrs).flatMap((a) =>
        a.type === 'tensor' ? [a.value] : a.type === 'tensors' ? a.value : [],
      ),
      ...subgraphs(node).flatMap(({ graph: inner }) => tensorsOf(inner)),
    ]),
  ]
}

/** Every entry of external data has this key; models without the word need no decoding (and no decoder loaded). */
const KEY = 'location'

/** Names of the files that a model's weights lie in, as the model gives them; none where the engine must judge it. */
async function externalLocations(bytes: Uint8Array): Promise<readonly string[]> {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(KEY)) return []
  const { decodeModel } = await import('../../onnx/codec.js')
  try {
    return [...new Set(tensorsOf(decodeModel(bytes).graph).flatMap((t) => t.external?.location ?? []))]
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

/** The bytes of a model file and of the files that its weights lie in. Throws `ENGINE_LOAD` where a path leaves its folder. */
export async function externalFiles(
  path: string,
): Promise<{ readonly model: Uint8Array; readonly externalData: NonNullable<OrtSessionOptions['externalData']> }> {
  const model = await readFile(path)
  const folder = dirname(resolve(path))
  const externalData = []
  for (const location of await externalLocations(model)) {
    const file = resolve(folder, location)
    const inside = relative(folder, file)
    if (inside.startsWith('..') || isAbsolute(inside)) {
      throw new PareError('ENGINE_LOAD', 'the external data of the model leaves its folder', {
        where: path,
        value: location,
        remedy: 'Put the data file beside the model; such a path is not followed.',
      })
    }
    externalData.push({ path: location, data: await readFile(file) })
  }
  return { model, externalData }
}
