/** What the columns that `pare reduce` writes are called, checked before the work is done. */

import { extname } from 'node:path'
import { checkDistinct } from '../data/column-names.js'
import { pcaComponents, type ReduceValues, tsneComponents } from './reduce-options.js'
import type { Rows } from './reduce-rows.js'

type Choice = Pick<ReduceValues, 'method' | 'components'> & {
  readonly output: string
  readonly model: string | undefined
}

/** `tsne1`, `tsne2`, … */
export const componentNames = (method: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, k) => `${method}${k + 1}`)

/** Throws `TABLE_COLUMN` where two columns that are written have one name, or a column and an output of the model. */
export function checkNames(rows: Rows, choice: Choice): void {
  const { output, model } = choice
  const scores = componentNames(choice.method, mostComponents(rows, choice))
  const written = [...scores, ...rows.colours.map(({ name }) => name)]
  // Of Parquet DuckDB tells no names apart by capitals.
  const told = extname(output).toLowerCase() === '.parquet' ? written.map((name) => name.toLowerCase()) : written
  checkDistinct(
    output,
    told,
    'Give each column to --color once, and rename one that is called like a component or label.',
  )
  if (model !== undefined && rows.kind === 'table')
    checkDistinct(model, [...rows.names, ...scores], 'Rename the column, or leave it out with --without.')
}

/** Where the data says how many: as many as there can be. */
function mostComponents({ x }: Rows, { method, components }: Choice): number {
  if (method === 'tsne') return tsneComponents(components)
  const wanted = pcaComponents(components)
  const most = Math.min(x.rows, x.columns)
  return typeof wanted === 'number' && wanted >= 1 ? Math.min(wanted, most) : most
}
