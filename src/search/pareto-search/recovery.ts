/** How long recoveries are: seconds that a user has become a number of steps, so that every trial can be made again. */

import { seenOnce } from '../../compress/layers/judged.js'
import { recoverDistill } from '../../compress/recover/distill.js'
import { recoverRound } from '../../compress/recover/round.js'
import { checkParams, type Transform, type TransformEnv } from '../../compress/transform.js'
import type { Model } from '../../ir/types.js'
import type { Progress } from '../../util/env.js'
import { type Journal, remember } from '../journal.js'
import { optional, type Setup } from '../setup.js'
import { stageOf } from './space.js'

/** Steps that are timed at first. */
const TIMED = 8
/** Seconds that steps must take for their time to stand out. */
const CLEAR = 1
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
  const stepsAt = async (transform: Transform, batch: number): Promise<number> =>
    Math.min(MOST, Math.max(LEAST, Math.round(seconds / (await perStep(model, env, transform, batch)))))
  const usual = recoverDistill.params.batch.default
  const alone = await perStep(model, env, RECOVER, 1)
  const batch = Math.min(usual, Math.max(1, Math.floor(seconds / (WANTED * alone))))
  return { batch, steps: await stepsAt(RECOVER, batch), roundingSteps: await stepsAt(ROUND, batch) }
}

/**
 * Seconds a step, between one time that progress is told of and the next in the same training: what comes before the first,
 * and between two trainings, is made once.
 */
async function perStep(model: Model, env: TransformEnv, transform: Transform, batch: number): Promise<number> {
  for (let steps = TIMED; ; steps *= 4) {
    let last: { readonly done: number; readonly at: number } | null = null
    let [counted, milliseconds] = [0, 0]
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
    }
    // Few steps would be long ones, and the loss no number any more.
    const slight = transform === ROUND && { travel: 0.01 }
    await transform.apply(model, checkParams(transform, { steps, batch, ...slight }), { ...env, onProgress })
    const isClear = milliseconds >= 1000 * CLEAR
    if (isClear || steps >= MOST) return counted > 0 ? Math.max(1e-6, milliseconds / 1000 / counted) : 1e-6
  }
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
