/**
 * What proves a solution, recomputed from X in double precision by plain formulas: nothing here is shared with the solver.
 */

import type { DenseMatrix } from '../src/linear/design.js'
import type { GlmModel, GlmOptions } from '../src/linear/glm-path.js'

export interface Certificate {
  /** Of the objective, and as a part of half the deviance of the model without columns. */
  readonly objective: number
  readonly gap: number
  /** The largest violation of the optimality conditions. */
  readonly violation: number
}

/** `codes`: y as numbers, classes from 0. Needs a penalty on each column, or bounds. */
export function certify(x: DenseMatrix, codes: ArrayLike<number>, model: GlmModel, o: GlmOptions): Certificate {
  const { hasIntercept = true, isStandardized = true, l1Ratio = 1, weights, offset, family, delta = 1.345 } = o
  const K = model.coefficients.length
  const rows = Array.from({ length: x.rows }, (_, i) => i).filter((i) => (weights?.[i] ?? 1) > 0)
  const total = rows.reduce((s, i) => s + (weights?.[i] ?? 1), 0)
  const share = (i: number): number => (weights?.[i] ?? 1) / total
  const cell = (i: number, j: number): number =>
    x.data[x.order === 'column-major' ? j * x.rows + i : i * x.columns + j]!
  const columns = Array.from({ length: x.columns }, (_, j) => j)
  const sum = (f: (i: number) => number): number => rows.reduce((s, i) => s + share(i) * f(i), 0)
  const means = columns.map((j) => sum((i) => cell(i, j)))
  const spread = columns.map((j) => Math.sqrt(sum((i) => (cell(i, j) - means[j]!) ** 2)))
  const isFlat = (j: number): boolean => spread[j]! <= 1e-12 * Math.abs(means[j]!)
  const scale = columns.map((j) => (isStandardized && !isFlat(j) ? spread[j]! : 1))
  const z = (i: number, j: number): number => (cell(i, j) - (hasIntercept ? means[j]! : 0)) / scale[j]!
  const used = columns.filter((j) => !(isFlat(j) && (hasIntercept || means[j] === 0)))
  const given = columns.map((j) => o.penaltyFactors?.[j] ?? 1)
  const finite = given.filter(Number.isFinite)
  const mean = finite.reduce((a, b) => a + b, 0) / finite.length || 1
  const beta = (k: number, j: number): number => model.coefficients[k]![j]! * scale[j]!
  const kept = used.filter((j) => Number.isFinite(given[j]!))
  const l1 = (j: number): number => (model.lambda * l1Ratio * given[j]!) / mean
  const l2 = (j: number): number => (model.lambda * (1 - l1Ratio) * given[j]!) / mean
  const low = (j: number): number => (o.lowerBounds?.[j] ?? Number.NEGATIVE_INFINITY) * scale[j]!
  const high = (j: number): number => (o.upperBounds?.[j] ?? Number.POSITIVE_INFINITY) * scale[j]!

  const off = (i: number, k: number): number => offset?.[i * K + k] ?? 0
  const eta = new Map(
    rows.map((i) => [
      i,
      Array.from({ length: K }, (_, k) =>
        columns.reduce((s, j) => s + model.coefficients[k]![j]! * cell(i, j), model.intercepts[k]! + off(i, k)),
      ),
    ]),
  )
  const loss = (i: number, e: readonly number[]): number => {
    const y = codes[i]!
    if (family === 'binomial') return Math.log1p(Math.exp(-Math.abs(e[0]!))) + Math.max(e[0]!, 0) - y * e[0]!
    if (family === 'poisson') return Math.exp(e[0]!) - y * e[0]!
    if (family === 'multinomial') {
      const top = Math.max(...e)
      return top + Math.log(e.reduce((s, v) => s + Math.exp(v - top), 0)) - e[y]!
    }
    const r = Math.abs(y - e[0]!)
    return family === 'huber' && r > delta ? delta * (r - delta / 2) : (r * r) / 2
  }
  const slope = (i: number, e: readonly number[]): number[] => {
    const y = codes[i]!
    if (family === 'binomial') return [1 / (1 + Math.exp(-e[0]!)) - y]
    if (family === 'poisson') return [Math.exp(e[0]!) - y]
    if (family === 'multinomial') {
      const top = Math.max(...e)
      const all = e.reduce((s, v) => s + Math.exp(v - top), 0)
      return e.map((v, k) => Math.exp(v - top) / all - Number(k === y))
    }
    const r = e[0]! - y
    return [family === 'huber' ? Math.min(Math.max(r, -delta), delta) : r]
  }
  const here = {
    g: Array.from({ length: K }, (_, k) => columns.map((j) => sum((i) => slope(i, eta.get(i)!)[k]! * z(i, j)))),
    g0: Array.from({ length: K }, (_, k) => sum((i) => slope(i, eta.get(i)!)[k]!)),
  }
  const penalty = kept.reduce(
    (s, j) =>
      s + model.coefficients.reduce((t, _, k) => t + l1(j) * Math.abs(beta(k, j)) + (l2(j) / 2) * beta(k, j) ** 2, 0),
    0,
  )
  const objective = sum((i) => loss(i, eta.get(i)!)) + penalty

  let violation = hasIntercept ? Math.max(...here.g0.map(Math.abs)) : 0
  for (const j of columns) {
    for (let k = 0; k < K; k++) {
      const b = beta(k, j)
      if (!kept.includes(j)) {
        if (b !== 0) violation = Number.POSITIVE_INFINITY
        continue
      }
      if (b < low(j) - 1e-12 * Math.abs(low(j)) || b > high(j) + 1e-12 * Math.abs(high(j)))
        violation = Number.POSITIVE_INFINITY
      const pull = -here.g[k]![j]! - l2(j) * b
      // By how much the objective falls per unit, up and down.
      if (b < high(j) * (1 - 1e-12)) violation = Math.max(violation, pull - (b >= 0 ? l1(j) : -l1(j)))
      if (b > low(j) * (1 - 1e-12)) violation = Math.max(violation, -pull - (b <= 0 ? l1(j) : -l1(j)))
    }
  }

  const xlogx = (t: number): number => (t === 0 ? 0 : t * Math.log(t))
  const conjugate = (i: number, v: readonly number[]): number => {
    const y = codes[i]!
    if (family === 'binomial') return xlogx(y + v[0]!) + xlogx(1 - y - v[0]!)
    if (family === 'poisson') return xlogx(y + v[0]!) - y - v[0]!
    if (family === 'multinomial') return v.reduce((t, u, k) => t + xlogx(u + Number(k === y)), 0)
    if (family === 'huber' && Math.abs(v[0]!) > delta * (1 + 1e-13)) return Number.NaN
    return v[0]! ** 2 / 2 + v[0]! * y
  }
  // Slopes that sum to zero, shrunk until the columns allow them: NaN where they leave the domain.
  const dualOf = (slopes: Map<number, number[]>): number => {
    const pulls = Array.from({ length: K }, (_, k) => columns.map((j) => -sum((i) => slopes.get(i)![k]! * z(i, j))))
    const pairs = kept.flatMap((j) => pulls.map((of) => ({ j, pull: of[j]!, limit: of[j]! > 0 ? high(j) : -low(j) })))
    let s = 1
    for (const { j, pull, limit } of pairs)
      if (l2(j) === 0 && limit === Number.POSITIVE_INFINITY) s = Math.min(s, l1(j) / Math.abs(pull))
    const spare = pairs.reduce((t, { j, pull, limit }) => {
      const over = s * Math.abs(pull) - l1(j)
      const to = over > 0 ? Math.min(limit, l2(j) > 0 ? over / l2(j) : Number.POSITIVE_INFINITY) : 0
      return Number.isFinite(to) ? t + over * to - (l2(j) / 2) * to * to : t
    }, 0)
    return (
      -spare -
      sum((i) => {
        const v = slopes.get(i)!.map((u) => s * u)
        return conjugate(i, v) - v.reduce((t, u, k) => t + u * off(i, k), 0)
      })
    )
  }
  const slopesAt = (at: Map<number, number[]>) => new Map(rows.map((i) => [i, slope(i, at.get(i)!)]))
  const sums = (at: Map<number, number[]>): number[] => {
    const slopes = slopesAt(at)
    return Array.from({ length: K }, (_, k) => sum((i) => slopes.get(i)![k]!))
  }
  // With the mean taken off, which changes nothing for centred columns; else at the best intercepts.
  const shifted = new Map(
    [...slopesAt(eta)].map(([i, v]) => [i, v.map((u, k) => u - (hasIntercept ? here.g0[k]! : 0))] as const),
  )
  const first = dualOf(shifted)
  const dual = Number.isNaN(first) ? dualOf(slopesAt(hasIntercept ? balanced(rows, eta, K, sums) : eta)) : first
  const zero = new Map(rows.map((i) => [i, Array.from({ length: K }, (_, k) => off(i, k))]))
  const empty = hasIntercept ? balanced(rows, zero, K, sums) : zero
  const least = family === 'poisson' ? sum((i) => codes[i]! - (codes[i]! > 0 ? xlogx(codes[i]!) : 0)) : 0
  const half = sum((i) => loss(i, empty.get(i)!)) - least
  return { objective, gap: (objective - dual) / half, violation }
}

/** Predictors with the intercepts that bring all sums of slopes to zero: one after the other, by bisection. */
function balanced(
  rows: readonly number[],
  eta: Map<number, number[]>,
  K: number,
  sums: (at: Map<number, number[]>) => readonly number[],
): Map<number, number[]> {
  const moved = (at: Map<number, number[]>, k: number, by: number): Map<number, number[]> =>
    new Map(rows.map((i) => [i, at.get(i)!.map((v, l) => (l === k ? v + by : v))]))
  let at = eta
  for (let round = 0; round < (K === 1 ? 1 : 30); round++) {
    if (sums(at).every((g) => Math.abs(g) < 1e-13)) break
    for (let k = 0; k < K; k++) {
      let size = 1e-8
      const sign = (by: number): number => Math.sign(sums(moved(at, k, by))[k]!)
      while (size < 100 && sign(-size) >= 0 === sign(size) > 0) size *= 10
      let [a, b] = [-size, size]
      for (let step = 0; step < 60; step++) {
        const middle = (a + b) / 2
        if (sign(middle) > 0) b = middle
        else a = middle
      }
      at = moved(at, k, (a + b) / 2)
    }
  }
  return at
}
