/** Layers taken apart into two by their singular value decomposition. */

import type { Transform } from '../transform.js'
import { splittable } from './candidates.js'
import { factorizeLayers } from './factorize-layers.js'
import { factorizeParams } from './params.js'
import { svdParts } from './svd-parts.js'

export const SVD = { decompose: svdParts, reach: 'all' } as const

export const factorizeSvd: Transform<typeof factorizeParams> = {
  id: 'factorize/svd',
  summary: 'layers of low rank as two smaller ones, nearest on the samples where there are some',
  params: factorizeParams,
  needsCalibration: false,
  refuses: ({ graph }) =>
    splittable(graph, SVD.reach).length > 0 ? null : 'no Conv of one group, Gemm or MatMul with a weight of its own',
  apply: async (model, params, env) => (await factorizeLayers(model, SVD, params, env)).model,
}
