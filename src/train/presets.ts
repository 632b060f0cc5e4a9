/** Small models by name, made for a data set: `mlp:256,128`, `cnn:small`. */

import type { Model } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { DataFacts } from './data-facts.js'
import { batchNorm, conv, dense, dropout, flatten, maxPool, relu, reshape } from './layers/index.js'
import type { Layer } from './layers/layer.js'
import { sequential } from './layers/sequential.js'
import { restore, standardize } from './layers/standardize.js'

/** What outputs are: scores of classes, values on the scale of the labels, or scores of another loss, one a label. */
export type Predicts = 'classes' | 'values' | 'scores'

export interface PresetOptions {
  readonly facts: DataFacts
  readonly predicts: Predicts
  readonly seed?: number
}

/** Filters of the two convolutions of each stage, and whether dropout stands before the last layer. */
const CNN: Readonly<Record<string, { readonly filters: readonly number[]; readonly rate: number }>> = {
  tiny: { filters: [8, 16], rate: 0 },
  small: { filters: [16, 32], rate: 0.25 },
}

/**
 * Inputs are brought to mean 0 and variance 1 inside the model, and predicted values back to the scale of the labels,
 * so that it takes and gives what the data has. Throws `MODEL_NAME` for a name that is none, `LAYER_SHAPE` where the
 * samples do not suit it, `TRAIN_LABELS` where classes are asked for and the labels are none.
 */
export function presetModel(name: string, { facts, predicts, seed = 0 }: PresetOptions): Model {
  const [kind, rest = ''] = name.split(':')
  const { shape, classes, width } = facts
  const outputs = predicts === 'classes' ? Math.max(2, classes ?? missingClasses()) : width
  const last: readonly Layer[] = predicts === 'values' ? [restore(facts.target)] : []
  const build = (body: readonly Layer[]): Model => {
    const before = standardize(facts.input)
    return sequential([before, ...body, dense(outputs), ...last], { input: shape, seed })
  }
  if (kind === 'mlp') {
    const widths = rest === '' ? [] : rest.split(',').map(Number)
    if (!widths.every((w) => Number.isInteger(w) && w > 0)) throw unknownName(name)
    const flat = shape.length > 1 ? [flatten()] : []
    return build([...flat, ...widths.flatMap((w) => [dense(w), relu()])])
  }
  const size = rest === '' ? 'small' : rest
  const chosen = kind === 'cnn' && Object.hasOwn(CNN, size) ? CNN[size] : undefined
  if (chosen === undefined) throw unknownName(name)
  const { filters, rate } = chosen
  // A picture without channels is one of one channel.
  const channels = shape.length === 2 ? [reshape(1, ...shape)] : []
  const stages = filters.flatMap((n) => [conv(n, 3), batchNorm(), relu(), conv(n, 3), batchNorm(), relu(), maxPool(2)])
  const drop = rate === 0 ? [] : [dropout(rate)]
  return build([...channels, ...stages, flatten(), dense(4 * filters.at(-1)!), relu(), ...drop])
}

const missingClasses = (): never => {
  throw new PareError('TRAIN_LABELS', 'the labels are no class indices', {
    remedy: 'Give whole numbers from 0, or choose another --loss.',
  })
}

const unknownName = (name: string): PareError =>
  new PareError('MODEL_NAME', 'there is no model of this name', {
    value: name,
    remedy:
      'Give mlp:256,128 (widths of the layers between), cnn:tiny or cnn:small, an .onnx file, or a module (.mjs) whose default export builds a model.',
  })
