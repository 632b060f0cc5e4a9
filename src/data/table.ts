/** Rows of tables (CSV, Parquet) as samples: which column is which input, which is the label, and cells as numbers. */

import type { ValueInfo } from '../engine/engine.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { convert, isInteger, type Scalar, tensorOf } from './convert.js'
import { isLabelName, type Label } from './labels.js'
import { nested } from './nested.js'
import { type Sample, UNNAMED } from './samples.js'

export interface TableOptions {
  readonly inputs?: readonly ValueInfo[]
  /** Column that holds the label. Default: one called `label`, `labels`, `target`, `targets` or `y`, where there is one. */
  readonly label?: string
  /** Columns that form the input, in this order, where they do not bear names of inputs. Default: all but the label. */
  readonly columns?: readonly string[]
  /** What text labels stand for: the class index is the place in this list. */
  readonly classes?: readonly string[]
}

/** Text, a number, or lists of them in Parquet. */
export type Cell = unknown

/**
 * A function from a row's cells to a sample. Columns that bear names of inputs are these inputs, others are ignored
 * then; where none does, all columns but the label are the elements of the one input. Throws `TABLE_COLUMN` at once;
 * `TABLE_CELL` and `LABEL_TEXT` for a cell, with row (from 1), column and value.
 */
export function tableMapper(
  columns: readonly string[],
  { inputs = [], label, columns: chosen, classes }: TableOptions,
  name: string,
): (cells: readonly Cell[], row: number) => Sample {
  const place = (column: string): number => {
    const at = columns.indexOf(column)
    if (at >= 0) return at
    throw new PareError('TABLE_COLUMN', `there is no such column; there are ${columns.join(', ')}`, {
      where: name,
      value: column,
      remedy: 'Name one of these.',
    })
  }
  const inputOf = new Map(inputs.map((input) => [input.name, input]))
  const labelColumn = label ?? columns.find((c) => isLabelName(c) && !inputOf.has(c) && !chosen?.includes(c))
  const labelAt = labelColumn === undefined ? -1 : place(labelColumn)
  const named = chosen
    ? []
    : columns.flatMap((c, at) => (inputOf.has(c) && at !== labelAt ? [{ at, input: inputOf.get(c)! }] : []))
  const together =
    named.length > 0 ? [] : chosen ? chosen.map(place) : columns.flatMap((_, at) => (at === labelAt ? [] : [at]))
  const sole = inputs.length === 1 ? (inputs[0]!.dtype as DType) : 'float64'

  return (cells, row) => {
    const where = (at: number) => `${name}, row ${row}, column ${columns[at]}`
    const feeds: Record<string, Tensor> = {}
    for (const { at, input } of named) feeds[input.name] = cellTensor(cells[at], input.dtype as DType, where(at))
    if (together.length === 1 && typeof cells[together[0]!] === 'object') {
      feeds[UNNAMED] = cellTensor(cells[together[0]!], sole, where(together[0]!))
    } else if (together.length > 0) {
      const values = together.map((at) => scalarOf(cells[at], sole, where(at)))
      feeds[UNNAMED] = tensorOf(sole, [together.length], values, `${name}, row ${row}`)
    }
    const target = labelAt < 0 ? undefined : labelFrom(cells[labelAt], classes, where(labelAt))
    return { feeds, name: `${name}, row ${row}`, ...(target !== undefined && { label: target }) }
  }
}

function cellTensor(cell: Cell, dtype: DType, where: string): Tensor {
  if (cell === null || typeof cell !== 'object' || cell instanceof Date) {
    return tensorOf(dtype, [], [scalarOf(cell, dtype, where)], where)
  }
  return convert(nested(cell, dtype, where), dtype, where)
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
const WORDS: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
}

/** The number that a text stands for; undefined for any other text. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim()
  if (DECIMAL.test(trimmed)) return Number(trimmed)
  return WORDS[trimmed.toLowerCase()]
}

function scalarOf(cell: Cell, dtype: DType, where: string): Scalar {
  if (dtype === 'string') {
    if (cell !== null && cell !== undefined) return String(cell)
    throw badCell(where, cell, 'the cell is empty')
  }
  if (typeof cell === 'number' || typeof cell === 'bigint' || typeof cell === 'boolean') return cell
  if (typeof cell !== 'string' || cell.trim() === '') throw badCell(where, cell, 'the cell is empty or no number')
  const text = cell.trim()
  if (isInteger(dtype) && /^[+-]?\d+$/.test(text)) return BigInt(text)
  if (dtype === 'bool' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  const value = parseNumber(text)
  if (value === undefined) throw badCell(where, cell, 'the cell is no number')
  return value
}

const badCell = (where: string, value: unknown, what: string): PareError =>
  new PareError('TABLE_CELL', what, {
    where,
    value,
    remedy:
      'Correct the cell, or choose the columns that are inputs and the one that is the label: --data-option columns=a,b and label=c.',
  })

function labelFrom(cell: Cell, classes: readonly string[] | undefined, where: string): Label {
  if (typeof cell === 'number') return cell
  if (typeof cell === 'bigint' || typeof cell === 'boolean') return Number(cell)
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) return Array.from(cell as unknown as ArrayLike<number>, Number)
  const text = String(cell)
  return textLabel(text, classes, where)
}

/** A label written as text: its place among the classes where these are given, else a number. Throws `LABEL_TEXT`. */
export function textLabel(text: string, classes: readonly string[] | undefined, where: string): number {
  const index = classes?.indexOf(text.trim()) ?? -1
  if (index >= 0) return index
  const value = classes ? undefined : parseNumber(text)
  if (value !== undefined) return value
  throw new PareError('LABEL_TEXT', classes ? 'the label is none of the classes' : 'the label is no number', {
    where,
    value: text,
    remedy: classes
      ? `The classes are ${classes.slice(0, 20).join(', ')}.`
      : "Give the classes in the order of the model's scores, so that names become indices: --data-option classes=a,b.",
  })
}
