/** Dropout. */

import { scalar } from '../../ir/tensor.js'
import { PareError } from '../../util/errors.js'
import type { Layer } from './layer.js'

/** Drops a share of what comes in while the model is trained; afterwards it is gone (Srivastava et al. 2014). */
export const dropout =
  (rate = 0.5): Layer =>
  (b, { name: x, shape }, name) => {
    if (!(rate >= 0 && rate < 1)) {
      throw new PareError('LAYER_SHAPE', 'a dropout rate is at least 0 and below 1', {
        where: 'dropout',
        value: rate,
        remedy: 'Give e.g. 0.5.',
      })
    }
    return { name: b.op('Dropout', [x, b.constant(scalar(rate), `${name}.rate`)], { name }), shape }
  }
