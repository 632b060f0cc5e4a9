/** Layers taken apart in the way that needs fewer parameters, each in its own. */

import type { Transform } from '../transform.js'
import { splittable } from './candidates.js'
import { factorizeLayers } from './factorize-layers.js'
import { fewestParts } from './fewest-parts.js'
import { factorizeParams } from './params.js'

export const FEWEST = { decompose: fewestParts, reach: 'all' } as const

export const factorizeFewest: Transform<typeof factorizeParams> = {
  id: 'factorize/fewest',
  summary: 'layers of low rank as two or three smaller ones, whichever have fewer parameters',
  params: factorizeParams,
  needsCalibration: false,
  refuses: ({ graph }) =>
    splittable(graph, FEWEST.reach).length > 0 ? null : 'no Conv of one group, Gemm or MatMul with a weight of its own',
  apply: async (model, params, env) => (await factorizeLayers(model, FEWEST, params, env)).model,
}
