/** What recoveries learn, and which models they cannot train. */

import type { Samples } from '../../data/samples.js'
import { drawOrTake } from '../../data/split.js'
import { nodeKey } from '../../ir/graphs.js'
import { elementCount } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { type Dataset, readDataset } from '../../train/dataset.js'
import { distillation } from '../../train/distill.js'
import { crossEntropy } from '../../train/losses/cross-entropy.js'
import { type Objective, objectiveFor } from '../../train/objective.js'
import { parametersOf, readBy } from '../../train/parameters.js'
import { PareError } from '../../util/errors.js'
import { someGraph } from '../quantize/rewrite.js'
import type { RefusalEnv, TransformEnv } from '../transform.js'

/** Ops whose rounding has no gradient: what holds them is quantized already. */
const ROUNDED = /Quantize|Integer|^Q[A-Z]|NBits|Bnb4/
const LEAST = 64

/** Parameters of recoveries. */
export const aim = {
  kind: 'choice',
  choices: ['outputs', 'scores', 'labels'],
  default: 'outputs',
  doc: 'what is learned: all outputs of the original (relative squared error), its class scores softened at temperature 2 (Kullback-Leibler), or labels (cross-entropy)',
  search: { values: ['outputs'] },
} as const
export const batch = { kind: 'number', default: 32, min: 1, max: 4096, whole: true, doc: 'samples a step' } as const

/** Null where the model can be trained on what there is. */
export function whyNotTrained(model: Model, env: RefusalEnv): string | null {
  if (env.teacher === undefined || learnable(env) === undefined) return 'there are no samples to learn from'
  if (someGraph(model.graph, ({ nodes }) => nodes.some((n) => ROUNDED.test(n.op))))
    return 'the model computes in integers, which have no gradient'
  const isWeight = ({ dtype, shape }: { dtype: string; shape: readonly number[] }): boolean =>
    dtype === 'float32' && elementCount(shape) >= LEAST
  return [...model.graph.constants.values()].some(isWeight) ? null : 'there are no float32 weights to train'
}

/** What would be trained of these nodes. */
export function weightsOf(model: Model, nodes: readonly string[]): readonly string[] {
  const weights = new Set(parametersOf(model))
  return readBy(model, (node) => nodes.includes(nodeKey(node))).filter((name) => weights.has(name))
}

/** Of what is learned, for how long. */
export interface LessonParams {
  readonly aim: string
  readonly steps: number
  readonly batch: number
}

/** Samples that the steps see at most, and the last tenth, which judges. */
export const samplesOfSteps = ({ steps, batch }: Pick<LessonParams, 'steps' | 'batch'>): number =>
  Math.ceil((steps * batch) / 0.9)

export interface Lessons {
  readonly data: Dataset
  readonly objectives: readonly Objective[]
}

/** No more samples than the steps see, drawn from all. Throws `RECOVER_SAMPLES`. */
export async function lessons(model: Model, { aim, steps, batch }: LessonParams, env: TransformEnv): Promise<Lessons> {
  const { teacher, signal, onProgress, seed = 0 } = env
  const samples = learnable(env)
  if (teacher === undefined || samples === undefined) throw noSamples()
  const some = drawOrTake(samples, samplesOfSteps({ steps, batch }), seed)
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
