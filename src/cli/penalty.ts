/** Penalties as they are named on the command line. */

import { PENALTIES } from '../penalties/index.js'
import type { PenaltyChoice } from '../train/penalized.js'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { didYouMean } from './args.js'

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
