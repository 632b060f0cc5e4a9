/**
 * What a search begins with beside the quantizing recipes: units cut out, quality brought back, what is left in few
 * bits. That order is the one of Deep Compression (Han, Mao and Dally 2016), with units in place of single weights.
 */

import type { Step } from '../trial.js'
import { gridOf, onGrid, type Space, type StageName } from './space.js'

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
/** Stores that are tried with weights rounded by what layers do, without recovery. */
const ROUNDED = ['store/int8', 'store/int4'] as const

/** Without recovery where quality cannot be brought back, without cuts where there are no units that can go. `aim` of the recovery, and its steps where these are bounded. */
export function usualRecipes(space: Space, steps: number | null, aim: string): readonly (readonly Step[])[] {
  const has = (stage: StageName, id: string): boolean =>
    space.stages.some((s) => s.name === stage && s.transforms.some((t) => t.id === id))
  const rounded = ROUNDED.filter((id) => has('store', id)).map((transform): readonly Step[] => [
    { transform, params: { rounding: 'gptq' } },
  ])
  if (!has('recover', RECOVER)) return rounded
  const forms = FORMS.map((ids) => ids.filter((id) => has('quantize', id) || has('store', id)))
  const different = forms.filter((form, i) => forms.findIndex((f) => f.join() === form.join()) === i)
  const recovered = (ratio: number): readonly (readonly Step[])[] =>
    different.map((form) => {
      const light = ratio === 0 ? [] : [{ transform: CUT, params: { ratio, score: 'taylor' } }]
      const few = form.map((transform) => ({ transform, params: fixedOf(space, transform) }))
      const learningRate = ratio === 0 ? ROUNDED_RATE : CUT_RATE
      const length = steps !== null && { steps: stepsAt(ratio, steps) }
      const params = { aim, learningRate, ...length, ...fixedOf(space, RECOVER) }
      return [...light, onGrid({ transform: RECOVER, params }, gridOf(few)), ...few]
    })
  return [...recovered(0), ...rounded, ...(has('lighten', CUT) ? RATIOS.flatMap(recovered) : [])]
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
