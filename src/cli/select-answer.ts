/** What `pare select` says of columns. */

import { SCORES } from '../reduce/select/methods.js'
import type { Selection } from '../reduce/select/table.js'
import { count, counted, significant } from '../util/format.js'
import type { Answer } from './command.js'
import { type Column, facts, table } from './table.js'
import type { Terminal } from './terminal.js'

/** Columns that are shown; --json has them all. */
const TOP = 40

interface Shown {
  readonly from: string
  readonly output: string | undefined
  readonly report: string | undefined
}

export function selectAnswer(found: Selection, shown: Shown, terminal: Terminal): Answer {
  return { text: textOf(found, shown, terminal), json: jsonOf(found, shown) }
}

function jsonOf(found: Selection, { output, report }: Shown) {
  const { method, target, isClasses, rows, names, scores, order, kept, parts, passedFor } = found
  const isKept = new Set(kept)
  return {
    ...(output !== undefined && { output }),
    ...(report !== undefined && { report }),
    method,
    ...(target !== null && { target, task: isClasses ? 'classification' : 'regression' }),
    rows,
    kept: kept.map((j) => names[j]!),
    columns: order.map((j) => ({
      name: names[j]!,
      score: scores[j]!,
      kept: isKept.has(j),
      ...(parts && { relevance: parts.relevance[j]!, redundancy: parts.redundancy[j]! }),
      ...(passedFor && passedFor[j] !== null && { passedFor: names[passedFor[j]!]! }),
    })),
  }
}

function textOf(found: Selection, { from, output, report }: Shown, terminal: Terminal): string {
  const { method, target, isClasses, rows, names, order, kept } = found
  const isKept = new Set(kept)
  const lines: readonly (readonly [string, string])[] = [
    ['table', `${from}: ${count(rows)} rows, ${counted(names.length, 'column')} to choose from`],
    ...(target === null ? [] : [['target', `${target}, ${isClasses ? 'classes' : 'numbers'}`] as const]),
    ['by', SCORES[method]],
    ['kept', `${kept.length} of ${names.length}`],
    ...(output === undefined ? [] : [['written', output] as const]),
    ...(report === undefined ? [] : [['report', report] as const]),
  ]
  const scored = scoresOf(found)
  return [
    facts(lines, terminal),
    '',
    table(
      [{ title: 'column', shrinkTo: 20 }, ...scored.map(({ column }) => column), { title: 'kept' }],
      order.slice(0, TOP).map((j) => [names[j]!, ...scored.map(({ cell }) => cell(j)), isKept.has(j) ? 'yes' : '']),
      terminal,
    ),
    ...(order.length > TOP ? [`${order.length - TOP} more are in --json.`] : []),
  ].join('\n')
}

interface Scored {
  readonly column: Column
  readonly cell: (j: number) => string
}

function scoresOf({ names, scores, parts, passedFor }: Selection): readonly Scored[] {
  const numbers = (title: string, values: Float64Array): Scored => ({
    column: { title, align: 'right' },
    cell: (j) => (Number.isNaN(values[j]!) ? '' : significant(values[j]!, 4)),
  })
  const score = numbers('score', scores)
  if (parts !== null) return [numbers('relevance', parts.relevance), numbers('redundancy', parts.redundancy), score]
  if (passedFor === null || passedFor.every((better) => better === null)) return [score]
  const better = (j: number): string => (passedFor[j] === null ? '' : names[passedFor[j]!]!)
  return [score, { column: { title: 'passed over for', shrinkTo: 15 }, cell: better }]
}
