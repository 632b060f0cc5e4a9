/**
 * A Gaussian fit of a table of which no more than a block of rows is in memory: all that it asks of them are the moments
 * of each fold. Takes the folds, and gives the model, that the whole table would have in memory.
 */

import type { CellTable } from '../data/cells.js'
import { tableBlocks } from '../data/columns.js'
import type { ColumnKind, Description, NumberBlock } from '../data/describe.js'
import { random } from '../util/random.js'
import { informationCriteria } from './criteria.js'
import { crossValidateBy } from './cross-moments.js'
import { emptyDesign, firstUnfit, unfit } from './design.js'
import { type Feature, fillRows, namesOf, numberFeature } from './encode.js'
import { type FitOptions, type LinearFit, predictRow } from './fit.js'
import { checkFolds, foldDealer } from './folds.js'
import { addMoments, type Moments, openMoments } from './moments.js'
import { type LinearModel, pathOf } from './path.js'
import { checkSelection, chosenBy, isCrossed } from './select.js'
import { numberTarget } from './target.js'
import { checkTerms } from './terms.js'
import { linearGraph } from './to-onnx.js'

export interface StreamOptions
  extends Omit<FitOptions, 'weights' | 'foldIds' | 'groups' | 'strata' | 'isOrdered' | 'engine'> {
  /** What was seen of the rows while the table was described: with it they need not be read again. */
  readonly early?: EarlyRows
}

/** Rows that are kept, drawn from all with equal chances, to show what the model does. */
const SAMPLE = 5000

/**
 * `described` is what `describeTable` says of all of the table. Throws `TABLE_COLUMN`, `TABLE_TARGET`, `TABLE_MISSING`,
 * `TABLE_CELL`, `DESIGN_EMPTY`, `DESIGN_FINITE`, `PATH_OPTION`, `FOLDS`, `CRITERIA_NOISE`, and what the reader throws.
 */
export async function fitStream(cells: CellTable, described: Description, options: StreamOptions): Promise<LinearFit> {
  const { select = 'cv', folds = 10, hasIntercept = true } = options
  const { rows } = described
  const target = numberTarget(described, options.target)
  const columns = described.columns.filter((c) => c !== target)
  const features = columns.map((kind) => featureOf(kind, options))
  const names = namesOf(features)
  if (rows < 1 || names.length < 1) throw emptyDesign(`${rows} rows, ${names.length} columns`)
  checkTerms(options, names.length)
  checkSelection(select, false)
  if (isCrossed(select)) checkFolds(rows, { folds })

  const { moments, sample } =
    options.early?.end() ??
    (await readRows(cells, [...columns, target], [...features, { kind: 'number', name: target.name, fill: null }], {
      ...options,
      rows,
    }))
  const all = moments.reduce(addMoments)
  const path = pathOf(all, options)
  const crossValidation = isCrossed(select)
    ? crossValidateBy(
        (part, lambdas) => pathOf(part.all, { ...options, lambdas: lambdas ?? path.lambdas }),
        { all, tests: moments, before: null },
        { ...options, path },
      )
    : null
  const variance = varianceOf(all)
  const about = hasIntercept ? variance : variance + all.means.at(-1)! ** 2
  const criteria = isCrossed(select) ? null : informationCriteria(path, { count: rows, variance: about })
  const chosen = chosenBy(select, crossValidation, criteria)
  const linear = path.models[chosen]!
  const { at, actual, fitted } = sampled(sample, names.length + 1, linear)
  return {
    target: target.name,
    rows,
    names,
    deviations: Float64Array.from(names, (_, j) => Math.sqrt(varianceOf(all, j))),
    path,
    chosen,
    linear,
    crossValidation,
    leaveOneOut: null,
    criteria,
    variance,
    sampled: at.length === rows ? null : at,
    actual,
    fitted,
    model: linearGraph(features, linear),
  }
}

const featureOf = (kind: ColumnKind, options: StreamOptions): Feature =>
  kind.kind === 'category' ? kind : numberFeature(kind.name, kind.missing, () => kind.mean, options)

/** Near the means of what a column becomes: those of levels lie between 0 and 1. */
const nearOf = (kind: ColumnKind): readonly number[] =>
  kind.kind === 'category' ? kind.levels.map(() => 0) : [Number.isFinite(kind.mean) ? kind.mean : 0]

interface Gathered {
  /** Of each fold; of all rows where nothing is left out. */
  readonly moments: readonly Moments[]
  readonly sample: Sample
}

/** Rows z = (x, y) in the order of the table. */
function gathering(near: Float64Array, { select = 'cv', folds = 10, seed = 0 }: GatheringOptions) {
  const parts = Array.from({ length: isCrossed(select) ? folds : 1 }, () => openMoments(near))
  const deal = foldDealer({ folds: parts.length, seed })
  const sample = reservoir(SAMPLE, near.length, seed)
  return {
    /** [rows, p + 1] */
    add(z: Float64Array): void {
      for (let from = 0; from < z.length; from += near.length) {
        const row = z.subarray(from, from + near.length)
        parts[deal()]!.add(row)
        sample.add(row)
      }
    },
    end: (): Gathered => ({ moments: parts.map((part) => part.end()), sample: sample.end() }),
  }
}

type GatheringOptions = Pick<StreamOptions, 'select' | 'folds' | 'seed'>

async function readRows(
  cells: CellTable,
  columns: readonly ColumnKind[],
  features: readonly Feature[],
  options: StreamOptions & { readonly rows: number },
): Promise<Gathered> {
  const names = namesOf(features)
  const gathered = gathering(Float64Array.from(columns.flatMap(nearOf)), options)
  for await (const { before, table } of tableBlocks(cells, columns, options)) {
    const z = new Float64Array(table.rows * names.length)
    fillRows(z, names.length, table.columns, features)
    const odd = firstUnfit(z)
    if (odd >= 0) {
      const row = before + Math.floor(odd / names.length) + 1
      throw unfit(`${cells.name}, row ${row}, column ${names[odd % names.length]}`, z[odd]!)
    }
    gathered.add(z)
    options.onProgress?.({ task: 'reading rows', done: before + table.rows, total: options.rows })
  }
  return gathered.end()
}

export interface EarlyRows {
  /** For `describeTable`. */
  readonly onNumbers: (block: NumberBlock) => void
  /** Null where some column was not of numbers alone, so that the rows must be read again. */
  end(): Gathered | null
}

/** Gathers rows of a table that is still being described, as long as they are all numbers: then one pass does it all. */
export function earlyRows({ target, ...options }: GatheringOptions & Pick<StreamOptions, 'target'>): EarlyRows {
  let gathered: ReturnType<typeof gathering> | null = null
  let hasGivenUp = false
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

/** Of the last column, which is y, by default. */
const varianceOf = ({ scatter, means, weight }: Moments, j = means.length - 1): number =>
  scatter[j * means.length + j]! / weight

/** Some rows of a stream, each with the same chance (Vitter 1985, algorithm R). */
function reservoir(size: number, width: number, seed: number) {
  const { integer } = random(seed).fork(0)
  const kept = new Float64Array(size * width)
  const places = new Uint32Array(size)
  let seen = 0
  return {
    add(row: Float64Array): void {
      const place = seen < size ? seen : integer(seen + 1)
      if (place < size) {
        kept.set(row, place * width)
        places[place] = seen
      }
      seen++
    },
    end: (): Sample => ({ kept, places: places.subarray(0, Math.min(seen, size)) }),
  }
}

interface Sample {
  /** Rows z, and where each stood in the table, in no order. */
  readonly kept: Float64Array
  readonly places: Uint32Array
}

/** In the order of the table. */
function sampled({ kept, places }: Sample, width: number, linear: LinearModel) {
  const order = [...places.keys()].sort((a, b) => places[a]! - places[b]!)
  return {
    at: Uint32Array.from(order, (i) => places[i]!),
    actual: Float64Array.from(order, (i) => kept[(i + 1) * width - 1]!),
    fitted: Float64Array.from(order, (i) => predictRow(linear, kept, i * width)),
  }
}
