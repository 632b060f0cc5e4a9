/** The report of principal components: one HTML file with variances, loadings and scores, that needs nothing else. */

import type { TableColumn } from '../../data/columns.js'
import { counted, percent, shorten, significant } from '../../util/format.js'
import { VERSION } from '../../util/version.js'
import { html, type Markup } from '../html.js'
import { renderPage } from '../page.js'
import { curvesOf } from './pca-curves.js'
import { loadings } from './pca-loadings.js'
import { pairPlot, pairStyle } from './pca-pairs.js'

export interface PcaReport {
  /** The file, as the user named it. */
  readonly table: string
  readonly rows: number
  /** Of the columns. */
  readonly names: readonly string[]
  readonly nComponents: number
  /** [nComponents, columns] */
  readonly components: Float64Array
  readonly explainedVariance: Float64Array
  readonly explainedVarianceRatio: Float64Array
  readonly isStandardized: boolean
  readonly isWhitened: boolean
  /** One column a component. */
  readonly scores: readonly { readonly name: string; readonly values: Float32Array | Float64Array }[]
  /** What colours the rows. */
  readonly colour: TableColumn | null
  readonly commandLine: string
}

/** A self-contained HTML document: no scripts, no requests. The same components give the same text. */
export function renderPca(report: PcaReport): string {
  const body = html`${summary(report)}
${curvesOf(report)}
${loadings(report)}
${pairPlot(report)}
<section><h2>Do it again</h2><p class="note">The same table and seed give the same components, up to what threads round differently.</p><pre>${report.commandLine}</pre></section>`
  return renderPage({
    title: `principal components of ${shorten(report.table, 60)}`,
    version: VERSION,
    body,
    style: pairStyle(report),
  })
}

/** Of the first `count` components. */
const together = ({ explainedVarianceRatio }: Pick<PcaReport, 'explainedVarianceRatio'>, count: number): number =>
  explainedVarianceRatio.subarray(0, count).reduce((sum, v) => sum + v, 0)

function summary(report: PcaReport): Markup {
  const { table, rows, names, explainedVariance, explainedVarianceRatio, isStandardized, isWhitened, nComponents } =
    report
  const first = explainedVarianceRatio[0]!
  const half = firstWith(report, 0.5)
  const units = 'Columns count by their variance, in the units that they have: those with large numbers lead.'
  return html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(table, 80)}</p>
<h1>${headline(report)}</h1>
<p class="verdict">Of ${rows} rows${isStandardized ? ', each column brought to standard deviation 1' : ''}. ${isStandardized || names.length === 1 ? '' : units}${isWhitened ? ' Scores have variance 1 (whitened).' : ''}</p>
</header>
<dl class="cards">${card('Components', `${nComponents} of ${Math.min(rows, names.length)}`, 'that there can be of so many rows and columns')}${card('First component', percent(first, 1), `of the variance: ${significant(explainedVariance[0]!)}`)}${half !== null && card('Half of the variance', counted(half, 'component'), `${percent(together(report, half), 1)} together`)}</dl>`
}

/** How many components are needed for a share of the variance; null where these do not hold it. */
function firstWith(report: PcaReport, share: number): number | null {
  const at = report.explainedVarianceRatio.findIndex((_, k) => together(report, k + 1) >= share)
  return at < 0 ? null : at + 1
}

/** All components hold all of the variance, which says nothing: then those that hold most of it. */
function headline(report: PcaReport): string {
  const { nComponents, names, rows } = report
  if (!(together(report, nComponents) > 0)) return 'No column varies'
  const isAll = nComponents === Math.min(rows, names.length)
  const count = isAll ? (firstWith(report, 0.95) ?? nComponents) : nComponents
  const who = count === nComponents ? counted(count, 'component') : `${count} of ${counted(nComponents, 'component')}`
  return `${who} ${count === 1 ? 'holds' : 'hold'} ${percent(together(report, count), 1)} of the variance of ${counted(names.length, 'column')}`
}

const card = (name: string, big: string, note: string): Markup =>
  html`<div class="card"><dt>${name}</dt><dd><span class="big">${big}</span><span class="note">${note}</span></dd></div>`
