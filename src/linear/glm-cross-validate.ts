/** Cross-validation of generalized linear models: of the elastic net, and of the adaptive lasso. */

import { PareError } from '../util/errors.js'
import { checkAdaptive } from './adaptive.js'
import type { DenseMatrix } from './design.js'
import { type GlmCrossValidation, glmCrossValidateBy } from './glm-cross.js'
import { type GlmModelOptions, glmPathOfModel } from './glm-model.js'
import { checkedResponse } from './glm-path.js'

/**
 * Folds hold the classes in the same shares, unless groups, strata, an order or the folds themselves are given. Throws
 * `DESIGN_…`, `PATH_OPTION`, `FOLDS`, `RESPONSE`, `MEASURE`.
 */
export async function glmCrossValidate(
  x: DenseMatrix,
  y: ArrayLike<number | string>,
  options: GlmModelOptions,
): Promise<GlmCrossValidation> {
  const response = checkedResponse(x, y, options)
  checkAdaptive(options)
  if (options.measure === 'misclassification' && response.classes === null) {
    throw new PareError('MEASURE', 'only classes can be wrong', {
      value: `${options.measure} of ${options.family}`,
      remedy: 'Choose deviance.',
    })
  }
  return glmCrossValidateBy(glmPathOfModel(options), x, response, options)
}
