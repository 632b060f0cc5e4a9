/** Families by name: the datafit, and y as the numbers that it takes. */

import { PareError } from '../../util/errors.js'
import { type Datafit, wrongResponse } from './datafit.js'
import { huber } from './huber.js'
import { logistic, twoClasses } from './logistic.js'
import { classesOf, multinomial } from './multinomial.js'
import { countsOf, poisson } from './poisson.js'
import { squared } from './squared.js'

export const FAMILIES = ['gaussian', 'binomial', 'multinomial', 'poisson', 'huber'] as const

export type Family = (typeof FAMILIES)[number]

export interface Response {
  readonly datafit: Datafit
  readonly y: Float64Array
  /** Labels of the classes, in the order of the probabilities; null where there are none. */
  readonly classes: readonly (number | string)[] | null
}

export interface FamilyOptions {
  readonly family: Family
  /** Of `huber`, in the units of y. Default 1.345. */
  readonly delta?: number
}

/** Numbers of the second derivative, K x K for each row: 2 GiB of them. */
const MOST = 2 ** 28

/** Throws `RESPONSE` where y does not fit the family, `FAMILY` where there is none of this name. */
export function responseOf(y: ArrayLike<number | string>, { family, delta = 1.345 }: FamilyOptions): Response {
  if (family === 'binomial') {
    const { labels, codes } = twoClasses(y)
    return { datafit: logistic, y: codes, classes: labels }
  }
  if (family === 'multinomial') {
    const { labels, codes } = classesOf(y)
    if (labels.length < 2) throw wrongResponse('there is one class only', null, labels[0], 'Give rows of two classes.')
    if (y.length * labels.length ** 2 > MOST) {
      throw wrongResponse(
        'there are more classes than can be held in memory',
        null,
        `${labels.length} classes of ${y.length} rows`,
        'Join rare classes, or choose the family gaussian or poisson where the column holds numbers.',
      )
    }
    return { datafit: multinomial(labels.length), y: codes, classes: labels }
  }
  if (family === 'poisson') return { datafit: poisson, y: countsOf(y), classes: null }
  if (!FAMILIES.includes(family)) {
    throw new PareError('FAMILY', 'there is no such family', {
      value: family,
      remedy: `Choose ${FAMILIES.join(', ')}.`,
    })
  }
  const odd = Array.from(y).findIndex((v) => typeof v !== 'number')
  if (odd >= 0) throw wrongResponse('a number is needed', odd, y[odd], 'Choose a family of classes, or correct it.')
  return {
    datafit: family === 'huber' ? huber(delta) : squared,
    y: Float64Array.from(y as ArrayLike<number>),
    classes: null,
  }
}

/** Throws `RESPONSE` where the best intercept is infinite: one class alone, or nothing but zeros, among the rows that count. */
export function checkNull({ datafit, classes }: Response, intercepts: Float64Array, where: string): void {
  const odd = intercepts.findIndex((v) => !Number.isFinite(v))
  if (odd < 0) return
  const isClasses = classes !== null
  throw new PareError('RESPONSE', isClasses ? 'a class has no rows' : 'all counts are 0', {
    where,
    value: isClasses ? classes[datafit.outputs > 1 ? odd : intercepts[odd]! < 0 ? 1 : 0] : undefined,
    remedy: isClasses
      ? 'Give rows of each class, with weights above 0; for cross-validation at least two, so that no fold holds them all.'
      : 'Give rows with counts above 0.',
  })
}
