/** Model files as commands need them: checked before an engine sees them, sized with their external data. */

import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ValueInfo } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import { tensorsOf } from '../onnx/external.js'
import { readModel } from '../onnx/files.js'
import { PareError } from '../util/errors.js'
import { placeOf } from '../util/files.js'

/**
 * Bytes of the file and of the parts of other files that it refers to; null for a pipe or device, which has no size.
 * `model` is the file as it was read: of a model in memory nothing says what a file of it refers to.
 */
export async function modelBytes(path: string, model: Model): Promise<number | null> {
  const info = await stat(path)
  if (!info.isFile()) return null
  // Tensors may share a stretch of a file.
  const stretches = new Map<string, number>()
  for (const { external } of tensorsOf(model)) {
    if (external) stretches.set(`${external.offset} ${external.length} ${external.location}`, external.length)
  }
  return [...stretches.values()].reduce((sum, length) => sum + length, info.size)
}

/** Bytes of a model that was just written, with what lies beside it; null where it went into a pipe or device. */
export async function writtenBytes(path: string): Promise<number | null> {
  return (await stat(path)).isFile() ? modelBytes(path, await readModel(path)) : null
}

/**
 * Reads each model, so that what is wrong with one is said clearly, and returns their sizes. Throws what `readModel`
 * throws, and `FILE_UNREADABLE` for a pipe, as the engine reads the file again.
 */
export async function checkModelFiles(paths: readonly string[]): Promise<readonly number[]> {
  const sizes: number[] = []
  for (const path of paths) {
    const info = await stat(path).catch(() => null)
    if (info !== null && !info.isFile() && !info.isDirectory()) throw readTwice(path)
    sizes.push((await modelBytes(path, await readModel(path)))!)
  }
  return sizes
}

const readTwice = (path: string): PareError =>
  new PareError('FILE_UNREADABLE', 'a pipe can be read once, and here the model is read again', {
    where: path,
    remedy: 'Write the model to a file, and give that.',
  })

/** Inputs and outputs as a session would list them: open dimensions without a name are ''. */
export function interfaceOf({ graph }: Model): {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
} {
  const info = (name: string): ValueInfo => {
    const value = graph.values.get(name)
    if (value?.kind !== 'tensor') return { name, dtype: value?.kind ?? 'unknown' }
    return { name, dtype: value.dtype, ...(value.shape && { shape: value.shape.map((d) => d ?? '') }) }
  }
  return {
    inputs: graph.inputs.filter((name) => !graph.constants.has(name)).map(info),
    outputs: graph.outputs.map(info),
  }
}

/** The files beside a model that hold weights of it. */
export function weightFiles(path: string, model: Model): readonly string[] {
  const locations = [...tensorsOf(model)].flatMap(({ external }) => external?.location ?? [])
  return [...new Set(locations)].map((location) => join(dirname(path), location))
}

/** What a command reads and writes beside the model and its output. */
export interface FilesInUse {
  /** The model as it was read: the files that hold its weights are protected as well. */
  readonly model?: Model
  /** Other files that are read: samples, labels, a metric. `force` does not speak of them. */
  readonly read?: readonly (string | undefined)[]
  /** Further files that are written, which may replace nothing that is read, nor each other, nor the output. */
  readonly report?: string | undefined
  readonly checkpoint?: string | undefined
  readonly more?: Readonly<Record<string, string | undefined>>
  /** What the output is, in messages. Default `model`. */
  readonly outputIs?: string
}

/**
 * Throws `OUTPUT_IS_INPUT` where writing would replace a file that is read; with `force` the model itself may be, and
 * the weights that are written anew with it, but no other file of weights. Throws `OUTPUT_TWICE` where two files to write are one.
 */
export async function protectInput(
  input: string | undefined,
  output: string | undefined,
  force: boolean,
  { model, read = [], report, checkpoint, more, outputIs = 'model' }: FilesInUse = {},
): Promise<void> {
  const itself = await placesOf(input === undefined ? [] : [input])
  const apart = await placesOf(model && input !== undefined ? weightFiles(input, model) : [])
  const own = new Set([...itself, ...apart])
  const others = await placesOf(read.filter((path) => path !== undefined))
  // Large weights go into a file beside the output.
  const written = output === undefined ? new Set<string>() : await placesOf([output, `${output}.data`])
  const replacesItself = output !== undefined && overlap(await placesOf([output]), itself)
  if (output !== undefined && overlap(written, apart) && !replacesItself) {
    throw refused('OUTPUT_IS_INPUT', "the output would replace a file that holds the model's weights", output, '-o')
  }
  if (output !== undefined && !force && replacesItself) {
    throw refused(
      'OUTPUT_IS_INPUT',
      'the output would replace the model itself',
      output,
      '-o, or --force if you mean it',
    )
  }
  if (output !== undefined && overlap(written, others)) {
    throw refused('OUTPUT_IS_INPUT', 'the output would replace a file that is read', output, '-o')
  }
  const taken = new Map([...written].map((place) => [place, outputIs]))
  for (const [what, path] of Object.entries({ report, checkpoint, ...more })) {
    if (path === undefined) continue
    const place = await placeOf(path)
    if (own.has(place) || others.has(place))
      throw refused('OUTPUT_IS_INPUT', `the ${what} would replace a file that is read`, path, `--${what}`)
    if (taken.has(place))
      throw refused(
        'OUTPUT_TWICE',
        `the ${what} would replace the ${taken.get(place)} that is written`,
        path,
        `--${what}`,
      )
    taken.set(place, what)
  }
}

const refused = (code: string, what: string, where: string, how: string): PareError =>
  new PareError(code, what, { where, remedy: `Give another name with ${how}.` })

const overlap = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].some((path) => b.has(path))

/** Where files are or will be, links followed. */
const placesOf = async (paths: readonly string[]): Promise<ReadonlySet<string>> =>
  new Set(await Promise.all(paths.map(placeOf)))

/** Some of the model's weights lie in other files. */
export function hasExternalData(model: Model): boolean {
  for (const t of tensorsOf(model)) if (t.external !== undefined) return true
  return false
}
