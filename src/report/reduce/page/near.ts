/** The nearest point to a place, by a grid of cells with a few points each. */

export interface Places {
  /** Of the points, within [−1, 1]. */
  readonly x: Float32Array
  readonly y: Float32Array
}

export interface NearIndex {
  /** The nearest point within `radius` of which `isWanted` is true; −1 where there is none. */
  nearest(x: number, y: number, radius: number, isWanted: (i: number) => boolean): number
}

const POINTS_IN_CELL = 4

export function nearIndex({ x, y }: Places): NearIndex {
  const n = x.length
  const side = Math.max(1, Math.min(1024, Math.round(Math.sqrt(n / POINTS_IN_CELL))))
  const cell = (v: number): number => Math.min(side - 1, Math.max(0, Math.floor(((v + 1) / 2) * side)))
  // Sorted by counting: the points of cell c are order[starts[c] … starts[c + 1]].
  const starts = new Uint32Array(side * side + 1)
  for (let i = 0; i < n; i++) starts[cell(y[i]!) * side + cell(x[i]!) + 1]!++
  for (let c = 0; c < side * side; c++) starts[c + 1]! += starts[c]!
  const next = starts.slice()
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[next[cell(y[i]!) * side + cell(x[i]!)]!++] = i
  return {
    nearest(px, py, radius, isWanted) {
      let [best, least] = [-1, radius * radius]
      const [fromX, toX] = [cell(px - radius), cell(px + radius)]
      for (let row = cell(py - radius); row <= cell(py + radius); row++) {
        const from = starts[row * side + fromX]!
        const to = starts[row * side + toX + 1]!
        for (let k = from; k < to; k++) {
          const i = order[k]!
          const distance = (x[i]! - px) ** 2 + (y[i]! - py) ** 2
          if (distance > least || !isWanted(i)) continue
          least = distance
          best = i
        }
      }
      return best
    },
  }
}
