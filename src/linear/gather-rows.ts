/** Moments of folds, and some rows to show, of rows that come in the order of the table and are not kept. */

import type { NumberBlock } from '../data/describe.js'
import { random } from '../util/random.js'
import { type ChoiceOptions, needsFolds } from './choose.js'
import { firstUnfit } from './design.js'
import { type FoldOptions, foldDealer } from './folds.js'
import { type Moments, openMoments } from './moments.js'

export interface GatheringOptions
  extends Pick<ChoiceOptions, 'select' | 'model'>,
    Pick<FoldOptions, 'folds' | 'seed'> {}

/** Rows that are kept, drawn from all that weigh something with equal chances, to show what the model does. */
const SAMPLE = 5000

export interface Gathered {
  /** Of each fold; of all rows where nothing is left out. */
  readonly moments: readonly Moments[]
  readonly sample: Sample
}

/** Rows z = (x, y), `near` being near their means. */
export function gathering(near: Float64Array, { select = 'cv', model, folds = 10, seed = 0 }: GatheringOptions) {
  const parts = Array.from({ length: needsFolds(select, model) ? folds : 1 }, () => openMoments(near))
  const deal = foldDealer({ folds: parts.length, seed })
  const sample = reservoir(SAMPLE, near.length, seed)
  return {
    /** [rows, p + 1], and their weights. */
    add(z: Float64Array, weights?: Float64Array): void {
      for (let from = 0, i = 0; from < z.length; from += near.length, i++) {
        const row = z.subarray(from, from + near.length)
        const weight = weights?.[i] ?? 1
        parts[deal()]!.add(row, weight)
        sample.add(row, weight > 0)
      }
    },
    end: (): Gathered => ({ moments: parts.map((part) => part.end()), sample: sample.end() }),
  }
}

export interface EarlyRows {
  /** For `describeTable`. */
  readonly onNumbers: (block: NumberBlock) => void
  /** Null where some column was not of numbers alone, so that the rows must be read again. */
  end(): Gathered | null
}

interface EarlyOptions extends GatheringOptions {
  readonly target: string
  readonly weights?: string
  readonly without?: readonly string[]
}

/**
 * Gathers rows of a table that is still being described, as long as they are all numbers, and all columns are for the fit:
 * then one pass does it all.
 */
export function earlyRows({ target, weights, without = [], ...options }: EarlyOptions): EarlyRows {
  let gathered: ReturnType<typeof gathering> | null = null
  let hasGivenUp = weights !== undefined || without.length > 0
  return {
    onNumbers({ names, columns }) {
      const y = columns[names.indexOf(target)]
      const known = columns.filter((column) => column !== null)
      const z = hasGivenUp || !y || known.length < columns.length ? null : byRow([...known.filter((c) => c !== y), y])
      if (z === null || firstUnfit(z) >= 0) {
        hasGivenUp = true
        gathered = null
        return
      }
      gathered ??= gathering(meansOf(z, columns.length), options)
      gathered.add(z)
    },
    end: () => gathered?.end() ?? null,
  }
}

function byRow(columns: readonly Float64Array[]): Float64Array {
  const width = columns.length
  const z = new Float64Array(columns[0]!.length * width)
  for (const [j, column] of columns.entries())
    for (let i = 0, to = j; i < column.length; i++, to += width) z[to] = column[i]!
  return z
}

function meansOf(z: Float64Array, width: number): Float64Array {
  const sums = new Float64Array(width)
  for (let i = 0; i < z.length; i++) sums[i % width]! += z[i]!
  return sums.map((sum) => (sum * width) / z.length)
}

export interface Sample {
  /** Rows z, and where each stood in the table, in no order. */
  readonly kept: Float64Array
  readonly places: Uint32Array
  /** Whether there were more. */
  readonly isDrawn: boolean
}

/** Some rows of a stream, each with the same chance (Vitter 1985, algorithm R). */
function reservoir(size: number, width: number, seed: number) {
  const { integer } = random(seed).fork(0)
  const kept = new Float64Array(size * width)
  const places = new Uint32Array(size)
  let [seen, at] = [0, 0]
  return {
    add(row: Float64Array, isWanted: boolean): void {
      const here = at++
      if (!isWanted) return
      const place = seen < size ? seen : integer(seen + 1)
      if (place < size) {
        kept.set(row, place * width)
        places[place] = here
      }
      seen++
    },
    end: (): Sample => ({ kept, places: places.subarray(0, Math.min(seen, size)), isDrawn: seen > size }),
  }
}
