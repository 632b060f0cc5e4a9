/** Structured pruning in one shot: the units that are worth least are cut out, and every tensor gets smaller. */

import type { Model } from '../../ir/types.js'
import type { Params, Transform, TransformEnv } from '../transform.js'
import { chooseUnits } from './choose.js'
import { cutUnits } from './cut.js'
import { findGroups } from './groups.js'
import { scoreUnits } from './score-units.js'
import { SCORES } from './scores/index.js'
import { l2 } from './scores/l2.js'

/**
 * Measured (AVX-512, one thread, 3x3 convolutions on 28x28): 44 channels take 0.80 ms, 41 to 43 take 1.01 to 1.08, for
 * what is no multiple of 4 has no fast kernel; 96 take 2.8, 100 to 112 take 3.6, 128 take 4.6: the time goes in steps of
 * 16. Matrix products have no such steps.
 */
const FAST = 4

export const multipleParam = {
  kind: 'number',
  default: FAST,
  min: 1,
  max: 256,
  whole: true,
  doc: 'widths are rounded up to a multiple of this: 4 keeps convolutions in their fast form, their time goes in steps of 16',
} as const

const params = {
  ratio: {
    kind: 'number',
    default: 0.25,
    min: 0,
    max: 0.95,
    doc: 'the part of the units (channels, neurons, heads, units of an LSTM) that goes',
    search: { low: 0.1, high: 0.75 },
  },
  score: {
    kind: 'choice',
    choices: SCORES.map((s) => s.id),
    default: l2.id,
    doc: 'what a unit is worth',
    // Normalizations are folded before a search begins, and the others did no better in bench/pruning.md.
    search: { values: [l2.id, 'taylor', 'fisher', 'activation', 'mrmr'] },
  },
  scope: {
    kind: 'choice',
    choices: ['layer', 'global'],
    default: 'layer',
    doc: 'whether that part of each layer goes, or of all layers together',
  },
  multiple: multipleParam,
  exclude: { kind: 'names', default: [], doc: 'nodes whose weights keep their shape' },
} as const

export const pruneChannels: Transform<typeof params> = {
  id: 'prune/channels',
  summary: 'channels, neurons, attention heads and units of recurrent layers cut out',
  params,
  needsCalibration: false,
  refuses(model) {
    const { groups, held } = findGroups(model)
    if (groups.length > 0) return null
    const [first] = held
    const why = first === undefined ? 'it has no layers with constant weights' : `${first[0]}: ${first[1]}`
    return `no layer can lose units (${why})`
  },
  async apply(model: Model, p: Params<typeof params>, env: TransformEnv) {
    const excluded = new Set(p.exclude)
    const groups = findGroups(model).groups.filter((g) => !g.touches.some((key) => excluded.has(key)))
    const scores = await scoreUnits(p.score, groups, { model, env })
    const units = chooseUnits(groups, scores, { ratio: p.ratio, scope: p.scope, multiple: p.multiple })
    return cutUnits(model, units)
  },
}
