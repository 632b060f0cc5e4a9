/** Arrays that grow row by row while samples are read. */

import { countNonFinite } from '../engine/finite.js'
import { DTYPES, isKnownDType, type TypedArray } from '../ir/dtypes.js'
import { elementCount, elements } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'

/** One array for all samples. */
export interface Column {
  readonly dtype: DType
  /** Of one sample, without a batch axis. */
  readonly shape: readonly number[]
  /** [count, …shape] */
  readonly data: TypedArray
  /** What the model takes or makes has its batch axis elsewhere, or none: `shape` is all of one sample. Default false. */
  readonly isWhole?: boolean
}

/** Whether the model takes or makes the array of one sample whole, not as a row: see `wholesOf`. */
type IsWhole = (name: string, shape: readonly number[]) => boolean

/**
 * Collects arrays with a batch axis of 1 under their names, or whole where the model has none in front. `expected`
 * rows, where that is known. `add` throws `TRAIN_SHAPE` where one differs from the first of its name, `TRAIN_FINITE`,
 * `TRAIN_DTYPE`.
 */
export function collector(expected: number | null, isWhole: IsWhole = () => false) {
  const found = new Map<string, Growing>()
  return {
    add(name: string, t: Tensor, where: string): void {
      const column = found.get(name) ?? growing(t, { expected, isWhole: isWhole(name, t.shape), where })
      found.set(name, column)
      if (t.shape[0] !== 1 && !column.isWhole) throw notOne(t, where)
      if (t.dtype !== column.dtype || t.shape.join() !== column.whole.join()) throw otherShape(where)
      if (countNonFinite(t) > 0) throw notFinite(where)
      column.push(elements(t))
    },
    /** Throws `TRAIN_SHAPE` where a name was missing in a row. */
    columns: (count: number): ReadonlyMap<string, Column> =>
      new Map([...found].map(([name, column]) => [name, column.column(count, name)])),
  }
}

interface Growing {
  readonly dtype: DType
  /** Of the array of one sample. */
  readonly whole: readonly number[]
  readonly isWhole: boolean
  push(values: TypedArray): void
  column(count: number, name: string): Column
}

interface Expected {
  readonly expected: number | null
  readonly isWhole: boolean
  readonly where: string
}

function growing({ dtype, shape: whole }: Tensor, { expected, isWhole, where }: Expected): Growing {
  if (!isKnownDType(dtype) || dtype === 'string' || DTYPES[dtype].bits < 8) {
    throw new PareError('TRAIN_DTYPE', 'training takes numbers of at least 8 bits', {
      where,
      value: dtype,
      remedy: 'Convert the samples.',
    })
  }
  const shape = isWhole ? whole : whole.slice(1)
  const width = elementCount(shape)
  const { array } = DTYPES[dtype]
  const allocate = (count: number): TypedArray =>
    new array(new ArrayBuffer(count * width * array.BYTES_PER_ELEMENT), 0, count * width)
  let capacity = Math.max(1, expected ?? 64)
  let data = allocate(capacity)
  let rows = 0
  return {
    dtype,
    whole,
    isWhole,
    push(values) {
      if (rows === capacity) {
        const before = data
        capacity *= 2
        data = allocate(capacity)
        data.set(before as never)
      }
      data.set(values as never, rows * width)
      rows++
    },
    column(count, name) {
      if (rows !== count) throw otherShape(`${name}, in ${rows} of ${count} samples`)
      return { dtype, shape, data: data.subarray(0, count * width) as TypedArray, ...(isWhole && { isWhole }) }
    },
  }
}

const otherShape = (where: string): PareError =>
  new PareError('TRAIN_SHAPE', 'the sample has another shape or type than the first, or lacks an input', {
    where,
    remedy: 'Bring all samples to one form.',
  })

const notOne = (t: Tensor, where: string): PareError =>
  new PareError('TRAIN_SHAPE', 'a sample is an array whose first axis, that of the batch, has length 1', {
    where,
    value: `[${t.shape.join(', ')}]`,
    remedy: 'Give one sample at a time.',
  })

const notFinite = (where: string): PareError =>
  new PareError('TRAIN_FINITE', 'a sample holds a number that is not finite', {
    where,
    remedy: 'Remove or mend the sample.',
  })
