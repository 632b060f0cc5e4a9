/** Disjoint sets of the indices along axes: which go together, and which sets something holds. Tarjan 1975, with path halving. */

import type { Dim } from '../../ir/types.js'

/** An axis of a value, of static size. */
export interface ValueAxis {
  readonly value: string
  readonly axis: number
}

/** Indices that can only be cut together. */
export interface IndexClass {
  /** The axes that it touches, in the order of the graph, with the indices in rising order. */
  readonly places: ReadonlyMap<string, readonly number[]>
}

export const axisKey = ({ value, axis }: ValueAxis): string => `${axis}:${value}`
export function axisOfKey(key: string): ValueAxis {
  const colon = key.indexOf(':')
  return { axis: Number(key.slice(0, colon)), value: key.slice(colon + 1) }
}

export interface IndexSets {
  size(at: ValueAxis): number | null
  /** Joins index k of `a` with index(k) of `b`; false where a size is not known, or they differ though they should not. */
  join(a: ValueAxis, b: ValueAxis, index?: (k: number) => number | null): boolean
  /** Holds all indices of an axis, or one. */
  hold(at: ValueAxis, why: string, only?: number): void
  holdAll(value: string, why: string): void
  /** Why an index of an axis is held, or the first that is; null where none is. */
  why(at: ValueAxis, only?: number): string | null
  /** Whether all indices are held, as those of an axis without a number are. */
  isHeld(at: ValueAxis): boolean
  /** How many classes that nothing holds `flat` would be in, were it joined so. */
  countJoined(flat: ValueAxis, part: ValueAxis, index: (k: number) => number): number
  classes(): readonly IndexClass[]
}

function some(count: number, holds: (k: number) => boolean): boolean {
  for (let k = 0; k < count; k++) if (holds(k)) return true
  return false
}

/** `shapeOf`: the shapes of values. An axis gets its indices when it is first asked for. */
export function indexSets(shapeOf: (value: string) => readonly Dim[] | null): IndexSets {
  const parent: number[] = []
  const reason: (string | undefined)[] = []
  const starts = new Map<string, number>()
  const find = (i: number): number => {
    let at = i
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!
      at = parent[at]!
    }
    return at
  }
  const unite = (i: number, j: number): void => {
    const [a, b] = [find(i), find(j)]
    if (a === b) return
    const [low, high] = a < b ? [a, b] : [b, a]
    parent[high] = low
    reason[low] ??= reason[high]
  }
  const size = ({ value, axis }: ValueAxis): number | null => {
    const d = shapeOf(value)?.[axis]
    return typeof d === 'number' ? d : null
  }
  const startOf = (at: ValueAxis): number => {
    const key = axisKey(at)
    const known = starts.get(key)
    if (known !== undefined) return known
    const [start, count] = [parent.length, size(at) ?? 0]
    for (let k = 0; k < count; k++) parent.push(start + k)
    starts.set(key, start)
    return start
  }
  const each = (at: ValueAxis, see: (i: number) => void): void => {
    const [start, count] = [startOf(at), size(at) ?? 0]
    for (let k = 0; k < count; k++) see(start + k)
  }
  const hold: IndexSets['hold'] = (at, why, only) => {
    const start = startOf(at)
    each(at, (i) => {
      if (only === undefined || i === start + only) reason[find(i)] ??= why
    })
  }
  return {
    size,
    hold,
    join(a, b, index) {
      const [n, m] = [size(a), size(b)]
      if (n === null || m === null) return n === m
      if (index === undefined && n !== m) return false
      const [from, to] = [startOf(a), startOf(b)]
      for (let k = 0; k < n; k++) {
        const other = index === undefined ? k : index(k)
        if (other !== null && other >= 0 && other < m) unite(from + k, to + other)
      }
      return true
    },
    holdAll(value, why) {
      shapeOf(value)?.forEach((_, axis) => {
        hold({ value, axis }, why)
      })
    },
    why(at, only) {
      const start = startOf(at)
      let found: string | null = null
      each(at, (i) => {
        if (only === undefined || i === start + only) found ??= reason[find(i)] ?? null
      })
      return found
    },
    isHeld(at) {
      const start = startOf(at)
      return !some(size(at) ?? 0, (k) => reason[find(start + k)] === undefined)
    },
    countJoined(flat, part, index) {
      const [n, m] = [size(flat), size(part)]
      if (n === null || m === null) return 0
      const [from, to] = [startOf(flat), startOf(part)]
      const isFree = (start: number, k: number): boolean => reason[find(start + k)] === undefined
      if (!some(m, (k) => isFree(to, k)) || !some(n, (k) => isFree(from, k))) return 0
      const joined = new Map<number, number>()
      const root = (i: number): number => {
        let at = i
        for (let up = joined.get(at); up !== undefined; up = joined.get(at)) {
          joined.set(at, joined.get(up) ?? up)
          at = joined.get(at)!
        }
        return at
      }
      for (let k = 0; k < n; k++) {
        const [a, b] = [root(find(from + k)), root(find(to + index(k)))]
        // A class that is held stays the root.
        if (a !== b) joined.set(...(reason[a] === undefined ? ([a, b] as const) : ([b, a] as const)))
      }
      const roots = new Set<number>()
      for (let k = 0; k < n; k++) roots.add(root(find(from + k)))
      return [...roots].filter((r) => reason[r] === undefined).length
    },
    classes() {
      const found = new Map<number, Map<string, number[]>>()
      for (const [key, start] of starts) {
        const n = size(axisOfKey(key)) ?? 0
        for (let k = 0; k < n; k++) {
          const root = find(start + k)
          if (reason[root] !== undefined) continue
          const places = found.get(root) ?? new Map<string, number[]>()
          found.set(root, places)
          const list = places.get(key)
          if (list) list.push(k)
          else places.set(key, [k])
        }
      }
      return [...found.values()].map((places) => ({ places }))
    },
  }
}
