/** Numbers that training is given, checked before anything is read. */

import { PareError } from '../util/errors.js'
import type { Penalized } from './pass.js'
import { isProximal } from './penalized.js'
import type { Schedule } from './schedules.js'
import type { TrainOptions } from './train.js'

const isWhole = (v: number): boolean => Number.isSafeInteger(v) && v > 0
const isPositive = (v: number): boolean => Number.isFinite(v) && v > 0
const isShare = (v: number): boolean => v > 0 && v < 1

/** Throws `TRAIN_OPTION`, and `TRAIN_PENALTY` where what is averaged would have exact zeros. */
export function checkOptions(o: TrainOptions): void {
  const rules = [
    ['epochs', o.epochs, isWhole, 'a whole number of at least 1'],
    ['batchSize', o.batchSize, isWhole, 'a whole number of at least 1'],
    ['accumulate', o.accumulate, isWhole, 'a whole number of at least 1'],
    ['patience', o.patience, isWhole, 'a whole number of at least 1'],
    ['plateau.patience', o.plateau?.patience, isWhole, 'a whole number of at least 1'],
    ['plateau.factor', o.plateau?.factor, isShare, 'between 0 and 1'],
    ['learningRate', o.learningRate, isPositive, 'a number above 0'],
    ['clipNorm', o.clipNorm, isPositive, 'a number above 0'],
    ['mixup', o.mixup, isPositive, 'a number above 0'],
    ['averaging', o.averaging, isShare, 'between 0 and 1'],
  ] as const
  for (const [where, value, test, doc] of rules) {
    if (value === undefined || test(value)) continue
    throw new PareError('TRAIN_OPTION', `${where} must be ${doc}`, {
      where,
      value,
      remedy: 'Change or leave out this option.',
    })
  }
  if (o.keepZeros && o.grid === 'binary')
    throw new PareError('TRAIN_OPTION', 'binary weights have no zeros to keep', {
      where: 'keepZeros',
      value: o.grid,
      remedy: 'Leave out keepZeros, or train on the grid ternary.',
    })
  const sparse = o.penalties?.find(isProximal)
  if (o.averaging === undefined || sparse === undefined) return
  throw new PareError('TRAIN_PENALTY', 'a mean of weights has none of the exact zeros that this penalty is for', {
    where: 'averaging',
    value: sparse.penalty.name,
    remedy: 'Leave out averaging, or the penalty, or set proximal to false.',
  })
}

interface Rates {
  readonly base: number
  readonly schedule: Schedule
  /** Steps in all. */
  readonly total: number
  readonly penalties: readonly Penalized[]
}

/**
 * Throws `TRAIN_RATE` for a schedule that gives what is no rate, and `PENALTY_STEP` where a penalty that bends has no
 * answer to a proximal step so long.
 */
export function checkRates({ base, schedule, total, penalties }: Rates): void {
  let most = 0
  for (let step = 0; step < total; step++) {
    const rate = base * schedule(step, total)
    if (!(Number.isFinite(rate) && rate >= 0)) throw noRate(step, rate)
    most = Math.max(most, rate)
  }
  const tight = penalties.find(
    ({ penalty, proximal }) => proximal && most >= (penalty.maxStep ?? Number.POSITIVE_INFINITY),
  )
  if (tight === undefined) return
  throw new PareError('PENALTY_STEP', `the learning rate must stay below ${tight.penalty.maxStep} for this penalty`, {
    where: tight.penalty.name,
    value: most,
    remedy: 'Lower the learning rate, or give the penalty a larger gamma.',
  })
}

const noRate = (step: number, rate: number): PareError =>
  new PareError('TRAIN_RATE', 'the schedule gives no learning rate of 0 or more', {
    where: `step ${step}`,
    value: rate,
    remedy: 'Give a schedule whose factors are numbers of at least 0.',
  })
