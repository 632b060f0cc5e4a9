/**
 * Recovery: a short training of the changed model on what the original answers (Hinton, Vinyals, Dean 2015, Distilling
 * the Knowledge in a Neural Network), or on labels. Works on float models, before the steps that quantize, and may round
 * as these will (quantization-aware: Jacob et al. 2018), so that the weights suit their grid.
 */

import type { Samples } from '../../data/samples.js'
import { drawOrTake } from '../../data/split.js'
import { nodeKey } from '../../ir/graphs.js'
import { elementCount } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { type Dataset, readDataset } from '../../train/dataset.js'
import { distillation } from '../../train/distill.js'
import { canRound } from '../../train/fake-quantize.js'
import { crossEntropy } from '../../train/losses/cross-entropy.js'
import { type Objective, objectiveFor } from '../../train/objective.js'
import { parametersOf, readBy } from '../../train/parameters.js'
import { cosine } from '../../train/schedules.js'
import { train } from '../../train/train.js'
import { PareError } from '../../util/errors.js'
import { someGraph } from '../quantize/rewrite.js'
import type { Params, Transform, TransformEnv } from '../transform.js'

const params = {
  aim: {
    kind: 'choice',
    choices: ['outputs', 'scores', 'labels'],
    default: 'outputs',
    doc: 'what is learned: all outputs of the original (relative squared error), its class scores softened at temperature 2 (Kullback-Leibler), or labels (cross-entropy)',
    search: { values: ['outputs'] },
  },
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
  batch: { kind: 'number', default: 32, min: 1, max: 4096, whole: true, doc: 'samples a step' },
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

type RecoverParams = Params<typeof params>

/** Ops whose rounding has no gradient: what holds them is quantized already. */
const ROUNDED = /Quantize|Integer|^Q[A-Z]|NBits|Bnb4/
const LEAST = 64

export const recoverDistill: Transform<typeof params> = {
  id: 'recover/distill',
  summary: 'a short training of the changed model on what the original answers, or on labels',
  params,
  needsCalibration: false,
  refuses(model, env) {
    if (env.teacher === undefined || learnable(env) === undefined) return 'there are no samples to learn from'
    if (someGraph(model.graph, ({ nodes }) => nodes.some((n) => ROUNDED.test(n.op))))
      return 'the model computes in integers, which have no gradient'
    const isWeight = ({ dtype, shape }: { dtype: string; shape: readonly number[] }): boolean =>
      dtype === 'float32' && elementCount(shape) >= LEAST
    return [...model.graph.constants.values()].some(isWeight) ? null : 'there are no float32 weights to train'
  },
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

/** What would be trained of these nodes. */
function weightsOf(model: Model, nodes: readonly string[]): readonly string[] {
  const weights = new Set(parametersOf(model))
  return readBy(model, (node) => nodes.includes(nodeKey(node))).filter((name) => weights.has(name))
}

interface Lessons {
  readonly data: Dataset
  readonly objectives: readonly Objective[]
}

/** No more samples than the steps see, drawn from all. */
async function lessons(
  model: Model,
  teacher: Model,
  samples: Samples,
  { aim, steps, batch }: RecoverParams,
  env: TransformEnv,
): Promise<Lessons> {
  const { signal, onProgress, seed = 0 } = env
  const most = Math.ceil((steps * batch) / 0.9)
  const some = drawOrTake(samples, most, seed)
  const run = { ...(signal && { signal }), ...(onProgress && { onProgress }) }
  if (aim === 'labels') {
    const objectives = [objectiveFor(model, outputOf(model), crossEntropy())]
    return { data: await readDataset(some, { model, loss: objectives, ...run }), objectives }
  }
  const engine = await env.engine()
  return distillation(model, teacher, some, { engine, ...(aim === 'scores' && { temperature: 2 }), ...run })
}

const learnable = ({ training, samples }: Pick<TransformEnv, 'training' | 'samples'>): Samples | undefined =>
  training ?? samples

function outputOf({ graph }: Model): string {
  const [output, ...others] = graph.outputs
  if (output !== undefined && others.length === 0) return output
  throw new PareError('RECOVER_LABELS', 'labels are of one output, and the model has several', {
    value: graph.outputs,
    remedy: 'Let it learn the outputs of the original: aim "outputs".',
  })
}

const noSamples = (): PareError =>
  new PareError('RECOVER_SAMPLES', 'recovery needs samples and the original model', {
    remedy: 'Give samples with --data.',
  })
