/**
 * Which outputs hold class scores: those whose every row is a probability distribution. That is seen from the values;
 * logits look like any other numbers, so they count only where the user declares them.
 */

import { numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { rowWidth } from './compare.js'
import type { Feeds } from './engine.js'

/** Samples looked at to tell what an output is. */
export const LOOKED_AT = 32

/** Looks at the outputs of the first samples, one after the other. */
export function scoreFinder() {
  let looked = 0
  const shown = new Set<string>()
  const refuted = new Set<string>()
  return {
    see(outputs: Feeds): void {
      if (looked++ >= LOOKED_AT) return
      for (const [name, t] of Object.entries(outputs)) {
        const held = isProbability(t)
        if (held !== null) (held ? shown : refuted).add(name)
      }
    },
    /** In the order of the outputs. */
    found: (): readonly string[] => [...shown].filter((name) => !refuted.has(name)),
  }
}

/** Rows of two or more numbers, none negative, that add up to 1; null where rows with NaN are all there is. */
function isProbability(t: Tensor): boolean | null {
  const width = rowWidth(t.shape)
  if (width < 2 || !t.dtype.includes('float')) return false
  const values = numbers(t)
  let held = values.length === 0 ? false : null
  for (let at = 0; at < values.length; at += width) {
    let sum = 0
    let least = 0
    for (let i = at; i < at + width; i++) {
      sum += values[i]!
      least = Math.min(least, values[i]!)
    }
    if (Number.isNaN(sum)) continue
    if (least < -1e-6 || Math.abs(sum - 1) > 1e-3) return false
    held = true
  }
  return held
}

/** Throws `SCORES_UNKNOWN` where what the user declares as class scores can be none. */
export function checkScores(outputs: Feeds, declared: string): void {
  if (!Object.hasOwn(outputs, declared)) {
    throw new PareError('SCORES_UNKNOWN', 'the model has no such output', {
      value: declared,
      remedy: `It has: ${Object.keys(outputs).join(', ')}.`,
    })
  }
  const { dtype, shape } = outputs[declared]!
  if (dtype !== 'string' && rowWidth(shape) > 1) return
  throw new PareError('SCORES_UNKNOWN', 'the output holds no rows of class scores', {
    where: declared,
    value: `${dtype} [${shape.join(', ')}]`,
    remedy: 'Name an output with one number for each class.',
  })
}
