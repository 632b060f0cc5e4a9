/**
 * f = e^η − yη for counts y (McCullagh and Nelder 1989, §6.2): −log of the density but for log y!. With m = v + y ≥ 0,
 * f*(v) = m log m − m.
 */

import { type Datafit, weightedMean, wrongResponse, xLogX } from './datafit.js'

export const poisson: Datafit = {
  name: 'poisson',
  traits: ['curvature'],
  outputs: 1,
  curvatureBound: Number.POSITIVE_INFINITY,
  loss: (y, eta, at) => Math.exp(eta[at]!) - y * eta[at]!,
  saturated: (y) => y - xLogX(y),
  slope(y, eta, at, out) {
    const mean = Math.exp(eta[at]!)
    out[at] = mean - y
    return mean - y * eta[at]!
  },
  curvature(_y, eta, at, out) {
    out[at] = Math.exp(eta[at]!)
  },
  conjugate(y, v) {
    const m = Math.max(v[0]! + y, 0)
    v[0] = m - y
    return xLogX(m) - m
  },
  mean(eta, at, out) {
    out[at] = Math.exp(eta[at]!)
  },
  nullIntercepts: (y, shares) => Float64Array.of(Math.log(weightedMean(y, shares))),
}

/** Throws `RESPONSE` unless all are numbers of at least 0. */
export function countsOf(y: ArrayLike<number | string>): Float64Array {
  const odd = Array.from(y).findIndex((v) => !(typeof v === 'number' && v >= 0 && Number.isFinite(v)))
  if (odd >= 0) throw wrongResponse('a count is a number of at least 0', odd, y[odd], 'Correct it, or remove the row.')
  return Float64Array.from(y as ArrayLike<number>)
}
