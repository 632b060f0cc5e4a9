/** bench/models.md: what was lost first, then the side-by-side with the peer, then every file of every model. */

import { ratio, summary } from '../../src/engine/timing.js'
import { table } from '../markdown.js'
import type { Agreement } from '../peers/agreement.js'
import { type Duel, duel, loss, type Side, type Verdict } from './duels.js'
import type { Facts } from './facts.js'
import { type Budget, budgetName, type Made, OWN_BUDGETS } from './make.js'
import type { Judged, Timed } from './measure.js'
import type { Rival } from './rivals.js'

/** Everything measured of one model, plain JSON. */
export interface ModelResults {
  readonly model: string
  readonly about: string
  readonly heldOut: number
  readonly facts: Facts
  readonly made: readonly Made[]
  /** Null without the peer's files. */
  readonly rivals: readonly (Rival & { readonly bytes: number; readonly ours: Budget })[] | null
  /** Of `original`, of names in `made` and of `peer: <variant>`; files that are the same are measured once. */
  readonly judged: readonly Judged[]
  readonly timed: readonly Timed[]
  readonly sameAs: Readonly<Record<string, string>>
  /** The original, ours and theirs alone, one after the other as `rivals`. */
  readonly duels: readonly (readonly Timed[])[]
}

export const ORIGINAL = 'original'
export const peerId = (variant: string): string => `peer: ${variant}`

export function sections(results: readonly ModelResults[]) {
  return [
    { heading: 'Where it falls short', text: shortcomings(results) },
    { heading: 'Against onnxruntime.quantization', text: ABOUT_DUELS, table: duelTable(results) },
    { heading: 'Inspect and round trip', table: factTable(results) },
    ...results.map((r) => ({ heading: r.model, text: modelText(r), table: fileTable(r) })),
  ]
}

const ABOUT_DUELS =
  "The peer's best are the fastest and the smallest of its files that are no larger than the original and whose worst output's relative L2 error is at most 0.1 or 0.6. Ours is what `compress`, for latency or for size, hands back when it is allowed as much loss as the peer's file has and 5 % more, with the same calibration samples, of which it holds out half to judge by. Both are then measured on the same held-out samples, which neither has seen, and the two and the original are timed interleaved in one thread. Loss is that of the worst output: 1 − top-1 agreement in class scores, the relative L2 error in others; losses within 5 % of each other are even. Speeds are even where the 95 % interval of their time over ours leaves a doubt or they differ by less than 2 %."

interface Pair {
  /** Readings of the original. */
  readonly base: readonly number[]
  readonly rival: NonNullable<ModelResults['rivals']>[number]
  readonly ours: Side
  readonly theirs: Side
  readonly duel: Duel
}

function pairsOf(result: ModelResults): readonly Pair[] {
  return (result.rivals ?? []).flatMap((rival, i) => {
    const [base, own, other] = result.duels[i] ?? []
    if (base === undefined || own === undefined || other === undefined) return []
    const made = result.made.find((m) => m.name === budgetName(rival.ours))
    const ours = sideOf(result, own, made?.file?.bytes ?? result.facts.bytes)
    const theirs = sideOf(result, other, rival.bytes)
    if (ours === null || theirs === null) return []
    return [{ rival, base: base.runs, ours, theirs, duel: duel(ours, theirs) }]
  })
}

function sideOf(result: ModelResults, { id, runs }: Timed, bytes: number): Side | null {
  const judged = result.judged.find((j) => j.id === (result.sameAs[id] ?? id))
  return judged?.agreement ? { bytes, agreement: judged.agreement, runs } : null
}

function duelTable(results: readonly ModelResults[]): string {
  const rows = results.flatMap((result) => {
    if (result.rivals === null) return [[result.model, 'not measured', '', '', '', '', '', '']]
    return pairsOf(result).map(({ rival, base, ours, theirs, duel: d }) => [
      result.model,
      `${rival.objective === 'latency' ? 'fastest' : 'smallest'}, error ≤ ${rival.bounds.join(' and ')}: ${rival.variant}`,
      sideText(base, theirs),
      sideText(base, ours),
      d.bytes,
      `${d.speed}: ${d.ratio[0].toFixed(2)} (${d.ratio[1].toFixed(2)}–${d.ratio[2].toFixed(2)})`,
      d.quality,
    ])
  })
  return table(['model', "the peer's best", 'theirs', 'ours', 'bytes', 'speed: theirs ÷ ours in time', 'loss'], rows)
}

const sideText = (base: readonly number[], { bytes, agreement, runs }: Side): string =>
  `${kilo(bytes)}, ${speed(base, runs).text}, ${lossText(agreement)}`

const kilo = (bytes: number): string => `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`

const lossText = (a: Agreement): string =>
  `${a.top1 === null ? '' : `top-1 ${percent(a.top1)}, `}error ${a.worst.toExponential(1)}`

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

/** The original's time over this one's. */
function speed(base: readonly number[], runs: readonly number[]) {
  const { ratio: r, low, high, verdict } = ratio(base, runs)
  return { text: `${(1 / r).toFixed(2)}x`, interval: `${(1 / high).toFixed(2)}–${(1 / low).toFixed(2)}`, verdict }
}

const baseOf = ({ timed }: ModelResults): readonly number[] => timed.find((t) => t.id === ORIGINAL)!.runs

function shortcomings(results: readonly ModelResults[]): string {
  const lines = results.flatMap((result) => [...lostDuels(result), ...ownFaults(result)])
  return lines.length === 0 ? 'Nowhere in this run.' : lines.map((line) => `- ${line}`).join('\n')
}

function lostDuels(result: ModelResults): readonly string[] {
  if (result.rivals === null) return [`${result.model}: the peer's files are not there.`]
  return pairsOf(result).flatMap(({ rival, base, ours, theirs, duel: d }) => {
    const axes: readonly (readonly [string, Verdict])[] = [
      [`${ours.bytes} bytes against ${theirs.bytes}`, d.bytes],
      [`${speed(base, ours.runs).text} against ${speed(base, theirs.runs).text}`, d.speed],
      [`loss ${loss(ours.agreement).toPrecision(2)} against ${loss(theirs.agreement).toPrecision(2)}`, d.quality],
    ]
    return axes
      .filter(([, v]) => v === 'lost')
      .map(([what]) => `${result.model}, against ${rival.variant} (${rival.objective}): ${what}`)
  })
}

/** What must not happen whatever the peer does. */
function ownFaults(result: ModelResults): readonly string[] {
  const { facts, model } = result
  const { sameOutputs, samples } = facts.roundTrip
  return [
    ...(sameOutputs === samples
      ? []
      : [`${model}: the round trip changes ${samples - sameOutputs} of ${samples} outputs`]),
    ...result.judged
      .filter((j) => j.error !== undefined && !j.id.startsWith('peer: '))
      .map((j) => `${model}, ${j.id}: ${j.error}`),
    ...result.made.flatMap((made) => {
      if (made.file === null || !made.name.startsWith('compress')) return []
      const timed = result.timed.find((t) => t.id === (result.sameAs[made.name] ?? made.name))
      const pace = timed && speed(baseOf(result), timed.runs)
      return [
        ...(pace?.verdict === 'slower' ? [`${model}, ${made.name}: slower than the original, ${pace.text}`] : []),
        ...(made.file.bytes > facts.bytes ? [`${model}, ${made.name}: larger than the original`] : []),
        ...brokenBudget(result, made),
      ]
    }),
  ]
}

/** A search keeps its budget on the samples that it holds out; on those that nobody has seen it may be broken. */
function brokenBudget(result: ModelResults, { name }: Made): readonly string[] {
  const budgets = [...OWN_BUDGETS, ...(result.rivals ?? []).map((r) => r.ours)]
  const budget = budgets.find((b) => budgetName(b) === name)
  const agreement = result.judged.find((j) => j.id === (result.sameAs[name] ?? name))?.agreement
  if (budget === undefined || agreement == null || loss(agreement) <= budget.maxDrop) return []
  return [`${result.model}, ${name}: the budget is not kept, loss ${loss(agreement).toPrecision(3)}`]
}

function factTable(results: readonly ModelResults[]): string {
  const rows = results.map(({ model, facts: f }) => [
    model,
    f.bytes,
    f.nodes,
    f.parameters,
    f.macs,
    [...f.unknownOps, ...(f.unknownMacs > 0 ? [`${f.unknownMacs} nodes without a count`] : [])].join(', ') || 'none',
    f.problems.length,
    f.roundTrip.sameBytes ? 'yes' : 'no',
    `${f.roundTrip.sameOutputs} of ${f.roundTrip.samples}`,
  ])
  return table(
    ['model', 'bytes', 'nodes', 'parameters', 'MACs', 'unknown', 'problems', 'same bytes', 'bitwise equal outputs'],
    rows,
  )
}

const modelText = ({ about, heldOut }: ModelResults): string => `Samples: ${about}. Held out: ${heldOut}.`

function fileTable(result: ModelResults): string {
  const accuracy = result.judged.some((j) => j.agreement?.accuracy != null)
  const peers = [...new Set((result.rivals ?? []).map((r) => r.variant))].map((variant) => ({
    name: peerId(variant),
    bytes: result.rivals!.find((r) => r.variant === variant)!.bytes,
    note: '',
  }))
  const own = result.made.map(({ name, file, note }) => ({ name, bytes: file?.bytes ?? null, note }))
  const rows = [{ name: ORIGINAL, bytes: result.facts.bytes, note: '' }, ...own, ...peers].map(
    ({ name, bytes, note }) => {
      if (bytes === null) return [name, '', '', '', '', '', ...(accuracy ? [''] : []), '', note]
      const id = result.sameAs[name] ?? name
      const judged = result.judged.find((j) => j.id === id)
      const timed = result.timed.find((t) => t.id === id)
      const pace = timed && speed(baseOf(result), timed.runs)
      const a = judged?.agreement ?? null
      return [
        name,
        bytes,
        timed ? summary(timed.runs).p50.toPrecision(3) : '',
        pace ? `${pace.text} (${pace.interval})` : '',
        a === null ? '' : a.worst.toExponential(1),
        a?.top1 == null ? '' : percent(a.top1),
        ...(accuracy ? [a?.accuracy == null ? '' : percent(a.accuracy)] : []),
        judged?.wasm == null ? 'does not run' : judged.wasm.toExponential(1),
        [note, judged?.error ?? '', id === name ? '' : `same file as ${id}`].filter((s) => s !== '').join('; '),
      ]
    },
  )
  return table(
    [
      'file',
      'bytes',
      'ms',
      'speed (95 %)',
      'worst rel. L2',
      'top-1',
      ...(accuracy ? ['accuracy'] : []),
      'Node to WebAssembly',
      'note',
    ],
    rows,
  )
}
