/**
 * Recovery: a short training of the changed model on what the original answers (Hinton, Vinyals, Dean 2015, Distilling
 * the Knowledge in a Neural Network), or on labels. Works on float models, before the steps that quantize, and may round
 * as these will (quantization-aware: Jacob et al. 2018), so that the weights suit their grid.
 */

import { canRound } from '../../train/fake-quantize.js'
import { parametersOf } from '../../train/parameters.js'
import { cosine } from '../../train/schedules.js'
import { train } from '../../train/train.js'
import type { Transform } from '../transform.js'
import { aim, batch, learnable, lessons, noSamples, weightsOf, whyNotTrained } from './lessons.js'

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
    choices: [
      'none',
      'int8',
      'int4',
      'store-int8',
      'store-int6',
      'store-int5',
      'store-int4',
      'store-int3',
      'store-int2',
      'ternary',
      'binary',
    ],
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
    const { teacher, signal, onProgress, seed = 0 } = env
    const samples = learnable(env)
    if (teacher === undefined || samples === undefined) throw noSamples()
    const frozen = weightsOf(model, p.exclude)
    const trainable = parametersOf(model).filter((name) => !frozen.includes(name))
    if (trainable.length === 0) return model
    // Of weights that are all too small, or none of layers, nothing is rounded.
    const grid = p.grid !== 'none' && canRound(model, p.grid, trainable) ? p.grid : null
    // Nothing was changed, and nothing will be rounded: there is nothing to recover.
    if (model === teacher && grid === null) return model
    const engine = await env.engine()
    const { data, objectives } = await lessons(model, teacher, samples, p, env)
    // The last tenth judges, and the weights are those of the best epoch: the recovered model is no worse on it.
    const perEpoch = Math.max(1, Math.floor((data.count * 0.9) / p.batch))
    const curve: number[] = []
    const trained = await train(model, {
      engine,
      data,
      loss: objectives,
      learningRate: p.learningRate,
      schedule: cosine(),
      epochs: Math.max(1, Math.round(p.steps / perEpoch)),
      batchSize: Math.max(1, Math.min(p.batch, Math.floor(data.count * 0.9))),
      isTraining: false,
      freeze: frozen,
      keepZeros: grid !== 'binary',
      ...(grid && { grid }),
      seed,
      ...(signal && { signal }),
      onProgress(progress) {
        curve.splice(0, curve.length, ...(progress.curve ?? curve))
        onProgress?.({ ...progress, task: 'recovering' })
      },
    })
    env.onRecovered?.(curve)
    return trained.best === 0 ? model : trained.model
  },
}
