/**
 * Colours of points: groups of rows by a column, classes or steps of a scale, and a colour for each group on light and on
 * dark paper. Used by pages in the browser and by pictures alike.
 */

import type { TableColumn } from '../../data/columns.js'

export type Theme = 'light' | 'dark'

export interface Group {
  readonly name: string
  readonly count: number
  /** Place among the classes, or on the scale from 0 to 1; null of what is grey. */
  readonly place: number | null
}

export interface Grouping {
  readonly kind: 'none' | 'classes' | 'scale'
  /** Index of the group of each row. */
  readonly of: Uint8Array
  readonly groups: readonly Group[]
  /** Ends of the scale. */
  readonly ends: readonly [number, number] | null
}

/** Classes with a colour of their own. */
export const MOST_CLASSES = 20
/** Steps of a scale: more than can be told apart. */
export const STEPS = 48

/** Rows by what a column says of them; all in one group without a column. */
export function groupsOf(column: TableColumn | null, rows: number): Grouping {
  if (column === null)
    return { kind: 'none', of: new Uint8Array(rows), groups: [{ name: 'all', count: rows, place: 0 }], ends: null }
  return column.kind === 'category' ? byClass(column) : byValue(column)
}

/** The most frequent classes have colours, the others are one group, and so is what is missing. */
function byClass({ codes, levels }: TableColumn & { kind: 'category' }): Grouping {
  const counts = new Float64Array(levels.length)
  let missing = 0
  for (const code of codes) {
    if (code < 0) missing++
    else counts[code]!++
  }
  const present = [...levels.keys()].filter((code) => counts[code]! > 0)
  const largest = new Set(present.toSorted((a, b) => counts[b]! - counts[a]!).slice(0, MOST_CLASSES))
  const shown = inOrder(
    present.filter((code) => largest.has(code)),
    levels,
  )
  const rest = present.filter((code) => !largest.has(code))
  const groups: Group[] = shown.map((code, place) => ({ name: levels[code]!, count: counts[code]!, place }))
  const groupOf = new Uint8Array(levels.length).fill(shown.length)
  for (const [group, code] of shown.entries()) groupOf[code] = group
  if (rest.length > 0)
    groups.push({ name: `${rest.length} others`, count: rest.reduce((n, code) => n + counts[code]!, 0), place: null })
  if (missing > 0) groups.push({ name: 'no value', count: missing, place: null })
  const of = Uint8Array.from(codes, (code) => (code < 0 ? groups.length - 1 : groupOf[code]!))
  return { kind: 'classes', of, groups, ends: null }
}

/** Classes that are numbers by size: 10 comes after 9. */
function inOrder(codes: readonly number[], levels: readonly string[]): readonly number[] {
  const isNumeric = codes.every((code) => levels[code]!.trim() !== '' && Number.isFinite(Number(levels[code])))
  return isNumeric ? codes.toSorted((a, b) => Number(levels[a]) - Number(levels[b])) : codes
}

/** One value in a hundred lies beyond either end of the scale, so that outliers do not take all of it. */
const BEYOND = 0.01

function byValue({ values }: TableColumn & { kind: 'number' }): Grouping {
  const sorted = values.filter(Number.isFinite).sort()
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0
  const ends = [at(BEYOND), at(1 - BEYOND)] as const
  const span = ends[1] - ends[0] || 1
  const of = Uint8Array.from(values, (v) =>
    Number.isFinite(v) ? Math.min(STEPS - 1, Math.max(0, Math.floor(((v - ends[0]) / span) * STEPS))) : STEPS,
  )
  const counts = new Float64Array(STEPS + 1)
  for (const group of of) counts[group]!++
  const groups = Array.from(counts, (count, step) => ({
    name: step < STEPS ? '' : 'no value',
    count,
    place: step < STEPS ? step / (STEPS - 1) : null,
  }))
  return { kind: 'scale', of, groups, ends }
}

/** `#rrggbb` of each group. */
export const coloursOf = ({ kind, groups }: Grouping, theme: Theme): readonly string[] =>
  groups.map(({ place }) => {
    if (place === null) return GREY[theme]
    return kind === 'scale' ? scaleColour(place, theme) : PALETTE[theme][place]!
  })

/** The red, green and blue parts, 0 to 255. */
export const partsOf = (colour: string): readonly [number, number, number] => [
  Number.parseInt(colour.slice(1, 3), 16),
  Number.parseInt(colour.slice(3, 5), 16),
  Number.parseInt(colour.slice(5, 7), 16),
]

/**
 * Each colour is the one furthest from those before it, from the paper and from grey, in OKLab (Ottosson 2020) and as
 * protanopes, deuteranopes and tritanopes see it (Machado, Oliveira and Fernandes 2009): the first are the easiest to
 * tell apart. A test recomputes the distances.
 */
export const PALETTE: Readonly<Record<Theme, readonly string[]>> = {
  light: [
    ...['#0b6bcb', '#c81a0b', '#62155f', '#fd9428', '#1f04b4', '#8a4f7d', '#4a9df5', '#ac79b1', '#910127', '#2bd1fe'],
    ...['#fa5b6b', '#633b88', '#8012fc', '#b61eb0', '#b96e25', '#9462fd', '#599a68', '#4f0e8a', '#77c876', '#536b26'],
  ],
  dark: [
    ...['#6cb4ff', '#f38b17', '#f1ef7a', '#b60ddd', '#92fef9', '#d61505', '#30967e', '#a178ca', '#add38f', '#fec020'],
    ...['#8cb16e', '#cd92c7', '#c96859', '#8e58ae', '#33e2c8', '#d74ffd', '#b03946', '#f5438d', '#c2f2b1', '#f8c0fc'],
  ],
}

const GREY: Readonly<Record<Theme, string>> = { light: '#b4bac2', dark: '#59626e' }

/** Viridis (Smith and van der Walt 2015, CC0) at tenths, without the end that the paper hides. */
const VIRIDIS = [
  ...['#440154', '#482475', '#414487', '#355f8d', '#2a788e', '#21918c'],
  ...['#22a884', '#44bf70', '#7ad151', '#bddf26', '#fde725'],
]

function scaleColour(place: number, theme: Theme): string {
  const [from, to] = theme === 'light' ? [0, 9.4] : [1.5, 10]
  const at = from + place * (to - from)
  const [a, b] = [VIRIDIS[Math.floor(at)]!, VIRIDIS[Math.ceil(at)]!].map(partsOf)
  const share = at - Math.floor(at)
  const part = (i: number): string =>
    Math.round(a![i]! + share * (b![i]! - a![i]!))
      .toString(16)
      .padStart(2, '0')
  return `#${part(0)}${part(1)}${part(2)}`
}
