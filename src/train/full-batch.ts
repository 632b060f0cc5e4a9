/**
 * Training on all samples at once by L-BFGS: for models that are small and data that fits, linear ones above all, to the last digit.
 */

import { joined } from '../autodiff/gradient.js'
import type { Engine } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import type { FloatType } from '../ir/builder.js'
import { elementCount, floatTensor, numbers } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { lbfgs, type Point } from '../linalg/lbfgs.js'
import { encodeModel } from '../onnx/codec.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { withBatchAxis } from './batch-axis.js'
import { checkDataset } from './check-dataset.js'
import { type Dataset, gather } from './dataset.js'
import { withoutDropout } from './dropout.js'
import type { Loss } from './losses/loss.js'
import { type Objective, objectivesOf } from './objective.js'
import { withOpenBatch } from './open-batch.js'
import { parametersOf, valuesOf, withParameters } from './parameters.js'
import { floatOf, trainingBuilder, trainingPass } from './pass.js'
import { nothingToTrain, type PenaltyChoice, penalized } from './penalized.js'
import { prepared } from './prepare.js'
import { trainingForm } from './training-form.js'

export interface FullBatchOptions extends Omit<RunOptions, 'seed'> {
  readonly engine: Engine
  readonly data: Dataset
  readonly loss: Loss | readonly Objective[]
  readonly freeze?: readonly string[]
  /** As a part of the loss: they must have a gradient, as `l2` has. */
  readonly penalties?: readonly Omit<PenaltyChoice, 'proximal'>[]
  readonly shapes?: InputShapes
  /** Most iterations. Default 500. */
  readonly iterations?: number
  /** Pairs that the curvature is known by. Default 10. */
  readonly memory?: number
  /** Stop where no element of the gradient is larger. Default 1e-5, and 1e-10 in float64. */
  readonly tolerance?: number
}

export interface FullBatchResult {
  /** At opset 21, without Dropout. */
  readonly model: Model
  /** Of the penalized loss, before the first step and after each. */
  readonly losses: readonly number[]
  /** Largest element of the last gradient. */
  readonly gradient: number
  /** Whether that is within the tolerance. */
  readonly isConverged: boolean
}

/**
 * A batch size that is fixed at 1 does not hold where nothing depends on it. Throws `GRADIENT_…`, `TRAIN_…`, and what the
 * engine throws.
 */
export async function trainFullBatch(model: Model, options: FullBatchOptions): Promise<FullBatchResult> {
  const { engine, data, iterations = 500, memory = 10, signal, onProgress } = options
  const plain = withoutDropout(await prepared(model))
  const trainable = parametersOf(plain, options.freeze)
  if (trainable.length === 0) throw nothingToTrain()
  const objectives = objectivesOf(plain, options.loss)
  checkPenalties(options.penalties ?? [])
  const penalties = (options.penalties ?? []).map((choice) =>
    penalized(plain, trainable, { ...choice, proximal: false }),
  )
  const values = objectives.map((o) => o.output)
  const weights = valuesOf(plain, trainable)
  const framed = withBatchAxis(plain, data)
  const opened = await withOpenBatch(framed, { data, engine, values, weights, ...(signal && { signal }) })
  const form = trainingForm(opened ?? framed, {
    batchSize: data.count,
    trainable,
    float: floatOf(plain, trainable),
    isTraining: false,
    ...(options.shapes && { shapes: options.shapes }),
  })
  if (form.batchSize !== data.count) throw fixedBatch(form.batchSize, data.count)
  const b = trainingBuilder(form.model, trainable)
  const float = floatOf(plain, trainable)
  const needs = { model: form.model, inputs: plain.graph.inputs, objectives, float }
  checkDataset(data, { ...needs, batchSize: form.batchSize, what: 'data' })
  const pass = trainingPass(b, form.model, { objectives, trainable, penalties })
  checkLimits({ iterations, memory, tolerance: options.tolerance ?? 0 })
  const tolerance = options.tolerance ?? (pass.float === 'float64' ? 1e-10 : 1e-5)
  const names = [...pass.gradients.keys()]
  const graph = {
    ...joined(pass.open, b.graph()),
    outputs: [pass.total, ...pass.gradients.values()],
  }
  const session = await engine.load(encodeModel({ ...form.model, graph }).bytes)
  try {
    const rows = Uint32Array.from({ length: form.batchSize }, (_, i) => i)
    const feeds = Object.fromEntries([
      ...[...data.inputs].map(([name, c]) => [name, gather(c, rows)]),
      ...[...pass.targets].map(([output, name]) => [name, gather(data.targets.get(output)!, rows)]),
    ])
    const layout = layoutOf(plain, names, pass.float)
    const evaluate = async (w: Float64Array): Promise<Point> => {
      throwIfAborted(signal)
      const results = await session.run(
        { ...feeds, ...Object.fromEntries(layout.unpack(w)) },
        { ...(signal && { signal }) },
      )
      const g = layout.pack([...pass.gradients.values()].map((name) => results[name]!))
      return { w, loss: numbers(results[pass.total]!)[0]!, g }
    }
    const start = layout.pack(names.map((name) => plain.graph.constants.get(name)!))
    const first = await evaluate(start)
    if (!Number.isFinite(first.loss)) throw notFinite(first.loss)
    const losses: number[] = []
    const isDone = ({ loss, g }: Point, done: number): boolean => {
      losses.push(loss)
      if (done > 0) onProgress?.({ task: 'training', detail: `loss ${loss.toPrecision(4)}`, done, total: iterations })
      return largest(g) <= tolerance
    }
    const { last } = await lbfgs(first, { iterations, memory, evaluate, isDone })
    const gradient = largest(last.g)
    return {
      model: withParameters(plain, new Map(layout.unpack(last.w))),
      losses,
      gradient,
      isConverged: gradient <= tolerance,
    }
  } finally {
    await session.close()
  }
}

/** Weights as one vector. */
function layoutOf({ graph }: Model, names: readonly string[], float: FloatType) {
  const shapes = names.map((name) => graph.constants.get(name)!.shape)
  const total = shapes.reduce((n, shape) => n + elementCount(shape), 0)
  return {
    pack(tensors: readonly Tensor[]): Float64Array {
      const all = new Float64Array(total)
      let at = 0
      for (const t of tensors) {
        const values = numbers(t)
        all.set(values, at)
        at += values.length
      }
      return all
    },
    unpack(w: Float64Array): readonly (readonly [string, Tensor])[] {
      let at = 0
      return names.map((name, i) => {
        const size = elementCount(shapes[i]!)
        at += size
        return [name, floatTensor(float, shapes[i]!, w.subarray(at - size, at))]
      })
    },
  }
}

const largest = (a: Float64Array): number => a.reduce((m, v) => Math.max(m, Math.abs(v)), 0)

interface Limits {
  readonly iterations: number
  readonly memory: number
  readonly tolerance: number
}

function checkLimits({ iterations, memory, tolerance }: Limits): void {
  const isWhole = (v: number): boolean => Number.isSafeInteger(v) && v > 0
  const wrong = Object.entries({ iterations: isWhole(iterations), memory: isWhole(memory), tolerance: tolerance >= 0 })
  const [where] = wrong.find(([, isRight]) => !isRight) ?? []
  if (where === undefined) return
  throw new PareError('TRAIN_OPTION', `${where} is out of range`, {
    where,
    value: { iterations, memory, tolerance }[where as keyof Limits],
    remedy: 'Give whole numbers of iterations and pairs, at least 1, and a tolerance of at least 0.',
  })
}

const fixedBatch = (size: number, count: number): PareError =>
  new PareError('TRAIN_BATCH', 'training on all samples at once needs a model whose batch size is open', {
    value: `batches of ${size}, ${count} samples`,
    remedy: 'Export the model with an open batch size, or take `train` (on the command line --optimizer adam).',
  })

/** Throws `TRAIN_PENALTY` where one has no gradient everywhere. */
export function checkPenalties(penalties: readonly PenaltyChoice[]): void {
  const bent = penalties.find(({ penalty }) => penalty.name !== 'l2')
  if (bent === undefined) return
  throw new PareError('TRAIN_PENALTY', 'L-BFGS needs a penalty that has a gradient everywhere', {
    value: bent.penalty.name,
    remedy: 'Take l2 here, or train with another optimizer, which takes a proximal step for this one.',
  })
}

const notFinite = (loss: number): PareError =>
  new PareError('TRAIN_DIVERGED', 'the loss is no finite number before the first step', {
    value: loss,
    remedy: 'Look for extreme values in the data and the weights.',
  })
