/** The rows that `pare reduce` works on: columns of a table, or samples of npy and idx files; and what colours them. */

import type { TableColumn } from '../data/columns.js'
import { fileSource } from '../data/files.js'
import { idxSamples, isIdx } from '../data/idx.js'
import { contentHead } from '../data/inflate.js'
import { isNpy, npySamples } from '../data/npy.js'
import { openLabels } from '../data/open-labels.js'
import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import type { Context } from './command.js'
import type { RowBlocks } from './reduce-blocks.js'
import type { ReduceValues } from './reduce-options.js'
import { sampleRows } from './reduce-samples.js'
import { tableRows } from './reduce-table.js'

export interface Rows {
  readonly name: string
  readonly x: RowBlocks
  /** Of the columns of x. */
  readonly names: readonly string[]
  readonly kind: 'table' | 'samples'
  /**
   * As they are in the table; they take no part, and the first one colours. Those of the table are filled as the blocks
   * of x are read.
   */
  readonly colours: readonly TableColumn[]
  /** Of the file, which is read no more. */
  close(): void
}

export type RowChoice = Pick<ReduceValues, 'columns' | 'without' | 'color' | 'labels' | 'missing' | 'limit'> & {
  readonly table: string | undefined
  readonly query: string | undefined
}

export type RowsWorld = Pick<Context, 'signal' | 'onProgress' | 'warn'>

/** Throws `TABLE_…`, `REDUCE_TEXT`, `LABEL_COUNT`, `OPTION_UNUSED`, and what the readers throw. */
export async function readRows(path: string, choice: RowChoice, world: RowsWorld): Promise<Rows> {
  const source = await fileSource(path)
  const head = await contentHead(source)
  const samples = isNpy(head) ? await npySamples(source) : isIdx(head) ? await idxSamples(source) : null
  const rows = samples ? await sampleRows(samples, choice, world) : await tableRows(source, choice, world)
  if (choice.labels === undefined) return rows
  try {
    return { ...rows, colours: [await labelColumn(choice.labels, rows, choice, world), ...rows.colours] }
  } catch (error) {
    rows.close()
    throw error
  }
}

async function labelColumn(
  path: string,
  { name, x }: Rows,
  { limit }: RowChoice,
  { signal }: RowsWorld,
): Promise<TableColumn> {
  const labels = await openLabels(path)
  const values = new Float64Array(x.rows)
  let read = 0
  for await (const label of labels.read({ signal })) {
    if (typeof label !== 'number') {
      throw new PareError('LABEL_COUNT', 'one label for each row is needed, and these are several', {
        where: labels.name,
        value: label.length,
        remedy: 'Give a file with one number or name a row.',
      })
    }
    if (read < x.rows) values[read] = label
    read++
    if (limit !== undefined && read === x.rows) break
  }
  if (read !== x.rows) {
    throw new PareError('LABEL_COUNT', 'there must be one label for each row, in the same order', {
      where: `${name}, ${labels.name}`,
      value: `${counted(x.rows, 'row')}, ${counted(read, 'label')}`,
      remedy: 'Give the label file that belongs to these rows.',
    })
  }
  const { classes } = labels
  if (classes) return { kind: 'category', name: 'label', codes: Int32Array.from(values), levels: classes }
  return { kind: 'number', name: 'label', values }
}
