/** What the commands that train say in the end. */

import type { Score } from '../train/evaluate.js'
import type { Trained } from '../train/train.js'
import { bytes, percent, significant } from '../util/format.js'
import { epochTable, metricText } from './epoch-table.js'
import { safe, type Terminal, wrap } from './terminal.js'

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
  trained: Trained,
  { output, report, size, test, engine, classes, loss }: Said,
  terminal: Terminal,
): string {
  const weights = trained.best === 0 ? 'the weights that were given' : `weights of epoch ${trained.best}`
  return [
    epochTable(trained, terminal),
    '',
    ...(test ? [wrap(`On the test samples: ${scoreText(test)}.`, terminal.columns)] : []),
    `${safe(output)}: ${size === null ? 'written' : bytes(size)}, ${weights}.`,
    ...(report === undefined ? [] : [`${safe(report)}: the report.`]),
    ...(classes ? [`Classes, from 0: ${classes.map(safe).join(', ')}.`] : []),
    `Loss: ${loss}. ${engine}.`,
  ].join('\n')
}

const scoreText = ({ loss, accuracy, metrics = {} }: Score): string =>
  [
    ...(accuracy === undefined ? [] : [`accuracy ${percent(accuracy)}`]),
    `loss ${significant(loss)}`,
    ...Object.entries(metrics).map(([name, value]) => `${name} ${metricText(value)}`),
  ].join(', ')
