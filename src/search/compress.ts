/**
 * The main job: measure a model, try recipes, fall back layer by layer where quality breaks, and hand back the best
 * candidate that keeps the budget, with everything measured on the way.
 */

import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { planRecipes, type Recipe } from '../compress/recipes.js'
import type { Samples } from '../data/samples.js'
import { missedKernels } from '../engine/kernels.js'
import { modelMemory } from '../engine/node/memory.js'
import { optimizedGraph } from '../engine/node/optimized.js'
import type { Model } from '../ir/types.js'
import { decodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { chooseBest, isMeasured, type Objective } from './choose.js'
import { candidatePath, isSlower, makeTrial, runTrial, timed } from './evaluate.js'
import {
  type FallbackMemo,
  fallbackModes,
  fallbackOrder,
  fallenBack,
  fewestExcluded,
  layerSensitivity,
  type Sensitivity,
} from './fallback.js'
import { type Journal, openJournal } from './journal.js'
import { layersOf } from './layers.js'
import type { Outcome } from './outcome.js'
import type { Metric } from './quality.js'
import { openSetup, type Setup } from './setup.js'
import { type SlowLayers, slowLayers } from './slow-layers.js'
import { summarize } from './summarize.js'
import type { Latency, MissedKernel, TrialResult } from './trial.js'

export type Target = 'node' | 'web' | 'webgpu'

export interface CompressOptions extends RunOptions {
  /** The model's file, where the model was read from one: what candidates are measured against. */
  readonly original?: Uint8Array
  /** Real inputs, fitted to the model. Without them only recipes that need none are tried, and quality stays open. */
  readonly samples?: Samples
  /** Largest loss of quality, in the measure's unit. Default 0.01. */
  readonly maxDrop?: number
  /** What to make small. Default `latency`. */
  readonly for?: Objective
  /** Where the model will run: latency is measured there. Default `node`. */
  readonly target?: Target
  /** Keep to operators of the ONNX standard. */
  readonly portable?: boolean
  /** Quality by a metric of your own; needs samples. */
  readonly metric?: Metric
  /** Output that holds class scores, where it cannot be seen from its values. */
  readonly scores?: string
  readonly threads?: number
  /** Where the journal and the candidates go. */
  readonly runFolder: string
  /** Go on with the journal in the run folder. */
  readonly resume?: boolean
  /** Rounds and milliseconds of each latency measurement. Defaults 60 and 3000. */
  readonly rounds?: number
  readonly budgetMs?: number
  /** For the report: what to call the model, and the command line. */
  readonly name?: string
  readonly command?: string
  readonly onWarning?: (message: string) => void
}

export interface Compressed {
  readonly outcome: Outcome
  /** The chosen model's file; null where nothing was better than the original. */
  readonly bytes: Uint8Array | null
}

/**
 * Searches for the best model that keeps the budget. Never hands back a model that is slower beyond doubt, or larger,
 * than the original. Killed at any moment, it goes on with `resume`; the measurements of the journal are not repeated.
 *
 * Errors: what reading samples, the engine and the file system throw, and `JOURNAL_OTHER`.
 */
export async function compress(model: Model, options: CompressOptions): Promise<Compressed> {
  const started = performance.now()
  await mkdir(options.runFolder, { recursive: true })
  const setup = await openSetup(model, options)
  try {
    const journal = await openJournal(
      join(options.runFolder, 'journal.jsonl'),
      identityOf(setup, options),
      options.resume === true,
    )
    const found = await search(setup, journal, options)
    const chosen = chooseBest(found.results, objectiveOf(options), setup.original.byteLength)
    const bytes =
      chosen === null ? null : new Uint8Array(await readFile(candidatePath(options.runFolder, chosen.sha256)))
    const missed = bytes === null ? [] : await missedIn(setup, bytes)
    const outcome = await summarize({
      setup,
      model,
      options,
      ...found,
      results: found.results.map((r) => (r === chosen ? { ...r, missed } : r)),
      chosen,
      peakMemory: {
        original: await peakMemory(setup, setup.original),
        chosen: bytes === null ? null : await peakMemory(setup, bytes),
      },
      seconds: (performance.now() - started) / 1000,
    })
    await removeCandidates(options.runFolder)
    return { outcome, bytes }
  } finally {
    await setup.close()
  }
}

/** The recipes that `compress` would try, and an estimate of the time that takes, without trying them. */
export async function planCompression(
  model: Model,
  options: CompressOptions,
): Promise<{ readonly recipes: readonly Recipe[]; readonly seconds: number }> {
  const setup = await openSetup(model, options)
  try {
    const recipes = recipesFor(setup, options)
    const baseline = await timed(setup, setup.original)
    const pass = ((setup.data?.heldOut ?? 0) * baseline.p50) / 1000
    const timing = Math.min(setup.measure.budgetMs, setup.measure.rounds * 2 * baseline.p50) / 1000
    return { recipes, seconds: recipes.length * (1 + 2 * pass + timing) }
  } finally {
    await setup.close()
  }
}

const objectiveOf = (options: CompressOptions): Objective => options.for ?? 'latency'

const recipesFor = (setup: Setup, options: CompressOptions): readonly Recipe[] =>
  planRecipes(setup.prepared, {
    calibrated: setup.env.calibration !== undefined,
    judged: setup.judge !== null,
    portable: options.portable ?? false,
    objective: objectiveOf(options),
    activations: setup.activations,
  })

/** What must be the same for a journal to be of use: not the machine's mood, but everything that was asked. */
const identityOf = (setup: Setup, options: CompressOptions) => ({
  model: setup.sha256,
  data: setup.data,
  maxDrop: setup.maxDrop,
  objective: objectiveOf(options),
  target: options.target ?? 'node',
  portable: options.portable ?? false,
  seed: setup.env.seed ?? 0,
  engine: [setup.target.name, setup.target.version, setup.target.device, setup.target.threads],
})

export interface Found {
  readonly results: readonly TrialResult[]
  readonly baseline: Latency
  /** By id of the trial whose layers were asked about. */
  readonly sensitivity: ReadonlyMap<string, readonly Sensitivity[]>
}

/** Failing recipes that are taken through fall-back: those that promise most. */
const FALLBACKS = 2

async function search(setup: Setup, journal: Journal, options: CompressOptions): Promise<Found> {
  const objective = objectiveOf(options)
  const baseline = journal.recall<Latency>('baseline') ?? (await timed(setup, setup.original))
  await journal.record('baseline', baseline)
  const recipes = recipesFor(setup, options)
  const results: TrialResult[] = []
  for (const [i, recipe] of recipes.entries()) {
    options.onProgress?.({ task: `trying ${recipe.name}`, done: i, total: recipes.length })
    results.push(await tried(setup, journal, recipe))
  }
  results.push(...(await withoutSlowLayers(setup, journal, results, options)))
  const sensitivity = new Map<string, readonly Sensitivity[]>()
  if (setup.judge !== null) {
    for (const failing of worthFallingBack(results, objective, setup).slice(0, FALLBACKS)) {
      const fallen = await fallBack(setup, journal, failing, options)
      sensitivity.set(failing.trial.id, fallen.sensitivity)
      if (fallen.result !== null) {
        results.push(fallen.result)
        sensitivity.set(fallen.result.trial.id, fallen.sensitivity)
      }
    }
  }
  return { results, baseline, sensitivity }
}

/** The fastest static candidate again, with those layers in float that integers make slower. */
async function withoutSlowLayers(
  setup: Setup,
  journal: Journal,
  results: readonly TrialResult[],
  options: CompressOptions,
): Promise<readonly TrialResult[]> {
  const fixed = results.filter(isMeasured).filter((r) => r.trial.steps.some((s) => s.transform === 'quantize/static'))
  if (fixed.length === 0) return []
  const { trial } = fixed.reduce((a, b) => (b.latency.ratio < a.latency.ratio ? b : a))
  options.onProgress?.({ task: `looking for slow layers of ${trial.name}`, done: 0 })
  const key = `slow layers ${trial.id}`
  const ways = journal.recall<readonly SlowLayers[]>(key) ?? (await slowLayers(setup, trial.steps))
  await journal.record(key, ways)
  const found: TrialResult[] = []
  for (const { what, keys } of ways) {
    found.push(
      await tried(setup, journal, {
        name: `${trial.name}; ${what} in float`,
        steps: fallenBack(trial.steps, keys, 'stored'),
      }),
    )
  }
  return found
}

async function tried(setup: Setup, journal: Journal, { name, steps }: Recipe): Promise<TrialResult> {
  const trial = await makeTrial(setup, name, steps)
  const known = journal.recall<TrialResult>(`trial ${trial.id}`)
  if (known !== undefined && (known.sha256 === undefined || (await candidateIsThere(setup, known.sha256)))) return known
  const result = await runTrial(setup, trial)
  await journal.record(`trial ${trial.id}`, result)
  return result
}

const candidateIsThere = (setup: Setup, hash: string): Promise<boolean> =>
  access(candidatePath(setup.runFolder, hash)).then(
    () => true,
    () => false,
  )

/** Results that only quality keeps from being the best so far, most promising first; one of each kind of recipe. */
function worthFallingBack(results: readonly TrialResult[], objective: Objective, setup: Setup): readonly TrialResult[] {
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

async function fallBack(setup: Setup, journal: Journal, from: TrialResult, options: CompressOptions) {
  const { trial } = from
  const layers = layersOf(setup.prepared)
  const sensitivity: Sensitivity[] = []
  for (const [i, layer] of layers.entries()) {
    options.signal?.throwIfAborted()
    options.onProgress?.({ task: `asking layers of ${trial.name}`, done: i, total: layers.length })
    const key = `sensitivity ${trial.id} ${layer.key}`
    const known = journal.recall<Sensitivity | null>(key)
    const measured = known === undefined ? await layerSensitivity(setup, trial.steps, layer, layers) : known
    if (known === undefined) await journal.record(key, measured)
    if (measured !== null) sensitivity.push(measured)
  }
  const order = fallbackOrder(sensitivity, layers, objectiveOf(options))
  const memo: FallbackMemo = {
    recall: (key) => journal.recall<number>(`fallback ${trial.id} ${key}`),
    record: (key, drop) => journal.record(`fallback ${trial.id} ${key}`, drop),
  }
  for (const mode of fallbackModes(trial.steps)) {
    options.onProgress?.({ task: `falling back in ${trial.name}`, done: 0 })
    const count = await fewestExcluded(setup, trial.steps, order, mode, memo)
    if (count === null || (count === order.length && mode === 'float')) continue
    const name = `${trial.name}; ${count} ${count === 1 ? 'layer' : 'layers'} ${mode === 'stored' ? 'only stored' : 'in float'}`
    return {
      sensitivity,
      result: await tried(setup, journal, { name, steps: fallenBack(trial.steps, order.slice(0, count), mode) }),
    }
  }
  return { sensitivity, result: null }
}

async function missedIn(setup: Setup, bytes: Uint8Array): Promise<readonly MissedKernel[]> {
  const engine = await setup.env.engine()
  if (engine.name !== 'onnxruntime-node') return []
  return missedKernels(decodeModel(bytes), await optimizedGraph(engine, bytes))
}

/** Null where the target's memory cannot be seen from here. */
async function peakMemory(setup: Setup, bytes: Uint8Array): Promise<number | null> {
  if (setup.target.device !== 'cpu' && setup.target.device !== 'wasm') return null
  const { signal } = setup.env
  const memory = await modelMemory(bytes, setup.feeds[0]!, {
    device: setup.target.device,
    threads: setup.target.threads,
    ...(signal && { signal }),
  })
  return memory.peakGrowth
}

/** The journal stays; the candidates' files are many times the model's size. */
async function removeCandidates(runFolder: string): Promise<void> {
  const files = await readdir(runFolder)
  await Promise.all(files.filter((f) => /^[0-9a-f]{64}\.onnx$/.test(f)).map((f) => rm(join(runFolder, f))))
}
