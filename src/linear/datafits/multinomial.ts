/**
 * f = log Σ e^ηₖ − η_y for classes y (the symmetric softmax of Friedman, Hastie and Tibshirani 2010, §4). With
 * m = v + e_y on the simplex, f*(v) = Σ mₖ log mₖ (Boyd and Vandenberghe 2004, ex. 3.25).
 */

import { type Datafit, wrongResponse, xLogX } from './datafit.js'

export function multinomial(outputs: number): Datafit {
  return {
    name: 'multinomial',
    traits: ['curvature'],
    outputs,
    curvatureBound: 0.5,
    loss(y, eta, at) {
      const top = largest(eta, at, outputs)
      let sum = 0
      for (let k = 0; k < outputs; k++) sum += Math.exp(eta[at + k]! - top)
      return top - eta[at + y]! + Math.log(sum)
    },
    saturated: () => 0,
    slope(y, eta, at, out) {
      const log = softmax(eta, at, outputs, out)
      // p_y − 1 as the sum of the others, without cancellation.
      let rest = 0
      for (let k = 0; k < outputs; k++) if (k !== y) rest += out[at + k]!
      out[at + y] = -rest
      return log - eta[at + y]!
    },
    curvature(_y, eta, at, out) {
      // The probabilities stand in the first row until all others are made of them.
      const first = at * outputs
      const top = largest(eta, at, outputs)
      let sum = 0
      for (let k = 0; k < outputs; k++) {
        out[first + k] = Math.exp(eta[at + k]! - top)
        sum += out[first + k]!
      }
      for (let k = 0; k < outputs; k++) out[first + k]! /= sum
      for (let k = outputs - 1; k >= 0; k--) {
        const own = out[first + k]!
        for (let l = outputs - 1; l >= 0; l--)
          out[first + k * outputs + l] = own * ((k === l ? 1 : 0) - (k === 0 && l === 0 ? own : out[first + l]!))
      }
    },
    conjugate(y, v) {
      let rest = 0
      for (let k = 0; k < outputs; k++) {
        if (k === y) continue
        v[k] = Math.max(v[k]!, 0)
        rest += v[k]!
      }
      const shrink = rest > 1 ? 1 / rest : 1
      let sum = 0
      for (let k = 0; k < outputs; k++) {
        if (k === y) continue
        v[k]! *= shrink
        sum += xLogX(v[k]!)
      }
      v[y] = -rest * shrink
      return sum + xLogX(1 - rest * shrink)
    },
    mean(eta, at, out) {
      softmax(eta, at, outputs, out)
    },
    nullIntercepts(y, shares) {
      const sums = new Float64Array(outputs)
      for (let i = 0; i < y.length; i++) sums[y[i]!]! += shares[i]!
      const logs = sums.map(Math.log)
      const mean = logs.reduce((a, b) => a + b, 0) / outputs
      return logs.map((v) => v - mean)
    },
    margin(y, eta, at) {
      let other = Number.NEGATIVE_INFINITY
      for (let k = 0; k < outputs; k++) if (k !== y) other = Math.max(other, eta[at + k]!)
      return eta[at + y]! - other
    },
  }
}

function largest(eta: Float64Array, at: number, outputs: number): number {
  let top = eta[at]!
  for (let k = 1; k < outputs; k++) top = Math.max(top, eta[at + k]!)
  return top
}

/** Returns log Σ e^ηₖ. */
function softmax(eta: Float64Array, at: number, outputs: number, out: Float64Array): number {
  const top = largest(eta, at, outputs)
  let sum = 0
  for (let k = 0; k < outputs; k++) {
    out[at + k] = Math.exp(eta[at + k]! - top)
    sum += out[at + k]!
  }
  for (let k = 0; k < outputs; k++) out[at + k]! /= sum
  return top + Math.log(sum)
}

export interface Classes {
  /** In the order of numbers, or of the alphabet. */
  readonly labels: readonly (number | string)[]
  /** Index of the label, by row. */
  readonly codes: Float64Array
}

/** Labels of any kind. Throws `RESPONSE` where one is no label. */
export function classesOf(y: ArrayLike<number | string>): Classes {
  const odd = Array.from(y).findIndex((v) => (typeof v === 'number' ? !Number.isFinite(v) : v === ''))
  if (odd >= 0) throw wrongResponse('a class is missing', odd, y[odd], 'Fill it in, or remove the row.')
  const labels = [...new Set(Array.from(y))].sort((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : a < b ? -1 : 1,
  )
  const code = new Map(labels.map((label, k) => [label, k]))
  return { labels, codes: Float64Array.from(y, (v) => code.get(v)!) }
}
