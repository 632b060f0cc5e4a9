/** What `pare reduce` draws: the page of a map or of components, and pictures. */

import { basename, extname } from 'node:path'
import type { TableColumn } from '../data/columns.js'
import { renderMap } from '../report/reduce/map-page.js'
import { renderPca } from '../report/reduce/pca-page.js'
import { mapPng } from '../report/reduce/picture-png.js'
import { mapSvg } from '../report/reduce/picture-svg.js'
import type { PointMap } from '../report/reduce/point-map.js'
import { count, counted, percent, significant } from '../util/format.js'
import type { FoundTsne, Reduced } from './reduce-methods.js'
import type { ReduceValues } from './reduce-options.js'
import type { Rows } from './reduce-rows.js'

interface Shown {
  readonly rows: Rows
  readonly reduced: Reduced
  /** The file, as the user named it. */
  readonly from: string
  readonly choice: Pick<ReduceValues, 'whiten' | 'standardize' | 'init' | 'learningRate'> & { readonly seed: number }
  readonly commandLine: string
}

/** The same rows and options give the same text. */
export function reduceReport(shown: Shown): string {
  const { rows, reduced, from, choice, commandLine } = shown
  const { found, scores } = reduced
  if (found.method === 'pca') {
    const { components, explainedVariance, explainedVarianceRatio, nComponents } = found.pca
    return renderPca({
      table: from,
      rows: rows.x.rows,
      names: rows.names,
      nComponents,
      components,
      explainedVariance,
      explainedVarianceRatio,
      isStandardized: choice.standardize,
      isWhitened: choice.whiten,
      scores,
      colour: rows.colours[0] ? asClasses(rows.colours[0]) : null,
      commandLine,
    })
  }
  return renderMap({
    title: titleOf(shown),
    note: `${thirdOf(scores)}Rows that are alike lie close together. How far apart groups lie, and how large they are, says little (Wattenberg, Viégas and Johnson 2016).`,
    map: mapOf(shown),
    facts: tsneFacts(found, shown),
    losses: { values: found.losses, first: found.every, every: found.every },
    commandLine,
  })
}

export function reducePicture(shown: Shown, path: string): string | Uint8Array {
  const map = mapOf(shown)
  if (extname(path).toLowerCase() === '.png') return mapPng(map)
  const drawn = drawnOf(shown.reduced.scores)
  return mapSvg(map, drawn === null ? titleOf(shown) : `${titleOf(shown)}: ${drawn}`)
}

/** What a map shows of more than two dimensions; null where it shows all. */
export const drawnOf = (scores: Reduced['scores']): string | null =>
  scores.length <= 2 ? null : `${scores[0]!.name} and ${scores[1]!.name}, two of ${scores.length} dimensions`

const thirdOf = (scores: Reduced['scores']): string =>
  scores.length <= 2
    ? ''
    : `This map shows ${drawnOf(scores)}: rows that lie close together here may be far apart in the third. `

const titleOf = ({ reduced, from }: Shown): string =>
  `${reduced.found.method === 'pca' ? 'Principal components' : 't-SNE'} of ${basename(from)}`

/** The first two components; a single one lies on a line. */
function mapOf({ rows, reduced: { scores } }: Shown): PointMap {
  const [x, y] = scores
  return {
    x: x!.values,
    y: y?.values ?? new Float64Array(x!.values.length),
    axes: [x!.name, y?.name ?? ''],
    columns: rows.colours.map(asClasses),
  }
}

/** Whole numbers of which there are few are classes, as digits are. */
const MOST_CLASSES = 20

function asClasses(column: TableColumn): TableColumn {
  if (column.kind === 'category') return column
  const found = new Set<number>()
  for (const v of column.values) {
    if (Number.isNaN(v)) continue
    if (!Number.isInteger(v)) return column
    found.add(v)
    if (found.size > MOST_CLASSES) return column
  }
  const values = [...found].sort((a, b) => a - b)
  const codeOf = new Map(values.map((v, code) => [v, code]))
  return {
    kind: 'category',
    name: column.name,
    codes: Int32Array.from(column.values, (v) => codeOf.get(v) ?? -1),
    levels: values.map(String),
  }
}

function tsneFacts({ tsne, initial }: FoundTsne, { rows, choice }: Shown): readonly (readonly [string, string])[] {
  return [
    [
      'Rows',
      `${count(rows.x.rows)} of ${counted(rows.x.columns, 'column')}${choice.standardize ? ', standardized' : ''}`,
    ],
    ...(initial === null
      ? []
      : [
          [
            'Columns',
            `brought to ${initial.components} principal components, ${percent(initial.share)} of the variance`,
          ] as const,
        ]),
    ['Perplexity', String(tsne.perplexity)],
    ['Iterations', String(tsne.iterations)],
    ['Repulsion', tsne.method],
    ['Start', choice.init === 'random' ? 'random' : 'the first principal components'],
    ['Kullback-Leibler divergence', significant(tsne.klDivergence, 5)],
    ['Dimensions', tsne.nComponents === 2 ? '2' : `${tsne.nComponents}, of which the map shows the first two`],
    ['Seed', String(choice.seed)],
  ]
}
