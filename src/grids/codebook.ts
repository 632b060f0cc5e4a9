/**
 * Codebooks: few values that stand for many (Han et al. 2016, Deep Compression, section 3). In one dimension k-means has an
 * exact answer: of sorted values each cluster is a run, and the best runs follow by dynamic programming (Grønlund et al.
 * 2017, section 2).
 */

export interface CodebookOptions {
  /** Most entries, at least 1; at least 2 where a zero is kept beside other values. */
  readonly size: number
  /** What an error at each value costs, at least 0: the diagonal of a Hessian, say. Default: 1 for all. */
  readonly importance?: ArrayLike<number>
  /** Entry 0 is exactly 0 where some value is, and no other value is put there. */
  readonly keepZero?: boolean
}

export interface Coded {
  /** Entries, ascending but for a zero that is kept, which comes first. */
  readonly codebook: Float32Array
  /** The entry of each value. */
  readonly indices: Uint16Array
}

/** The codebook of least squared error Σ importance · (value − entry)²: exactly for up to 2048 values, else near it. */
export function codebookOf(values: ArrayLike<number>, { size, importance, keepZero = false }: CodebookOptions): Coded {
  const isKept = keepZero && Array.prototype.includes.call(values, 0)
  const points = pointsOf(values, importance, isKept)
  const entries = centroids(points, isKept ? size - 1 : size)
  const codebook = Float32Array.from(isKept ? [0, ...entries] : entries)
  return { codebook, indices: nearest(values, codebook, isKept ? 1 : 0) }
}

/** Different values, ascending, with what each weighs. */
interface Points {
  readonly at: Float64Array
  readonly weight: Float64Array
}

function pointsOf(values: ArrayLike<number>, importance: ArrayLike<number> | undefined, withoutZero: boolean): Points {
  const weights = new Map<number, number>()
  for (let i = 0; i < values.length; i++) {
    const v = values[i]! + 0
    if (v === 0 && withoutZero) continue
    weights.set(v, (weights.get(v) ?? 0) + (importance?.[i] ?? 1))
  }
  const at = Float64Array.from(weights.keys()).sort()
  return { at, weight: Float64Array.from(at, (v) => weights.get(v)!) }
}

/** Points that the exact answer is found for, or twice the entries; more are put into as many bins first. */
const EXACT = 2048

function centroids(points: Points, size: number): readonly number[] {
  if (points.at.length <= size) return [...new Set(Float32Array.from(points.at))]
  const most = Math.max(EXACT, 2 * size)
  if (points.at.length <= most) return meansOf(points, bestRuns(points, size))
  const { coarse, ends } = binned(points, most)
  const runs = bestRuns(coarse, size).map((bin) => ends[bin]!)
  return settled(points, meansOf(points, runs))
}

/**
 * Bins, each at the mean of what is in it, so that only where runs part is coarse. As dense as entries that cost least
 * would be, with the cube root of the density of values (Panter and Dite 1951): steps of Σ gap^(2/3). A gap fills one bin
 * at most, so that a value far from the others takes none from them.
 */
function binned({ at, weight }: Points, bins: number): { readonly coarse: Points; readonly ends: readonly number[] } {
  const costs = Float64Array.from(at, (v, i) => (i === 0 ? 0 : Math.cbrt((v - at[i - 1]!) ** 2)))
  const step = stepOf(costs, bins)
  const means: number[] = []
  const weights: number[] = []
  const ends: number[] = [0]
  for (let [i, reached] = [0, 0]; i < at.length; ) {
    const bin = Math.floor(reached)
    let [sum, total, plain, count] = [0, 0, 0, 0]
    while (i < at.length && Math.floor(reached) === bin) {
      sum += weight[i]! * at[i]!
      total += weight[i]!
      plain += at[i]!
      count++
      i++
      reached += Math.min(costs[i] ?? 0, step) / step
    }
    means.push(total > 0 ? sum / total : plain / count)
    weights.push(total)
    ends.push(i)
  }
  return { coarse: { at: Float64Array.from(means), weight: Float64Array.from(weights) }, ends }
}

/** The step that `bins` of, or nine tenths as many, fill Σ min(cost, step); there are more costs than bins. */
function stepOf(costs: Float64Array, bins: number): number {
  let [step, next] = [Number.POSITIVE_INFINITY, Number.MAX_VALUE]
  while (next < 0.9 * step) {
    step = next
    next = costs.reduce((sum, cost) => sum + Math.min(cost, step), 0) / bins
  }
  return step
}

/** Sums of weights, of values and of squares from the median to each point: what the error of a run follows from. */
function sumsOf({ at, weight }: Points) {
  const n = at.length
  // About the median and from there on to both sides, so that squares do not cancel, nor where one value is far away.
  const half = n >> 1
  const middle = at[half]!
  const [w, x, xx] = [new Float64Array(n + 1), new Float64Array(n + 1), new Float64Array(n + 1)]
  const add = (from: number, to: number, i: number, sign: 1 | -1): void => {
    const [v, own] = [at[i]! - middle, sign * weight[i]!]
    w[to] = w[from]! + own
    x[to] = x[from]! + own * v
    xx[to] = xx[from]! + own * v * v
  }
  for (let i = half; i < n; i++) add(i, i + 1, i, 1)
  for (let i = half - 1; i >= 0; i--) add(i + 1, i, i, -1)
  return {
    /** Σ w (v − mean)² of points i … j − 1. */
    error(i: number, j: number): number {
      const total = w[j]! - w[i]!
      if (total <= 0) return 0
      const sum = x[j]! - x[i]!
      return Math.max(0, xx[j]! - xx[i]! - (sum * sum) / total)
    },
    mean(i: number, j: number): number {
      const total = w[j]! - w[i]!
      return total > 0 ? middle + (x[j]! - x[i]!) / total : (at[i]! + at[j - 1]!) / 2
    },
  }
}

/**
 * Where `k` runs of least error begin, and the end: k + 1 places. D[m][j] = min over i of D[m − 1][i] + error(i, j), whose
 * best i never falls as j grows: the middle j halves the range for the others (divide and conquer, O(k n log n)).
 */
function bestRuns(points: Points, k: number): readonly number[] {
  const n = points.at.length
  const { error } = sumsOf(points)
  const froms: Uint16Array[] = []
  let before = Float64Array.from({ length: n + 1 }, (_, j) => (j === 0 ? 0 : error(0, j)))
  for (let m = 2; m <= k; m++) {
    const now = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY)
    const from = new Uint16Array(n + 1)
    const fill = (low: number, high: number, first: number, last: number): void => {
      if (low > high) return
      const j = (low + high) >> 1
      for (let i = Math.max(first, m - 1); i <= Math.min(last, j - 1); i++) {
        const cost = before[i]! + error(i, j)
        if (cost < now[j]!) {
          now[j] = cost
          from[j] = i
        }
      }
      fill(low, j - 1, first, from[j]!)
      fill(j + 1, high, from[j]!, last)
    }
    fill(m, n, m - 1, n - 1)
    froms.push(from)
    before = now
  }
  const ends = [n]
  for (const from of froms.reverse()) ends.unshift(from[ends[0]!]!)
  return [0, ...ends]
}

const meansOf = (points: Points, runs: readonly number[]): readonly number[] => {
  const { mean } = sumsOf(points)
  return runs.slice(1).map((end, m) => mean(runs[m]!, end))
}

/** Most rounds of Lloyd's iteration: what it begins with is near the answer. */
const ROUNDS = 100

/** Lloyd (1982): runs that part midway between means, and their means, by turns. */
function settled(points: Points, start: readonly number[]): readonly number[] {
  const sums = sumsOf(points)
  let [means, runs] = [start, '']
  for (let round = 0; round < ROUNDS; round++) {
    const parts = [0, ...means.slice(1).map((m, i) => firstAbove(points.at, (m + means[i]!) / 2)), points.at.length]
    if (parts.join() === runs) break
    runs = parts.join()
    means = means.map((m, i) => (parts[i]! < parts[i + 1]! ? sums.mean(parts[i]!, parts[i + 1]!) : m))
  }
  return means
}

/** The first place of an ascending list whose value is above `limit`. */
function firstAbove(at: ArrayLike<number>, limit: number): number {
  let [low, high] = [0, at.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (at[middle]! > limit) high = middle
    else low = middle + 1
  }
  return low
}

/** The entry nearest to each value, among those from `first` on; zeros take entry 0 where `first` is 1. */
function nearest(values: ArrayLike<number>, codebook: Float32Array, first: 0 | 1): Uint16Array {
  const entries = codebook.subarray(first)
  const middles = Array.from(entries.subarray(1), (v, i) => (v + entries[i]!) / 2)
  const indices = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!
    indices[i] = first === 1 && v === 0 ? 0 : first + firstAbove(middles, v)
  }
  // `firstAbove` of a value right at a middle goes up: either entry is as near.
  return indices
}
