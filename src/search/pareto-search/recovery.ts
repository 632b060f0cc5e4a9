/** How long recoveries are: seconds that a user has become a number of steps, so that every trial can be made again. */

import { recoverDistill } from '../../compress/recover/distill.js'
import { checkParams, type Transform } from '../../compress/transform.js'
import { type Journal, remember } from '../journal.js'
import { optional, type Setup } from '../setup.js'
import { stageOf } from './space.js'

/** Steps that are timed: after a first few, which load everything. */
const WARM = 5
const TIMED = 20
const LEAST = 20
const MOST = 100_000

/** Steps that fit into so many seconds; measured once, then recorded. Null where this model cannot be trained. */
export async function recoverySteps(setup: Setup, journal: Journal, seconds: number): Promise<number | null> {
  return optional(setup, 'recovery is not timed', null, () =>
    remember(journal, `recovery steps in ${seconds} s`, async () => {
      const model = { ...setup.prepared }
      if (recoverDistill.refuses(model, setup.env) !== null) return null
      const run = async (steps: number): Promise<number> => {
        const start = performance.now()
        await recoverDistill.apply(model, checkParams(recoverDistill, { steps }), setup.env)
        return (performance.now() - start) / 1000
      }
      await run(WARM)
      const [few, many] = [await run(WARM), await run(WARM + TIMED)]
      const perStep = Math.max(1e-5, (many - few) / TIMED)
      return Math.min(MOST, Math.max(LEAST, Math.round(seconds / perStep)))
    }),
  )
}

/** Transforms that recover, with so many steps at most, and not less than a tenth of them. */
export const withRecoverySteps = (transforms: readonly Transform[], most: number | null): readonly Transform[] =>
  most === null
    ? transforms
    : transforms.map((t) => {
        const spec = t.params.steps
        if (stageOf(t.id) !== 'recover' || spec?.kind !== 'number') return t
        const search = { low: Math.max(1, Math.round(most / 10)), high: most, log: true }
        return { ...t, params: { ...t.params, steps: { ...spec, search } } }
      })
