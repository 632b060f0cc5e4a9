/** Sums whose rounding does not grow with their length (Kahan 1965). */

export interface Sum {
  add(value: number): void
  end(): number
}

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
