/**
 * What a search begins with beside the quantizing recipes: units cut out, quality brought back, what is left in few
 * bits. That order is the one of Deep Compression (Han, Mao and Dally 2016), with units in place of single weights.
 */

import type { Step } from '../trial.js'
import type { Pace } from './recovery.js'
import { gridOf, LEARN_ROUNDING, onGrid, type Space, type StageName } from './space.js'

/** Parts of the units that go, the likeliest first. */
const RATIOS = [0.5, 0.3, 0.65] as const

/** Learning rates of recovery: long steps where much is missing, short ones beside the distance of two levels. */
const CUT_RATE = 0.002
const ROUNDED_RATE = 0.0003

/** Times the steps of the whole model: what else a step does does not fall. */
const MOST_STEPS = 4

/** Of each kind the first way that the model has something for. */
const CUT = 'prune/channels'
const RECOVER = 'recover/distill'
const FORMS: readonly (readonly string[])[] = [
  ['quantize/nbits', 'quantize/static', 'store/int8'],
  ['store/int4'],
  ['quantize/static', 'store/int8'],
]
/** Weights set to zero in what is left of the units, and how these are stored: the smallest that a dense layer gets. */
const THIN: Step = { transform: 'sparsify/magnitude', params: { ratio: 0.7, scope: 'global' } }
const SPARSE: Step = { transform: 'store/sparse', params: { values: 'codebook' } }

/** Stores that are tried with weights rounded by what layers do, and by what the whole model does. */
const ROUNDED = ['store/int8', 'store/int4'] as const

/** Without recovery where quality cannot be brought back, without cuts where there are no units that can go. `aim` of the recovery, and its pace where that is bounded. */
export function usualRecipes(space: Space, pace: Pace | null, aim: string): readonly (readonly Step[])[] {
  const steps = pace?.steps ?? null
  const has = (stage: StageName, id: string): boolean =>
    space.stages.some((s) => s.name === stage && s.transforms.some((t) => t.id === id))
  const rounded = ROUNDED.filter((id) => has('store', id)).map((transform): readonly Step[] => [
    { transform, params: { rounding: 'gptq' } },
  ])
  if (!has('recover', RECOVER)) return rounded
  const forms = FORMS.map((ids) => ids.filter((id) => has('quantize', id) || has('store', id)))
  const different = forms.filter((form, i) => forms.findIndex((f) => f.join() === form.join()) === i)
  const recovery = (ratio: number, learningRate: number, few: readonly Step[]): Step => {
    const length = steps !== null && { steps: stepsAt(ratio, steps) }
    const params = { aim, learningRate, ...length, ...fixedOf(space, RECOVER) }
    return onGrid({ transform: RECOVER, params }, gridOf(few))
  }
  const learned = ROUNDED.filter((id) => space.learnsRounding && has('store', id)).map((id) => {
    const params = { aim, ...(pace && { steps: pace.roundingSteps }), ...fixedOf(space, RECOVER), width: id.slice(6) }
    return [
      { transform: LEARN_ROUNDING, params },
      { transform: id, params: {} },
    ]
  })
  const rounds = different.map((form) => form.map((transform) => ({ transform, params: fixedOf(space, transform) })))
  const whole = rounds
    .filter((few) => !gridOf(few).startsWith('store-int'))
    .map((few) => [recovery(0, ROUNDED_RATE, few), ...few])
  const canThin = has('lighten', THIN.transform) && has('store', SPARSE.transform)
  const lighter = (ratio: number): readonly (readonly Step[])[] => {
    const cut = { transform: CUT, params: { ratio, score: 'taylor' } }
    return [
      ...(canThin ? [[cut, THIN, recovery(ratio, CUT_RATE, [SPARSE]), SPARSE]] : []),
      ...rounds.map((few) => [cut, recovery(ratio, CUT_RATE, few), ...few]),
    ]
  }
  return [...whole, ...learned, ...rounded, ...(has('lighten', CUT) ? RATIOS.flatMap(lighter) : [])]
}

/** As many steps as take about the time that `steps` of the whole model do: products fall with the square of the widths. */
const stepsAt = (ratio: number, steps: number): number => Math.round(steps * Math.min(MOST_STEPS, (1 - ratio) ** -2))

/** What the machine decides, of the parameters that the transform has. */
function fixedOf({ stages, fixed }: Space, id: string): Step['params'] {
  const params = stages.flatMap((s) => s.transforms).find((t) => t.id === id)?.params ?? {}
  return Object.fromEntries(
    Object.entries(fixed).filter(([name, value]) => Object.hasOwn(params, name) && params[name]!.default !== value),
  )
}
