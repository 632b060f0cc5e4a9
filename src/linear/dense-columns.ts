/** Standardized columns of a dense matrix, copied to where compiled loops reach them. */

import { openCentreKernel } from '../kernels/centre-kernel.js'
import { STRIP } from '../kernels/centre-loops.js'
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
import { checkCells, type DenseMatrix, MOST, stridesOf } from './design.js'
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
  const placer = openPlacer(roots)
  // A cell that is too large has at least this much of a say in the mean or the spread.
  const most = MOST / (2 * Math.sqrt(n))
  const means = new Float64Array(p + 1)
  const spread = new Float64Array(p)
  const shares = roots.map((v) => v * v)
  for (let j = 0; j < p; j++) {
    const { mean, square } = placer.momentsOf(source, j * step)
    means[j] = mean
    spread[j] = Math.sqrt(square)
    if (!(Math.abs(mean) <= most && spread[j]! <= most)) checkCells(x)
  }
  means[p] = meanOf(whole, 0, shares)
  const scaling = scalingOf(means, spread, o)
  const isOut = new Uint8Array(p)
  for (const j of scaling.constant) isOut[j] = 1
  const squares = new Float64Array(p)
  for (let j = 0; j < p; j++) {
    const factor = isOut[j] === 1 ? 0 : 1 / scaling.scales[j]!
    squares[j] = placer.place(source, j * step, o.hasIntercept ? means[j]! : 0, factor)
    columns.set(placer.placed, j * stride)
  }
  const isExplained = o.hasIntercept && isConstant(spreadAbout(means[p]!, whole, 0, shares), means[p]!)
  placeOwn(whole, roots, o.hasIntercept ? means[p]! : 0, isExplained ? 0 : 1)
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

interface Placer {
  /** Of as many values as there are roots, from `at` on: mean, and mean squared distance from it. */
  momentsOf(values: Numbers, at: number): { readonly mean: number; readonly square: number }
  /** z = √ω (v − shift) factor, to `placed`; returns zᵀz. */
  place(values: Numbers, at: number, shift: number, factor: number): number
  readonly placed: Float64Array
}

/** By compiled loops, a column at a time. */
function openPlacer(roots: Float64Array): Placer {
  const n = roots.length
  const height = STRIP * Math.ceil(n / STRIP)
  const { centring, column, strip, tile, centreColumn } = openCentreKernel({
    ...{ columns: 1, width: 1, height, isSingle: false },
  })
  strip.roots.set(roots)
  const centre = (shift: number, factor: number): void => {
    centring.shifts[0] = shift
    centring.factors[0] = factor
    centring.sums[0] = 0
    centring.squares[0] = 0
    // 0 times what another column left there might be no number.
    column.fill(shift, n)
    centreColumn(0)
  }
  return {
    placed: (tile as Float64Array).subarray(0, n),
    momentsOf(values, at) {
      column.set(values.subarray(at, at + n))
      const first = column[0]!
      centre(first, 1)
      // In two steps: the second takes off what the first missed.
      const mean = first + centring.sums[0]!
      centre(mean, 1)
      const missed = centring.sums[0]!
      return { mean: mean + missed, square: Math.max(0, centring.squares[0]! - missed * missed) }
    },
    place(values, at, shift, factor) {
      column.set(values.subarray(at, at + n))
      centre(shift, factor)
      return centring.squares[0]!
    },
  }
}

/** The same for what is no column of the matrix, in place. */
function placeOwn(values: Float64Array, roots: Float64Array, shift: number, factor: number): void {
  for (let i = 0; i < roots.length; i++) values[i] = roots[i]! * (values[i]! - shift) * factor
}
