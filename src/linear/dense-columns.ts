/** Standardized columns of a dense matrix, copied to where compiled loops reach them. */

import { type ColumnKernel, openColumnKernel } from '../kernels/column-kernel.js'
import {
  type ColumnOptions,
  meanOf,
  type Numbers,
  type StandardColumns,
  type Standardize,
  sharesOf,
  spreadAbout,
} from './columns.js'
import { type DenseMatrix, stridesOf } from './design.js'
import { isConstant, scalingOf } from './standard.js'

/** Columns that are copied together where rows lie one after the other. */
const TOGETHER = 32

export function denseColumns(x: DenseMatrix, open = openColumnKernel): Standardize {
  const kernel = open(x.rows, x.columns)
  return (y, o) => standardInto(kernel, x, y, o)
}

function standardInto(kernel: ColumnKernel, x: DenseMatrix, y: ArrayLike<number>, o: ColumnOptions): StandardColumns {
  const { index, roots } = sharesOf(x.rows, o)
  const [n, p] = [index.length, x.columns]
  const { columns, stride } = kernel
  // Columns that lie there whole are read where they are.
  const isWhole = x.order === 'column-major' && o.rows === undefined && n === x.rows
  if (!isWhole) copyColumns(x, index, columns, stride)
  const [source, step] = isWhole ? [x.data, x.rows] : [columns, stride]
  const whole = new Float64Array(stride)
  whole.set(Float64Array.from(index, (i) => y[i]!))
  const means = new Float64Array(p + 1)
  const spread = new Float64Array(p)
  const shares = roots.map((v) => v * v)
  for (let j = 0; j < p; j++) {
    means[j] = meanOf(source, j * step, shares)
    spread[j] = spreadAbout(means[j]!, source, j * step, shares)
  }
  means[p] = meanOf(whole, 0, shares)
  const scaling = scalingOf(means, spread, o)
  const isOut = new Uint8Array(p)
  for (const j of scaling.constant) isOut[j] = 1
  const squares = new Float64Array(p)
  for (let j = 0; j < p; j++) {
    const factor = isOut[j] === 1 ? 0 : 1 / scaling.scales[j]!
    const target = columns.subarray(j * stride, j * stride + n)
    squares[j] = place(source, j * step, target, roots, o.hasIntercept ? means[j]! : 0, factor)
  }
  const isExplained = o.hasIntercept && isConstant(spreadAbout(means[p]!, whole, 0, shares), means[p]!)
  place(whole, 0, whole, roots, o.hasIntercept ? means[p]! : 0, isExplained ? 0 : 1)
  const { products, subtract, pass } = kernel
  return { ...scaling, columns: { length: stride, count: p, squares, products, subtract, pass }, y: whole, used: n }
}

function copyColumns(x: DenseMatrix, index: Uint32Array, columns: Float64Array, stride: number): void {
  const { data, columns: p } = x
  const [byRow, byColumn] = stridesOf(x)
  // Of fewer rows than there is room for, the rest is zero.
  if (index.length < x.rows) columns.fill(0)
  const height = byRow === 1 ? index.length : 8
  // Blocks of rows and columns, so that what is read and what is written both stay in the cache.
  for (let from = 0; from < p; from += TOGETHER) {
    const to = Math.min(p, from + TOGETHER)
    for (let top = 0; top < index.length; top += height) {
      const end = Math.min(index.length, top + height)
      for (let j = from; j < to; j++)
        for (let i = top; i < end; i++) columns[j * stride + i] = data[index[i]! * byRow + j * byColumn]!
    }
  }
}

/** z = √ω (v − shift) factor; returns zᵀz. */
function place(
  values: Numbers,
  at: number,
  target: Float64Array,
  roots: Float64Array,
  shift: number,
  factor: number,
): number {
  let square = 0
  for (let i = 0; i < roots.length; i++) {
    const v = roots[i]! * (values[at + i]! - shift) * factor
    target[i] = v
    square += v * v
  }
  return square
}
