/**
 * Slices: streams in fewer coordinates (Ashkboos et al. 2024, "SliceGPT: Compress Large Language Models by Deleting Rows and
 * Columns"). No layer is added, and all that touches a stream gets narrower.
 */

import type { Transform } from '../../transform.js'
import { sliceParams } from './params.js'
import { sliceStreams } from './slice-streams.js'
import { findStreams } from './streams.js'

export const factorizeSlice: Transform<typeof sliceParams> = {
  id: 'factorize/slice',
  summary: 'what layers add to and read without a function between, such as a residual stream, in fewer coordinates',
  params: sliceParams,
  needsCalibration: false,
  refuses(model, { samples }) {
    const { streams, others } = findStreams(model)
    if (streams.length > 0) return samples ? null : 'there are no samples that tell what is in its streams'
    const [most] = others.toSorted((a, b) => b.group.layers.length - a.group.layers.length)
    const why = most === undefined ? 'no layers share coordinates' : `${most.group.name}: ${most.reason}`
    return `nothing in it is linear from what makes it to what reads it (${why})`
  },
  apply: async (model, params, env) => (await sliceStreams(model, params, env)).model,
}
