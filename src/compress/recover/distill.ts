/**
 * Recovery: a short training of the changed model on what the original answers (Hinton, Vinyals, Dean 2015, Distilling
 * the Knowledge in a Neural Network), or on labels. Works on float models, before the steps that quantize, and may round
 * as these will (quantization-aware: Jacob et al. 2018), so that the weights suit their grid.
 */

import { canRound } from '../../train/fake-quantize.js'
import { TRAINED_GRIDS } from '../../train/grids/names.js'
import { parametersOf } from '../../train/parameters.js'
import type { Transform } from '../transform.js'
import { aim, batch, lessons, weightsOf, whyNotTrained } from './lessons.js'
import { taught } from './taught.js'

const params = {
  aim,
  steps: {
    kind: 'number',
    default: 500,
    min: 1,
    max: 1e6,
    whole: true,
    doc: 'steps of the optimizer (Adam), along half a cosine',
    search: { low: 200, high: 2000, log: true },
  },
  learningRate: {
    kind: 'number',
    default: 0.001,
    min: 1e-7,
    max: 1,
    doc: 'of the first step',
    search: { low: 2e-4, high: 3e-3, log: true },
  },
  batch,
  grid: {
    kind: 'choice',
    choices: ['none', ...TRAINED_GRIDS],
    default: 'none',
    doc: 'weights are rounded in the forward pass as the steps that follow will round them: int8 as quantize/static, int4 as quantize/nbits, the others as store/… of that name',
    search: { values: [] },
  },
  exclude: { kind: 'names', default: [], doc: 'nodes whose weights stay as they are' },
} as const

export const recoverDistill: Transform<typeof params> = {
  id: 'recover/distill',
  summary: 'a short training of the changed model on what the original answers, or on labels',
  params,
  needsCalibration: false,
  refuses: whyNotTrained,
  async apply(model, p, env) {
    const frozen = weightsOf(model, p.exclude)
    const trainable = parametersOf(model).filter((name) => !frozen.includes(name))
    if (trainable.length === 0) return model
    // Of weights that are all too small, or none of layers, nothing is rounded.
    const grid = p.grid !== 'none' && canRound(model, p.grid, trainable) ? p.grid : null
    // Nothing was changed, and nothing will be rounded: there is nothing to recover.
    if (model === env.teacher && grid === null) return model
    const options = {
      learningRate: p.learningRate,
      freeze: frozen,
      keepZeros: grid !== 'binary',
      ...(grid && { grid }),
    }
    const lesson = await lessons(model, p, env)
    return (await taught(model, lesson, p, env, { ...options, task: 'recovering' })) ?? model
  },
}
