/**
 * Products over rows: predictors, gradients and weighted Gram matrices of columns that are centred and scaled as they are
 * read, so that no copy of X is made and nothing cancels. Everything else of a generalized linear model is small.
 */

import { type DenseMatrix, rowsWithWeight, stridesOf } from './design.js'
import { isConstant } from './standard.js'

export interface Rows {
  readonly x: DenseMatrix
  /** Rows that count: those with a weight above 0. */
  readonly index: Uint32Array
  /** ωᵢ: their weights, with sum 1. */
  readonly shares: Float64Array
  /** Subtracted from the columns: their means, or zeros without an intercept. */
  readonly shifts: Float64Array
  /** Divides the columns. */
  readonly scales: Float64Array
  /** Multiplies them: 1 / scales, 0 where they say nothing. */
  readonly factors: Float64Array
  /** Columns that say nothing, all zero after the shift. */
  readonly constant: readonly number[]
}

export interface RowOptions {
  readonly weights?: ArrayLike<number>
  /** Rows to take. Default: all. */
  readonly rows?: ArrayLike<number>
  readonly hasIntercept: boolean
  readonly isStandardized: boolean
}

/** Numbers of a tile: rows are read in blocks that stay in the cache. */
const TILE = 1 << 15

export function rowsOf(x: DenseMatrix, o: RowOptions): Rows {
  const index = rowsWithWeight(x.rows, o)
  const raw = Float64Array.from(index, (i) => o.weights?.[i] ?? 1)
  const total = raw.reduce((sum, w) => sum + w, 0)
  const shares = raw.map((w) => w / total)
  const p = x.columns
  const ones = new Float64Array(p).fill(1)
  const plain = { x, index, shares, shifts: new Float64Array(p), scales: ones, factors: ones, constant: [] }
  const means = new Float64Array(p)
  forTiles(plain, null, (tile, from, to) => {
    for (let i = from, at = 0; i < to; i++) for (let j = 0; j < p; j++) means[j]! += shares[i]! * tile[at++]!
  })
  // About means that rounding may have missed by a little, which then counts as spread, and more the more rows there are.
  const missed = new Float64Array(p)
  const variances = new Float64Array(p)
  forTiles({ ...plain, shifts: means }, null, (tile, from, to) => {
    for (let i = from, at = 0; i < to; i++) {
      for (let j = 0; j < p; j++, at++) {
        missed[j]! += shares[i]! * tile[at]!
        variances[j]! += shares[i]! * tile[at]! ** 2
      }
    }
  })
  for (let j = 0; j < p; j++) {
    means[j]! += missed[j]!
    variances[j] = Math.max(0, variances[j]! - missed[j]! ** 2)
  }
  const isOut = (j: number): boolean => isConstant(Math.sqrt(variances[j]!), means[j]!)
  const scales = variances.map((v, j) => (o.isStandardized && !isOut(j) ? Math.sqrt(v) : 1))
  const constant = [...means.keys()].filter((j) => isOut(j) && (o.hasIntercept || means[j] === 0))
  const factors = scales.map((s) => 1 / s)
  for (const j of constant) factors[j] = 0
  return { x, index, shares, shifts: o.hasIntercept ? means : plain.shifts, scales, factors, constant }
}

/** Blocks of rows [to − from, columns]; a column of −1 is all ones, null stands for all columns. */
function forTiles(
  rows: Rows,
  columns: Int32Array | null,
  visit: (tile: Float64Array, from: number, to: number) => void,
): void {
  const { x, index, shifts, factors } = rows
  const width = columns?.length ?? x.columns
  const height = Math.max(4, Math.floor(TILE / Math.max(1, width)))
  const tile = new Float64Array(Math.min(height, index.length) * width)
  const { at, ones, scaling } =
    columns === null ? { at: null, ones: [], scaling: { shifts, factors } } : partOf(rows, columns)
  const [byRow, byColumn] = stridesOf(x)
  for (let from = 0; from < index.length; from += height) {
    const to = Math.min(index.length, from + height)
    if (byRow === 1) {
      for (let k = 0; k < width; k++)
        readColumn(x.data, (at === null ? k : at[k]!) * byColumn, index.subarray(from, to), tile, k, scaling)
    } else {
      for (let i = from; i < to; i++) {
        const row = index[i]! * byRow
        if (at === null) readRow(x.data, row, tile, (i - from) * width, scaling)
        else readPart(x.data, row, at, tile, (i - from) * width, scaling)
      }
    }
    for (const k of ones) for (let i = 0; i < to - from; i++) tile[i * width + k] = 1
    visit(tile, from, to)
  }
}

/** Rows `from` to `to` of all columns, shifted and scaled: [to − from, p] into `target`. */
export function readRows({ x, index, shifts, factors }: Rows, from: number, to: number, target: Float64Array): void {
  const [byRow, byColumn] = stridesOf(x)
  const scaling = { shifts, factors }
  if (byRow === 1) {
    const some = index.subarray(from, to)
    for (let j = 0; j < x.columns; j++) readColumn(x.data, j * byColumn, some, target, j, scaling)
  } else for (let i = from; i < to; i++) readRow(x.data, index[i]! * byRow, target, (i - from) * x.columns, scaling)
}

interface Scaling {
  readonly shifts: Float64Array
  readonly factors: Float64Array
}

/** Where some columns are read, and how; and which are to be ones. */
function partOf({ shifts, factors }: Rows, columns: Int32Array) {
  const at = columns.map((j) => Math.max(0, j))
  const scaling: Scaling = {
    shifts: Float64Array.from(at, (j) => shifts[j]!),
    factors: Float64Array.from(at, (j) => factors[j]!),
  }
  return { at, scaling, ones: [...columns.keys()].filter((k) => columns[k]! < 0) }
}

// Small functions of their own: they are where the time goes, and the compiler makes them fast.

function readRow(data: Numbers, row: number, tile: Float64Array, to: number, { shifts, factors }: Scaling): void {
  for (let k = 0; k < shifts.length; k++) tile[to + k] = (data[row + k]! - shifts[k]!) * factors[k]!
}

function readPart(
  data: Numbers,
  row: number,
  columns: Int32Array,
  tile: Float64Array,
  to: number,
  { shifts, factors }: Scaling,
): void {
  for (let k = 0; k < columns.length; k++) tile[to + k] = (data[row + columns[k]!]! - shifts[k]!) * factors[k]!
}

function readColumn(
  data: Numbers,
  column: number,
  rows: Uint32Array,
  tile: Float64Array,
  k: number,
  { shifts, factors }: Scaling,
): void {
  const [own, scale, width] = [shifts[k]!, factors[k]!, shifts.length]
  for (let i = 0; i < rows.length; i++) tile[i * width + k] = (data[column + rows[i]!]! - own) * scale
}

type Numbers = Float64Array | Float32Array

export interface Coefficients {
  /** [K, p], on the scale of the fit. */
  readonly beta: Float64Array
  /** [K] */
  readonly intercepts: Float64Array
}

/** Σ ωᵢ sᵢ xᵢᵀ [K, p] of slopes s [n, K]. */
export function gradientOf(rows: Rows, slopes: Float64Array): Float64Array {
  const outputs = slopes.length / rows.index.length
  const gradient = new Float64Array(outputs * rows.x.columns)
  forTiles(rows, null, (tile, from, to) => addGradient(tile, slopes, rows.shares, gradient, { from, to, outputs }))
  return gradient
}

/** Both in one reading of X: `respond` turns the predictors of some rows into their slopes. */
export function sweep(
  rows: Rows,
  { beta, intercepts }: Coefficients,
  offset: Float64Array | null,
  respond: (eta: Float64Array, slopes: Float64Array, from: number, to: number) => void,
): { readonly eta: Float64Array; readonly slopes: Float64Array; readonly gradient: Float64Array } {
  const outputs = intercepts.length
  const eta = begin(rows, intercepts, offset)
  const slopes = new Float64Array(eta.length)
  const gradient = new Float64Array(beta.length)
  const used = usedColumns(beta, outputs)
  forTiles(rows, null, (tile, from, to) => {
    addPredictors(tile, beta, used, eta, { from, to, outputs })
    respond(eta, slopes, from, to)
    addGradient(tile, slopes, rows.shares, gradient, { from, to, outputs })
  })
  return { eta, slopes, gradient }
}

function begin({ index }: Rows, intercepts: Float64Array, offset: Float64Array | null): Float64Array {
  const outputs = intercepts.length
  const eta = offset === null ? new Float64Array(index.length * outputs) : offset.slice()
  for (let i = 0, at = 0; i < index.length; i++) for (let k = 0; k < outputs; k++) eta[at++]! += intercepts[k]!
  return eta
}

interface Part {
  readonly from: number
  readonly to: number
  readonly outputs: number
}

/** Columns with a coefficient that is not zero. */
function usedColumns(beta: Float64Array, outputs: number): Int32Array {
  const p = beta.length / outputs
  const used: number[] = []
  for (let j = 0; j < p; j++) {
    let k = 0
    while (k < outputs && beta[k * p + j] === 0) k++
    if (k < outputs) used.push(j)
  }
  return Int32Array.from(used)
}

function addPredictors(
  tile: Float64Array,
  beta: Float64Array,
  used: Int32Array,
  eta: Float64Array,
  { from, to, outputs }: Part,
): void {
  const width = beta.length / outputs
  for (let i = from; i < to; i++) {
    const row = (i - from) * width
    for (let k = 0; k < outputs; k++) {
      const at = k * width
      let sum = 0
      for (let a = 0; a < used.length; a++) sum += beta[at + used[a]!]! * tile[row + used[a]!]!
      eta[i * outputs + k]! += sum
    }
  }
}

/** Four rows at a time, so that the gradient is read and written less. */
function addGradient(
  tile: Float64Array,
  slopes: Float64Array,
  shares: Float64Array,
  gradient: Float64Array,
  { from, to, outputs }: Part,
): void {
  const width = gradient.length / outputs
  const factor = (i: number, k: number): number => (i < to ? shares[i]! * slopes[i * outputs + k]! : 0)
  const row = (i: number): number => (i < to ? (i - from) * width : 0)
  for (let i = from; i < to; i += 4) {
    const [r0, r1, r2, r3] = [row(i), row(i + 1), row(i + 2), row(i + 3)]
    for (let k = 0; k < outputs; k++) {
      const [s0, s1, s2, s3] = [factor(i, k), factor(i + 1, k), factor(i + 2, k), factor(i + 3, k)]
      const at = k * width
      for (let j = 0; j < width; j++)
        gradient[at + j]! += s0 * tile[r0 + j]! + s1 * tile[r1 + j]! + s2 * tile[r2 + j]! + s3 * tile[r3 + j]!
    }
  }
}

/** Coordinates of the coefficients: the predictor that each belongs to, and its column; −1 is the intercept. */
export interface Coordinates {
  readonly outputs: Int32Array
  readonly columns: Int32Array
}

/**
 * Σ ωᵢ Wᵢ[kₐ, k_b] xᵢₐ xᵢ_b over the coordinates, W [n, K, K]; of the first `known.length` of them the entries are
 * known already.
 */
export function weightedGram(
  rows: Rows,
  { outputs, columns }: Coordinates,
  curvature: Float64Array,
  known: { readonly gram: Float64Array; readonly size: number } = { gram: new Float64Array(0), size: 0 },
): Float64Array {
  const m = columns.length
  const count = Math.round(Math.sqrt(curvature.length / rows.index.length))
  const gram = new Float64Array(m * m)
  for (let a = 0; a < known.size; a++) gram.set(known.gram.subarray(a * known.size, (a + 1) * known.size), a * m)
  if (known.size === m) return gram
  // W xᵢ of four rows, for each predictor that a coordinate can belong to.
  const used = [...new Set(outputs)]
  const weighted = Array.from({ length: 4 }, () => new Float64Array(count * m))
  const [z0, z1, z2, z3] = weighted as [Float64Array, Float64Array, Float64Array, Float64Array]
  forTiles(rows, columns, (tile, from, to) => {
    for (let i = from; i < to; i += 4) {
      for (let r = 0; r < 4; r++) {
        const [row, share] = i + r < to ? [(i + r - from) * m, rows.shares[i + r]!] : [0, 0]
        const z = weighted[r]!
        for (const k of used) {
          const w = ((i + r < to ? i + r : from) * count + k) * count
          for (let b = known.size; b < m; b++) z[k * m + b] = share * curvature[w + outputs[b]!]! * tile[row + b]!
        }
      }
      const row = (r: number): number => (i + r < to ? (i + r - from) * m : 0)
      const [r0, r1, r2, r3] = [row(0), row(1), row(2), row(3)]
      for (let a = 0; a < m; a++) {
        const [x0, x1, x2, x3] = [tile[r0 + a]!, tile[r1 + a]!, tile[r2 + a]!, tile[r3 + a]!]
        const z = outputs[a]! * m
        const to = a * m
        for (let b = Math.max(a, known.size); b < m; b++)
          gram[to + b]! += x0 * z0[z + b]! + x1 * z1[z + b]! + x2 * z2[z + b]! + x3 * z3[z + b]!
      }
    }
  })
  for (let a = 0; a < m; a++) for (let b = Math.max(a + 1, known.size); b < m; b++) gram[b * m + a] = gram[a * m + b]!
  return gram
}
