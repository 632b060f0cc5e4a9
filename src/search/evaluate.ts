/** Running a trial: build the candidate, load it on the target, measure quality and latency against the original. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { applySteps } from '../compress/recipes.js'
import type { TransformEnv } from '../compress/transform.js'
import type { Engine, Feeds, ModelSource } from '../engine/engine.js'
import { ratio, summary } from '../engine/timing.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { compact } from '../passes/compact.js'
import { messageOf, PareError } from '../util/errors.js'
import { writeFileAtomic } from '../util/files.js'
import { sha256 } from '../util/hash.js'
import type { Judge } from './quality.js'
import type { Latency, Quality, Step, Trial, TrialResult } from './trial.js'
import { isSlower } from './verdicts.js'

/** What a candidate must keep beside the budget of quality. */
export interface Limits {
  readonly bytes?: number
  /** Milliseconds a run, median. */
  readonly latency?: number
}

export interface Bench {
  readonly original: Uint8Array
  /** The original, cleaned and at the opset that transforms need: what steps are applied to. */
  readonly prepared: Model
  /** The original's hash: part of every trial's id. */
  readonly sha256: string
  readonly target: Engine
  /** Null without samples. */
  readonly judge: Judge | null
  /** Inputs for timing, real ones where there are samples. */
  readonly feeds: readonly Feeds[]
  readonly maxDrop: number
  readonly limits: Limits
  readonly runFolder: string
  readonly env: TransformEnv
  /** What the first steps of recipes make, where that is at hand; ranges for steps behind these are found anew. */
  readonly begun?: Begun
  readonly measure: { readonly rounds: number; readonly budgetMs: number }
}

export interface Begun {
  readonly steps: readonly Step[]
  readonly model: Model
  /** Of its recovery. */
  readonly losses: readonly number[]
  /** What enters its layers, where that is known. */
  readonly seen?: TransformEnv['seen']
}

export async function makeTrial(
  bench: Pick<Bench, 'sha256' | 'env'>,
  name: string,
  steps: readonly Step[],
): Promise<Trial> {
  const seed = bench.env.seed ?? 0
  const id = (await sha256(JSON.stringify([bench.sha256, steps, seed]))).slice(0, 12)
  return { id, name, model: bench.sha256, steps, seed }
}

/** The candidate's file. Several trials may come to the same one. */
export async function buildCandidate(bench: Bench, steps: readonly Step[]): Promise<Uint8Array> {
  const model = await made(bench, steps)
  return encodeModel(await compact.run(model, bench.env)).bytes
}

function made({ prepared, begun, env }: Bench, steps: readonly Step[]): Promise<Model> {
  if (begun === undefined || !beginsWith(steps, begun.steps)) return applySteps(prepared, steps, env)
  env.onRecovered?.(begun.losses)
  const { calibration: _, ...others } = env
  const seen = begun.seen && { seen: begun.seen }
  return applySteps(begun.model, steps.slice(begun.steps.length), { ...others, ...seen, unrounded: begun.model })
}

const beginsWith = (steps: readonly Step[], first: readonly Step[]): boolean =>
  JSON.stringify(steps.slice(0, first.length)) === JSON.stringify(first)

/** Where a candidate's file lies while the search runs. */
export const candidatePath = (runFolder: string, hash: string): string => join(runFolder, `${hash}.onnx`)

/**
 * The candidate's file, put where candidates lie unless it is only looked at, its hash, and the losses of a recovery.
 * Throws `FILE_UNWRITABLE`, `DISK_FULL`.
 */
async function makeCandidate(bench: Bench, steps: readonly Step[], isWritten = true) {
  let losses: readonly number[] = []
  const onRecovered = (curve: readonly number[]): void => {
    losses = [...losses, ...curve]
  }
  const bytes = await buildCandidate({ ...bench, env: { ...bench.env, onRecovered } }, steps)
  const hash = await sha256(bytes)
  if (isWritten) await writeFileAtomic(candidatePath(bench.runFolder, hash), bytes)
  return { bytes, hash, losses }
}

/**
 * Whether the file of a trial that was measured before is at hand, made once more where it is gone: building is
 * deterministic. False where something else comes out; then what was measured says nothing.
 */
export async function isRestored(bench: Bench, { trial, sha256: hash, bytes }: TrialResult): Promise<boolean> {
  if (hash === undefined) return false
  const there = await stat(candidatePath(bench.runFolder, hash)).catch(() => null)
  return there?.size === bytes || (await makeCandidate(bench, trial.steps)).hash === hash
}

export interface RunTrialOptions {
  /** The result of another trial that came to the same file: it is not measured twice. */
  readonly known?: (sha256: string) => TrialResult | undefined
  readonly isAgain?: boolean
  /** Held-out samples that judge, drawn from all. Default: all. */
  readonly samples?: number
  /** The candidate's file is put where candidates lie. Default true. */
  readonly isWritten?: boolean
}

/**
 * Never throws for what a candidate does wrong: that is a result. Cancelling throws. A thread that is lost twice was
 * lost to the candidate.
 */
export async function runTrial(bench: Bench, trial: Trial, options: RunTrialOptions = {}): Promise<TrialResult> {
  const start = performance.now()
  const seconds = (): number => (performance.now() - start) / 1000
  try {
    const { bytes, hash, losses } = await makeCandidate(bench, trial.steps, options.isWritten)
    const twin = options.known?.(hash)
    if (twin !== undefined) return { ...twin, trial, seconds: seconds() }
    const quality = await judged(bench, bytes, options.samples)
    const latency = await timed(bench, bytes)
    const within = quality === undefined || quality.drop <= bench.maxDrop
    const fits = bytes.byteLength <= Math.min(bench.original.byteLength, bench.limits.bytes ?? Number.POSITIVE_INFINITY)
    const keeps = within && fits && !isSlower(latency) && isQuickEnough(bench, latency)
    return {
      trial,
      status: 'ok',
      sha256: hash,
      bytes: bytes.byteLength,
      latency,
      ...(quality && { quality }),
      keeps,
      ...(losses.length > 0 && { losses: thinnedOut(losses) }),
      seconds: seconds(),
    }
  } catch (error) {
    bench.env.signal?.throwIfAborted()
    const isLost = error instanceof PareError && error.code === 'ENGINE_LOST'
    if (isLost && !options.isAgain) return runTrial(bench, trial, { ...options, isAgain: true })
    if (isFatal(error) && !isLost) throw error
    return { trial, status: 'failed', error: messageOf(error), seconds: seconds() }
  }
}

export const isQuickEnough = ({ limits }: Pick<Bench, 'limits'>, { p50 }: Latency): boolean =>
  p50 <= (limits.latency ?? Number.POSITIVE_INFINITY)

/** Losses that a journal keeps of one recovery: enough for a curve. */
const KEPT_LOSSES = 40

/** About so many of them, evenly spread, the first and the last among them. */
function thinnedOut(values: readonly number[]): readonly number[] {
  if (values.length <= KEPT_LOSSES) return values
  const at = (i: number): number => Math.round((i * (values.length - 1)) / (KEPT_LOSSES - 1))
  return Array.from({ length: KEPT_LOSSES }, (_, i) => Number(values[at(i)]!.toPrecision(6)))
}

/** What is wrong with the machine or the data is no fault of the candidate, and no result to be remembered. */
export const isFatal = (error: unknown): boolean =>
  error instanceof PareError &&
  /^(ABORTED|DISK_|FILE_|TEMP_|SAMPLE|METRIC|LABEL|ENGINE_(MISSING|DEVICE|LOST|CLOSED)$)/.test(error.code)

/** A candidate's quality, on `limit` samples where that is given; absent where nothing judges. */
export async function judged(bench: Bench, bytes: Uint8Array, limit?: number): Promise<Quality | undefined> {
  if (bench.judge === null) return undefined
  const session = await bench.target.load(bytes, bench.env.signal ? { signal: bench.env.signal } : {})
  try {
    return await bench.judge.evaluate(session, limit)
  } finally {
    await session.close()
  }
}

/** Median, tail and the paired ratio to the original, interleaved in one thread. */
export async function timed(bench: Bench, bytes: Uint8Array): Promise<Latency> {
  return (await timedTogether(bench, [bytes]))[0]!
}

/** Times the longer rounds and time that the last word may take where it is in doubt. */
const PATIENCE = 6

/**
 * The same of several candidates at once, for `longer` times the usual rounds and time, and on while there is doubt.
 * Each time all are loaded anew: where their weights come to lie in memory is luck that no number of rounds averages out.
 */
export async function timedTogether(
  bench: Bench,
  candidates: readonly ModelSource[],
  longer = 1,
): Promise<readonly Latency[]> {
  const options = {
    ...bench.measure,
    ...(longer > 1 && { patience: PATIENCE }),
    ...(bench.env.signal && { signal: bench.env.signal }),
  }
  const models = [bench.original, ...candidates]
  const all = models.map((): number[] => [])
  for (let load = 0; load < longer; load++) {
    const timings = await bench.target.measure(models, bench.feeds, options)
    for (const [i, { runs }] of timings.entries()) all[i]!.push(...runs)
  }
  const [original, ...timings] = all
  return timings.map((runs) => {
    const { p50, p95 } = summary(runs)
    const r = ratio(original!, runs, { seed: bench.env.seed ?? 0 })
    return { p50, p95, ratio: r.ratio, interval: [r.low, r.high] }
  })
}
