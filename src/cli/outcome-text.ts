/** What a compression found, for terminals. */

import { type Candidate, viewOf } from '../report/view.js'
import { measureDrop, measureValue } from '../search/measure-text.js'
import type { FrontSearch, Outcome } from '../search/outcome.js'
import { bytes, counted, duration, milliseconds, significant } from '../util/format.js'
import { table } from './table.js'
import { safe, styled, type Terminal, wrap } from './terminal.js'

const SHOWN = 15

export interface Written {
  readonly output: string | null
  readonly report: string | null
  readonly recipe?: string | null
  /** Recipes of the front. */
  readonly front?: readonly string[]
}

export function outcomeText(
  outcome: Outcome,
  { output, report, recipe = null, front = [] }: Written,
  terminal: Terminal,
): string {
  const view = viewOf(outcome)
  const { measure, baseline, engine, data } = outcome
  const judged = measure.kind !== 'none'
  const columns = [
    { title: '' },
    { title: 'candidate', shrinkTo: 20 },
    { title: 'size', align: 'right' },
    { title: 'p50', align: 'right' },
    { title: '÷ original', align: 'right' },
    ...(judged
      ? ([
          { title: measure.kind, align: 'right', shrinkTo: 12 },
          { title: 'drop', align: 'right' },
        ] as const)
      : []),
  ] as const
  const original = ['', 'original', bytes(baseline.bytes), milliseconds(baseline.latency.p50), '1']
  const value = measure.baseline === null ? '' : measureValue(measure, measure.baseline)
  const row = (c: Candidate): readonly string[] => [
    c.state === 'chosen' ? '→' : c.state === 'over' ? '×' : '',
    c.result.trial.name,
    bytes(c.bytes),
    milliseconds(c.latency.p50),
    significant(c.latency.ratio),
    c.result.quality ? measureValue(measure, c.result.quality.value) : '',
    c.result.quality ? measureDrop(measure, c.result.quality.drop) : '',
  ]
  const shown = view.candidates.filter((c, i) => i < SHOWN || c.state === 'chosen')
  const more = view.candidates.length - shown.length
  const threads = engine.threads === 1 ? '1 thread' : `${engine.threads} threads`
  const width = Math.min(100, terminal.columns)
  return [
    table(columns, [[...original, ...(judged ? [value, ''] : [])], ...shown.map(row)], terminal),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(judged && view.candidates.some((c) => c.state === 'over')
      ? ['× costs more quality than the budget allows']
      : []),
    ...view.failed.map(({ trial, error }) => safe(`failed: ${trial.name}: ${error ?? ''}`)),
    '',
    styled(terminal, view.chosen ? 'good' : 'bold', wrap(safe(outcome.verdict), width)),
    wrap(safe(measure.explanation), width),
    ...(outcome.search ? [searchText(outcome.search)] : []),
    ...(data
      ? [
          `${data.calibration} samples to calibrate, ${data.heldOut} held out to judge, of ${data.total} that there are.`,
        ]
      : []),
    `${engine.name} ${engine.version}, ${engine.device}, ${threads}; ${duration(outcome.seconds)}.`,
    ...(output === null ? [] : [`Model: ${safe(output)}`]),
    ...(report === null ? [] : [`Report: ${safe(report)}`]),
    ...(recipe === null ? [] : [`Recipe: ${safe(recipe)}`]),
    ...(front.length === 0 ? [] : [`Recipes of the front: ${safe(front.join(', '))}`]),
  ].join('\n')
}

function searchText({ drawn, screened, refused, recoverySteps }: FrontSearch): string {
  const steps = recoverySteps === null ? '' : ` Recoveries of ${recoverySteps} steps at most.`
  const idle = refused.length === 0 ? '' : ` Not of use here: ${refused.map((r) => r.transform).join(', ')}.`
  return `${counted(drawn, 'recipe')} drawn, ${screened.length} screenings; the table holds what was measured in full.${steps}${idle}`
}

interface Plan {
  readonly recipes: readonly { readonly name: string }[]
  readonly seconds: number
}

export function planText({ recipes, seconds }: Plan): string {
  const list = recipes.map(({ name }, i) => `${String(i + 1).padStart(3)}  ${safe(name)}`)
  return [
    ...list,
    '',
    `${recipes.length} candidates, about ${duration(seconds)}; layers that fall back to float take longer.`,
  ].join('\n')
}
