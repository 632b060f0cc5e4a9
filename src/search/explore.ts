/** Exploring: every recipe, then the fastest without its slow layers, then falling back where quality breaks. */

import type { Recipe } from '../compress/recipes.js'
import { chooseBest, isMeasured, type Measured, type Objective } from './choose.js'
import { candidatePath, isQuickEnough, isRestored, makeTrial, runTrial, timed, timedTogether } from './evaluate.js'
import {
  type FallbackMemo,
  fallbackModes,
  fallbackOrder,
  fallenBack,
  fewestExcluded,
  layerSensitivity,
  type Sensitivity,
} from './fallback.js'
import { type Journal, remember } from './journal.js'
import { layersOf } from './layers.js'
import { type Form, type Mixed, mixedPrecision } from './mixed-precision/mixed-precision.js'
import type { FrontSearch } from './outcome.js'
import { optional, type Setup } from './setup.js'
import { type FloatProfile, profileInFloat, slowLayers } from './slow-layers.js'
import type { Latency, Step, Trial, TrialResult } from './trial.js'
import { isSlower, maybeSlower } from './verdicts.js'

/** What every step of an exploration works with. */
export interface Exploration {
  readonly setup: Setup
  readonly journal: Journal
  readonly objective: Objective
  readonly recipes: readonly Recipe[]
  /** Forms that layers may take in mixed precision; without, or without samples, it is not tried. */
  readonly forms?: readonly Form[]
  /** Time is up: what is not known by then is not tried. */
  readonly isOver?: () => boolean
}

export interface Found {
  readonly results: readonly TrialResult[]
  readonly baseline: Latency
  /** By the steps, layers left out of account, that layers were asked about. */
  readonly sensitivity: ReadonlyMap<string, readonly Sensitivity[]>
  /** Of a search for a front. */
  readonly search?: FrontSearch
}

/** Failing recipes that are taken through fall-back, at most: those that promise most. */
const FALLBACKS = 2

/** What quantization alone comes to, before the best of it are timed once more. */
export interface Tried extends Omit<Found, 'search'> {
  /** The trial's id. */
  readonly mixed: string | null
}

/** Tries everything; what the journal knows is not measured again. Without samples there is no falling back. */
export async function explore(exploration: Exploration): Promise<Found> {
  const { setup, objective } = exploration
  const { mixed, results, baseline, sensitivity } = await tryQuantizing(exploration)
  const settled = await runOff(exploration, results)
  const best = chooseBest(settled, objective, setup.original.byteLength)
  if (setup.judge === null || best === null || sensitivity.has(layersAside(best.trial.steps)))
    return { results: settled, baseline, sensitivity }
  const { id, steps } = best.trial
  // In mixed precision a layer alone is asked about in the form that it has.
  const asked = await askLayers(exploration, id === mixed ? steps : withoutExcluded(steps))
  const all = asked === null ? sensitivity : new Map([...sensitivity, [layersAside(steps), asked]])
  return { results: settled, baseline, sensitivity: all }
}

export async function tryQuantizing(exploration: Exploration): Promise<Tried> {
  const { setup, journal, recipes } = exploration
  const baseline = await remember<Latency>(journal, 'baseline', () => timed(setup, setup.original))
  let results: readonly TrialResult[] = []
  for (const [i, recipe] of recipes.entries()) {
    setup.env.onProgress?.({ task: `trying ${recipe.name}`, done: i, total: recipes.length })
    results = withTried(results, await tried(exploration, recipe, results), setup)
  }
  results = await withoutSlowLayers(exploration, results)
  const sensitivity = new Map<string, readonly Sensitivity[]>()
  if (setup.judge === null) return { results, baseline, sensitivity, mixed: null }
  for (const failing of worthFallingBack(exploration, results).slice(0, FALLBACKS)) {
    const asked = await askLayers(exploration, withoutExcluded(failing.trial.steps))
    if (asked === null) break
    sensitivity.set(layersAside(failing.trial.steps), asked)
    results = withTried(results, await fallBack(exploration, failing, asked, results), setup)
  }
  const mixed = await triedMixed(exploration, results)
  results = withTried(results, mixed, setup)
  return { results, baseline, sensitivity, mixed: mixed?.trial.id ?? null }
}

/**
 * The results and one more, unless another trial came to the same file, or the original is that file: where steps find
 * nothing to do, what they are called does not say what the candidate is.
 */
export function withNew(results: readonly TrialResult[], more: TrialResult, { sha256 }: Setup): readonly TrialResult[] {
  const isTwin = more.sha256 === sha256 || results.some((r) => r.sha256 === more.sha256)
  return more.sha256 !== undefined && isTwin ? results : [...results, more]
}

/** Null: it was not tried. */
const withTried = (results: readonly TrialResult[], more: TrialResult | null, setup: Setup): readonly TrialResult[] =>
  more === null ? results : withNew(results, more, setup)

/** How many of the best are timed once more, and how much longer. */
export const FINALISTS = 4
export const LONGER = 3

/**
 * The best that may be handed back, timed again side by side and longer: measurements far apart in time compare badly.
 * Repeated until the winner is among those, for the luck of a short measurement must not decide.
 */
export async function runOff(
  exploration: Exploration,
  results: readonly TrialResult[],
): Promise<readonly TrialResult[]> {
  const { setup, journal, objective } = exploration
  const again = new Set<string>()
  let settled = results
  for (;;) {
    const best = chooseBest(settled, objective, setup.original.byteLength)
    const isOver = again.size > 0 && (best === null || again.has(best.sha256))
    const finalists = isOver ? [] : finalistsOf(settled, best, objective)
    const isTimed = finalists.length > 0 && journal.recall(runOffKey(finalists)) !== undefined
    const restored = await withFiles(exploration, settled, isTimed ? [] : isOver && best !== null ? [best] : finalists)
    if (restored !== settled) {
      settled = restored
      continue
    }
    if (finalists.length === 0) return settled
    settled = await timedAgain(exploration, settled, finalists)
    for (const r of finalists) again.add(r.sha256)
  }
}

/** The results, with the files of these at hand: one whose steps make another file by now is measured anew. */
async function withFiles(
  exploration: Exploration,
  results: readonly TrialResult[],
  needed: readonly TrialResult[],
): Promise<readonly TrialResult[]> {
  let found = results
  for (const result of needed) {
    if (await isRestored(exploration.setup, result)) continue
    const others = found.filter((r) => r !== result)
    found = withNew(others, await measured(exploration, result.trial, others), exploration.setup)
  }
  return found
}

/** Of the files, not the trials: a trial that is measured anew has another. */
const runOffKey = (finalists: readonly Measured[]): string =>
  `run-off ${finalists.map((r) => r.sha256.slice(0, 12)).join(' ')}`

/** The first few in the order of the objective, and the one that would be handed back. */
function finalistsOf(
  results: readonly TrialResult[],
  best: Measured | null,
  objective: Objective,
): readonly Measured[] {
  const kept = results
    .filter(isMeasured)
    .filter((r) => r.keeps === true)
    .toSorted((a, b) => (objective === 'size' ? a.bytes - b.bytes : a.latency.ratio - b.latency.ratio))
  const front = kept.slice(0, FINALISTS)
  return best === null || front.includes(best) ? front : [...front.slice(0, -1), best]
}

async function timedAgain(
  { setup, journal }: Exploration,
  results: readonly TrialResult[],
  finalists: readonly Measured[],
): Promise<readonly TrialResult[]> {
  setup.env.onProgress?.({ task: 'timing the best once more', done: 0 })
  const files = finalists.map((r) => ({ path: candidatePath(setup.runFolder, r.sha256) }))
  const latencies = await remember(journal, runOffKey(finalists), () => timedTogether(setup, files, LONGER))
  const again = new Map(finalists.map((r, i) => [r.trial.id, latencies[i]!]))
  return results.map((r) => {
    const latency = again.get(r.trial.id)
    return latency === undefined
      ? r
      : { ...r, latency, keeps: r.keeps === true && !maybeSlower(latency) && isQuickEnough(setup, latency) }
  })
}

/** Steps without the layers that they leave out: trials that differ only there share what is known of their layers. */
export const layersAside = (steps: readonly Step[]): string => JSON.stringify(withoutExcluded(steps))

const withoutExcluded = (steps: readonly Step[]): readonly Step[] =>
  steps.map(({ transform, params: { exclude: _, ...params } }) => ({ transform, params }))

export const isStatic = ({ trial }: TrialResult): boolean => trial.steps.some((s) => s.transform === 'quantize/static')

/** Static candidates that are tried without their slow layers: the fastest by one short timing need not stay it. */
const WITHOUT_SLOW = 2

/** The results, and the fastest static candidates again with those layers in float that integers make slower. */
async function withoutSlowLayers(
  exploration: Exploration,
  results: readonly TrialResult[],
): Promise<readonly TrialResult[]> {
  const { setup } = exploration
  const fixed = results
    .filter(isMeasured)
    .filter(isStatic)
    .toSorted((a, b) => a.latency.ratio - b.latency.ratio)
  let found = results
  // The same for all of them, and not needed where the journal has the answers.
  let float: Promise<FloatProfile> | null = null
  for (const { trial } of fixed.slice(0, WITHOUT_SLOW)) {
    setup.env.onProgress?.({ task: `looking for slow layers of ${trial.name}`, done: 0 })
    // A failure is not remembered: the next run may have better luck.
    const ways = await optional(setup, 'slow layers were not looked for', [], () =>
      inTime(exploration, `slow layers ${trial.id}`, async () => {
        float ??= profileInFloat(setup)
        return slowLayers(setup, await float, trial.steps)
      }),
    )
    for (const { what, keys } of ways ?? []) {
      const steps = fallenBack(trial.steps, keys, 'stored')
      const name = `${trial.name}; ${what} in float`
      found = withTried(found, await tried(exploration, { name, steps }, found), setup)
    }
  }
  return found
}

/** A candidate whose layers have the forms that save most bytes for what they err; null where there is none. */
async function triedMixed(exploration: Exploration, others: readonly TrialResult[]): Promise<TrialResult | null> {
  const { setup, journal, forms = [], isOver } = exploration
  if (forms.length === 0) return null
  const recipe = await inTime(exploration, 'mixed precision', async () => {
    const mixed = await mixedPrecision(setup, {
      forms,
      layers: layersOf(setup.prepared),
      cost: (bytes) => bytes.byteLength,
      goal: 'quality',
      ...(isOver && { isOver }),
      remember: (key, make) => remember(journal, key, make),
    })
    return mixed && { name: nameOfMixed(mixed), steps: mixed.steps }
  })
  return recipe && tried(exploration, recipe, others)
}

/** What the journal knows, or what is made now; null where time is up. Nothing that was cut short is recorded. */
async function inTime<T>({ journal, isOver }: Exploration, key: string, make: () => Promise<T>): Promise<T | null> {
  const known = journal.recall<T>(key)
  if (known !== undefined) return known
  if (isOver?.()) return null
  const value = await make()
  if (value !== null || !isOver?.()) await journal.record(key, value)
  return value
}

export function nameOfMixed({ forms }: Mixed): string {
  const taken = [...forms.values()]
  const counts = [...new Set(taken)].map((id) => `${taken.filter((other) => other === id).length} ${id}`)
  return `mixed precision: ${counts.join(', ')}`
}

/** `others`: a trial that comes to the file of one of them is not measured again. Null where time is up. */
async function tried(
  exploration: Exploration,
  { name, steps }: Recipe,
  others: readonly TrialResult[],
): Promise<TrialResult | null> {
  const { setup, journal, isOver } = exploration
  const trial = await makeTrial(setup, name, steps)
  const known = journal.recall<TrialResult>(`trial ${trial.id}`)
  // Only what may be handed back needs its file.
  if (known !== undefined && (known.keeps !== true || (await isRestored(setup, known)))) return known
  if (known === undefined && isOver?.()) return null
  return measured(exploration, trial, others)
}

async function measured(
  { setup, journal }: Exploration,
  trial: Trial,
  others: readonly TrialResult[],
): Promise<TrialResult> {
  const result = await runTrial(setup, trial, { known: (hash) => others.find((r) => r.sha256 === hash) })
  await journal.record(`trial ${trial.id}`, result)
  return result
}

/** Results that only quality keeps from being the best so far, most promising first; one of each kind of recipe. */
function worthFallingBack({ setup, objective }: Exploration, results: readonly TrialResult[]): readonly TrialResult[] {
  const best = chooseBest(results, objective, setup.original.byteLength)
  const gain = (r: TrialResult): number =>
    objective === 'size' ? r.bytes! / setup.original.byteLength : r.latency!.ratio
  const failing = results
    .filter(isMeasured)
    .filter((r) => r.quality !== undefined && r.quality.drop > setup.maxDrop)
    .filter((r) => r.bytes <= setup.original.byteLength && !isSlower(r.latency))
    .filter((r) => best === null || gain(r) < gain(best) * 0.98)
  const kinds = new Map<string, TrialResult>()
  // Of recipes of one kind the one that is nearest to the budget has least to give back.
  for (const r of failing.toSorted((a, b) => a.quality!.drop - b.quality!.drop)) {
    const kind = r.trial.steps.map((s) => s.transform).join()
    if (!kinds.has(kind)) kinds.set(kind, r)
  }
  return [...kinds.values()].toSorted((a, b) => gain(a) - gain(b))
}

/** What each layer alone costs, layers that the steps do not touch left out. Null where time is up. */
async function askLayers(exploration: Exploration, steps: readonly Step[]): Promise<readonly Sensitivity[] | null> {
  const { setup, journal, isOver } = exploration
  const layers = layersOf(setup.prepared)
  const id = (await makeTrial(setup, '', steps)).id
  const asked: (Sensitivity | null)[] = []
  for (const [i, layer] of layers.entries()) {
    setup.env.signal?.throwIfAborted()
    setup.env.onProgress?.({ task: 'asking layer by layer', done: i, total: layers.length })
    const key = `sensitivity ${id} ${layer.key}`
    if (journal.recall(key) === undefined && isOver?.()) return null
    asked.push(await remember(journal, key, () => layerSensitivity(setup, steps, layer, layers)))
  }
  return asked.filter((s) => s !== null)
}

async function fallBack(
  exploration: Exploration,
  { trial }: TrialResult,
  asked: readonly Sensitivity[],
  others: readonly TrialResult[],
): Promise<TrialResult | null> {
  const { setup, journal, objective } = exploration
  const order = fallbackOrder(asked, layersOf(setup.prepared), objective)
  const memo: FallbackMemo = {
    recall: (key) => journal.recall<number>(`fallback ${trial.id} ${key}`),
    record: (key, drop) => journal.record(`fallback ${trial.id} ${key}`, drop),
  }
  for (const mode of fallbackModes(trial.steps)) {
    setup.env.onProgress?.({ task: `falling back in ${trial.name}`, done: 0 })
    const key = `fallen ${objective} ${mode} ${trial.id}`
    const count = await inTime(exploration, key, () => fewestExcluded(setup, trial.steps, order, mode, memo))
    if (count === null || (count === order.length && mode === 'float')) continue
    const nodes = order.slice(0, count).flat()
    const layers = nodes.length === 1 ? 'layer' : 'layers'
    const name = `${trial.name}; ${nodes.length} ${layers} ${mode === 'stored' ? 'only stored' : 'in float'}`
    const steps = fallenBack(trial.steps, nodes, mode)
    return tried(exploration, { name, steps }, others)
  }
  return null
}
