/** What every factorization takes. */

import type { Params } from '../transform.js'

export const factorizeParams = {
  rank: {
    kind: 'choice',
    choices: ['energy', 'ratio', 'bic', 'vbmf'],
    default: 'energy',
    doc: 'what decides how much of a weight is kept',
  },
  energy: {
    kind: 'number',
    default: 0.99,
    min: 0,
    max: 1,
    doc: 'share of the energy that each layer keeps',
    search: { low: 0.7, high: 0.999 },
  },
  ratio: {
    kind: 'number',
    default: 0.5,
    min: 0.01,
    max: 1,
    doc: 'share of the parameters of these layers that may be left',
    search: { low: 0.15, high: 0.8 },
  },
  for: {
    kind: 'choice',
    choices: ['size', 'latency'],
    default: 'size',
    doc: 'what a layer must gain to be taken apart: bytes, or measured time',
  },
  exclude: { kind: 'names', default: [], doc: 'nodes that stay whole' },
} as const

export type FactorizeParams = Params<typeof factorizeParams>
