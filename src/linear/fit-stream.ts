/**
 * A Gaussian fit of a table of which no more than a block of rows is in memory: all that it asks of them are the moments
 * of each fold. Takes the folds, and gives the model, that the whole table would have in memory.
 */

import type { CellTable } from '../data/cells.js'
import { type TableBlock, tableBlocks } from '../data/columns.js'
import type { ColumnKind, Description } from '../data/describe.js'
import { random } from '../util/random.js'
import { informationCriteria } from './criteria.js'
import { crossValidateMoments } from './cross-validate.js'
import { emptyDesign, notFinite } from './design.js'
import { type Feature, fillRows, namesOf, numberFeature } from './encode.js'
import { type FitOptions, type LinearFit, predictRow } from './fit.js'
import { checkFolds, foldDealer } from './folds.js'
import { addMoments, type Moments, openMoments } from './moments.js'
import { pathOf } from './path.js'
import { chosenBy, isCrossed } from './select.js'
import { numberTarget } from './target.js'
import { checkTerms } from './terms.js'
import { linearGraph } from './to-onnx.js'

export type StreamOptions = Omit<FitOptions, 'weights' | 'foldIds' | 'groups' | 'strata' | 'isOrdered' | 'engine'>

/** Rows that are kept, drawn from all with equal chances, to show what the model does. */
const SAMPLE = 5000

/**
 * `described` is what `describeTable` says of all of the table. Throws `TABLE_COLUMN`, `TABLE_TARGET`, `TABLE_MISSING`,
 * `TABLE_CELL`, `DESIGN_EMPTY`, `DESIGN_FINITE`, `PATH_OPTION`, `FOLDS`, `CRITERIA_NOISE`, and what the reader throws.
 */
export async function fitStream(cells: CellTable, described: Description, options: StreamOptions): Promise<LinearFit> {
  const { select = 'cv', folds = 10, seed = 0, hasIntercept = true } = options
  const { rows } = described
  const target = numberTarget(described, options.target)
  const columns = described.columns.filter((c) => c !== target)
  const features = columns.map((kind) => featureOf(kind, options))
  const names = namesOf(features)
  if (rows < 1 || names.length < 1) throw emptyDesign(`${rows} rows, ${names.length} columns`)
  checkTerms(options, names.length)
  if (isCrossed(select)) checkFolds(rows, { folds })

  const near = Float64Array.from([...columns.flatMap(nearOf), target.mean])
  const parts = Array.from({ length: isCrossed(select) ? folds : 1 }, () => openMoments(near))
  const deal = foldDealer({ folds: parts.length, seed })
  const sample = reservoir(Math.min(rows, SAMPLE), near.length, seed)
  for await (const block of tableBlocks(cells, [...columns, target], options)) {
    const z = encoded(block, features, near.length)
    checkFinite(z, block, [...names, target.name], cells.name)
    for (let from = 0; from < z.length; from += near.length) {
      const row = z.subarray(from, from + near.length)
      parts[deal()]!.add(row)
      sample.add(row)
    }
    const done = block.before + block.table.rows
    options.onProgress?.({ task: 'reading rows', done, total: rows })
  }

  const moments = parts.map((part) => part.end())
  const all = moments.reduce(addMoments)
  const crossValidation = isCrossed(select) ? crossValidateMoments(moments, null, options) : null
  const path = crossValidation?.path ?? pathOf(all, options)
  const variance = varianceOf(all)
  const about = hasIntercept ? variance : variance + all.means.at(-1)! ** 2
  const criteria = isCrossed(select) ? null : informationCriteria(path, { count: rows, variance: about })
  const chosen = chosenBy(select, crossValidation, criteria)
  const linear = path.models[chosen]!
  const { at, actual, fitted } = sample.end((row) => predictRow(linear, row, 0))
  return {
    target: target.name,
    rows,
    names,
    deviations: Float64Array.from(names, (_, j) => Math.sqrt(varianceOf(all, j))),
    path,
    chosen,
    linear,
    crossValidation,
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

/** Rows (x, y): [rows, p + 1]. */
function encoded({ table }: TableBlock, features: readonly Feature[], width: number): Float64Array {
  const z = new Float64Array(table.rows * width)
  const y: Feature = { kind: 'number', name: '', fill: null }
  fillRows(z, width, table.columns, [...features, y])
  return z
}

function checkFinite(z: Float64Array, { before }: TableBlock, names: readonly string[], where: string): void {
  let sum = 0
  for (let i = 0; i < z.length; i++) sum += z[i]! * 0
  if (sum === 0) return
  const at = z.findIndex((v) => !Number.isFinite(v))
  const row = before + Math.floor(at / names.length) + 1
  throw notFinite(`${where}, row ${row}, column ${names[at % names.length]}`, z[at]!)
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
    /** In the order of the table. */
    end(predict: (row: Float64Array) => number) {
      const order = [...places.keys()].sort((a, b) => places[a]! - places[b]!)
      return {
        at: Uint32Array.from(order, (i) => places[i]!),
        actual: Float64Array.from(order, (i) => kept[(i + 1) * width - 1]!),
        fitted: Float64Array.from(order, (i) => predict(kept.subarray(i * width, (i + 1) * width))),
      }
    },
  }
}
