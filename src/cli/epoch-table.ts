/** The epochs of a training as a table: a row an epoch, the best one marked. */

import { metricNames, type Score } from '../train/evaluate.js'
import type { Trained } from '../train/train.js'
import { duration, metricText, percent, significant } from '../util/format.js'
import { type Column, naturalWidth, table } from './table.js'
import type { Terminal } from './terminal.js'

interface Row {
  readonly epoch: number
  readonly trainingLoss?: number
  readonly score: Score | undefined
  readonly seconds?: number
}

interface Told extends Column {
  cell(row: Row): string
}

/** What a metric's name may be cut to. */
const SHORTEST_NAME = 8

/** Metrics go to a table of their own where they do not fit beside the rest. */
export function epochTable({ epochs, best, before }: Trained, terminal: Terminal): string {
  const given = before ? [{ epoch: 0, score: before }] : []
  const rows: readonly Row[] = [...given, ...epochs.map((e) => ({ ...e, score: e.validation }))]
  const told = (title: string, cell: Told['cell'], shrinkTo?: number): Told => ({
    title,
    align: 'right',
    cell,
    ...(shrinkTo !== undefined && { shrinkTo }),
  })
  const names = metricNames(rows.map(({ score }) => score))
  const head = [
    told('', ({ epoch }) => (epoch === best ? '→' : '')),
    told('epoch', ({ epoch }) => (epoch === 0 ? 'given' : String(epoch))),
  ]
  const losses = [
    told('training loss', ({ trainingLoss }) => number(trainingLoss)),
    ...(epochs.some((e) => e.validation) ? [told('validation loss', ({ score }) => number(score?.loss))] : []),
    ...(epochs.some((e) => e.validation?.accuracy !== undefined)
      ? [told('accuracy', ({ score }) => (score?.accuracy === undefined ? '' : percent(score.accuracy)))]
      : []),
  ]
  const metrics = names.map((name) => told(name, ({ score }) => metricText(score?.metrics?.[name]), SHORTEST_NAME))
  const time = [told('time', ({ seconds }) => (seconds === undefined ? '' : duration(seconds)))]
  const cells = (columns: readonly Told[]) => rows.map((row) => columns.map(({ cell }) => cell(row)))
  const tableOf = (columns: readonly Told[]): string => table(columns, cells(columns), terminal)
  const all = [...head, ...losses, ...metrics, ...time]
  return names.length === 0 || naturalWidth(all, cells(all)) <= terminal.columns
    ? tableOf(all)
    : `${tableOf([...head, ...losses, ...time])}\n\n${tableOf([...head, ...metrics])}`
}

const number = (value: number | undefined): string => (value === undefined ? '' : significant(value))
