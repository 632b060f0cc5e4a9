/** How near to the optimum a path is brought, and what its moments may be computed in for that. */

import type { FloatType } from '../ir/builder.js'

export interface ToleranceOption {
  /** Largest duality gap, as a part of that of the empty model. Default 1e-7. */
  readonly tolerance?: number
}

export const TOLERANCE = 1e-7

/** Below this, products in float32 are too coarse. */
const FINE = 1e-6

export const precisionFor = ({ tolerance = TOLERANCE }: ToleranceOption): FloatType =>
  tolerance < FINE ? 'float64' : 'float32'
