/** How long recoveries are: seconds that a user has become a number of steps, so that every trial can be made again. */

import { seenOnce } from '../../compress/layers/judged.js'
import { recoverDistill } from '../../compress/recover/distill.js'
import { samplesOfSteps } from '../../compress/recover/lessons.js'
import { recoverRound } from '../../compress/recover/round.js'
import { checkParams, type Transform, type TransformEnv } from '../../compress/transform.js'
import { drawOrTake } from '../../data/split.js'
import type { Model } from '../../ir/types.js'
import type { Progress } from '../../util/env.js'
import { type Journal, remember } from '../journal.js'
import { optional, type Setup } from '../setup.js'
import { stageOf } from './space.js'

/** Seconds that steps must take for their time to stand out. */
const CLEAR = 1
/** Batches that steps are timed on, again and again. */
const TIMED = 8
const LEAST = 20
const MOST = 100_000
/** Steps that a recovery should have: of a model of which so many batches take too long, batches are smaller. */
const WANTED = 100

export interface Pace {
  /** Of a recovery, at most. */
  readonly steps: number
  /** The same of learning how to round, whose steps do more with each weight. */
  readonly roundingSteps: number
  readonly batch: number
}

/**
 * Steps that fit into so many seconds: measured once, then recorded, for runs that go on. Null where nothing bounds them,
 * or this model cannot be trained.
 */
export async function recoveryPace(setup: Setup, journal: Journal, seconds: number | null): Promise<Pace | null> {
  return optional(setup, 'recovery is not timed', null, () =>
    remember(journal, 'recovery pace', async () => (seconds === null ? null : paceIn(setup, seconds))),
  )
}

async function paceIn({ prepared, env: given }: Setup, seconds: number): Promise<Pace | null> {
  // Another object: of the original itself there is nothing to recover.
  const model = { ...prepared }
  const env = { ...given, seen: seenOnce(model, given) }
  if (recoverDistill.refuses(model, env) !== null) return null
  const stepsIn = (perStep: number): number => Math.min(MOST, Math.max(LEAST, Math.round(seconds / perStep)))
  const usual = recoverDistill.params.batch.default
  const perUsual = await perStep(model, env, RECOVER, usual)
  const batch = Math.min(usual, Math.max(1, Math.floor((usual * seconds) / (WANTED * perUsual))))
  const perOwn = batch === usual ? perUsual : await perStep(model, env, RECOVER, batch)
  return { batch, steps: stepsIn(perOwn), roundingSteps: stepsIn(await perStep(model, env, ROUND, batch)) }
}

/**
 * Seconds a step, between one time that progress is told of and the next in the same training: what comes before the first
 * is made once. The training ends as soon as that is clear.
 */
async function perStep(model: Model, env: TransformEnv, transform: Transform, batch: number): Promise<number> {
  let last: { readonly done: number; readonly at: number } | null = null
  let [counted, milliseconds] = [0, 0]
  const over = new AbortController()
  const onProgress = (progress: Progress): void => {
    const { curve, done } = progress
    env.onProgress?.(progress)
    if (curve === undefined) return
    const at = performance.now()
    if (last !== null && done > last.done) {
      counted += done - last.done
      milliseconds += at - last.at
    }
    last = { done, at }
    if (milliseconds >= 1000 * CLEAR) over.abort()
  }
  const samples = env.training ?? env.samples
  const training = samples && drawOrTake(samples, samplesOfSteps({ steps: TIMED, batch }), env.seed)
  const signal = env.signal ? AbortSignal.any([env.signal, over.signal]) : over.signal
  // Of large steps the loss would soon be no number any more.
  const params = checkParams(transform, { steps: MOST, batch, ...(transform === ROUND && { travel: 0.01 }) })
  try {
    await transform.apply(model, params, { ...env, ...(training && { training }), onProgress, signal })
  } catch (error) {
    env.signal?.throwIfAborted()
    if (!over.signal.aborted) throw error
  }
  return counted > 0 ? Math.max(1e-6, milliseconds / 1000 / counted) : 1e-6
}

const RECOVER = recoverDistill as unknown as Transform
const ROUND = recoverRound as unknown as Transform

/** What a recovery may learn: class scores and labels where quality is taken from these, of the only output. */
export function aimsOf({ judge, prepared }: Pick<Setup, 'judge' | 'prepared'>): readonly string[] {
  const kind = judge?.measure.kind
  if (prepared.graph.outputs.length !== 1) return ['outputs']
  if (kind === 'accuracy') return ['outputs', 'scores', 'labels']
  return kind === 'top-1 agreement' ? ['outputs', 'scores'] : ['outputs']
}

/** Transforms that recover with these aims and, where that is known, so many steps at most, not less than a tenth. */
export const recoveriesFor = (
  transforms: readonly Transform[],
  most: number | null,
  aims: readonly string[],
): readonly Transform[] =>
  transforms.map((t) => {
    const { steps, aim } = t.params
    if (stageOf(t.id) !== 'recover') return t
    const search = most !== null && { low: Math.max(1, Math.round(most / 10)), high: most, log: true }
    return {
      ...t,
      params: {
        ...t.params,
        ...(steps?.kind === 'number' && search && { steps: { ...steps, search } }),
        ...(aim?.kind === 'choice' && { aim: { ...aim, search: { values: aims } } }),
      },
    }
  })
