/**
 * L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd ed. 2006, algorithms 7.4 and 7.5) for a function whose value and
 * gradient are computed elsewhere.
 */

export interface Point {
  readonly w: Float64Array
  readonly loss: number
  readonly g: Float64Array
}

export interface LbfgsOptions<P extends Point> {
  /** Steps, at most. */
  readonly iterations: number
  /** Pairs that the curvature is known by. */
  readonly memory: number
  readonly evaluate: (w: Float64Array) => Promise<P>
  /** Told of each point, the first one too; true ends the search. */
  readonly isDone: (point: P, step: number) => boolean | Promise<boolean>
}

export interface LbfgsResult<P extends Point> {
  readonly last: P
  readonly steps: number
  /** `stalled`: nothing below can be told apart any more, this is as far as the numbers go. */
  readonly ended: 'done' | 'stalled' | 'exhausted'
}

/** From a point with a finite loss. */
export async function lbfgs<P extends Point>(start: P, options: LbfgsOptions<P>): Promise<LbfgsResult<P>> {
  const { iterations, memory, evaluate, isDone } = options
  let at = start
  let pairs: readonly Pair[] = []
  for (let steps = 0; ; steps++) {
    if (await isDone(at, steps)) return { last: at, steps, ended: 'done' }
    if (steps === iterations) return { last: at, steps, ended: 'exhausted' }
    const direction = pairs.length === 0 ? scale(at.g.slice(), -1 / Math.max(1, norm(at.g))) : directionOf(at.g, pairs)
    const next = await lineSearch(at, direction, evaluate)
    if (next === null) return { last: at, steps, ended: 'stalled' }
    const [s, y] = [plus(next.w, at.w, -1), plus(next.g, at.g, -1)]
    const curvature = dot(s, y)
    if (curvature > 1e-12 * norm(s) * norm(y)) pairs = [...pairs, { s, y, rho: 1 / curvature }].slice(-memory)
    at = next
  }
}

interface Pair {
  readonly s: Float64Array
  readonly y: Float64Array
  readonly rho: number
}

/** −H g by the two-loop recursion (algorithm 7.4), H₀ = γ I with γ = sᵀy / yᵀy (eq. 7.20). */
function directionOf(g: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = g.slice()
  const alphas = pairs.toReversed().map(({ s, y, rho }) => {
    const alpha = rho * dot(s, q)
    addTo(q, y, -alpha)
    return alpha
  })
  const { s, y } = pairs.at(-1)!
  const gamma = dot(s, y) / dot(y, y)
  scale(q, gamma)
  for (const [i, pair] of pairs.entries()) {
    const beta = pair.rho * dot(pair.y, q)
    addTo(q, pair.s, alphas[pairs.length - 1 - i]! - beta)
  }
  return scale(q, -1)
}

/** Weak Wolfe conditions by bisection (Lewis and Overton 2013, algorithm 2.6); null where no step lowers the loss. */
async function lineSearch<P extends Point>(
  at: P,
  direction: Float64Array,
  evaluate: (w: Float64Array) => Promise<P>,
): Promise<P | null> {
  const slope = dot(at.g, direction)
  if (!(slope < 0)) return null
  let [low, high, step] = [0, Number.POSITIVE_INFINITY, 1]
  let best: P | null = null
  for (let i = 0; i < 40; i++) {
    const point = await evaluate(plus(at.w, direction, step))
    const isLower = Number.isFinite(point.loss) && point.loss <= at.loss + 1e-4 * step * slope
    if (!isLower) high = step
    else {
      best = point
      if (dot(point.g, direction) >= 0.9 * slope) return point
      low = step
    }
    step = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2
  }
  return best !== null && best.loss < at.loss ? best : null
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const norm = (a: Float64Array): number => Math.sqrt(dot(a, a))

/** a + factor · b */
function plus(a: Float64Array, b: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(a.length)
  for (let i = 0; i < a.length; i++) out[i] = a[i]! + factor * b[i]!
  return out
}

function addTo(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!
}

function scale(a: Float64Array, factor: number): Float64Array {
  for (let i = 0; i < a.length; i++) a[i]! *= factor
  return a
}
