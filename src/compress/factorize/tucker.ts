/** Convolutions taken apart into three by a Tucker decomposition of their channels. */

import type { Transform } from '../transform.js'
import { splittable } from './candidates.js'
import { factorizeLayers } from './factorize-layers.js'
import { factorizeParams } from './params.js'
import { tuckerParts } from './tucker-parts.js'

export const TUCKER = { decompose: tuckerParts, reach: 'kernels' } as const

export const factorizeTucker: Transform<typeof factorizeParams> = {
  id: 'factorize/tucker',
  summary: 'convolutions between fewer channels, with a small one before and behind',
  params: factorizeParams,
  needsCalibration: false,
  refuses: ({ graph }) =>
    splittable(graph, TUCKER.reach).length > 0 ? null : 'no Conv of one group with a kernel of several positions',
  apply: async (model, params, env) => (await factorizeLayers(model, TUCKER, params, env)).model,
}
