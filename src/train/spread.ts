/** Mean and deviation of values that pass by. */

export interface Spread {
  readonly mean: readonly number[]
  readonly deviation: readonly number[]
}

export interface Tally {
  readonly width: number
  /** Rows of `width` values. */
  add(values: ArrayLike<number>): void
  spread(): Spread
}

/** Of each of `width` values, in one pass (Welford 1962), which no large mean spoils. */
export function tally(width: number): Tally {
  const [mean, squares] = [new Float64Array(width), new Float64Array(width)]
  let seen = 0
  return {
    width,
    add(values) {
      for (let i = 0; i < values.length; i++) {
        const at = i % width
        if (at === 0) seen++
        const off = values[i]! - mean[at]!
        mean[at]! += off / seen
        squares[at]! += off * (values[i]! - mean[at]!)
      }
    },
    spread: () => ({ mean: [...mean], deviation: [...squares].map((s) => Math.sqrt(s / Math.max(1, seen))) }),
  }
}
