/** Small models by name: `mlp:256,128`, `cnn:small`. */

import type { Model } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { batchNorm, conv, dense, flatten, type Layer, maxPool, relu, reshape, scale, sequential } from './layers.js'

export interface PresetOptions {
  /** Shape of one sample. A picture without channels, [height, width], is one of one channel. */
  readonly input: readonly number[]
  /** Class scores, or values to predict. */
  readonly outputs: number
  /** What inputs are multiplied by, so that they are about 1 in size. Default 1. */
  readonly inputScale?: number
  readonly seed?: number
}

const CNN: Readonly<Record<string, readonly number[]>> = { small: [32, 64], tiny: [8, 16] }

/** Throws `MODEL_NAME` for a name that is none, `LAYER_SHAPE` where the input does not suit it. */
export function presetModel(name: string, { input, outputs, inputScale = 1, seed = 0 }: PresetOptions): Model {
  const [kind, rest = ''] = name.split(':')
  const scaled: readonly Layer[] = inputScale === 1 ? [] : [scale(inputScale)]
  const build = (layers: readonly Layer[]): Model => sequential([...scaled, ...layers], { input, seed })
  if (kind === 'mlp') {
    const widths = rest === '' ? [] : rest.split(',').map(Number)
    if (!widths.every((w) => Number.isInteger(w) && w > 0)) throw unknownName(name)
    const flat = input.length > 1 ? [flatten()] : []
    return build([...flat, ...widths.flatMap((w) => [dense(w), relu()]), dense(outputs)])
  }
  const filters = kind === 'cnn' ? CNN[rest === '' ? 'small' : rest] : undefined
  if (filters === undefined) throw unknownName(name)
  const channels = input.length === 2 ? [reshape(1, ...input)] : []
  const stages = filters.flatMap((n) => [conv(n, 3), batchNorm(), relu(), conv(n, 3), batchNorm(), relu(), maxPool(2)])
  return build([...channels, ...stages, flatten(), dense(4 * filters.at(-1)!), relu(), dense(outputs)])
}

const unknownName = (name: string): PareError =>
  new PareError('MODEL_NAME', 'there is no model of this name', {
    value: name,
    remedy: 'Give mlp:256,128 (widths of the layers between), cnn:small, cnn:tiny, or a module (.mjs) that builds one.',
  })
