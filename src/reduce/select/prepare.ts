/** Columns made ready for the estimators, in several threads where there are some. */

import type { TableColumn } from '../../data/columns.js'
import { openNeighbourKernel } from '../../kernels/neighbour-kernel.js'
import { sharedNumbers } from '../../util/tasks.js'
import { rowsOf } from './columns.js'
import { type ShareOptions, shareOut, type Work } from './share-out.js'
import { type Variable, variableOf } from './variables.js'

export interface PrepareInput {
  /** Their numbers are worked on in place. */
  readonly columns: readonly TableColumn[]
  readonly seed: number
  /** Whether other threads will see what is made. */
  readonly isShared: boolean
}

export function preparing({ columns, seed, isShared }: PrepareInput): (item: number) => Variable {
  const kernel = openNeighbourKernel(rowsOf(columns[0]))
  return (item) => {
    const variable = variableOf(columns[item]!, { seed, stream: item }, kernel)
    if (!isShared) return variable
    return variable.kind === 'discrete'
      ? { ...variable, codes: inSharedMemory(variable.codes) }
      : { ...variable, order: inSharedMemory(variable.order) }
  }
}

function inSharedMemory(given: Int32Array): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(given.byteLength))
  shared.set(given)
  return shared
}

const PREPARING: Work<PrepareInput, Variable> = {
  name: 'sorting columns',
  task: { module: 'reduce/select/prepare-task.js' },
  of: preparing,
}

/** Nothing that was given is changed. `isShared`: other threads will see them. */
export async function prepared(
  columns: readonly TableColumn[],
  { seed, isShared }: Omit<PrepareInput, 'columns'>,
  options: ShareOptions,
): Promise<readonly Variable[]> {
  const own = columns.map((column): TableColumn => {
    if (column.kind === 'category') return column
    const values = isShared ? sharedNumbers(column.values.length) : new Float64Array(column.values.length)
    values.set(column.values)
    return { ...column, values }
  })
  return shareOut(PREPARING, { columns: own, seed, isShared }, own.length, options)
}
