/** Data of weights in files beside the model: found inside the model's folder only, read by position when asked for. */

import { type BigIntStats, closeSync, openSync, readSync, statSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { subgraphs } from '../ir/attrs.js'
import type { ExternalRef, Graph, Model, Node, Tensor } from '../ir/types.js'
import { messageOf, PareError } from '../util/errors.js'
import type { ExternalRequest } from './codec.js'

export interface ExternalFiles {
  /** Bytes of a reference that `check` has seen. Throws `EXTERNAL_CHANGED`, `EXTERNAL_UNREADABLE`. */
  read(ref: ExternalRequest): Uint8Array
  /** Whether all files that a model refers to are there, inside its folder and long enough. Opens none. */
  check(model: Model): Promise<void>
}

/** Bytes that one call to the system reads at most. */
const PIECE = 2 ** 28

interface Known {
  readonly path: string
  readonly stats: BigIntStats
}

/** External data of the model at `modelPath`. */
export function externalFiles(modelPath: string): ExternalFiles {
  const known = new Map<string, Known>()
  const loaded = new Map<string, WeakRef<Uint8Array>>()

  const find = async (location: string): Promise<Known> => {
    const seen = known.get(location)
    if (seen !== undefined) return seen
    const path = await resolveInside(modelPath, location)
    const found = { path, stats: await stat(path, { bigint: true }) }
    known.set(location, found)
    return found
  }

  return {
    async check(model) {
      for (const { external } of tensorsOf(model)) {
        if (external === undefined) continue
        const { stats } = await find(external.location)
        if (BigInt(external.offset) + BigInt(external.length) > stats.size) throw tooShort(modelPath, external, stats)
      }
    },
    read(ref) {
      const key = `${ref.offset} ${ref.length} ${ref.location}`
      const cached = loaded.get(key)?.deref()
      if (cached !== undefined) return cached
      const file = known.get(ref.location)
      if (file === undefined) throw changed(ref)
      const bytes = readRange(file, ref)
      loaded.set(key, new WeakRef(bytes))
      return bytes
    },
  }
}

/** The file that a location names, links resolved. Throws `EXTERNAL_PATH` outside the folder, `EXTERNAL_MISSING`. */
export async function resolveInside(modelPath: string, location: string): Promise<string> {
  const folder = dirname(modelPath)
  const outside = (): PareError =>
    new PareError('EXTERNAL_PATH', "the model's weights lie outside its folder, which is not allowed", {
      where: modelPath,
      value: location,
      remedy: 'A model that names other files of your disk may be made to do harm; move the data beside the model.',
    })
  const strange = isAbsolute(location) || /^[a-z]:|^[\\/]|(^|[\\/])\.\.([\\/]|$)|\0/i.test(location)
  if (strange) throw outside()
  // A download cache links model and data into another folder: beside the model's real file is as good.
  const homes = [await realpath(folder), dirname(await realpath(modelPath))]
  const [path] = (await Promise.all(homes.map((home) => realpath(join(home, location)).catch(() => [])))).flat()
  if (path === undefined) {
    throw new PareError('EXTERNAL_MISSING', 'a file with weights of the model is missing', {
      where: modelPath,
      value: location,
      remedy: `Put ${location} into the folder of the model; it was exported together with it.`,
    })
  }
  if (!homes.some((home) => isInside(home, path))) throw outside()
  return path
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function readRange({ path, stats }: Known, ref: ExternalRequest): Uint8Array {
  const now = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (now === undefined || now.ino !== stats.ino || now.size !== stats.size || now.mtimeNs !== stats.mtimeNs) {
    throw changed(ref)
  }
  const bytes = new Uint8Array(ref.length)
  try {
    const file = openSync(path, 'r')
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        const count = readSync(file, bytes, at, Math.min(PIECE, bytes.byteLength - at), ref.offset + at)
        if (count === 0) throw changed(ref)
        at += count
      }
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    if (cause instanceof PareError) throw cause
    throw new PareError('EXTERNAL_UNREADABLE', `the data of a weight cannot be read: ${messageOf(cause)}`, {
      where: ref.where,
      value: ref.location,
      remedy: 'Get the right to read the file.',
      cause,
    })
  }
  return bytes
}

const changed = ({ where, location }: ExternalRequest): PareError =>
  new PareError('EXTERNAL_CHANGED', 'the file with the weights was replaced or changed after the model was read', {
    where,
    value: location,
    remedy: 'Read the model again.',
  })

const tooShort = (where: string, { location, offset, length }: ExternalRef, stats: BigIntStats): PareError =>
  new PareError('EXTERNAL_SHORT', `the file ${location} ends before the data that the model expects in it`, {
    where,
    value: `${stats.size} bytes, needs ${offset + length}`,
    remedy: 'It was cut short or belongs to another model; get it again.',
  })

/** All tensors of a model: constants, parts of sparse ones, attributes, defaults; graphs inside and functions included. */
export function* tensorsOf(model: Model): Generator<Tensor> {
  yield* inGraph(model.graph)
  for (const f of model.functions) {
    for (const node of f.nodes) yield* inNode(node)
    yield* inNode({ name: '', domain: '', op: '', inputs: [], outputs: [], attrs: f.defaults })
  }
}

function* inGraph(graph: Graph): Generator<Tensor> {
  yield* graph.constants.values()
  for (const { values, indices } of graph.sparseConstants?.values() ?? []) yield* [values, indices]
  for (const node of graph.nodes) yield* inNode(node)
}

function* inNode(node: Node): Generator<Tensor> {
  for (const a of Object.values(node.attrs)) {
    if (a.type === 'tensor') yield a.value
    else if (a.type === 'tensors') yield* a.value
    else if (a.type === 'sparse') yield* [a.value.values, a.value.indices]
    else if (a.type === 'sparses') for (const { values, indices } of a.value) yield* [values, indices]
  }
  for (const { graph } of subgraphs(node)) yield* inGraph(graph)
}
