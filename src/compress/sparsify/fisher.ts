/**
 * Optimal brain damage (LeCun, Denker and Solla 1990, eq. 5: s = ½ h w²) with Fisher's information, the mean squared slope
 * of the loss, for its diagonal curvature h (Theis et al. 2018, eq. 7).
 */

import { sparsifyBySlopes } from './slopes.js'

export const sparsifyFisher = sparsifyBySlopes(
  'sparsify/fisher',
  'the weights of least squared value times mean squared slope of the loss set to zero',
  (w, _, square) => (w * w * square) / 2,
)
