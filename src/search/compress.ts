/**
 * The main job: measure a model, try recipes, fall back layer by layer where quality breaks, and hand back the best
 * candidate that keeps the budget, with everything measured on the way.
 */

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { applySteps, planRecipes, type Recipe } from '../compress/recipes.js'
import { isWidened } from '../compress/widen-half.js'
import type { Samples } from '../data/samples.js'
import type { Engine } from '../engine/engine.js'
import { cancelled } from '../engine/failures.js'
import { missedKernels } from '../engine/kernels.js'
import { modelMemory } from '../engine/node/memory.js'
import { optimizedGraph } from '../engine/node/optimized.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { makeFolder } from '../util/files.js'
import { inLockedFolder } from '../util/lock.js'
import { inTempFolder } from '../util/temp.js'
import { chooseBest, isMeasured, type Measured, type Objective, unseenRisk } from './choose.js'
import { buildCandidate, candidatePath, timed } from './evaluate.js'
import { explore, FINALISTS, isStatic, LONGER } from './explore.js'
import { LAYER_SAMPLES } from './fallback.js'
import { askedOf, isForFront, seenBy } from './identity.js'
import { checkJournal, type Journal, openJournal, refuseUnfinished, remember, valuesIn } from './journal.js'
import { layersOf } from './layers.js'
import { type Form, formsFor } from './mixed-precision/mixed-precision.js'
import type { Missed, Outcome } from './outcome.js'
import { searchFront } from './pareto-search/search.js'
import type { Metric } from './quality.js'
import { openSetup, optional, type Setup, settingsOf } from './setup.js'
import { summarize } from './summarize.js'
import type { Trial, TrialResult } from './trial.js'

export type Target = 'node' | 'web' | 'webgpu'

export interface CompressOptions extends RunOptions {
  /** The model's file, where the model was read from one: what candidates are measured against. */
  readonly original?: Uint8Array
  /**
   * Sizes of dimensions that the model leaves open: what is made of it has them fixed, where the engine takes it so, and
   * everything runs with them. Default: those of the samples, or 1, and everything stays open.
   */
  readonly shapes?: InputShapes
  /** Real inputs, fitted to the model and these shapes. Without them only recipes that need none are tried, and quality stays open. */
  readonly samples?: Samples
  /** Largest loss of quality, in the measure's unit. Default 0.01. */
  readonly maxDrop?: number
  /** Hard limits of what is handed back: bytes of the file, milliseconds of a run (median). */
  readonly maxBytes?: number
  readonly maxLatency?: number
  /** Try every lever for so many minutes, of all runs together, and keep the front of quality, latency and bytes. */
  readonly minutes?: number
  /** Try every lever in so many recipes. With `minutes`: whatever ends first. */
  readonly trials?: number
  /** Minutes more for a search in the run folder that came to its end. */
  readonly more?: number
  /** Seconds that a recovery may take; turned into a number of steps once. Default: what the transforms say, or with `minutes` a tenth of these. */
  readonly recover?: number
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
  /** Where the journal and the candidates go. Default: a temporary folder, removed at the end; then nothing can be resumed. */
  readonly runFolder?: string
  /** Go on with the journal in the run folder. */
  readonly resume?: boolean
  /** Start over in a run folder that holds the journal of an interrupted search: what it measured is lost. */
  readonly restart?: boolean
  /** Rounds and milliseconds of each latency measurement. Defaults 60 and 3000. */
  readonly rounds?: number
  readonly budgetMs?: number
  /** For the report: what to call the model, and the command line. */
  readonly name?: string
  readonly command?: string
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
 * Errors: what reading samples, the engine and the file system throw; `OPTION_VALUE`, `SAMPLES_FEW`, `JOURNAL_OTHER`,
 * `JOURNAL_UNFINISHED`, `FOLDER_BUSY`, and `ABORTED` once the signal fired.
 */
export async function compress(model: Model, options: CompressOptions = {}): Promise<Compressed> {
  const { runFolder, signal } = options
  settingsOf(options)
  if (isForFront(options) && options.samples === undefined) throw needsSamples()
  try {
    if (runFolder === undefined) {
      return await inTempFolder('search', (folder) =>
        searchIn(folder, model, { ...options, resume: false, restart: false }),
      )
    }
    await makeFolder(runFolder)
    return await inLockedFolder(runFolder, () => searchIn(runFolder, model, options))
  } catch (error) {
    throw cancelled(error, signal)
  }
}

const needsSamples = (): PareError =>
  new PareError('OPTION_MISSING', 'a search of every lever needs samples: nothing else tells what a lever costs', {
    where: 'samples',
    remedy: 'Give them with --data, or leave out minutes, trials and more.',
  })

async function searchIn(runFolder: string, model: Model, given: CompressOptions): Promise<Compressed> {
  const started = performance.now()
  const isResumed = given.resume === true || given.more !== undefined
  const options = { ...given, resume: isResumed, original: given.original ?? encodeModel(model).bytes }
  const path = join(runFolder, 'journal.jsonl')
  const asked = await askedOf(options)
  if (options.resume !== true && options.restart !== true) await refuseUnfinished(path)
  if (options.resume === true && !(await checkJournal(path, asked))) {
    options.onWarning?.(`There is no journal in ${runFolder} to go on with: the search starts from the beginning.`)
  }
  const setup = await openSetup(model, options, runFolder)
  try {
    const before = await valuesIn(path, 'trial ')
    const identity = { ...asked, ...seenBy(setup) }
    const elapsed = (): number => (performance.now() - started) / 1000
    const journal = await openJournal(path, identity, options.resume === true, elapsed)
    const { objective } = settingsOf(options)
    const exploration = {
      setup,
      journal,
      objective,
      ...planFor(model, setup, options),
    }
    const found = isForFront(options) ? await searchFront(exploration, options) : await explore(exploration)
    const chosen = chooseBest(found.results, objective, setup.original.byteLength)
    const bytes = chosen === null ? null : new Uint8Array(await readFile(candidatePath(runFolder, chosen.sha256)))
    const risk = unseenRisk(chosen)
    if (risk !== null) setup.warn(risk)
    const explained = explainedOf(found.results, chosen)
    const outcome = await summarize({
      setup,
      model,
      options: given,
      ...found,
      chosen,
      missed: explained && (await missedIn(setup, journal, explained.trial)),
      peakMemory: {
        original: await peakMemory(setup, journal, 'original', setup.original),
        chosen: bytes === null ? null : await peakMemory(setup, journal, chosen!.trial.id, bytes),
      },
      ...(await journal.finish()),
    })
    await removeCandidates(runFolder, [...found.results, ...before])
    return { outcome, bytes }
  } finally {
    await setup.close()
  }
}

interface Plan {
  readonly recipes: readonly Recipe[]
  /** What is asked about for mixed precision: it pays in bytes, and needs the quality of each choice. */
  readonly forms: readonly Form[]
}

function planFor(model: Model, setup: Setup, options: CompressOptions): Plan {
  // A front has small ones and fast ones: those for size are all that there are.
  const given: CompressOptions = isForFront(options) ? { ...options, for: 'size' } : options
  const isForSize = settingsOf(given).objective === 'size'
  return {
    recipes: recipesFor(model, setup, given),
    forms: isForSize && setup.judge !== null ? formsFor(setup) : [],
  }
}

/** The recipes of quantization alone that `compress` would try, and an estimate of the time that takes, without trying them. */
export async function planCompression(
  model: Model,
  options: CompressOptions,
): Promise<{ readonly recipes: readonly Recipe[]; readonly seconds: number }> {
  try {
    const start = performance.now()
    const setup = await openSetup(model, options, '')
    const opening = (performance.now() - start) / 1000
    try {
      const { recipes, forms } = planFor(model, setup, options)
      return { recipes, seconds: opening + (await estimate(setup, recipes, forms.length)) }
    } finally {
      await setup.close()
    }
  } catch (error) {
    throw cancelled(error, options.signal)
  }
}

/**
 * Seconds of a search besides opening it: every recipe built, judged and timed once, the best once more; where quality
 * is measured, one recipe falls back, so each layer is asked about and bisection judges a few candidates more; `forms` of
 * mixed precision are asked about too.
 */
async function estimate(setup: Setup, recipes: readonly Recipe[], forms: number): Promise<number> {
  const { signal } = setup.env
  // Starts the thread that measures: that is not to be counted for every recipe.
  await setup.target.measure([setup.original], setup.feeds, { rounds: 1, ...(signal && { signal }) })
  const building = performance.now()
  await buildCandidate(setup, recipes.at(-1)?.steps ?? [])
  const timing = performance.now()
  const perRun = (await timed(setup, setup.original)).p50
  const build = timing - building
  const time = performance.now() - timing
  const pass = (setup.data?.heldOut ?? 0) * perRun
  const layers = setup.judge === null ? 0 : layersOf(setup.prepared).length
  const asking = layers * (1 + forms) * (build + Math.min(pass, LAYER_SAMPLES * perRun))
  const halving = (forms > 0 ? 2 : 1) * Math.ceil(Math.log2(layers + 1)) * (build + pass)
  return (recipes.length * (build + pass + time) + RUN_OFF * time + asking + halving) / 1000 + MEMORY
}

/** Seconds in which the memory of two models is measured, in processes of their own. */
const MEMORY = 2

/** The longer timing of the few best, in timings of one candidate. */
const RUN_OFF = (LONGER * (FINALISTS + 1)) / 2

const recipesFor = (model: Model, setup: Setup, options: CompressOptions): readonly Recipe[] => {
  const { objective, portable } = settingsOf(options)
  return planRecipes(setup.prepared, {
    calibrated: setup.env.calibration !== undefined,
    judged: setup.judge !== null,
    portable,
    objective,
    activations: setup.activations,
    widened: isWidened(model),
  })
}

/** The chosen candidate where it is static, else the fastest that is: why did integers not win? */
function explainedOf(results: readonly TrialResult[], chosen: Measured | null): TrialResult | null {
  const fixed = results.filter(isMeasured).filter(isStatic)
  if (chosen !== null && isStatic(chosen)) return chosen
  return fixed.toSorted((a, b) => a.latency.ratio - b.latency.ratio)[0] ?? null
}

/** Of a trial's steps, on a model whose names are still the user's. Null where looking failed. */
export async function missedIn(setup: Setup, journal: Journal, { id, steps }: Trial): Promise<Missed | null> {
  const isTarget = showsGraph(setup.target)
  const engine = isTarget ? setup.target : await setup.env.engine()
  if (!showsGraph(engine)) return { trial: id, engine: null, isTarget, kernels: [] }
  return optional(setup, 'operators that miss a fast kernel were not looked for', null, async () => {
    const kernels = await remember(journal, `missed ${id}`, async () => {
      const model = await applySteps(setup.prepared, steps, setup.env)
      return missedKernels(model, await optimizedGraph(engine, encodeModel(model).bytes))
    })
    return { trial: id, engine: engine.name, isTarget, kernels }
  })
}

const showsGraph = ({ name, device }: Engine): boolean => name === 'onnxruntime-node' && device === 'cpu'

/** Null where the target's memory cannot be seen from here, or measuring it failed. */
async function peakMemory(setup: Setup, journal: Journal, key: string, bytes: Uint8Array): Promise<number | null> {
  const { device, threads } = setup.target
  const { signal } = setup.env
  if (device !== 'cpu' && device !== 'wasm') return null
  return optional(setup, 'memory was not measured', null, () =>
    remember(journal, `memory ${key}`, async () => {
      const memory = await modelMemory(bytes, setup.feeds[0]!, { device, threads, ...(signal && { signal }) })
      return memory.peakGrowth
    }),
  )
}

/**
 * The journal stays; the candidates' files are many times the model's size. Only those are removed that this search
 * made, or the one whose journal it took the place of, whole or cut off by a kill.
 */
async function removeCandidates(runFolder: string, made: readonly unknown[]): Promise<void> {
  const hashes = new Set(made.map((result) => (result as Partial<TrialResult> | null)?.sha256))
  const files = await readdir(runFolder)
  const ours = files.filter((f) => hashes.has(/^\.?([0-9a-f]{64})\.onnx(?:\.\w+\.tmp)?$/.exec(f)?.[1] ?? ''))
  await Promise.all(ours.map((f) => rm(join(runFolder, f), { force: true })))
}
