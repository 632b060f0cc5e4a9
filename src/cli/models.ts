/** Model files as commands need them: checked before an engine sees them, sized with their external data. */

import { realpath, stat } from 'node:fs/promises'
import type { ValueInfo } from '../engine/engine.js'
import type { Model } from '../ir/types.js'
import { tensorsOf } from '../onnx/external.js'
import { readModel } from '../onnx/files.js'
import { PareError } from '../util/errors.js'

/** Bytes of the file and of the parts of other files that it refers to. */
export async function modelBytes(path: string, model: Model): Promise<number> {
  const external = new Set([...tensorsOf(model)].filter((t) => t.external !== undefined))
  const { size } = await stat(path)
  return [...external].reduce((sum, t) => sum + t.byteLength, size)
}

/** Reads each model, so that what is wrong with one is said clearly, and returns their sizes. Throws what `readModel` throws. */
export async function checkModelFiles(paths: readonly string[]): Promise<readonly number[]> {
  const sizes: number[] = []
  for (const path of paths) sizes.push(await modelBytes(path, await readModel(path)))
  return sizes
}

/** Inputs and outputs as a session would list them; open dimensions without a name are called `?`. */
export function interfaceOf({ graph }: Model): {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
} {
  const info = (name: string): ValueInfo => {
    const value = graph.values.get(name)
    if (value?.kind !== 'tensor') return { name, dtype: value?.kind ?? 'unknown' }
    return { name, dtype: value.dtype, ...(value.shape && { shape: value.shape.map((d) => d ?? '?') }) }
  }
  return {
    inputs: graph.inputs.filter((name) => !graph.constants.has(name)).map(info),
    outputs: graph.outputs.map(info),
  }
}

/** Throws `OUTPUT_IS_INPUT` where writing would replace the model that was read. */
export async function protectInput(input: string, output: string, force: boolean): Promise<void> {
  if (force) return
  const [a, b] = await Promise.all([input, output].map((path) => realpath(path).catch(() => null)))
  if (a === null || a !== b) return
  throw new PareError('OUTPUT_IS_INPUT', 'the output would replace the model itself', {
    where: output,
    remedy: 'Give another name with -o, or --force if you mean it.',
  })
}

/** Some of the model's weights lie in other files. */
export function hasExternalData(model: Model): boolean {
  for (const t of tensorsOf(model)) if (t.external !== undefined) return true
  return false
}
