/**
 * The main job: measure a model, try recipes, fall back layer by layer where quality breaks, and hand back the best
 * candidate that keeps the budget, with everything measured on the way.
 */

import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applySteps, planRecipes, type Recipe } from '../compress/recipes.js'
import type { Samples } from '../data/samples.js'
import { missedKernels } from '../engine/kernels.js'
import { modelMemory } from '../engine/node/memory.js'
import { optimizedGraph } from '../engine/node/optimized.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { chooseBest, type Objective } from './choose.js'
import { candidatePath, timed } from './evaluate.js'
import { explore } from './explore.js'
import { openJournal } from './journal.js'
import type { Outcome } from './outcome.js'
import type { Metric } from './quality.js'
import { openSetup, type Setup } from './setup.js'
import { summarize } from './summarize.js'
import type { MissedKernel, Step } from './trial.js'

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
  /** Where the journal and the candidates go. Default: a temporary folder, removed at the end; then nothing can be resumed. */
  readonly runFolder?: string
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
export async function compress(model: Model, options: CompressOptions = {}): Promise<Compressed> {
  if (options.runFolder !== undefined) return searchIn(options.runFolder, model, options)
  const folder = await mkdtemp(join(tmpdir(), 'pare-'))
  try {
    return await searchIn(folder, model, { ...options, resume: false })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function searchIn(runFolder: string, model: Model, options: CompressOptions): Promise<Compressed> {
  const started = performance.now()
  await mkdir(runFolder, { recursive: true })
  const setup = await openSetup(model, options, runFolder)
  try {
    const journal = await openJournal(
      join(runFolder, 'journal.jsonl'),
      identityOf(setup, options),
      options.resume === true,
    )
    const objective = objectiveOf(options)
    const found = await explore({ setup, journal, objective, recipes: recipesFor(setup, options) })
    const chosen = chooseBest(found.results, objective, setup.original.byteLength)
    const bytes = chosen === null ? null : new Uint8Array(await readFile(candidatePath(runFolder, chosen.sha256)))
    const missed = chosen === null ? [] : await missedIn(setup, chosen.trial.steps)
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
    await removeCandidates(runFolder)
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
  const setup = await openSetup(model, options, '')
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

/** Of the chosen steps, on a model whose names are still the user's. Native engine only. */
async function missedIn(setup: Setup, steps: readonly Step[]): Promise<readonly MissedKernel[]> {
  const engine = await setup.env.engine()
  if (engine.name !== 'onnxruntime-node') return []
  const model = await applySteps(setup.prepared, steps, setup.env)
  return missedKernels(model, await optimizedGraph(engine, encodeModel(model).bytes))
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
