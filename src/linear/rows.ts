/**
 * Products over rows: predictors, gradients and weighted Gram matrices of columns that are centred and scaled.
 * Everything else of a generalized linear model is small.
 */

import type { Tile } from '../kernels/tile-products.js'
import { type ColumnMoments, columnMoments } from './column-moments.js'
import { type DenseMatrix, rowsWithWeight, stridesOf } from './design.js'
import { isConstant } from './standard.js'
import { type Block, STRIP, type Tiles, tilesOf } from './tiles.js'

export interface Rows {
  readonly x: DenseMatrix
  /** Rows that count: those with a weight above 0. */
  readonly index: Uint32Array
  /** Whether these are all rows, in their order. */
  readonly isAll: boolean
  /** ωᵢ: their weights, with sum 1. */
  readonly shares: Float64Array
  /** Subtracted from the columns: their means, or zeros without an intercept. */
  readonly shifts: Float64Array
  /** Divides the columns. */
  readonly scales: Float64Array
  /** Multiplies them: 1 / scales, 0 where they say nothing. */
  readonly factors: Float64Array
  /** √Σ ω x² of the shifted and scaled columns. */
  readonly norms: Float64Array
  /** Columns that say nothing, all zero after the shift. */
  readonly constant: readonly number[]
}

export interface TiledRows extends Rows {
  /** Of these rows, shifted but not scaled. */
  readonly tiles: Tiles
}

export interface RowOptions {
  readonly weights?: ArrayLike<number>
  /** Rows to take. Default: all. */
  readonly rows?: ArrayLike<number>
  readonly hasIntercept: boolean
  readonly isStandardized: boolean
}

/** `known`: means and variances of the columns, where these are there already. */
export function rowsOf(x: DenseMatrix, o: RowOptions, known?: ColumnMoments): Rows {
  const index = rowsWithWeight(x.rows, o)
  const raw = Float64Array.from(index, (i) => o.weights?.[i] ?? 1)
  const total = raw.reduce((sum, w) => sum + w, 0)
  const shares = raw.map((w) => w / total)
  const isAll = o.rows === undefined && index.length === x.rows
  const { means, variances } = known ?? columnMoments(x, { index, isAll, shares })
  const shifts = o.hasIntercept ? means : new Float64Array(x.columns)
  const isOut = (j: number): boolean => isConstant(Math.sqrt(variances[j]!), means[j]!)
  const scales = variances.map((v, j) => (o.isStandardized && !isOut(j) ? Math.sqrt(v) : 1))
  const constant = [...means.keys()].filter((j) => isOut(j) && (o.hasIntercept || means[j] === 0))
  const factors = scales.map((s) => 1 / s)
  for (const j of constant) factors[j] = 0
  const norms = factors.map((f, j) => f * Math.sqrt(variances[j]! + (means[j]! - shifts[j]!) ** 2))
  return { x, index, isAll, shares, shifts, scales, factors, norms, constant }
}

/** With a copy of them. */
export function tiledRows(x: DenseMatrix, options: RowOptions): TiledRows {
  const rows = rowsOf(x, options)
  return { ...rows, tiles: tilesOf(rows) }
}

/** Rows `from` to `to` of all columns, shifted and scaled: [to − from, p] into `target`. */
export function readRows({ x, index, shifts, factors }: Rows, from: number, to: number, target: Float64Array): void {
  const { data, columns } = x
  const [byRow, byColumn] = stridesOf(x)
  if (byRow === 1) {
    for (let j = 0; j < columns; j++) {
      const [at, shift, factor] = [j * byColumn, shifts[j]!, factors[j]!]
      for (let i = from; i < to; i++) target[(i - from) * columns + j] = (data[at + index[i]!]! - shift) * factor
    }
  } else {
    for (let i = from; i < to; i++) {
      const [row, at] = [index[i]! * byRow, (i - from) * columns]
      for (let j = 0; j < columns; j++) target[at + j] = (data[row + j]! - shifts[j]!) * factors[j]!
    }
  }
}

export interface Coefficients {
  /** [K, p], on the scale of the fit. */
  readonly beta: Float64Array
  /** [K] */
  readonly intercepts: Float64Array
}

/** Σ ωᵢ sᵢ xᵢᵀ of slopes s [n, K], to the places of some columns, or of all, in a gradient [K, p]. */
export function addGradients(
  rows: TiledRows,
  slopes: Float64Array,
  columns: Int32Array | null,
  gradient: Float64Array,
): void {
  const { tiles, x } = rows
  const outputs = slopes.length / tiles.rows
  const wanted = begun(x, columns, gradient)
  for (const block of tiles.blocks) {
    const list = listed(block.left, wanted)
    for (const { tile, from, to } of block.tiles)
      addGradient(rows, block, tile, { from, to, list, outputs }, slopes, gradient)
  }
}

export interface Sweep {
  readonly offset: Float64Array | null
  /** Turns the predictors of some rows into their slopes. */
  readonly respond: (eta: Float64Array, slopes: Float64Array, from: number, to: number) => void
  /** As for `addGradients`. */
  readonly columns: Int32Array | null
  readonly gradient: Float64Array
}

/** Predictors, slopes and their gradient in one reading of X. */
export function sweep(
  rows: TiledRows,
  { beta, intercepts }: Coefficients,
  { offset, respond, columns, gradient }: Sweep,
): { readonly eta: Float64Array; readonly slopes: Float64Array } {
  const { tiles, x, factors } = rows
  const [outputs, p] = [intercepts.length, x.columns]
  const eta = new Float64Array(tiles.rows * outputs)
  const slopes = new Float64Array(eta.length)
  const wanted = begun(x, columns, gradient)
  const parts = Array.from(intercepts, (_, k) => usedOf(beta.subarray(k * p, (k + 1) * p), factors))
  for (const block of tiles.blocks) {
    const list = listed(block.left, wanted)
    for (const { tile, from, to } of block.tiles) {
      for (const [k, { columns: own, coefficients }] of parts.entries()) {
        const { kernel, forward } = block
        forward.fill(intercepts[k]!)
        block.coefficients.set(coefficients)
        kernel.addColumns(tile, listed(block.right, own), block.coefficients, forward)
        for (let i = from, at = from * outputs + k; i < to; i++, at += outputs) eta[at] = forward[i - from]!
      }
      if (offset !== null) for (let at = from * outputs; at < to * outputs; at++) eta[at]! += offset[at]!
      respond(eta, slopes, from, to)
      addGradient(rows, block, tile, { from, to, list, outputs }, slopes, gradient)
    }
  }
  return { eta, slopes }
}

/** The columns, with zeros in their places. */
function begun({ columns: p }: DenseMatrix, columns: Int32Array | null, gradient: Float64Array): Int32Array {
  const wanted = columns ?? upTo(p)
  for (let at = 0; at < gradient.length; at += p) for (const j of wanted) gradient[at + j] = 0
  return wanted
}

const upTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, j) => j)

/** In the memory of the kernel. */
function listed(room: Int32Array, columns: Int32Array): Int32Array {
  room.set(columns)
  return room.subarray(0, columns.length)
}

/** Columns with a coefficient that is not zero, and those on the scale of the tiles. */
function usedOf(beta: Float64Array, factors: Float64Array) {
  const columns = upTo(beta.length).filter((j) => beta[j] !== 0)
  return { columns, coefficients: Float64Array.from(columns, (j) => beta[j]! * factors[j]!) }
}

interface Part {
  readonly from: number
  readonly to: number
  readonly list: Int32Array
  readonly outputs: number
}

function addGradient(
  { shares, factors }: TiledRows,
  { kernel, backward, sums }: Block,
  tile: Tile,
  { from, to, list, outputs }: Part,
  slopes: Float64Array,
  gradient: Float64Array,
): void {
  const p = factors.length
  for (let k = 0; k < outputs; k++) {
    for (let i = from, at = from * outputs + k; i < to; i++, at += outputs)
      backward[i - from] = shares[i]! * slopes[at]!
    backward.fill(0, to - from)
    sums.fill(0)
    kernel.dotColumns(tile, list, backward, sums)
    for (let a = 0; a < list.length; a++) gradient[k * p + list[a]!]! += factors[list[a]!]! * sums[a]!
  }
}

/** Coordinates of the coefficients: the predictor that each belongs to, and its column; −1 is the intercept. */
export interface Coordinates {
  readonly outputs: Int32Array
  readonly columns: Int32Array
}

/** Σ ωᵢ Wᵢ[kₐ, k_b] xᵢₐ xᵢ_b over the coordinates, W [n, K, K]. */
export function weightedGram(rows: TiledRows, coordinates: Coordinates, curvature: Float64Array): Float64Array {
  const { tiles } = rows
  const m = coordinates.columns.length
  const count = Math.round(Math.sqrt(curvature.length / tiles.rows))
  const gram = new Float64Array(m * m)
  const sides = Array.from({ length: count }, (_, k) => sideOf(rows, coordinates, k)).filter((s) => s.places.length > 0)
  for (const [s, left] of sides.entries())
    for (const right of sides.slice(s))
      for (const block of tiles.blocks) addProduct(rows, block, { left, right, count }, curvature, gram)
  const factor = (a: number): number => (coordinates.columns[a]! < 0 ? 1 : rows.factors[coordinates.columns[a]!]!)
  const factors = Float64Array.from({ length: m }, (_, a) => factor(a))
  for (let a = 0; a < m; a++) for (let b = 0; b < m; b++) gram[a * m + b]! *= factors[a]! * factors[b]!
  return gram
}

/** The coordinates of one predictor. */
interface Side {
  readonly output: number
  /** Of them in all. */
  readonly places: Int32Array
  /** In the tiles, where the last one is of ones. */
  readonly columns: Int32Array
}

function sideOf({ x }: TiledRows, { outputs, columns }: Coordinates, output: number): Side {
  const places = Int32Array.from(outputs.keys()).filter((a) => outputs[a] === output)
  return { output, places, columns: places.map((a) => (columns[a]! < 0 ? x.columns : columns[a]!)) }
}

interface Sides {
  readonly left: Side
  readonly right: Side
  /** K */
  readonly count: number
}

/** Both halves of the result, from one. */
function addProduct(
  { shares }: TiledRows,
  { kernel, tiles, left: leftRoom, right: rightRoom, forward, scratch, strip }: Block,
  { left, right, count }: Sides,
  curvature: Float64Array,
  gram: Float64Array,
): void {
  const m = Math.round(Math.sqrt(gram.length))
  const isOwn = left.output === right.output
  const stride = right.columns.length
  const rightList = listed(rightRoom, right.columns)
  for (let first = 0; first < left.columns.length; first += STRIP) {
    const leftList = listed(leftRoom, left.columns.subarray(first, first + STRIP))
    const out = strip.subarray(0, leftList.length * stride)
    out.fill(0)
    for (const { tile, from, to } of tiles) {
      for (let i = from; i < to; i++)
        forward[i - from] = shares[i]! * curvature[(i * count + left.output) * count + right.output]!
      forward.fill(0, to - from)
      const product = { left: leftList, right: rightList, out, stride, first: isOwn ? first : -1 }
      kernel.multiplyColumns(tile, product, forward, scratch)
    }
    for (let a = 0; a < leftList.length; a++) {
      const row = left.places[first + a]!
      for (let b = isOwn ? first + a : 0; b < stride; b++) {
        const column = right.places[b]!
        gram[row * m + column]! += out[a * stride + b]!
        if (row !== column) gram[column * m + row]! += out[a * stride + b]!
      }
    }
  }
}
