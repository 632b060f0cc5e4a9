/** Which rows are left out together. */

import { PareError } from '../util/errors.js'
import { counted } from '../util/format.js'
import { random } from '../util/random.js'

export interface FoldOptions {
  /** Default 10. */
  readonly folds?: number
  readonly seed?: number
  /** The fold of each row, from 0, in place of drawn ones. */
  readonly foldIds?: ArrayLike<number>
  /** Rows of one group stay together: any value a row. */
  readonly groups?: ArrayLike<unknown>
  /** Each fold holds the classes in the same shares: the class of each row. */
  readonly strata?: ArrayLike<unknown>
  /** Folds are stretches of rows in the order that they have, each judged by what came before it; without ids and groups. */
  readonly isOrdered?: boolean
}

export interface Fold {
  readonly train: Uint32Array
  readonly test: Uint32Array
}

/** Throws `FOLDS` where there are fewer than 2, more than rows or groups, or a fold is empty. */
export function foldsOf(rows: number, options: FoldOptions = {}): readonly Fold[] {
  const { folds = 10, isOrdered = false } = options
  checkFolds(rows, options)
  if (isOrdered) return orderedFolds(rows, folds)
  const ids = options.foldIds ? Uint32Array.from(options.foldIds) : drawnIds(rows, options)
  const count = ids.reduce((most, id) => Math.max(most, id), 0) + 1
  return Array.from({ length: count }, (_, k) => {
    const fold = parted(ids, k)
    if (fold.test.length === 0) throw wrongFolds(`fold ${k} has no rows`)
    return fold
  })
}

/** Plain loops, as they are over all rows for each fold. */
function parted(ids: Uint32Array, k: number): Fold {
  let count = 0
  for (let i = 0; i < ids.length; i++) count += Number(ids[i] === k)
  const [test, train] = [new Uint32Array(count), new Uint32Array(ids.length - count)]
  for (let i = 0, inside = 0; i < ids.length; i++) {
    if (ids[i] === k) test[inside++] = i
    else train[i - inside] = i
  }
  return { test, train }
}

/**
 * Folds of rows one after the other: all of them in a drawn order, then again. So a table that is read once, whose rows
 * nobody has counted, has the folds that it has in memory.
 */
export function foldDealer({ folds = 10, seed = 0 }: Pick<FoldOptions, 'folds' | 'seed'>): () => number {
  const { shuffle } = random(seed)
  const order = Uint32Array.from({ length: folds }, (_, k) => k)
  let next = folds
  return () => {
    if (next === folds) {
      shuffle(order)
      next = 0
    }
    return order[next++]!
  }
}

/** Of rows one by one; of groups, or class by class, in a drawn order. */
function drawnIds(rows: number, options: FoldOptions): Uint32Array {
  const { folds = 10, seed = 0, groups, strata } = options
  if (groups === undefined && strata === undefined) {
    const deal = foldDealer(options)
    return Uint32Array.from({ length: rows }, () => deal())
  }
  const { shuffle } = random(seed)
  const units = groups === undefined ? Array.from({ length: rows }, (_, i) => [i]) : [...rowsBy(rows, groups).values()]
  if (units.length < folds) throw wrongFolds(`${folds} folds of ${units.length} ${groups ? 'groups' : 'rows'}`)
  const order = shuffle([...units])
  // Classes one after the other are dealt out evenly.
  const dealt =
    strata === undefined
      ? order
      : [
          ...rowsBy(
            order.length,
            order.map((unit) => strata[unit[0]!]),
          ).values(),
        ]
          .flat()
          .map((i) => order[i]!)
  const ids = new Uint32Array(rows)
  for (const [i, unit] of dealt.entries()) for (const row of unit) ids[row] = i % folds
  return ids
}

function rowsBy(rows: number, keys: ArrayLike<unknown>): ReadonlyMap<unknown, number[]> {
  const found = new Map<unknown, number[]>()
  for (let i = 0; i < rows; i++) {
    const list = found.get(keys[i])
    if (list) list.push(i)
    else found.set(keys[i], [i])
  }
  return found
}

function orderedFolds(rows: number, folds: number): readonly Fold[] {
  const edge = (k: number): number => Math.floor((k * rows) / (folds + 1))
  return Array.from({ length: folds }, (_, k) => ({
    train: Uint32Array.from({ length: edge(k + 1) }, (_, i) => i),
    test: Uint32Array.from({ length: edge(k + 2) - edge(k + 1) }, (_, i) => edge(k + 1) + i),
  }))
}

/** Throws `FOLDS`. */
export function checkFolds(rows: number, { folds = 10, foldIds, groups, strata, isOrdered }: FoldOptions): void {
  if (isOrdered && (foldIds !== undefined || groups !== undefined))
    throw wrongFolds(`rows in their order and ${foldIds ? 'fold ids' : 'groups'}, which say otherwise`)
  if (foldIds !== undefined) {
    if (foldIds.length !== rows) throw wrongFolds(`${foldIds.length} fold ids for ${rows} rows`)
    let isOne = true
    for (let i = 0; i < rows; i++) {
      const id = foldIds[i]!
      if (!(Number.isInteger(id) && id >= 0 && id < rows)) throw wrongFolds(`fold ${id} of row ${i + 1}`)
      isOne &&= id === foldIds[0]
    }
    if (isOne) throw wrongFolds('one fold')
    return
  }
  if (!Number.isInteger(folds) || folds < 2) throw wrongFolds(`${folds} folds`)
  if (folds + Number(isOrdered ?? false) > rows) throw tooMany(folds, rows, isOrdered ?? false)
  for (const list of [groups, strata])
    if (list && list.length !== rows) throw wrongFolds(`${list.length} values for ${rows} rows`)
}

function tooMany(folds: number, rows: number, isOrdered: boolean): PareError {
  const most = rows - Number(isOrdered)
  return new PareError('FOLDS', 'there are more folds than rows to part', {
    value: `${folds} folds of ${counted(rows, 'row')}`,
    remedy: most < 2 ? 'Give more rows.' : `Give ${most === 2 ? '2 folds' : `2 to ${most} folds`}, or more rows.`,
  })
}

export const wrongFolds = (value: string): PareError =>
  new PareError('FOLDS', 'the rows cannot be parted like this', {
    value,
    remedy: 'Give at least 2 folds, none empty, numbered from 0, and no more than there are rows or groups.',
  })
