/** Slopes of the loss of each sample by weights, sample by sample: the square of a mean over a batch is no mean of squares. */

import { joined } from '../../../autodiff/gradient.js'
import { withStates } from '../../../data/state.js'
import type { Engine, Feeds, Session } from '../../../engine/engine.js'
import type { Builder } from '../../../ir/builder.js'
import type { Model, Tensor } from '../../../ir/types.js'
import { encodeModel } from '../../../onnx/codec.js'
import { withShapes } from '../../../passes/with-shapes.js'
import { floatOf, trainingBuilder, trainingPass } from '../../../train/pass.js'
import { withUnrolled } from '../../../train/unroll.js'
import { PareError } from '../../../util/errors.js'
import { type Likelihood, likelihoodOf } from './likelihood.js'
import { samplesOf } from './samples.js'
import type { ScoreContext } from './score.js'

/** Adds what is made of the gradients, by the name of the weight: the outputs, and how they are read. */
export type Emit<T> = (
  b: Builder,
  gradients: ReadonlyMap<string, string>,
  model: Model,
) => { readonly outputs: readonly string[]; read(results: Feeds): T }

export interface Walk {
  /** The model as it is differentiated. */
  readonly plain: Model
  /** The weights that slopes are by. */
  readonly trainable: readonly string[]
  /** For progress. */
  readonly task: string
}

/**
 * Visits each sample; the number of those that say something, for which `visit` gives true. What the loss is: see
 * `likelihoodOf`. Throws `PRUNE_SAMPLES`, also where no sample says anything, `GRADIENT_…`, and what the engine throws.
 */
export async function walkSlopes<T>(
  { plain, trainable, task }: Walk,
  context: ScoreContext,
  emit: Emit<T>,
  visit: (read: T) => boolean,
): Promise<number> {
  const { model, env } = context
  const engine = await env.engine()
  const samples = await samplesOf(context)
  const original = await engine.load(encodeModel(model).bytes)
  const sessions = new Map<string, Promise<Slope<T>>>()
  let looked = 0
  let count = 0
  try {
    const likelihood = await likelihoodOf(plain, withStates(samples, original), context)
    for await (const sample of withStates(samples, original).read(env.signal ? { signal: env.signal } : {})) {
      const shapes = shapesOf(sample.feeds, plain)
      const key = JSON.stringify(shapes)
      const slope = sessions.get(key) ?? openSlope(withShapes(plain, shapes), trainable, likelihood, emit, engine)
      sessions.set(key, slope)
      if (visit(await (await slope).read(sample.feeds, likelihood.targets(sample, looked), env.signal))) count++
      looked++
      env.onProgress?.({ task, done: looked, ...(samples.count !== null && { total: samples.count }) })
    }
  } finally {
    await original.close()
    for (const slope of sessions.values()) await (await slope.catch(() => null))?.close()
  }
  if (count === 0) throw noSlopes(samples.name)
  if (count < FEW * looked)
    env.onWarning?.(
      `The loss has a slope on ${count} of ${looked} samples alone, for the model is certain of the others: samples without labels, or a score that needs no gradients, tell more.`,
    )
  return count
}

const noSlopes = (where: string): PareError =>
  new PareError(
    'PRUNE_SAMPLES',
    'on no sample the loss has a slope: the model is certain of all answers, or they are no numbers',
    {
      where,
      remedy:
        'Give more samples, or samples without labels, or choose what needs no gradients: magnitude, l2, activation.',
    },
  )

/** Whether slopes of a sample say something: numbers, and not all zero, as they are where a Softmax is at 0 and 1. */
export function areSlopes(all: Iterable<ArrayLike<number>>): boolean {
  let isSteep = false
  for (const values of all)
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) return false
      isSteep ||= values[i] !== 0
    }
  return isSteep
}

/** The part of the samples below which what they say is chance. */
const FEW = 1 / 4

/** The shapes of the inputs with those of a sample. */
const shapesOf = (feeds: Feeds, { graph }: Model): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(
    graph.inputs.flatMap((name) =>
      feeds[name] === undefined || graph.constants.has(name) ? [] : [[name, feeds[name].shape]],
    ),
  )

interface Slope<T> {
  read(feeds: Feeds, targets: Feeds, signal?: AbortSignal): Promise<T>
  close(): Promise<void>
}

async function openSlope<T>(
  fixed: Model,
  trainable: readonly string[],
  { objectives }: Likelihood,
  emit: Emit<T>,
  engine: Engine,
): Promise<Slope<T>> {
  const model = withUnrolled(fixed, floatOf(fixed, trainable))
  const b = trainingBuilder(model, trainable)
  const pass = trainingPass(b, model, { objectives, trainable })
  const { outputs, read } = emit(b, pass.gradients, model)
  const weights = new Set(trainable)
  const graph = {
    ...joined({ ...pass.open, constants: model.graph.constants }, b.graph()),
    inputs: pass.open.inputs.filter((name) => !weights.has(name)),
    outputs,
  }
  const session: Session = await engine.load(encodeModel({ ...model, graph }).bytes)
  return {
    async read(feeds, targets, signal) {
      const named = [...pass.targets].map(([of, input]): [string, Tensor] => [input, targets[of]!])
      return read(await session.run({ ...feeds, ...Object.fromEntries(named) }, signal ? { signal } : {}))
    },
    close: () => session.close(),
  }
}
