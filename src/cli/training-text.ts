/** What the commands that train say in the end. */

import type { Score } from '../train/evaluate.js'
import type { Epoch } from '../train/loop.js'
import type { Trained } from '../train/train.js'
import { bytes, duration, percent, significant } from '../util/format.js'
import { table } from './table.js'
import { safe, type Terminal } from './terminal.js'

/** What is said of a training beside its epochs. */
export interface Said {
  readonly output: string
  readonly report: string | undefined
  readonly size: number | null
  readonly classes: readonly string[] | undefined
  readonly test: Score | null
  /** The loss, in words. */
  readonly loss: string
  readonly engine: string
}

export function trainingText(
  { epochs, best, before }: Trained,
  { output, report, size, test, engine, classes, loss }: Said,
  terminal: Terminal,
): string {
  const weights = best === 0 ? 'the weights that were given' : `weights of epoch ${best}`
  return [
    epochTable(epochs, best, before, terminal),
    '',
    ...(test ? [`On the test samples: ${scoreText(test)}.`] : []),
    `${safe(output)}: ${size === null ? 'written' : bytes(size)}, ${weights}.`,
    ...(report === undefined ? [] : [`${safe(report)}: the report.`]),
    ...(classes ? [`Classes, from 0: ${classes.map(safe).join(', ')}.`] : []),
    `Loss: ${loss}. ${engine}.`,
  ].join('\n')
}

const scoreText = ({ loss, accuracy }: Score): string =>
  accuracy === undefined ? `loss ${significant(loss)}` : `accuracy ${percent(accuracy)}, loss ${significant(loss)}`

/** A row an epoch, the best one marked. */
function epochTable(epochs: readonly Epoch[], best: number, before: Score | undefined, terminal: Terminal): string {
  const judged = epochs.some((e) => e.validation !== undefined)
  const hasAccuracy = epochs.some((e) => e.validation?.accuracy !== undefined)
  const right = { align: 'right' } as const
  const columns = [
    { title: '' },
    { title: 'epoch', ...right },
    { title: 'training loss', ...right },
    ...(judged ? [{ title: 'validation loss', ...right }] : []),
    ...(hasAccuracy ? [{ title: 'accuracy', ...right }] : []),
    { title: 'time', ...right },
  ]
  const score = (s: Score | undefined): readonly string[] => [
    ...(judged ? [s ? significant(s.loss) : ''] : []),
    ...(hasAccuracy ? [s?.accuracy === undefined ? '' : percent(s.accuracy)] : []),
  ]
  const mark = (epoch: number): string => (epoch === best ? '→' : '')
  const start = before ? [[mark(0), 'given', '', ...score(before), '']] : []
  const rows = epochs.map((e) => [
    mark(e.epoch),
    String(e.epoch),
    significant(e.trainingLoss),
    ...score(e.validation),
    duration(e.seconds),
  ])
  return table(columns, [...start, ...rows], terminal)
}
