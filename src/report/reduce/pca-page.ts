/** The report of principal components: one HTML file with variances, loadings and scores, that needs nothing else. */

import type { NumberColumn, TableColumn } from '../../data/columns.js'
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
  readonly scores: readonly NumberColumn[]
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
export const together = (
  { explainedVarianceRatio }: Pick<PcaReport, 'explainedVarianceRatio'>,
  count: number,
): number => explainedVarianceRatio.subarray(0, count).reduce((sum, v) => sum + v, 0)

function summary(report: PcaReport): Markup {
  const { table, rows, names, nComponents, explainedVariance, explainedVarianceRatio, isStandardized, isWhitened } =
    report
  const share = together(report, nComponents)
  const first = explainedVarianceRatio[0]!
  const isNothing = !(share > 0)
  const half = explainedVarianceRatio.findIndex((_, k) => together(report, k + 1) >= 0.5)
  return html`<header>
<p class="eyebrow">pare ${VERSION} · ${shorten(table, 80)}</p>
<h1>${isNothing ? 'No column varies' : `${counted(nComponents, 'component')} ${nComponents === 1 ? 'holds' : 'hold'} ${percent(share, 1)} of the variance of ${counted(names.length, 'column')}`}</h1>
<p class="verdict">Of ${rows} rows${isStandardized ? ', each column brought to standard deviation 1' : ''}. ${isStandardized || names.length === 1 ? '' : 'Columns count by their variance, in the units that they have: those with large numbers lead. '}${isWhitened ? 'Scores have variance 1 (whitened).' : ''}</p>
</header>
<dl class="cards">${card('Components', `${nComponents} of ${Math.min(rows, names.length)}`, 'that there can be of so many rows and columns')}${card('First component', percent(first, 1), `of the variance: ${significant(explainedVariance[0]!)}`)}${half >= 0 && card('Half of the variance', counted(half + 1, 'component'), `${percent(together(report, half + 1), 1)} together`)}</dl>`
}

const card = (name: string, big: string, note: string): Markup =>
  html`<div class="card"><dt>${name}</dt><dd><span class="big">${big}</span><span class="note">${note}</span></dd></div>`
