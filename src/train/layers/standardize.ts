/** Scales of the data inside the model, so that it takes and gives what the data has. */

import type { Spread } from '../data-facts.js'
import type { Layer } from './layer.js'

/** Names of what these layers hold: scales of the data, no weights to train. */
export const SCALES = '*.fixed_*'

/** (x − mean) / deviation, of each value of a vector or of all values alike. */
export const standardize =
  ({ mean, deviation }: Spread): Layer =>
  (b, { name: x, shape }, name) => {
    const centred = b.op('Sub', [x, b.constant(b.tensor(form(mean), mean), `${name}.fixed_mean`)])
    const factors = deviation.map((d) => 1 / d)
    return {
      name: b.op('Mul', [centred, b.constant(b.tensor(form(factors), factors), `${name}.fixed_factor`)], { name }),
      shape,
    }
  }

/** The way back: x · deviation + mean. */
export const restore =
  ({ mean, deviation }: Spread): Layer =>
  (b, { name: x, shape }, name) => {
    const scaled = b.op('Mul', [x, b.constant(b.tensor(form(deviation), deviation), `${name}.fixed_factor`)])
    return {
      name: b.op('Add', [scaled, b.constant(b.tensor(form(mean), mean), `${name}.fixed_mean`)], { name }),
      shape,
    }
  }

/** One value is a scalar. */
const form = (values: readonly number[]): readonly number[] => (values.length === 1 ? [] : [values.length])
