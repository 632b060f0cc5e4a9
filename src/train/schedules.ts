/** Learning rates over time: a factor of the base rate for each step. */

import { PareError } from '../util/errors.js'

/** Step from 0, of `total` steps in all; returns the factor. */
export type Schedule = (step: number, total: number) => number

export const constant = (): Schedule => () => 1

/** Times `factor` after every `every` steps. */
export const stepDecay = (every: number, factor = 0.1): Schedule => {
  checkPositive('every', every)
  return (step) => factor ** Math.floor(step / every)
}

/** Times `factor` at each of some shares of the steps: by default a tenth at ½ and at ¾ (He et al. 2016, section 4.2). */
export const milestones =
  ({ at = [0.5, 0.75], factor = 0.1 }: { readonly at?: readonly number[]; readonly factor?: number } = {}): Schedule =>
  (step, total) =>
    factor ** at.filter((share) => step >= share * total).length

/** Half a cosine from 1 to `end` (Loshchilov and Hutter 2017, eq. 5, one period). */
export const cosine =
  (end = 0): Schedule =>
  (step, total) =>
    end + ((1 - end) * (1 + Math.cos((Math.PI * step) / Math.max(1, total)))) / 2

/** Up from 1/`start` to 1 in the first `rise` of the steps, then down to 1/`end`, both by half a cosine (Smith 2018). */
export const oneCycle =
  ({
    rise = 0.3,
    start = 25,
    end = 1e4,
  }: {
    readonly rise?: number
    readonly start?: number
    readonly end?: number
  } = {}): Schedule =>
  (step, total) => {
    const peak = rise * total
    const between = (from: number, to: number, share: number): number =>
      to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2
    return step < peak
      ? between(1 / start, 1, step / peak)
      : between(1, 1 / end, (step - peak) / Math.max(1, total - peak))
  }

/** A straight line from 0 to 1 over the first `steps`, then another schedule over what is left. */
export const warmUp = (steps: number, then: Schedule = constant()): Schedule => {
  checkPositive('steps', steps)
  return (step, total) => (step < steps ? (step + 1) / steps : then(step - steps, total - steps))
}

/** A straight line up over the first share of the steps, then half a cosine down to 0, as transformers are trained. */
export const warmUpCosine =
  (rise = 0.05): Schedule =>
  (step, total) =>
    warmUp(Math.max(1, Math.round(rise * total)), cosine())(step, total)

function checkPositive(what: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return
  throw new PareError('SCHEDULE_STEPS', `${what} is a whole number of at least 1`, { value, remedy: 'Give e.g. 100.' })
}
