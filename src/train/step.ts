/**
 * A training step as one graph: forward, loss, backward and update. Parameters and what the optimizer keeps of them are
 * inputs, and their next values are outputs, so that the engine alone does the whole step.
 */

import { backward } from '../autodiff/backward.js'
import { joined } from '../autodiff/gradient.js'
import { int, intAttr } from '../ir/attrs.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { allNames, consumers } from '../ir/graphs.js'
import { elementCount } from '../ir/tensor.js'
import type { Graph, Model, Tensor, Value } from '../ir/types.js'
import { findOp } from '../ops/index.js'
import { factFinder } from '../passes/facts.js'
import type { GraphWeight, Penalty } from '../penalties/penalty.js'
import { PareError } from '../util/errors.js'
import { aimsOf, emitObjectives, mixed, type Objective, targetInputs } from './objective.js'
import type { Optimizer } from './optimizers/optimizer.js'

/** What a step carries on to the next one. */
export interface State {
  /** The input that holds it. */
  readonly name: string
  /** The output that holds its next value. */
  readonly next: string
  readonly initial: Tensor
}

export interface TrainingStep {
  /** Inputs: those of the model, the targets, the scalars, and the states. */
  readonly graph: Graph
  readonly opsets: Model['opsets']
  readonly float: FloatType
  readonly inputs: readonly string[]
  /** By output: the input that holds its targets. */
  readonly targets: ReadonlyMap<string, string>
  /** Scalar inputs: the learning rate, and the number of the step as a float from 1. */
  readonly learningRate: string
  readonly step: string
  readonly loss: string
  /** Parameters under their names in the model, running statistics too, then what is kept of them. */
  readonly states: readonly State[]
  /** By constant of the model that changes: the state that holds its value, or the mean of its last values. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface StepOptions {
  readonly objectives: readonly Required<Objective>[]
  /** Constants to train; those that no loss depends on stay as they are. */
  readonly trainable: readonly string[]
  readonly optimizer: Optimizer
  readonly penalties?: readonly Penalized[]
  /** Gradients whose norm, over all of them together, is larger are scaled down to it (Pascanu et al. 2013). */
  readonly clipNorm?: number
  /** Keeps a moving mean of every parameter, of which so much stays at each step. */
  readonly averaging?: number
  /** The input of the model that says in which share samples are mixed (see `withMixup`). */
  readonly mix?: string | null
}

/** A penalty on some of the trained weights. */
export interface Penalized {
  readonly penalty: Penalty
  readonly weights: readonly string[]
  /** As a proximal step after each update, which makes exact zeros, in place of a part of the loss. */
  readonly proximal: boolean
}

/**
 * The training step of a model at opset 21 whose input shapes are fixed, the batch size among them. Throws
 * `GRADIENT_…` (see `backward`), and `TRAIN_SHAPE` where an output's shape does not follow from the inputs'.
 */
export function trainingStep(model: Model, options: StepOptions): TrainingStep {
  const { optimizer, penalties = [], clipNorm, averaging, mix = null } = options
  const running = runningStatistics(model.graph)
  const float = floatOf(model, options.trainable)
  const b = builder(allNames(model.graph), float)
  const aims = aimsOf(b, model, options.objectives)
  const scalars = { learningRate: b.fresh('learning_rate'), step: b.fresh('step') }
  const own = [...options.trainable, ...running.keys()]
  const fed = [...targetInputs(aims, float), ...scalarInputs(Object.values(scalars), float)]
  const open = withInputs(model, own, fed)
  const loss = emitObjectives(b, aims, mix)

  const total = withCosts(b, model, loss, penalties)
  const graph = joined(open, b.graph())
  const found = backward(b, {
    graph,
    facts: factFinder({ ...model, graph }),
    of: total,
    wrt: options.trainable,
    allowMissing: true,
  })
  const trainable = options.trainable.filter((name) => found.has(name))
  const gradients = clipNorm === undefined ? found : clipped(b, found, clipNorm)
  const shared = optimizer.shared?.(b, scalars) ?? []
  const keep = averaging === undefined ? null : averagingShare(b, averaging, scalars.step)

  const parameters = new Map([...running.keys()].map((name) => [name, name]))
  const states = trainable.flatMap((name): readonly State[] => {
    const initial = model.graph.constants.get(name)!
    const slots = optimizer.slots.map((slot) => b.fresh(`${name}.${slot}`))
    const updated = optimizer.update(b, { parameter: name, gradient: gradients.get(name)!, slots }, scalars, shared)
    const zeros = b.tensor(initial.shape, new Float64Array(elementCount(initial.shape)))
    const next = penalties
      .filter((p) => p.proximal && p.weights.includes(name))
      .reduce(
        (w, { penalty }) => penalty.emitProx(b, weightOf(model, name, w), scalars.learningRate),
        updated.parameter,
      )
    const own = { name, next, initial }
    const kept = slots.map((slot, i) => ({ name: slot, next: updated.slots[i]!, initial: zeros }))
    if (keep === null) {
      parameters.set(name, name)
      return [own, ...kept]
    }
    const average = b.fresh(`${name}.average`)
    parameters.set(name, average)
    return [own, ...kept, { name: average, next: mixed(b, average, next, keep), initial }]
  })
  const statistics = [...running].map(([name, next]) => ({ name, next, initial: model.graph.constants.get(name)! }))
  const all = [...states, ...statistics]
  const whole = joined(open, b.graph())
  const still = options.trainable.filter((name) => !found.has(name))
  return {
    graph: {
      ...whole,
      values: new Map([...whole.values, ...all.map(({ name, initial }) => [name, typeOf(initial)] as const)]),
      inputs: [...model.graph.inputs, ...fed.map(([name]) => name), ...all.map((s) => s.name)],
      outputs: [loss, ...all.map((s) => s.next)],
      constants: new Map([
        ...whole.constants,
        ...still.map((name) => [name, model.graph.constants.get(name)!] as const),
      ]),
    },
    opsets: model.opsets,
    float,
    inputs: model.graph.inputs,
    targets: new Map(aims.flatMap(({ output, target }) => (target === '' ? [] : [[output, target] as const]))),
    ...scalars,
    loss,
    states: all,
    parameters,
  }
}

export const typeOf = ({ dtype, shape }: Tensor): Value => ({ kind: 'tensor', dtype, shape })

/** The float type that a model's weights share. Throws `TRAIN_DTYPE` for others than float32 and float64, or a mixture. */
export function floatOf({ graph }: Model, weights: readonly string[]): FloatType {
  const dtypes = new Map(weights.map((name) => [graph.constants.get(name)!.dtype, name]))
  const [only] = dtypes.keys()
  if (dtypes.size === 1 && (only === 'float32' || only === 'float64')) return only
  throw new PareError('TRAIN_DTYPE', 'weights are trained in float32 or all in float64', {
    where: [...dtypes.values()].join(', '),
    value: [...dtypes.keys()],
    remedy: 'Give the float32 model, or freeze the weights of other types.',
  })
}

/** The loss and the penalties that are a part of it. */
function withCosts(b: Builder, model: Model, loss: string, penalties: readonly Penalized[]): string {
  const costs = penalties.flatMap(({ penalty, weights, proximal }) =>
    proximal ? [] : weights.map((name) => penalty.emit(b, weightOf(model, name))),
  )
  return costs.length === 0 ? loss : b.op('Sum', [loss, ...costs])
}

/** A weight of the model as penalties see it, under its own name or as another value. */
function weightOf({ graph }: Model, name: string, value = name): GraphWeight {
  const { shape } = graph.constants.get(name)!
  for (const node of consumers(graph).get(name) ?? []) {
    const quant = findOp(node.domain, node.op)?.quant
    const input = node.inputs.indexOf(name)
    if (quant === undefined || quant === 'none' || quant.kind !== 'weighted' || !quant.weights.includes(input)) continue
    const inputs = node.inputs.map(() => null)
    const axis = quant.channelAxis({ node, inputs }, input)
    if (axis !== null) return { name: value, shape, channelAxis: (axis + shape.length) % shape.length }
  }
  return { name: value, shape, channelAxis: 0 }
}

/** g · c / max(‖g‖, c), with one norm for all. */
function clipped(b: Builder, gradients: ReadonlyMap<string, string>, norm: number): ReadonlyMap<string, string> {
  const squares = [...gradients.values()].map((g) => b.op('ReduceSumSquare', [g], { attrs: { keepdims: int(0) } }))
  const limit = b.number(norm, 'clip')
  const size = b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)])
  const factor = b.op('Div', [limit, b.op('Max', [size, limit])])
  return new Map([...gradients].map(([name, g]) => [name, b.op('Mul', [g, factor])]))
}

/** min(share, (1 + t)/(10 + t)), so that a mean does not hang on to where it began. */
const averagingShare = (b: Builder, share: number, step: string): string =>
  b.op('Min', [
    b.number(share, 'averaging'),
    b.op('Div', [b.op('Add', [step, b.number(1)]), b.op('Add', [step, b.number(10)])]),
  ])

/** The running mean and variance of normalizations in training, with the outputs that hold their next values. */
function runningStatistics(graph: Graph): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const node of graph.nodes) {
    if (node.op !== 'BatchNormalization' || intAttr(node, 'training_mode', 0) !== 1) continue
    for (const k of [1, 2]) {
      const name = node.inputs[k + 2]!
      if (graph.constants.has(name) && node.outputs[k]) found.set(name, node.outputs[k])
    }
  }
  return found
}

const scalarInputs = (names: readonly string[], float: FloatType): readonly (readonly [string, Value])[] =>
  names.map((name) => [name, { kind: 'tensor', dtype: float, shape: [] }])

/** The model's graph with parameters, targets and scalars as inputs. */
function withInputs(
  { graph }: Model,
  parameters: readonly string[],
  fed: readonly (readonly [string, Value])[],
): Graph {
  const own = new Set(parameters)
  return {
    ...graph,
    values: new Map<string, Value>([
      ...graph.values,
      ...parameters.map((name) => [name, typeOf(graph.constants.get(name)!)] as const),
      ...fed,
    ]),
    inputs: [...graph.inputs, ...fed.map(([name]) => name), ...parameters],
    constants: new Map([...graph.constants].filter(([name]) => !own.has(name))),
  }
}
