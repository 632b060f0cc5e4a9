/** Columns as estimators of mutual information take them: sorted numbers without ties, or codes of classes. */

import type { CategoryColumn, TableColumn } from '../../data/columns.js'
import type { NeighbourKernel } from '../../kernels/neighbour-kernel.js'
import { random } from '../../util/random.js'

export interface Continuous {
  readonly kind: 'continuous'
  /** Of standard deviation 1, all different. */
  readonly values: Float64Array
  /** Rows by their values, the least first. */
  readonly order: Int32Array
  /** Whether some were equal before noise parted them. */
  readonly isTied: boolean
}

export interface Discrete {
  readonly kind: 'discrete'
  /** From 0 up to `levels`, each of which some row has; in the order in which they first come. */
  readonly codes: Int32Array
  readonly levels: number
}

export type Variable = Continuous | Discrete

/** Kraskov, Stögbauer and Grassberger 2004, §II: noise of low amplitude parts what is equal. */
const NOISE = 1e-10

/** What draws the noise of a column: what others draw does not change it. */
export interface NoiseSource {
  readonly seed: number
  readonly stream: number
}

/**
 * Noise is added where some values are equal, and only there, as then the estimators are not defined: 1e-10 standard
 * deviations, or 1e-10 of the mean size where that is more. A column of equal numbers is one class. Works on `values` in
 * place where they are numbers.
 */
export function variableOf(column: TableColumn, { seed, stream }: NoiseSource, kernel: NeighbourKernel): Variable {
  if (column.kind === 'category') return discreteOf(column)
  const { values } = column
  const deviation = deviationOf(values)
  if (deviation === 0) return { kind: 'discrete', codes: new Int32Array(values.length), levels: 1 }
  // A sum with 0 is never −0.
  for (let i = 0; i < values.length; i++) values[i] = values[i]! / deviation + 0
  const order = kernel.order(values)
  if (!hasTies(values, order)) return { kind: 'continuous', values, order, isTied: false }
  const { normal } = random(seed).fork(stream)
  const size = NOISE * Math.max(1, values.reduce((sum, v) => sum + Math.abs(v), 0) / values.length)
  for (let i = 0; i < values.length; i++) values[i]! += size * normal()
  return { kind: 'continuous', values, order: kernel.order(values), isTied: true }
}

/** A missing cell is a class of its own. */
function discreteOf({ codes, levels }: CategoryColumn): Discrete {
  const newCode = new Int32Array(levels.length + 1).fill(-1)
  let found = 0
  const compact = codes.map((code) => {
    const old = code + 1
    if (newCode[old]! < 0) newCode[old] = found++
    return newCode[old]!
  })
  return { kind: 'discrete', codes: compact, levels: found }
}

/** With the divisor n; brought to size first, so that no square is lost. 0 where all are equal. */
function deviationOf(values: Float64Array): number {
  const n = values.length
  let [least, most] = [values[0]!, values[0]!]
  for (let i = 1; i < n; i++) {
    const v = values[i]!
    if (v < least) least = v
    else if (v > most) most = v
  }
  const range = most - least
  if (range === 0) return 0
  let [sum, square] = [0, 0]
  for (let i = 0; i < n; i++) sum += (values[i]! - least) / range
  const mean = sum / n
  for (let i = 0; i < n; i++) square += ((values[i]! - least) / range - mean) ** 2
  return range * Math.sqrt(square / n)
}

function hasTies(values: Float64Array, order: Int32Array): boolean {
  for (let i = 1; i < order.length; i++) if (values[order[i]!] === values[order[i - 1]!]) return true
  return false
}
