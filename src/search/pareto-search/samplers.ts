/**
 * Where recipes come from: drawn at random, or bred from the best so far. Breeding follows NSGA-II (Deb et al. 2002):
 * parents win a tournament of two by front and crowding, a child takes stages of both and is changed a little.
 */

import type { Transform } from '../../compress/transform.js'
import type { Random } from '../../util/random.js'
import { isMeasured } from '../choose.js'
import type { Step, TrialResult } from '../trial.js'
import { ranked } from './ranking.js'
import {
  drawStep,
  drawSteps,
  drawValue,
  inOrder,
  LEARN_ROUNDING,
  rounded,
  type Space,
  stageOf,
  valuesOf,
} from './space.js'
import { type Goal, isWithin, pointOf } from './worth.js'

/** The next recipe, given what is known: of each recipe so far the result of the highest rung that it came to. */
export type Sampler = (space: Space, random: Random, results: readonly TrialResult[], goal: Goal) => readonly Step[]

export const atRandom: Sampler = (space, random) => drawSteps(space, random)

/** Recipes that are drawn at random all the same, and results that there must be before anything is bred. */
const FRESH = 0.3
const PARENTS = 4
/** Times the budget that a parent may lose: what was recovered shortly does better in the end. */
const SLACK = 4

export const bred: Sampler = (space, random, results, goal) => {
  const able = results
    .filter(isMeasured)
    .filter((r) => isWithin({ ...goal, slack: SLACK }, r))
    .filter((r) => r.trial.steps.every(isDrawn))
  if (able.length < PARENTS || random.uniform() < FRESH) return drawSteps(space, random)
  const order = ranked(able, (r) => pointOf(goal, r))
  const parent = (): readonly Step[] =>
    order[Math.min(random.integer(order.length), random.integer(order.length))]!.trial.steps
  const child = random.uniform() < 0.5 ? crossed(space, parent(), parent(), random) : parent()
  const steps = inOrder(space, mutated(space, child, random))
  return steps.length > 0 ? steps : drawSteps(space, random)
}

/** Steps that know each other, by the nodes that they leave out, make no sense apart. */
const isDrawn = ({ transform, params }: Step): boolean => transform !== LEARN_ROUNDING && params.exclude === undefined

/** Each stage from one of the two. */
function crossed({ stages }: Space, a: readonly Step[], b: readonly Step[], random: Random): readonly Step[] {
  return stages.flatMap(({ name }) => {
    const from = random.uniform() < 0.5 ? a : b
    return from.filter((s) => stageOf(s.transform) === name)
  })
}

/** One change: a parameter moved, a step taken out, or one put in. */
function mutated(space: Space, steps: readonly Step[], random: Random): readonly Step[] {
  const all = space.stages.flatMap((s) => s.transforms)
  const what = random.uniform()
  if (steps.length > 0 && what < 0.6) {
    const at = random.integer(steps.length)
    const transform = all.find((t) => t.id === steps[at]!.transform)
    if (transform !== undefined) return steps.with(at, moved(space, transform, steps[at]!, random))
  }
  if (steps.length > 1 && what < 0.75) return steps.toSpliced(random.integer(steps.length), 1)
  const absent = all.filter((t) => steps.every((s) => s.transform !== t.id))
  if (absent.length === 0) return steps
  const more = drawStep(space, absent[random.integer(absent.length)]!, random)
  const stage = space.stages.find((s) => s.name === stageOf(more.transform))!
  const own = steps.filter((s) => stageOf(s.transform) === stage.name)
  // In a full stage it takes the place of another.
  const crowded = own.length >= stage.most ? own[random.integer(own.length)] : undefined
  return [...steps.filter((s) => s !== crowded), more]
}

/** Another value of one parameter: a neighbour of a number, any other of a list. */
function moved(space: Space, { params }: Transform, step: Step, random: Random): Step {
  const names = Object.keys(params).filter((name) => {
    const spec = params[name]!
    const values = valuesOf(spec)
    return !Object.hasOwn(space.fixed, name) && (values === null || values.length > 1)
  })
  if (names.length === 0) return step
  const name = names[random.integer(names.length)]!
  const spec = params[name]!
  const now = step.params[name] ?? spec.default
  const value =
    spec.kind === 'number' && spec.search !== undefined && 'low' in spec.search
      ? rounded(spec, nearby(now as number, spec.search, random))
      : drawValue(spec, random)
  const { [name]: _, ...others } = step.params
  return { ...step, params: value === undefined || value === spec.default ? others : { ...others, [name]: value } }
}

/** A normal step of a fifth of the range. */
function nearby(value: number, { low, high, log = false }: { low: number; high: number; log?: boolean }, r: Random) {
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high]
  const at = (log ? Math.log(Math.max(value, low)) : value) + r.normal(0, 0.2 * (to - from))
  const inside = Math.min(to, Math.max(from, at))
  return log ? Math.exp(inside) : inside
}
