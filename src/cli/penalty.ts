/** Penalties as they are named on the command line. */

import { PENALTIES } from '../penalties/index.js'
import type { PenaltyChoice } from '../train/penalized.js'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { didYouMean } from './args.js'

/** Whose strength is to be found: `l1:auto`. */
export const isAuto = (text: string): boolean => text.endsWith(':auto')

/** The penalty of `l1:auto` at a strength. Throws `OPTION_VALUE`. */
export function penaltyAt(text: string): (strength: number) => PenaltyChoice {
  const name = text.slice(0, -':auto'.length)
  penaltyOf(`${name}:1`)
  return (strength) => penaltyOf(`${name}:${strength}`)
}

/** `l2:1e-4`. Throws `OPTION_VALUE`. */
export function penaltyOf(text: string): PenaltyChoice {
  const [name = '', strength = '', ...rest] = text.split(':')
  const names = Object.keys(PENALTIES)
  if (
    !Object.hasOwn(PENALTIES, name) ||
    strength.trim() === '' ||
    rest.length > 0 ||
    !Number.isFinite(Number(strength))
  ) {
    throw new PareError('OPTION_VALUE', 'a penalty is its name and its strength', {
      where: '--penalty',
      value: text,
      remedy: `${didYouMean(names.includes(name) ? null : nearest(name, names))}Write for example l2:1e-4. There are: ${names.join(', ')}.`,
    })
  }
  return { penalty: PENALTIES[name as keyof typeof PENALTIES](Number(strength)) }
}
