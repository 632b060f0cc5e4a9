/** A table with all that a fit has to cope with: categories, missing cells, weights of 0, exposures; and its rows by name. */

import type { Table, TableColumn } from '../src/data/columns.js'
import { random } from '../src/util/random.js'

const CITIES = ['Bonn', 'Oslo', 'Rome']

export function fitTableOf(target: 'price' | 'count' | 'flag' | 'level', rows = 80): Table {
  const { normal, integer, uniform } = random(21)
  const numbers = (of: (i: number) => number): Float64Array => Float64Array.from({ length: rows }, (_, i) => of(i))
  const [size, age] = [numbers(() => normal(3, 2)), numbers((i) => (i % 9 === 4 ? Number.NaN : normal(40, 10)))]
  const twin = size.map((v) => v + normal(0, 0.3))
  const city = Int32Array.from({ length: rows }, (_, i) => (i % 13 === 5 ? -1 : integer(3)))
  const exposure = numbers(() => uniform(0.5, 3))
  const score = numbers((i) => 0.4 * size[i]! - 1 + (city[i] === 2 ? 1 : 0) + (age[i]! > 45 ? 0.5 : 0) + normal(0, 0.6))
  const number = (name: string, values: Float64Array): TableColumn => ({ kind: 'number', name, values })
  const category = (name: string, codes: Int32Array, levels: readonly string[]): TableColumn => {
    return { kind: 'category', name, codes, levels }
  }
  const targets = {
    price: () =>
      number(
        'price',
        score.map((s) => 100 + 20 * s),
      ),
    count: () =>
      number(
        'count',
        score.map((s, i) => Math.round(exposure[i]! * Math.exp(s))),
      ),
    flag: () =>
      category(
        'flag',
        Int32Array.from(score, (s) => Number(s > 0.3)),
        ['no', 'yes'],
      ),
    level: () =>
      category(
        'level',
        Int32Array.from(score, (s) => Number(s > 0) + Number(s > 1)),
        ['low', 'mid', 'top'],
      ),
  }
  return {
    name: 'made.csv',
    rows,
    columns: [
      number('size', size),
      category('city', city, CITIES),
      number('twin', twin),
      number('age', age),
      number(
        'w',
        numbers((i) => (i % 7 === 0 ? 0 : 1 + integer(3))),
      ),
      number('exposure', exposure.map(Math.log)),
      targets[target](),
    ],
  }
}

/** What column `name` of X holds in a row, from the table alone; `fill` stands for missing numbers. */
export function cellOf({ columns }: Table, name: string, row: number, fill: (column: string) => number): number {
  const [own, level] = name.split('=')
  const column = columns.find((c) => c.name === own)!
  if (column.kind === 'category') return Number(column.codes[row]! >= 0 && column.levels[column.codes[row]!] === level)
  return Number.isNaN(column.values[row]!) ? fill(own!) : column.values[row]!
}
