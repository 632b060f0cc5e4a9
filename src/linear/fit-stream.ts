/**
 * A Gaussian fit of a table of which no more than a block of rows is in memory: all that it asks of them are the moments
 * of each fold. Takes the folds, and gives the model, that the whole table would have in memory.
 */

import type { CellTable } from '../data/cells.js'
import { type NumberColumn, tableBlocks } from '../data/columns.js'
import type { ColumnKind, Description, NumberKind } from '../data/describe.js'
import { choose, momentJudge, needsFolds, varianceOf } from './choose.js'
import { emptyDesign, firstUnfit, unfit } from './design.js'
import { type Feature, fillRows, meanSums, namesOf, numberFeature } from './encode.js'
import { checkGaussian, type FitOptions, type LinearFit, predictRow } from './fit.js'
import { foldsFrom, wholeOf } from './fold-moments.js'
import { checkFolds } from './folds.js'
import { type EarlyRows, type Gathered, gathering, type Sample } from './gather-rows.js'
import type { LinearModel } from './path.js'
import { checkSelection } from './select.js'
import { checkWeight, type Roles, rolesOf, termsFor } from './table-design.js'
import { numbersToPredict } from './target.js'
import { checkTerms } from './terms.js'
import { linearGraph } from './to-onnx.js'

export interface StreamOptions extends Omit<FitOptions, 'foldIds' | 'groups' | 'strata' | 'isOrdered' | 'engine'> {
  /** What was seen of the rows while the table was described: with it they need not be read again. */
  readonly early?: EarlyRows
}

/**
 * `described` is what `describeTable` says of all of the table. Throws `TABLE_COLUMN`, `TABLE_TARGET`, `TABLE_MISSING`,
 * `TABLE_CELL`, `DESIGN_…`, `PATH_OPTION`, `PENALTY_SHAPE`, `FOLDS`, `CRITERIA_NOISE`, `FAMILY`, `OPTION_SELECT`, and what the reader throws.
 */
export async function fitStream(cells: CellTable, described: Description, options: StreamOptions): Promise<LinearFit> {
  checkGaussian(options)
  checkSelection(options.select ?? 'cv', false)
  const { select = 'cv', folds = 10, model: kind = 'elastic-net', early } = options
  const { weights, columnGroups: _, penaltyFactors: __, ...shared } = options
  const { rows } = described
  const roles = rolesOf(described, options)
  numbersToPredict(described, roles.target)
  const means = await meansOf(cells, roles, options)
  const features = roles.columns.map((column) => featureOf(column, cells.name, means, options))
  const names = namesOf(features)
  if (rows < 1 || names.length < 1) throw emptyDesign(`${rows} rows, ${names.length} columns`)
  const terms = termsFor(kind, { features, names }, options)
  const given = { ...shared, ...terms, model: kind }
  checkTerms({ ...given, l1Ratio: 1 }, names.length)
  if (needsFolds(select, kind)) checkFolds(rows, { folds })

  const { moments, sample } = early?.end() ?? (await readRows(cells, roles, features, { ...options, rows }))
  const parts = moments.length === 1 ? wholeOf(moments[0]!) : foldsFrom(moments, null)
  const choice = await choose(given, momentJudge(parts, given))
  const { at, actual, fitted } = sampled(sample, names.length + 1, choice.linear)
  return {
    ...choice,
    target: roles.target.name,
    kind,
    rows,
    names,
    groups: 'columnGroups' in terms ? terms.columnGroups : null,
    deviations: Float64Array.from(names, (_, j) => Math.sqrt(varianceOf(parts.all, j))),
    weights: weights ?? null,
    sampled: at.length === rows ? null : at,
    isDrawn: sample.isDrawn,
    actual,
    fitted,
    model: linearGraph(features, choice.linear),
  }
}

/** Of columns with missing cells, as rows weigh: in a pass of its own where that is not the plain mean. */
async function meansOf(
  cells: CellTable,
  { columns, weights }: Roles<ColumnKind>,
  options: StreamOptions,
): Promise<ReadonlyMap<string, number>> {
  const gaps = columns.filter((c): c is NumberKind => c.kind === 'number' && c.missing !== null)
  if (weights === null || gaps.length === 0 || options.missing !== 'mean')
    return new Map(gaps.map(({ name, mean }) => [name, mean]))
  const sums = gaps.map(() => meanSums())
  for await (const { table } of tableBlocks(cells, [...gaps, weights], options)) {
    const own = table.columns as readonly NumberColumn[]
    const w = own.at(-1)!.values
    for (const [k, sum] of sums.entries()) for (let i = 0; i < table.rows; i++) sum.add(own[k]!.values[i]!, w[i]!)
  }
  return new Map(gaps.map(({ name }, k) => [name, sums[k]!.mean()]))
}

const featureOf = (
  kind: ColumnKind,
  table: string,
  means: ReadonlyMap<string, number>,
  options: StreamOptions,
): Feature =>
  kind.kind === 'category' ? kind : numberFeature(kind, table, () => means.get(kind.name) ?? Number.NaN, options)

/** Near the means of what a column becomes: those of levels lie between 0 and 1. */
const nearOf = (kind: ColumnKind): readonly number[] =>
  kind.kind === 'category' ? kind.levels.map(() => 0) : [Number.isFinite(kind.mean) ? kind.mean : 0]

async function readRows(
  cells: CellTable,
  { columns, target, weights }: Roles<ColumnKind>,
  features: readonly Feature[],
  options: StreamOptions & { readonly rows: number },
): Promise<Gathered> {
  const kinds = [...columns, target]
  const all: readonly Feature[] = [...features, { kind: 'number', name: target.name, fill: null }]
  const names = namesOf(all)
  const gathered = gathering(Float64Array.from(kinds.flatMap(nearOf)), options)
  for await (const { before, table } of tableBlocks(cells, weights === null ? kinds : [...kinds, weights], options)) {
    const place = (row: number, name: string): string => `${cells.name}, row ${before + row + 1}, column ${name}`
    const z = new Float64Array(table.rows * names.length)
    fillRows(z, names.length, table.columns.slice(0, kinds.length), all)
    const odd = firstUnfit(z)
    if (odd >= 0) throw unfit(place(Math.floor(odd / names.length), names[odd % names.length]!), z[odd]!)
    const own = weights === null ? undefined : (table.columns.at(-1) as NumberColumn).values
    for (const [i, w] of own?.entries() ?? []) checkWeight(w, place(i, weights!.name))
    gathered.add(z, own)
    options.onProgress?.({ task: 'reading rows', done: before + table.rows, total: options.rows })
  }
  return gathered.end()
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
