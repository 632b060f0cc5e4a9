/** The first term of how the loss changes without a weight (Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", eq. 8, its size): |w| mean |∂L/∂w|. */

import { sparsifyBySlopes } from './slopes.js'

export const sparsifyTaylor = sparsifyBySlopes(
  'sparsify/taylor',
  'the weights of least size times mean slope of the loss set to zero',
  (w, size) => Math.abs(w) * size,
)
