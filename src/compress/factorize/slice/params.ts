/** What slicing takes. */

import { multipleParam } from '../../prune/channels.js'
import { factorizeParams } from '../params.js'

export const sliceParams = {
  rank: { ...factorizeParams.rank, choices: ['energy', 'ratio'], doc: 'what decides how many coordinates are kept' },
  energy: {
    ...factorizeParams.energy,
    doc: 'share of the energy that each stream keeps',
    search: { low: 0.9, high: 0.9999 },
  },
  ratio: {
    ...factorizeParams.ratio,
    doc: 'share of the parameters on these streams that may be left',
    search: { low: 0.3, high: 0.9 },
  },
  multiple: multipleParam,
  exclude: {
    kind: 'names',
    default: [],
    doc: 'nodes whose weights keep their shape, and the whole streams that they lie on with them',
  },
} as const
