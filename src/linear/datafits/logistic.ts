/**
 * f = log(1 + e^η) − yη for y of 0 or 1 (McCullagh and Nelder 1989, §4.4). With m = v + y,
 * f*(v) = m log m + (1 − m) log(1 − m) for 0 ≤ m ≤ 1 (Yu, Huang and Lin 2011, eq. 3).
 */

import { LOGISTIC_ROWS, openLogisticKernel } from '../../kernels/logistic-kernel.js'
import { type Datafit, type RowLoops, wrongResponse, xLogX } from './datafit.js'
import { type Classes, classesOf } from './multinomial.js'

export const logistic: Datafit = {
  name: 'binomial',
  traits: ['curvature'],
  outputs: 1,
  curvatureBound: 0.25,
  loss: (y, eta, at) => logOnePlusExp(y === 1 ? -eta[at]! : eta[at]!),
  saturated: () => 0,
  slope(y, eta, at, out) {
    // The probability of the other class, without cancellation on either side.
    const away = y === 1 ? -eta[at]! : eta[at]!
    const small = Math.exp(-Math.abs(away))
    const wrong = (away >= 0 ? 1 : small) / (1 + small)
    out[at] = y === 1 ? -wrong : wrong
    return Math.max(away, 0) + Math.log1p(small)
  },
  openLoops: inKernel,
  curvature(_y, eta, at, out) {
    out[at] = sigmoid(eta[at]!) * sigmoid(-eta[at]!)
  },
  conjugate(y, v) {
    const distance = Math.min(Math.max(y === 1 ? -v[0]! : v[0]!, 0), 1)
    v[0] = y === 1 ? -distance : distance
    return xLogX(distance) + xLogX(1 - distance)
  },
  mean(eta, at, out) {
    out[at] = sigmoid(eta[at]!)
  },
  nullIntercepts(y, shares) {
    // Each sum by itself: that of a class without rows is 0, whatever the shares add up to.
    let [zeros, ones] = [0, 0]
    for (let i = 0; i < y.length; i++) {
      if (y[i] === 1) ones += shares[i]!
      else zeros += shares[i]!
    }
    return Float64Array.of(Math.log(ones / zeros))
  },
  margin: (y, eta, at) => (y === 1 ? eta[at]! : -eta[at]!),
}

function inKernel(): RowLoops {
  const kernel = openLogisticKernel()
  type Given = Parameters<RowLoops['conjugate']>[0]
  /** As many rows at a time as the kernel takes; one that weighs nothing makes an odd number even. */
  const inParts = (
    given: Given,
    from: number,
    to: number,
    sumOf: (first: number, end: number, count: number) => number,
  ) => {
    let sum = 0
    for (let first = from; first < to; first += LOGISTIC_ROWS) {
      const end = Math.min(to, first + LOGISTIC_ROWS)
      kernel.y.set(given.y.subarray(first, end))
      kernel.shares.set(given.shares.subarray(first, end))
      const isOdd = (end - first) % 2 === 1
      for (const part of isOdd ? [kernel.shares, kernel.eta, kernel.slopes] : []) part[end - first] = 0
      sum += sumOf(first, end, end - first + Number(isOdd))
    }
    return sum
  }
  return {
    respond: (given, eta, slopes, from, to) =>
      inParts(given, from, to, (first, end, count) => {
        kernel.eta.set(eta.subarray(first, end))
        const loss = kernel.respond(count)
        slopes.set(kernel.slopes.subarray(0, end - first), first)
        return loss
      }),
    conjugate: (given, v, from, to) =>
      inParts(given, from, to, (first, end, count) => {
        kernel.slopes.set(v.subarray(first, end))
        const sum = kernel.conjugate(count)
        v.set(kernel.slopes.subarray(0, end - first), first)
        return sum
      }),
  }
}

const sigmoid = (t: number): number => (t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t)))

/** log(1 + e^t) without overflow. */
const logOnePlusExp = (t: number): number => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)))

/** Two labels, the second of which is 1. Throws `RESPONSE` where there are more, or one where it cannot be both. */
export function twoClasses(y: ArrayLike<number | string>): Classes {
  const found = classesOf(y)
  if (found.labels.length > 2) {
    throw wrongResponse(
      'a binomial model is of two classes',
      null,
      `${found.labels.length} classes: ${found.labels.slice(0, 5).join(', ')}`,
      'Choose the multinomial family.',
    )
  }
  if (found.labels.length === 2) return found
  const only = found.labels[0]!
  // All 0 or all 1: the other one is known.
  if (only === 0) return { labels: [0, 1], codes: found.codes }
  if (only === 1) return { labels: [0, 1], codes: found.codes.map(() => 1) }
  throw wrongResponse('there is one class only', null, only, 'Give rows of two classes.')
}
