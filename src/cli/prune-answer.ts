/** What `pare prune` says: what became of each group of layers, and what that is worth. */

import type { Pruned } from '../compress/prune/index.js'
import type { Ratio } from '../engine/timing.js'
import type { Inspection } from '../passes/inspect.js'
import { measureValue } from '../search/measure-text.js'
import type { Measure } from '../search/outcome.js'
import { bytes, count, counted, milliseconds, percent, significant } from '../util/format.js'
import type { Recovery } from './recovery.js'
import { table } from './table.js'
import { safe, type Terminal, wrap } from './terminal.js'

/** Of the model as it was given, and as it is handed back. */
export interface Change {
  readonly before: number
  readonly after: number
}

export interface GroupRow {
  readonly name: string
  readonly layers: readonly string[]
  readonly units: number
  readonly kept: number
  /** Of its layers. */
  readonly parameters: Change
}

export interface PruneAnswer {
  readonly output: string
  readonly score: string
  /** The part of the units that was to go. */
  readonly ratio: number
  readonly groups: readonly GroupRow[]
  readonly held: readonly { readonly layer: string; readonly reason: string }[]
  readonly parameters: Change
  readonly macs: Change
  readonly bytes: Change | null
  /** Medians in milliseconds, measured by turns at one thread. */
  readonly latency: (Change & Pick<Ratio, 'ratio' | 'low' | 'high'> & { readonly threads: number }) | null
  readonly quality: PruneQuality | null
  readonly recovery: readonly Recovery[]
  /** Where a criterion chose: the cuts that it chose from. */
  readonly path: Pruned['path'] | null
}

export interface PruneQuality extends Change {
  readonly measure: Measure
  readonly samples: number
  /** Before the last recovery; null where nothing was recovered. */
  readonly cut: number | null
}

/** Rows of the table: layers that make units together, their widths and weights before and after. */
export function groupRows({ groups }: Pruned, before: Inspection, after: Inspection): readonly GroupRow[] {
  const parametersOf = ({ layers }: Inspection, names: readonly string[]): number =>
    layers.reduce((sum, row) => (names.includes(row.name) ? sum + row.parameters : sum), 0)
  return groups.map((g) => ({
    ...g,
    parameters: { before: parametersOf(before, g.layers), after: parametersOf(after, g.layers) },
  }))
}

export function pruneText(answer: PruneAnswer, terminal: Terminal): string {
  const { output, groups, parameters, macs, held, latency, quality } = answer
  const columns = [
    { title: 'layers', shrinkTo: 16 },
    { title: 'kept', align: 'right' },
    { title: 'parameters', align: 'right' },
  ] as const
  const rows = groups.map((g) => [
    g.name,
    `${g.kept} of ${g.units}`,
    `${count(g.parameters.before)} → ${count(g.parameters.after)}`,
  ])
  const parts = [
    changed('parameters', parameters, count),
    changed('products', macs, count),
    ...(answer.bytes ? [changed('file', answer.bytes, bytes)] : []),
  ]
  const time =
    latency &&
    `one run at one thread ${milliseconds(latency.before)} → ${milliseconds(latency.after)} (${significant(latency.ratio)} of the time, ${significant(latency.low)}–${significant(latency.high)})`
  const lines = [
    `${safe(output)}: ${[...parts, ...(time ? [time] : [])].join(', ')}.`,
    ...(quality ? [qualityText(quality)] : []),
    ...(answer.path ? [pathText(answer)] : []),
    ...answer.recovery.slice(-1).map(recoveryText),
    ...(held.length > 0 ? [heldText(held)] : []),
  ]
  const width = Math.min(100, terminal.columns)
  return [table(columns, rows, terminal), '', ...lines.map((line) => wrap(line, width))].join('\n')
}

const changed = (what: string, { before, after }: Change, text: (v: number) => string): string =>
  `${what} ${text(before)} → ${text(after)}`

function qualityText({ measure, samples, before, cut, after }: PruneQuality): string {
  const value = (v: number): string => measureValue(measure, v)
  const steps = cut === null ? [] : [`${value(cut)} when cut`]
  const now = cut === null ? `${value(after)} now` : `${value(after)} when recovered`
  return `${measure.kind} on ${samples} held-out samples: ${[`${value(before)} before`, ...steps, now].join(', ')}.`
}

function pathText({ path, ratio }: PruneAnswer): string {
  const { points, observations } = path!
  if (ratio === 0)
    return `None of ${points.length} cuts, compared on ${observations} observations without recovery, is worth it.`
  return `Of ${points.length} cuts, compared on ${observations} observations without recovery, the one without ${percent(ratio, 0)} of the units was chosen.`
}

const recoveryText = ({ steps, batch, from, best, epochs }: Recovery): string =>
  best === 0
    ? `Recovery took ${steps} steps of ${counted(batch, 'sample')} and made nothing better: the cut weights are kept.`
    : `Recovered from ${from} in ${steps} steps of ${counted(batch, 'sample')}; the weights are those of epoch ${best} of ${epochs}.`

function heldText(held: PruneAnswer['held']): string {
  const [first] = held
  const layers = held.length === 1 ? '1 layer keeps its width' : `${held.length} layers keep their width`
  return safe(`${layers} (${first!.layer}: ${first!.reason}${held.length > 1 ? '; --json tells all' : ''}).`)
}
