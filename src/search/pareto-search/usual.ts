/**
 * What a search begins with beside the quantizing recipes: units cut out, quality brought back, what is left in few
 * bits. That order is the one of Deep Compression (Han, Mao and Dally 2016), with units in place of single weights.
 */

import type { Step } from '../trial.js'
import type { Space, StageName } from './space.js'

/** Parts of the units that go. */
const RATIOS = [0.3, 0.5, 0.65] as const

/** Of each kind the first way that the model has something for. */
const CUT = 'prune/channels'
const RECOVER = 'recover/distill'
const FORMS: readonly (readonly string[])[] = [
  ['quantize/static', 'store/int8'],
  ['quantize/nbits', 'quantize/static', 'store/int8'],
]

/** None where units cannot be cut or quality not be brought back. `aim` of the recovery, and its steps where these are bounded. */
export function usualRecipes(space: Space, steps: number | null, aim: string): readonly (readonly Step[])[] {
  const has = (stage: StageName, id: string): boolean =>
    space.stages.some((s) => s.name === stage && s.transforms.some((t) => t.id === id))
  if (!has('lighten', CUT) || !has('recover', RECOVER)) return []
  const forms = FORMS.map((ids) => ids.filter((id) => has('quantize', id) || has('store', id)))
  const different = forms.filter((form, i) => forms.findIndex((f) => f.join() === form.join()) === i)
  return RATIOS.flatMap((ratio) =>
    different.map((form): readonly Step[] => [
      { transform: CUT, params: { ratio, score: 'taylor' } },
      { transform: RECOVER, params: { aim, learningRate: 0.002, ...(steps !== null && { steps }) } },
      ...form.map((transform) => ({ transform, params: fixedOf(space, transform) })),
    ]),
  )
}

/** What the machine decides, of the parameters that the transform has. */
function fixedOf({ stages, fixed }: Space, id: string): Step['params'] {
  const params = stages.flatMap((s) => s.transforms).find((t) => t.id === id)?.params ?? {}
  return Object.fromEntries(
    Object.entries(fixed).filter(([name, value]) => Object.hasOwn(params, name) && params[name]!.default !== value),
  )
}
