/**
 * Scales of the data inside the model, so that it takes and gives what the data has. They are written as Sub and Div,
 * whose constants training never takes for weights.
 */

import type { Builder } from '../../ir/builder.js'
import type { Spread } from '../spread.js'
import type { Layer } from './layer.js'

/** (x − mean) / deviation, of each value of a vector or of all values alike. */
export const standardize =
  ({ mean, deviation }: Spread): Layer =>
  (b, { name: x, shape }, name) => {
    const centred = b.op('Sub', [x, constant(b, mean, `${name}.mean`)])
    return { name: b.op('Div', [centred, constant(b, deviation, `${name}.deviation`)], { name }), shape }
  }

/** The way back: x · deviation + mean, as x / (1/deviation) − (−mean). */
export const restore =
  ({ mean, deviation }: Spread): Layer =>
  (b, { name: x, shape }, name) => {
    const inverse = deviation.map((d) => 1 / d)
    const negative = mean.map((m) => -m)
    const scaled = b.op('Div', [x, constant(b, inverse, `${name}.inverse_deviation`)])
    return { name: b.op('Sub', [scaled, constant(b, negative, `${name}.negative_mean`)], { name }), shape }
  }

/** One value is a scalar. */
const constant = (b: Builder, values: readonly number[], hint: string): string =>
  b.constant(b.tensor(values.length === 1 ? [] : [values.length], values), hint)
