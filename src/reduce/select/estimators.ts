/** Estimates of the mutual information of two variables, in nats. */

import type { NeighbourKernel } from '../../kernels/neighbour-kernel.js'
import type { Strips } from '../../kernels/neighbour-loops.js'
import type { Continuous, Discrete, Variable } from './variables.js'

export interface EstimatorOptions {
  /** k of the estimators by neighbours. Default 3. */
  readonly nNeighbors?: number
  /**
   * Of two discrete variables: the plug-in estimate is too large by about (Kxy − Kx − Ky + 1) / 2n with K the numbers of
   * classes (Miller 1955); `miller-madow` subtracts that, of the classes that occur. Default `none`.
   */
  readonly correction?: 'none' | 'miller-madow'
}

/** Never below 0. */
export function information(a: Variable, b: Variable, options: EstimatorOptions, kernel: NeighbourKernel): number {
  return Math.max(0, estimate(a, b, options, kernel))
}

function estimate(
  a: Variable,
  b: Variable,
  { nNeighbors = 3, correction = 'none' }: EstimatorOptions,
  kernel: NeighbourKernel,
): number {
  if (isConstant(a) || isConstant(b)) return 0
  if (a.kind === 'discrete')
    return b.kind === 'discrete' ? ofClasses(a, b, correction) : ofNumbersAndClasses(b, a, nNeighbors, kernel)
  return b.kind === 'discrete' ? ofNumbersAndClasses(a, b, nNeighbors, kernel) : ofNumbers(a, b, nNeighbors, kernel)
}

const isConstant = (v: Variable): boolean => v.kind === 'discrete' && v.levels === 1

/** Σ p(x, y) log p(x, y) / p(x) p(y) of the shares of rows. */
function ofClasses(a: Discrete, b: Discrete, correction: EstimatorOptions['correction']): number {
  const n = a.codes.length
  const { members, starts } = byCode(a)
  const [ofA, ofB] = [countsOf(a), countsOf(b)]
  const together = new Int32Array(b.levels)
  let [sum, cells] = [0, 0]
  for (let code = 0; code < a.levels; code++) {
    const rows = members.subarray(starts[code], starts[code + 1])
    for (const row of rows) together[b.codes[row]!]!++
    for (const row of rows) {
      const other = b.codes[row]!
      const count = together[other]!
      if (count === 0) continue
      together[other] = 0
      cells++
      sum += (count / n) * Math.log((count * n) / (ofA[code]! * ofB[other]!))
    }
  }
  return correction === 'none' ? sum : sum - (cells - a.levels - b.levels + 1) / (2 * n)
}

/**
 * Ross 2014, eq. 5: ψ(n) + ⟨ψ(kᵢ)⟩ − ⟨ψ(nᵢ)⟩ − ⟨ψ(mᵢ)⟩, kᵢ being k or what the class of row i has beside it, nᵢ the rows of
 * its class, mᵢ those of all that are nearer than its k-th neighbour of the class. Classes of one row are left out.
 */
function ofNumbersAndClasses(x: Continuous, { codes, levels }: Discrete, k: number, kernel: NeighbourKernel): number {
  const counts = countsOf({ codes, levels })
  const used = [...counts.keys()].filter((code) => counts[code]! > 1)
  const place = new Int32Array(levels).fill(-1)
  for (const [at, code] of used.entries()) place[code] = at
  const { rows, places } = rowsWithPlace(x.order, codes, place)
  const n = rows.length
  if (n === 0) return 0
  const members = byCode({ codes: places, levels: used.length })
  const sorted = gather(x.values, rows)
  const within = kernel.digammaWithin(sorted, kernel.nearestOfClass(sorted, members, k))
  const { digamma } = kernel
  let ofClass = 0
  for (const code of used) {
    const count = counts[code]!
    ofClass += count * (digamma[Math.min(k, count - 1)]! - digamma[count]!)
  }
  return digamma[n]! + (ofClass - within) / n
}

/** Of the rows in order those whose code has a place, which is not below 0. */
function rowsWithPlace(order: Int32Array, codes: Int32Array, place: Int32Array) {
  const [rows, places] = [new Int32Array(order.length), new Int32Array(order.length)]
  let n = 0
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!
    const at = place[codes[row]!]!
    rows[n] = row
    places[n] = at
    n += Number(at >= 0)
  }
  return { rows: rows.subarray(0, n), places: places.subarray(0, n) }
}

/**
 * Kraskov, Stögbauer and Grassberger 2004, eq. 8: ψ(k) + ψ(n) − ⟨ψ(nₓ + 1) + ψ(n_y + 1)⟩, of the other rows that are nearer
 * in x, and in y, than the k-th neighbour under the maximum norm.
 */
function ofNumbers(x: Continuous, y: Continuous, nNeighbors: number, kernel: NeighbourKernel): number {
  const n = x.values.length
  const k = Math.min(nNeighbors, n - 1)
  const { strips, rows } = isForStrips(x, y) ? stripsOf(x, y, k) : stripsOf(y, x, k)
  const byPlace = kernel.nearestJoint(strips, k)
  const radii = new Float64Array(n)
  for (let place = 0; place < n; place++) radii[rows[place]!] = byPlace[place]!
  const within = ({ values, order }: Continuous): number =>
    kernel.digammaWithin(gather(values, order), gather(radii, order))
  return kernel.digamma[k]! + kernel.digamma[n]! - (within(x) + within(y)) / n
}

/** Whether x rather than y: where values were equal before the noise, many strips would lie in one place. */
const isForStrips = (x: Continuous, y: Continuous): boolean =>
  x.isTied === y.isTied ? spreadOf(x) >= spreadOf(y) : y.isTied

const LEAST_STRIP = 16

/** Strips about as wide as the square that k neighbours take, were half of the points spread evenly. */
function stripsOf(u: Continuous, v: Continuous, k: number): { readonly strips: Strips; readonly rows: Int32Array } {
  const n = u.values.length
  const size = Math.min(n, Math.max(LEAST_STRIP, Math.round(Math.sqrt((k * n * spreadOf(v)) / spreadOf(u)) || 0)))
  const count = Math.ceil(n / size)
  const stripOf = new Int32Array(n)
  const [lows, highs] = [new Float64Array(count), new Float64Array(count)]
  for (let strip = 0; strip < count; strip++) {
    const [from, to] = [strip * size, Math.min(n, (strip + 1) * size)]
    for (let at = from; at < to; at++) stripOf[u.order[at]!] = strip
    lows[strip] = u.values[u.order[from]!]!
    highs[strip] = u.values[u.order[to - 1]!]!
  }
  const next = Int32Array.from({ length: count }, (_, strip) => strip * size)
  const rows = new Int32Array(n)
  for (let at = 0; at < n; at++) {
    const row = v.order[at]!
    const strip = stripOf[row]!
    rows[next[strip]!] = row
    next[strip]!++
  }
  return { strips: { size, u: gather(u.values, rows), v: gather(v.values, rows), lows, highs }, rows }
}

/** Between quartiles. */
function spreadOf({ values, order }: Continuous): number {
  const n = order.length
  return values[order[Math.floor((3 * (n - 1)) / 4)]!]! - values[order[Math.floor((n - 1) / 4)]!]!
}

function gather(values: Float64Array, order: Int32Array): Float64Array {
  const out = new Float64Array(order.length)
  for (let i = 0; i < out.length; i++) out[i] = values[order[i]!]!
  return out
}

function countsOf({ codes, levels }: Pick<Discrete, 'codes' | 'levels'>): Int32Array {
  const counts = new Int32Array(levels)
  for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++
  return counts
}

/** Places by their code, growing for each. */
function byCode({ codes, levels }: Pick<Discrete, 'codes' | 'levels'>) {
  const starts = new Int32Array(levels + 1)
  for (let i = 0; i < codes.length; i++) starts[codes[i]! + 1]!++
  for (let code = 0; code < levels; code++) starts[code + 1]! += starts[code]!
  const next = starts.slice()
  const members = new Int32Array(codes.length)
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!
    members[next[code]!] = i
    next[code]!++
  }
  return { members, starts }
}
