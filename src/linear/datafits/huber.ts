/**
 * f = ½r² for |r| ≤ δ and δ|r| − ½δ² beyond, r = y − η: outliers count linearly (Huber 1964, eq. 1.3).
 * f*(v) = ½v² + vy for |v| ≤ δ.
 */

import { PareError } from '../../util/errors.js'
import { type Datafit, weightedMean } from './datafit.js'

/** `delta`: in the units of y. 1.345 standard deviations of the noise keep 95 % of the efficiency of least squares. */
export function huber(delta: number): Datafit {
  if (!(Number.isFinite(delta) && delta > 0)) {
    throw new PareError('DATAFIT_DELTA', 'delta is a finite number above 0', {
      value: delta,
      remedy: 'Give e.g. 1.345.',
    })
  }
  const clipped = (r: number): number => Math.min(Math.max(r, -delta), delta)
  return {
    name: 'huber',
    traits: ['curvature'],
    outputs: 1,
    curvatureBound: 1,
    loss(y, eta, at) {
      const size = Math.abs(y - eta[at]!)
      return size <= delta ? 0.5 * size * size : delta * (size - 0.5 * delta)
    },
    saturated: () => 0,
    slope(y, eta, at, out) {
      out[at] = clipped(eta[at]! - y)
      return this.loss(y, eta, at)
    },
    // The parabola with this curvature that touches the loss at η bounds it (Huber and Dutter 1974): each step goes down,
    // also where the second derivative is 0 and says nothing.
    curvature(y, eta, at, out) {
      out[at] = Math.min(1, delta / Math.abs(y - eta[at]!))
    },
    second(y, eta, at, out) {
      out[at] = Math.abs(y - eta[at]!) <= delta ? 1 : 0
    },
    conjugate(y, v) {
      v[0] = clipped(v[0]!)
      return 0.5 * v[0]! * v[0]! + v[0]! * y
    },
    mean(eta, at, out) {
      out[at] = eta[at]!
    },
    nullIntercepts: (y, shares) => Float64Array.of(weightedMean(y, shares)),
  }
}
