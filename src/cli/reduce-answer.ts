/** What `pare reduce` says of what it found. */

import { count, counted, percent, significant } from '../util/format.js'
import type { Answer } from './command.js'
import { sparkline } from './progress.js'
import type { Reduced } from './reduce-methods.js'
import { drawnOf } from './reduce-report.js'
import type { Rows } from './reduce-rows.js'
import { facts, table } from './table.js'
import type { Terminal } from './terminal.js'

/** Components that are shown; --json has them all. */
const TOP = 10

interface Written {
  readonly from: string
  readonly output: string
  readonly model: string | undefined
  readonly report: string | undefined
  readonly picture: string | undefined
}

type Fact = readonly [string, string]

export function reduceAnswer(rows: Rows, { scores, found }: Reduced, written: Written, terminal: Terminal): Answer {
  const { x, colours, names } = rows
  const { from, ...files } = written
  const colouring: Fact[] = colours.length === 0 ? [] : [['shown', colours.map(({ name }) => name).join(', ')]]
  const head: readonly Fact[] = [
    [found.method === 'pca' ? 'rows' : 'points', `${from}: ${count(x.rows)} rows of ${counted(x.columns, 'column')}`],
    ...colouring,
    ...methodFacts(found),
    ...Object.entries({
      written: files.output,
      model: files.model,
      report: files.report,
      picture: files.picture,
    }).flatMap(([name, path]): readonly Fact[] => (path === undefined ? [] : [[name, path]])),
    ...drawnFacts({ scores, found }, files),
  ]
  return {
    text: [facts(head, terminal), ...(found.method === 'pca' ? ['', variances(found.pca, terminal)] : [])].join('\n'),
    json: {
      ...files,
      method: found.method,
      rows: x.rows,
      columns: names,
      components: scores.map(({ name }) => name),
      colors: colours.map(({ name }) => name),
      ...methodJson(found),
    },
  }
}

/** Of components the report shows more pairs than one. */
function drawnFacts({ scores, found }: Reduced, { report, picture }: Omit<Written, 'from'>): readonly Fact[] {
  const drawn = drawnOf(scores)
  const isFlat = picture !== undefined || (report !== undefined && found.method === 'tsne')
  return drawn !== null && isFlat ? [['drawn', drawn]] : []
}

function methodFacts(found: Reduced['found']): readonly Fact[] {
  if (found.method === 'pca') {
    const { nComponents, explainedVarianceRatio, solver } = found.pca
    const share = percent(explainedVarianceRatio.reduce((sum, v) => sum + v, 0))
    return [
      ['components', `${nComponents}, which hold ${share} of the variance`],
      ['solver', solver],
    ]
  }
  const { tsne, losses, initial } = found
  const curve = losses.length > 1 ? ` ${sparkline(losses)}` : ''
  return [
    ...(initial === null
      ? []
      : [
          [
            'columns',
            `brought to ${initial.components} principal components, ${percent(initial.share)} of the variance`,
          ] as const,
        ]),
    ['t-SNE', `perplexity ${tsne.perplexity}, ${counted(tsne.iterations, 'iteration')}, ${tsne.method}`],
    ['divergence', `${significant(tsne.klDivergence, 4)}${curve}`],
  ]
}

function methodJson(found: Reduced['found']) {
  if (found.method === 'tsne') {
    const { perplexity, iterations, method, klDivergence } = found.tsne
    return { perplexity, iterations, repulsion: method, klDivergence, losses: found.losses, initial: found.initial }
  }
  const { explainedVariance, explainedVarianceRatio, singularValues, noiseVariance, solver } = found.pca
  return {
    solver,
    explainedVariance: [...explainedVariance],
    explainedVarianceRatio: [...explainedVarianceRatio],
    singularValues: [...singularValues],
    noiseVariance,
  }
}

function variances({ explainedVariance, explainedVarianceRatio: ratios, nComponents }: PcaShown, terminal: Terminal) {
  let sum = 0
  const rows = Array.from(ratios.subarray(0, TOP), (ratio, k) => {
    sum += ratio
    return [`pca${k + 1}`, significant(explainedVariance[k]!, 4), percent(ratio), percent(sum)]
  })
  const right = (title: string) => ({ title, align: 'right' }) as const
  const shown = table([{ title: 'component' }, right('variance'), right('of all'), right('together')], rows, terminal)
  return nComponents > TOP ? `${shown}\n${nComponents - TOP} more are in --json.` : shown
}

type PcaShown = (Reduced['found'] & { method: 'pca' })['pca']
