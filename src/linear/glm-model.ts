/** The models of other than Gaussian responses by name, each as a path. */

import type { FirstModel } from './adaptive.js'
import { adaptiveGlmPathOf } from './adaptive-glm.js'
import type { GlmCrossOptions, GlmPathOfPart } from './glm-cross.js'
import { glmPathOf } from './glm-path.js'

/** `elastic-net` is the lasso with an `l1Ratio` of 1, which is the default, and the ridge with 0. */
export type GlmModelName = 'elastic-net' | 'adaptive-lasso'

export interface GlmModelOptions extends GlmCrossOptions, FirstModel {
  /** Default `elastic-net`. */
  readonly model?: GlmModelName
  /** Power of the weights of the adaptive lasso. */
  readonly gamma?: number
}

export const glmPathOfModel = ({ model }: GlmModelOptions): GlmPathOfPart<GlmModelOptions> =>
  model === 'adaptive-lasso' ? adaptiveGlmPathOf : glmPathOf
