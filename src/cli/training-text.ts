/** What the commands that train say in the end. */

import type { Score } from '../train/evaluate.js'
import { bytes, metricText, percent, significant } from '../util/format.js'
import { safe, type Terminal, wrap } from './terminal.js'
import type { Went } from './training-run.js'

/** Where the weights that were given are kept. */
export const notBetter = (what: string): string =>
  `${what} better than the weights that were given: they are handed back.`

/** What is said of a training beside how it went. */
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
  went: Pick<Went, 'text' | 'weights'>,
  { output, report, size, test, engine, classes, loss }: Said,
  terminal: Terminal,
): string {
  return [
    went.text(terminal),
    '',
    ...(test ? [wrap(`On the test samples: ${scoreText(test)}.`, terminal.columns)] : []),
    `${safe(output)}: ${size === null ? 'written' : bytes(size)}, ${went.weights}.`,
    ...(report === undefined ? [] : [`${safe(report)}: the report.`]),
    ...(classes ? [`Classes, from 0: ${classes.map(safe).join(', ')}.`] : []),
    `Loss: ${loss}. ${engine}.`,
  ].join('\n')
}

export const scoreText = ({ loss, accuracy, metrics = {} }: Score): string =>
  [
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
    `loss ${significant(loss)}`,
    ...Object.entries(metrics).map(([name, value]) => `${name} ${metricText(value)}`),
  ].join(', ')
