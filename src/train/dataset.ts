/** Samples in memory as rows of arrays: what training reads many times in changing order. */

import type { Samples } from '../data/samples.js'
import { DTYPES, isKnownDType, type TypedArray } from '../ir/dtypes.js'
import { elementCount, elements, tensor } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Loss } from './losses/loss.js'
import { targetType } from './losses/loss.js'

/** One array for all samples. */
export interface Column {
  readonly dtype: DType
  /** Of one sample, without a batch axis. */
  readonly shape: readonly number[]
  /** [count, …shape] */
  readonly data: TypedArray
}

export interface Dataset {
  readonly count: number
  readonly inputs: ReadonlyMap<string, Column>
  readonly target: Column
}

export interface DatasetOptions {
  readonly loss: Loss
  /** Shape of the output for one sample, without the batch axis: class scores lie along the last one. */
  readonly outputShape: readonly number[]
  readonly signal?: AbortSignal
}

/**
 * Reads all samples, whose arrays have a batch axis of 1, with their labels. Throws `TRAIN_EMPTY`, `TRAIN_LABELS`
 * (missing, or not of the output's size), `TRAIN_CLASS` (out of range), `TRAIN_FINITE` (NaN or infinite).
 */
export async function readDataset(samples: Samples, { loss, outputShape, signal }: DatasetOptions): Promise<Dataset> {
  const rows: { readonly feeds: Readonly<Record<string, Tensor>>; readonly label: readonly number[] }[] = []
  for await (const { feeds, label, name } of samples.read({ ...(signal && { signal }) })) {
    for (const [input, t] of Object.entries(feeds)) checkFinite(t, `${name}, input ${input}`)
    rows.push({ feeds, label: targetOf(label, name, loss, outputShape) })
  }
  const [first] = rows
  if (first === undefined) {
    throw new PareError('TRAIN_EMPTY', 'there are no samples to train on', {
      where: samples.name,
      remedy: 'Check the path and the limit.',
    })
  }
  const inputs = new Map(
    Object.entries(first.feeds).map(([name, { dtype, shape }]) => {
      const column = emptyColumn(dtype, shape.slice(1), rows.length)
      for (const [i, row] of rows.entries()) {
        const t = row.feeds[name]
        if (t === undefined || t.dtype !== dtype || t.shape.join() !== shape.join())
          throw otherShape(samples.name, i, name)
        column.data.set(elements(t) as never, i * elementCount(column.shape))
      }
      return [name, column]
    }),
  )
  const target = emptyColumn(
    targetType(loss),
    loss.target === 'class' ? outputShape.slice(0, -1) : outputShape,
    rows.length,
  )
  const width = elementCount(target.shape)
  rows.forEach(({ label }, i) => {
    const values = target.data instanceof BigInt64Array ? label.map(BigInt) : label
    target.data.set(values as never, i * width)
  })
  return { count: rows.length, inputs, target }
}

const otherShape = (where: string, row: number, input: string): PareError =>
  new PareError('TRAIN_SHAPE', 'the sample has another shape or type than the first', {
    where: `${where}, sample ${row}, input ${input}`,
    remedy: 'Bring all samples to one size.',
  })

function emptyColumn(dtype: DType, shape: readonly number[], count: number): Column {
  if (!isKnownDType(dtype) || dtype === 'string' || DTYPES[dtype].bits < 8) {
    throw new PareError('TRAIN_DTYPE', 'training takes numbers of at least 8 bits', {
      value: dtype,
      remedy: 'Convert the samples.',
    })
  }
  const { array } = DTYPES[dtype]
  const bytes = elementCount(shape) * count * array.BYTES_PER_ELEMENT
  return { dtype, shape, data: new array(new ArrayBuffer(bytes), 0, elementCount(shape) * count) }
}

/** Some rows of a column, stacked: [rows, …shape], or with `batch` [rows / batch, batch, …shape]. */
export function gather({ dtype, shape, data }: Column, rows: ArrayLike<number>, batch?: number): Tensor {
  const width = elementCount(shape)
  const out = new (data.constructor as new (length: number) => TypedArray)(rows.length * width)
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * width
    out.set(data.subarray(from, from + width) as never, i * width)
  }
  const lead = batch === undefined ? [rows.length] : [rows.length / batch, batch]
  return tensor(dtype, [...lead, ...shape], out)
}

/** Rows `from` to `to` as a data set of their own, which shares the arrays. */
export function part(dataset: Dataset, from: number, to: number): Dataset {
  const cut = (c: Column): Column => ({
    ...c,
    data: c.data.subarray(from * elementCount(c.shape), to * elementCount(c.shape)) as TypedArray,
  })
  return {
    count: to - from,
    inputs: new Map([...dataset.inputs].map(([n, c]) => [n, cut(c)])),
    target: cut(dataset.target),
  }
}

function targetOf(
  label: number | readonly number[] | undefined,
  where: string,
  loss: Loss,
  shape: readonly number[],
): readonly number[] {
  const values = label === undefined ? [] : typeof label === 'number' ? [label] : label
  const wanted = elementCount(loss.target === 'class' ? shape.slice(0, -1) : shape)
  if (values.length !== wanted) {
    throw new PareError('TRAIN_LABELS', `the loss needs ${wanted} target values a sample`, {
      where,
      value: values.length,
      remedy: label === undefined ? 'Give labels.' : 'Give labels of the size of the output, or another loss.',
    })
  }
  const classes = shape.at(-1)!
  const wrong = values.find(
    (v) => !Number.isFinite(v) || (loss.target === 'class' && !(Number.isInteger(v) && v >= 0 && v < classes)),
  )
  if (wrong === undefined) return values
  if (loss.target === 'class' && Number.isFinite(wrong)) {
    throw new PareError('TRAIN_CLASS', `a class index is a whole number from 0 to ${classes - 1}`, {
      where,
      value: wrong,
      remedy: `The model has ${classes} scores: check the labels, or give the model more outputs.`,
    })
  }
  throw new PareError('TRAIN_FINITE', 'a label is not a finite number', {
    where,
    value: wrong,
    remedy: 'Remove or mend the sample.',
  })
}

function checkFinite(t: Tensor, where: string): void {
  if (t.dtype !== 'float32' && t.dtype !== 'float64') return
  const bad = (elements(t) as Float32Array).find((v) => !Number.isFinite(v))
  if (bad === undefined) return
  throw new PareError('TRAIN_FINITE', 'a sample holds a number that is not finite', {
    where,
    value: bad,
    remedy: 'Remove or mend the sample.',
  })
}
