/** Sums of many numbers, and of vectors. */

export interface Sum {
  add(value: number): void
  end(): number
}

/** Its rounding does not grow with its length (Kahan 1965). */
export function openSum(): Sum {
  let [sum, lost, plain] = [0, 0, 0]
  return {
    add(value) {
      plain += value
      const term = value - lost
      const next = sum + term
      lost = next - sum - term
      sum = next
    },
    // What an infinite term loses is no number.
    end: () => (Number.isFinite(sum) ? sum : plain),
  }
}

/** In place, as many as `sum` has. */
export function addTo(sum: Float64Array, part: ArrayLike<number>): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!
}
