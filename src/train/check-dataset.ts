/** Whether a data set is what a training step takes, before the first step. */

import type { FloatType } from '../ir/builder.js'
import type { Dim, Model } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { PareError } from '../util/errors.js'
import type { Column } from './columns.js'
import type { Dataset } from './dataset.js'
import { noSuchClass, targetShape, targetType } from './losses/loss.js'
import type { Objective } from './objective.js'

export interface DatasetNeeds {
  /** In its training form: shapes are fixed. */
  readonly model: Model
  /** Those of the model as it was given: training feeds the others itself. */
  readonly inputs: readonly string[]
  readonly objectives: readonly Required<Objective>[]
  /** Of targets that are values. */
  readonly float: FloatType
  /** How many samples there must be: a batch, or the batches of one step. */
  readonly batchSize: number
  readonly parts?: number
  /** What the data set is called. */
  readonly what: string
}

/** Throws `TRAIN_EMPTY`, `TRAIN_INPUT` (missing or unknown), `TRAIN_SHAPE`, `TRAIN_DTYPE`, `TRAIN_LABELS`. */
export function checkDataset(
  data: Dataset,
  { model, inputs, objectives, float, batchSize, parts = 1, what }: DatasetNeeds,
): void {
  if (data.count < parts * batchSize) {
    const step = parts === 1 ? 'a batch holds' : 'the batches of a step hold'
    throw new PareError('TRAIN_EMPTY', `there are fewer samples than ${step}`, {
      where: what,
      value: `${data.count} samples, ${parts === 1 ? '' : `${parts} `}batches of ${batchSize}`,
      remedy: `Give more samples or a smaller batch size${parts === 1 ? '' : ', or accumulate fewer batches'}.`,
    })
  }
  const missing = inputs.find((name) => !data.inputs.has(name))
  if (missing !== undefined) throw noInput(what, missing, 'the samples lack an input of the model', inputs)
  for (const [name, { dtype, shape }] of data.inputs) {
    const value = model.graph.values.get(name)
    if (!inputs.includes(name) || value?.kind !== 'tensor')
      throw noInput(what, name, 'the model has no such input', inputs)
    if (value.dtype !== dtype) throw otherType(`${what}, input ${name}`, dtype, value.dtype)
    checkShape(`${what}, input ${name}`, shape, value.shape?.slice(1) ?? null)
  }
  const facts = factFinder(model)
  for (const { output, loss } of objectives) {
    if (loss.target === 'none') continue
    const target = data.targets.get(output)
    if (target === undefined) {
      throw new PareError('TRAIN_LABELS', 'there are no targets for an output that has a loss', {
        where: what,
        value: output,
        remedy: 'Give labels, or targets in the data set.',
      })
    }
    const where = `${what}, targets of ${output}`
    const shape = shapeOf(facts(output))
    checkShape(where, target.shape, shape && targetShape(loss, shape.slice(1)))
    const dtype = targetType(loss, float)
    if (target.dtype !== dtype) throw otherType(where, target.dtype, dtype)
    if (loss.target === 'class') checkClasses(where, target, shape?.at(-1))
  }
}

function checkShape(where: string, shape: readonly number[], wanted: readonly unknown[] | null): void {
  const fits =
    wanted === null ||
    (wanted.length === shape.length && wanted.every((d, i) => typeof d !== 'number' || d === shape[i]))
  if (fits) return
  throw new PareError('TRAIN_SHAPE', 'a sample has another shape than the model takes', {
    where,
    value: `[${shape.join(', ')}], not [${wanted.join(', ')}]`,
    remedy: 'Reshape the samples, or give another model or loss.',
  })
}

const noInput = (where: string, name: string, message: string, inputs: readonly string[]): PareError =>
  new PareError('TRAIN_INPUT', message, { where, value: name, remedy: `Its inputs are: ${inputs.join(', ')}.` })

/** Targets of a data set that was made by hand: an index outside would take another class without a word. */
function checkClasses(where: string, { data }: Column, classes: Dim | null | undefined): void {
  if (typeof classes !== 'number') return
  const wrong = (data as BigInt64Array).find((v) => v < 0n || v >= BigInt(classes))
  if (wrong !== undefined) throw noSuchClass(where, Number(wrong), classes)
}

const otherType = (where: string, got: string, wanted: string): PareError =>
  new PareError('TRAIN_DTYPE', `the values are ${got}, and must be ${wanted}`, {
    where,
    remedy: 'Convert the samples.',
  })
