/** Columns of a problem whose whole Gram matrix is there. */

import { type GramKernel, openGramKernel } from '../../kernels/gram-kernel.js'
import type { Quadratic } from '../quadratic.js'
import { type Source, strideOf, type Workspace, workspaceOn } from './workspace.js'

interface GramSource extends Source {
  /**
   * q − Gβ of all columns, computed anew from the coefficients of the working ones: nothing is left of the rounding of many
   * small changes.
   */
  correlations(working: readonly number[], beta: Float64Array): Float64Array
}

export type GramWorkspace = Workspace<GramSource>

/** `open` is for tests that want one kernel or the other; `columns`: so many are expected to come in. */
export const workspaceOf = (problem: Quadratic, open: Workspace['open'] = openGramKernel, columns = 0): GramWorkspace =>
  workspaceOn(gramSource(problem, open, columns), open, columns)

/** With the coefficients that the compact problem has. */
export const correlationsOf = ({ source, working, room }: GramWorkspace): Float64Array =>
  source.correlations(working, room.state.beta.subarray(0, working.length))

/** Whole rows of the Gram matrix, in one memory with what multiplies them. */
interface Store {
  readonly kernel: GramKernel
  readonly capacity: number
  /** [capacity, stride] */
  readonly rows: Float64Array
  readonly correlations: Float64Array
  readonly coefficients: Float64Array
}

/** Rows that came in are copied once to where the compiled loops reach them. */
function gramSource({ gram, q, yy }: Quadratic, open: Workspace['open'], columns: number): GramSource {
  const p = q.length
  const stride = strideOf(p)
  let store = storeOf(Math.min(p, columns), stride, open)
  return {
    q,
    yy,
    enter(working, from, terms) {
      if (working.length > store.capacity) {
        const before = store.rows
        store = storeOf(Math.min(p, Math.max(working.length, 2 * store.capacity)), stride, open)
        store.rows.set(before)
      }
      const { gram: compact, stride: width } = terms
      for (let b = from; b < working.length; b++) {
        const row = working[b]! * p
        store.rows.set(gram.subarray(row, row + p), b * stride)
        for (let a = 0; a < working.length; a++) {
          const product = gram[row + working[a]!]!
          compact[b * width + a] = product
          if (a < from) compact[a * width + b] = product
        }
      }
    },
    correlations(working, beta) {
      const { kernel, rows, correlations, coefficients } = store
      correlations.set(q)
      coefficients.set(beta)
      kernel.subtractRows({ count: working.length, length: p, data: rows, stride }, coefficients, correlations)
      return correlations.slice(0, p)
    },
  }
}

function storeOf(capacity: number, stride: number, open: Workspace['open']): Store {
  const kernel = open(capacity * stride + stride + strideOf(capacity))
  const rows = capacity * stride
  return {
    kernel,
    capacity,
    rows: kernel.memory.subarray(0, rows),
    correlations: kernel.memory.subarray(rows, rows + stride),
    coefficients: kernel.memory.subarray(rows + stride),
  }
}
