/** Which weights go: the least by some score, freely or so that of every M neighbours at most N stay. */

export const PATTERNS = ['free', '2:4', '4:8', '1:4', '1:2'] as const
export type Pattern = (typeof PATTERNS)[number]

/** At most `keep` of each `of` neighbours along an output's inputs; null where there is no such rule. */
export function neighboursOf(pattern: Pattern): { readonly keep: number; readonly of: number } | null {
  if (pattern === 'free') return null
  const [keep, of] = pattern.split(':').map(Number)
  return { keep: keep!, of: of! }
}

/** Marks the `count` least scores between two places with 1; of equal ones the first. */
export function markLeast(scores: Float64Array, count: number, marks: Uint8Array, from = 0, to = scores.length): void {
  const sorted = scores.slice(from, to).sort()
  if (count <= 0) return
  const threshold = sorted[Math.min(count, sorted.length) - 1]!
  let ties = count
  for (let i = from; i < to; i++)
    if (scores[i]! < threshold) {
      marks[i] = 1
      ties--
    }
  for (let i = from; i < to && ties > 0; i++)
    if (scores[i] === threshold) {
      marks[i] = 1
      ties--
    }
}

/** Marks all but the `keep` greatest scores of each `of` neighbours in rows of `depth`; a shorter rest keeps as many. */
export function markNeighbours(scores: Float64Array, depth: number, keep: number, of: number): Uint8Array {
  const marks = new Uint8Array(scores.length)
  for (let row = 0; row < scores.length; row += depth)
    for (let j = 0; j < depth; j += of) {
      const end = Math.min(depth, j + of)
      markLeast(scores, end - j - keep, marks, row + j, row + end)
    }
  return marks
}

/** Weights with exact zeros where marks are. */
export const withZeros = (weights: Float32Array, marks: Uint8Array): Float32Array =>
  weights.map((w, i) => (marks[i] === 1 ? 0 : w))
