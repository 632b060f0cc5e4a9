/** f = ½(y − η)², the Gaussian model: f*(v) = ½v² + vy (Boyd and Vandenberghe 2004, ex. 3.22). */

import { type Datafit, weightedMean } from './datafit.js'

export const squared: Datafit = {
  name: 'gaussian',
  traits: ['quadratic', 'curvature'],
  outputs: 1,
  curvatureBound: 1,
  loss: (y, eta, at) => 0.5 * (y - eta[at]!) ** 2,
  saturated: () => 0,
  slope(y, eta, at, out) {
    out[at] = eta[at]! - y
    return 0.5 * out[at]! * out[at]!
  },
  curvature(_y, _eta, at, out) {
    out[at] = 1
  },
  conjugate: (y, v) => 0.5 * v[0]! * v[0]! + v[0]! * y,
  mean(eta, at, out) {
    out[at] = eta[at]!
  },
  nullIntercepts: (y, shares) => Float64Array.of(weightedMean(y, shares)),
}
