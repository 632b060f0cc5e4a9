/** The rows that `pare reduce` works on: columns of a table, or samples of npy and idx files; and what colours them. */

import { firstRows } from '../data/cells.js'
import type { TableColumn } from '../data/columns.js'
import type { Samples } from '../data/samples.js'
import type { Source } from '../data/source.js'
import type { Tensor } from '../ir/types.js'
import type { DenseMatrix } from '../linear/design.js'
import { PareError } from '../util/errors.js'
import { bytes, count, counted } from '../util/format.js'
import type { Context } from './command.js'
import { unused } from './inputs.js'
import type { ReduceValues } from './reduce-options.js'

export interface Rows {
  readonly name: string
  readonly x: DenseMatrix
  /** Of the columns of x. */
  readonly names: readonly string[]
  readonly kind: 'table' | 'samples'
  /** As they are in the table; they take no part, and the first one colours. */
  readonly colours: readonly TableColumn[]
}

type Choice = Pick<ReduceValues, 'columns' | 'without' | 'color' | 'labels' | 'missing' | 'limit'> & {
  readonly table: string | undefined
  readonly query: string | undefined
}

type World = Pick<Context, 'signal' | 'onProgress' | 'warn'>

/** Throws `TABLE_…`, `REDUCE_TEXT`, `LABEL_COUNT`, `OPTION_UNUSED`, and what the readers throw. */
export async function readRows(path: string, choice: Choice, world: World): Promise<Rows> {
  const [{ fileSource }, { isNpy, npySamples }, { isIdx, idxSamples }, { contentHead }] = await Promise.all([
    import('../data/files.js'),
    import('../data/npy.js'),
    import('../data/idx.js'),
    import('../data/inflate.js'),
  ])
  const source = await fileSource(path)
  const head = await contentHead(source)
  const samples = isNpy(head) ? await npySamples(source) : isIdx(head) ? await idxSamples(source) : null
  const rows = samples ? await sampleRows(samples, choice, world) : await tableRows(source, choice, world)
  if (choice.labels === undefined) return rows
  return { ...rows, colours: [await labelColumn(choice.labels, rows, choice, world), ...rows.colours] }
}

async function tableRows(source: Source, choice: Choice, { signal, onProgress, warn }: World): Promise<Rows> {
  const [{ openTable }, { describeTable }, { wholeTable }, { unknownColumn }, { encode }] = await Promise.all([
    import('../data/open-table.js'),
    import('../data/describe.js'),
    import('../data/columns.js'),
    import('../data/column-names.js'),
    import('../linear/encode.js'),
  ])
  const { color, without, missing, limit, table: tableName, query } = choice
  const opened = await openTable(source, { table: tableName, query })
  const cells = limit === undefined ? opened : firstRows(opened, limit)
  try {
    const columns = choice.columns.flatMap((list) => list.split(',').map((name) => name.trim()))
    const unknown = [...columns, ...color, ...without].find((name) => !cells.names.includes(name))
    if (unknown !== undefined) throw unknownColumn(cells.name, unknown, cells.names)
    const isIn = (name: string): boolean =>
      (columns.length === 0 || columns.includes(name)) && !without.includes(name) && !color.includes(name)
    const isAll = columns.length === 0 && without.length === 0
    const only = cells.names.filter((name) => isIn(name) || color.includes(name))
    const described = await describeTable(cells, { signal, onProgress, onWarning: warn, ...(!isAll && { only }) })
    const cellCount = described.rows * described.columns.length
    if (cellCount > MANY_CELLS) warn(heldInMemory(described.rows, described.columns.length))
    const whole = await wholeTable(cells, described, { signal })
    const taking = whole.columns.filter(({ name }) => isIn(name))
    for (const column of taking) if (column.kind === 'category') throw isText(column, whole.name)
    if (taking.length === 0) throw nothingLeft(whole.name)
    const { x, names } = encode(taking, whole, { missing })
    const colours = color.map((name) => whole.columns.find((c) => c.name === name)!)
    return { name: whole.name, kind: 'table', x, names, colours }
  } finally {
    cells.close()
  }
}

/** Cells of a table from which on its memory is worth a word: 512 MiB with their copy. */
const MANY_CELLS = 2 ** 25

const heldInMemory = (rows: number, columns: number): string =>
  `${count(rows)} rows of ${counted(columns, 'column')} are held in memory, about ${bytes(2 * 8 * rows * columns)}`

/** Text has no distances: one column a level would weigh it by how many levels there are. */
const isText = ({ name, levels }: TableColumn & { kind: 'category' }, table: string): PareError =>
  new PareError('REDUCE_TEXT', 'a column of text has no place among numbers', {
    where: `${table}, column ${name}`,
    value: levels[0],
    remedy: `Show it with --color ${name}, or leave it out with --without ${name}.`,
  })

const nothingLeft = (where: string): PareError =>
  new PareError('TABLE_COLUMN', 'no column of numbers is left to work on', {
    where,
    remedy: 'Name fewer with --color and --without, or others with --columns.',
  })

async function sampleRows(samples: Samples, choice: Choice, { signal, onProgress }: World): Promise<Rows> {
  for (const [name, value] of Object.entries({
    columns: choice.columns[0],
    without: choice.without[0],
    color: choice.color[0],
    table: choice.table,
    query: choice.query,
  }))
    if (value !== undefined)
      throw unused(`--${name}`, 'samples have no columns with names', 'Leave it out; --labels colours them.')
  if (choice.missing === 'mean')
    throw unused('--missing mean', 'of samples nothing is filled in', 'Leave it out, or give a table.')
  const { numbers } = await import('../ir/tensor.js')
  const total = Math.min(samples.count ?? Number.POSITIVE_INFINITY, choice.limit ?? Number.POSITIVE_INFINITY)
  let data: Float32Array | Float64Array | null = null
  let shape: readonly number[] = []
  let rows = 0
  for await (const { feeds, name } of samples.read({ signal })) {
    const tensor = Object.values(feeds)[0] as Tensor
    if (tensor.dtype === 'string') throw textSamples(name)
    const values = numbers(tensor)
    data ??= new (isShort(tensor) ? Float32Array : Float64Array)(total * values.length)
    shape = tensor.shape
    for (let k = 0; k < values.length; k++) data[rows * values.length + k] = Number(values[k])
    rows++
    if (rows % 1000 === 0) onProgress({ task: 'reading', done: rows, total })
    if (rows === total) break
  }
  const columns = rows === 0 ? 0 : data!.length / total
  return {
    name: samples.name,
    kind: 'samples',
    x: { rows, columns, data: data ?? new Float32Array(0) },
    names: namesOf(shape, columns),
    colours: [],
  }
}

/** Whether float32 holds the numbers. */
const isShort = ({ dtype }: Tensor): boolean => !/64$|^u?int32$/.test(dtype)

/** `14,3`: the place in a sample, from 1. */
function namesOf(shape: readonly number[], columns: number): readonly string[] {
  return Array.from({ length: columns }, (_, at) => {
    let rest = at
    const places = shape.toReversed().map((length) => {
      const place = (rest % length) + 1
      rest = Math.floor(rest / length)
      return place
    })
    return places.reverse().join(',') || String(at + 1)
  })
}

const textSamples = (where: string): PareError =>
  new PareError('REDUCE_TEXT', 'samples of text have no place among numbers', {
    where,
    remedy: 'Give an array of numbers.',
  })

async function labelColumn(
  path: string,
  { name, x }: Rows,
  { limit }: Choice,
  { signal }: World,
): Promise<TableColumn> {
  const { openLabels } = await import('../data/open-labels.js')
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
