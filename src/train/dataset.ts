/** Samples in memory as rows of arrays: what training reads many times in changing order. */

import type { Label } from '../data/labels.js'
import type { Samples } from '../data/samples.js'
import type { TypedArray } from '../ir/dtypes.js'
import { elementCount, elements, floatTensor, i64, tensor } from '../ir/tensor.js'
import type { DType, Model, Tensor } from '../ir/types.js'
import { dtypeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { type InputShapes, withShapes } from '../passes/with-shapes.js'
import { PareError } from '../util/errors.js'
import type { Random } from '../util/random.js'
import { openBatch, wholesOf } from './batch-axis.js'
import { type Column, collector } from './columns.js'
import { type Loss, noSuchClass, targetShape, targetType } from './losses/loss.js'
import { type Objective, objectivesOf, staticShapeOf } from './objective.js'
import { withBatchSize } from './training-form.js'

export interface Dataset {
  readonly count: number
  readonly inputs: ReadonlyMap<string, Column>
  /** By the output that they are for. */
  readonly targets: ReadonlyMap<string, Column>
}

export interface DatasetOptions {
  /** Whose inputs the samples are for. */
  readonly model: Model
  readonly loss: Loss | readonly Objective[]
  /** Dimensions that the model leaves open, but for the batch's. */
  readonly shapes?: InputShapes
  readonly signal?: AbortSignal
}

/**
 * Reads all samples, whose arrays have a batch axis of 1 where the model has one in front, with their labels. Throws `TRAIN_EMPTY`, `TRAIN_SHAPE`,
 * `TRAIN_LABELS` (missing, or not of the output's size), `TRAIN_CLASS` and `TRAIN_TARGET` (out of range),
 * `TRAIN_FINITE` (NaN or infinite).
 */
export async function readDataset(samples: Samples, options: DatasetOptions): Promise<Dataset> {
  const aim = labelled(options)
  const inputs = collector(samples.count, wholesOf(options.model))
  const targets = collector(samples.count)
  let count = 0
  for await (const { feeds, label, name } of samples.read({ ...(options.signal && { signal: options.signal }) })) {
    for (const [input, t] of Object.entries(feeds)) inputs.add(input, t, `${name}, input ${input}`)
    if (aim !== null) targets.add(aim.output, targetOf(label, name, aim), name)
    count++
  }
  if (count === 0) throw noSamples(samples.name)
  return { count, inputs: inputs.columns(count), targets: targets.columns(count) }
}

/** The one output whose loss takes the labels. */
interface Labelled {
  readonly output: string
  readonly loss: Loss
  readonly dtype: DType
  /** Of the output for one sample. */
  readonly shape: readonly number[]
}

function labelled({ model, loss, shapes }: DatasetOptions): Labelled | null {
  const taking = objectivesOf(model, loss).filter((o) => o.loss.target !== 'none')
  const [first] = taking
  if (first === undefined) return null
  if (taking.length > 1) {
    throw new PareError('TRAIN_LABELS', 'samples have labels for one output, and several losses take targets', {
      value: taking.map((o) => o.output),
      remedy: 'Give one loss, or fill `targets` of a Dataset yourself.',
    })
  }
  const batch = openBatch(model.graph)
  const one = batch === null ? withBatchSize(model, 1, shapes) : withShapes(model, { ...shapes, [batch]: 1 })
  const facts = factFinder(one)
  const shape = staticShapeOf(facts, first.output)
  const dtype = targetType(first.loss, dtypeOf(facts(first.output)) === 'float64' ? 'float64' : 'float32')
  return { output: first.output, loss: first.loss, dtype, shape: shape.slice(1) }
}

/** Some rows of a column, stacked: [rows, …shape], or with the axes of `lead` in place of the first. */
export function gather(
  { dtype, shape, data }: Column,
  picked: ArrayLike<number>,
  lead: readonly number[] = [picked.length],
): Tensor {
  const width = elementCount(shape)
  const out = new (data.constructor as new (length: number) => TypedArray)(picked.length * width)
  for (let i = 0; i < picked.length; i++) {
    const from = picked[i]! * width
    out.set(data.subarray(from, from + width) as never, i * width)
  }
  return tensor(dtype, [...lead, ...shape], out)
}

/** The same rows in an order that is drawn; the first `most` of them. */
export function shuffled(dataset: Dataset, generator: Random, most = dataset.count): Dataset {
  const order = generator.shuffle(Uint32Array.from({ length: dataset.count }, (_, i) => i)).subarray(0, most)
  return { ...mapColumns(dataset, (c) => ({ ...c, data: elements(gather(c, order)) })), count: order.length }
}

/** Rows `from` to `to` as a data set of their own, which shares the arrays. */
export const part = (dataset: Dataset, from: number, to: number): Dataset => ({
  ...mapColumns(dataset, (c) => {
    const width = elementCount(c.shape)
    return { ...c, data: c.data.subarray(from * width, to * width) as TypedArray }
  }),
  count: to - from,
})

/** All rows but those from `from` to `to`, copied. */
export const withoutRows = (dataset: Dataset, from: number, to: number): Dataset => ({
  ...mapColumns(dataset, (c) => {
    const width = elementCount(c.shape)
    const kept = c.data.slice()
    kept.copyWithin(from * width, to * width)
    return { ...c, data: kept.subarray(0, (dataset.count - to + from) * width) as TypedArray }
  }),
  count: dataset.count - to + from,
})

function mapColumns({ count, inputs, targets }: Dataset, change: (c: Column) => Column): Dataset {
  const all = (columns: ReadonlyMap<string, Column>): ReadonlyMap<string, Column> =>
    new Map([...columns].map(([name, c]) => [name, change(c)]))
  return { count, inputs: all(inputs), targets: all(targets) }
}

export const noSamples = (where: string): PareError =>
  new PareError('TRAIN_EMPTY', 'there are no samples to train on', { where, remedy: 'Check the path and the limit.' })

/** A label as a tensor with a batch axis of 1. */
function targetOf(label: Label | undefined, where: string, aim: Labelled): Tensor {
  const values = checkedLabel(label, where, aim)
  const shape = [1, ...targetShape(aim.loss, aim.shape)]
  return aim.dtype === 'int64' ? i64(shape, values) : floatTensor(aim.dtype, shape, values)
}

function checkedLabel(label: Label | undefined, where: string, { loss, shape }: Labelled): readonly number[] {
  const values = label === undefined ? [] : typeof label === 'number' ? [label] : label
  const wanted = elementCount(targetShape(loss, shape))
  if (values.length !== wanted) {
    throw new PareError('TRAIN_LABELS', `the loss needs ${wanted} target values a sample`, {
      where,
      value: values.length,
      remedy: label === undefined ? 'Give labels.' : 'Give labels of the size of the output, or another loss.',
    })
  }
  const endless = values.find((v) => !Number.isFinite(v))
  if (endless !== undefined) {
    throw new PareError('TRAIN_FINITE', 'a label is not a finite number', {
      where,
      value: endless,
      remedy: 'Remove or mend the sample.',
    })
  }
  const classes = shape.at(-1)!
  const noClass = values.find((v) => !(Number.isInteger(v) && v >= 0 && v < classes))
  if (loss.target === 'class' && noClass !== undefined) throw noSuchClass(where, noClass, classes)
  const odd = values.find((v) => loss.accepts?.test(v) === false)
  if (odd === undefined) return values
  throw new PareError('TRAIN_TARGET', `a target of the ${loss.name} loss is ${loss.accepts!.doc}`, {
    where,
    value: odd,
    remedy: 'Check the labels, or choose another loss.',
  })
}
