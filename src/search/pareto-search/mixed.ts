/** Mixed precision over what a search found: units are cut and quality is brought back, then each layer gets its bits. */

import { seenOnce } from '../../compress/layers/judged.js'
import { applySteps } from '../../compress/recipes.js'
import { isMeasured } from '../choose.js'
import type { Begun } from '../evaluate.js'
import { type Exploration, nameOfMixed } from '../explore.js'
import { remember } from '../journal.js'
import { type Layer, layersOf } from '../layers.js'
import type { Mixed } from '../mixed-precision/mixed-precision.js'
import { roundedMixed } from '../mixed-precision/rounded.js'
import type { Setup } from '../setup.js'
import type { Step, TrialResult } from '../trial.js'
import { nameOf } from './names.js'
import { LEARN_ROUNDING, type StageName, stageOf } from './space.js'
import { type Goal, isWithin } from './worth.js'

/** Times the budget that a result may lose whose first steps are looked at: other bits may lose less. */
const SLACK = 2

const IN_FLOAT: readonly (StageName | null)[] = ['equalize', 'lighten', 'recover']

/** The steps in float of the smallest result that is near the budget, where they are not known yet. */
export function nextBase(
  goal: Goal,
  results: readonly TrialResult[],
  known: ReadonlySet<string>,
): readonly Step[] | null {
  const near = results.filter(isMeasured).filter((r) => isWithin({ ...goal, slack: SLACK }, r))
  const bases = near
    .toSorted((a, b) => a.bytes - b.bytes)
    .map(({ trial }) => trial.steps.filter((s) => IN_FLOAT.includes(stageOf(s.transform))).flatMap(unrounded))
  return bases.find((base) => !known.has(JSON.stringify(base))) ?? null
}

/** Rounding is found anew. */
function unrounded({ transform, params }: Step): readonly Step[] {
  const { grid: _, ...others } = params
  return transform === LEARN_ROUNDING ? [] : [{ transform, params: others }]
}

interface MixedRecipe {
  readonly name: string
  readonly steps: readonly Step[]
  /** Absent where the journal had the answer. */
  readonly begun?: Begun
}

/** Rounding that is learned after bits were chosen for a larger loss than the budget. */
export interface Learned {
  /** Times the budget that rounding layer by layer may lose. */
  readonly slack: number
  /** Of `recover/round`. */
  readonly params: Step['params']
}

/** Steps in float, and what they make: made when first asked for, and then known. */
export interface Base {
  readonly steps: readonly Step[]
  readonly made: () => Promise<Begun>
}

export function baseOf({ prepared, env }: Setup, steps: readonly Step[]): Base {
  const make = async (): ReturnType<Base['made']> => {
    const losses: number[] = []
    const onRecovered = (curve: readonly number[]): void => {
      losses.push(...curve)
    }
    const model = await applySteps(prepared, steps, { ...env, onRecovered })
    return { steps, losses, model, seen: seenOnce(model, env) }
  }
  let known: ReturnType<Base['made']> | null = null
  return {
    steps,
    made: () => {
      known ??= make()
      return known
    },
  }
}

/** Null where no choice of bits keeps the budget, or time is up. */
export async function mixedOver(
  { setup, journal }: Pick<Exploration, 'setup' | 'journal'>,
  base: Base,
  isOver: () => boolean,
  learned?: Learned,
): Promise<MixedRecipe | null> {
  // Of the whole network what layers answered before stands.
  const prefix = base.steps.length === 0 ? '' : `${JSON.stringify(base.steps)} `
  const key = `${prefix}in mixed precision${learned === undefined ? '' : ` ${learned.slack}`}`
  const known = journal.recall<MixedRecipe | null>(key)
  if (known !== undefined) return known
  if (isOver()) return null
  const begun = await base.made()
  const layers = layersOf(begun.model)
  const mixed = await roundedMixed(
    {
      ...setup,
      prepared: begun.model,
      maxDrop: setup.maxDrop * (learned?.slack ?? 1),
      env: { ...setup.env, ...(begun.seen && { seen: begun.seen }) },
    },
    {
      layers,
      rounding: 'gptq',
      isOver,
      remember: (about, make) => remember(journal, `${prefix}${about}`, make),
    },
  )
  const recipe = mixed && recipeOf(base.steps, mixed, layers, learned)
  // Where time was up, more of it may bring an answer.
  if (recipe !== null || !isOver()) await journal.record(key, recipe)
  return recipe && { ...recipe, begun }
}

function recipeOf(
  base: readonly Step[],
  mixed: Mixed,
  layers: readonly Layer[],
  learned: Learned | undefined,
): MixedRecipe {
  const how = learned === undefined ? 'gptq' : 'learned rounding'
  return {
    name: [...(base.length > 0 ? [nameOf(base)] : []), `${nameOfMixed(mixed)}, ${how}`].join('; '),
    steps: [...base, ...(learned ? [roundingOf(mixed, layers, learned)] : []), ...mixed.steps],
  }
}

/** Each layer by the store that will take it. */
function roundingOf({ forms }: Mixed, layers: readonly Layer[], { params }: Learned): Step {
  const widths = [...new Set(forms.values())]
  const nodes = widths.map((id) => {
    const own = layers.filter(({ key }) => forms.get(key) === id)
    return [id.replace('store/', ''), own.flatMap((l) => l.nodes)] as const
  })
  return { transform: LEARN_ROUNDING, params: { ...params, width: 'none', ...Object.fromEntries(nodes) } }
}
