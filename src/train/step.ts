/**
 * A training step as one graph: forward, loss, backward and update. Parameters and what the optimizer keeps of them are
 * inputs, and their next values are outputs, so that the engine alone does the whole step.
 */

import { joined } from '../autodiff/gradient.js'
import { int, intAttr } from '../ir/attrs.js'
import type { Builder, FloatType } from '../ir/builder.js'
import { elementCount } from '../ir/tensor.js'
import type { Graph, Model, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { accumulated } from './accumulate.js'
import { mixed } from './objective.js'
import type { Optimizer, StepScalars } from './optimizers/optimizer.js'
import { type Pass, type PassOptions, trainingBuilder, trainingPass, typeOf } from './pass.js'

/** What a step carries on to the next one. */
export interface State {
  /** The input that holds it. */
  readonly name: string
  /** The output that holds its next value. */
  readonly next: string
  readonly initial: Tensor
}

export interface TrainingStep {
  /** Inputs: those of the model, the targets, the scalars, and the states; the first two with an axis of `parts`, if any. */
  readonly graph: Graph
  readonly opsets: Model['opsets']
  readonly float: FloatType
  /** Batches that make one step; 1 where inputs and targets have no axis for them. */
  readonly parts: number
  readonly inputs: readonly string[]
  /** By output: the input that holds its targets. */
  readonly targets: ReadonlyMap<string, string>
  /** Scalar inputs: the learning rate, and the number of the step as a float from 1. */
  readonly learningRate: string
  readonly step: string
  readonly loss: string
  /** Parameters under their names in the model, running statistics and ranges too, then what is kept of them. */
  readonly states: readonly State[]
  /** By constant of the model that changes: the state that holds its value, or the mean of its last values. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface StepOptions extends Omit<PassOptions, 'changing' | 'scalars'> {
  readonly optimizer: Optimizer
  /** Gradients whose norm, over all of them together, is larger are scaled down to it (Pascanu et al. 2013). */
  readonly clipNorm?: number
  /** Keeps a moving mean of every parameter, of which so much stays at each step. */
  readonly averaging?: number
  /** Weights whose zeros stay zeros. */
  readonly keepZeros?: readonly string[]
  /** Batches that make one step: their gradients are averaged. Default 1. */
  readonly parts?: number
  /** Constants that change beside running statistics, each with the value that holds its next state. */
  readonly running?: ReadonlyMap<string, string>
}

/** The training step of a model as `trainingPass` takes it. Throws what that throws. */
export function trainingStep(model: Model, options: StepOptions): TrainingStep {
  const running = new Map([...runningStatistics(model.graph), ...(options.running ?? [])])
  const b = trainingBuilder(model, options.trainable)
  const scalars = { learningRate: b.fresh('learning_rate'), step: b.fresh('step') }
  const changing = [...running.keys()]
  const pass = trainingPass(b, model, { ...options, changing, scalars: Object.values(scalars) })
  const { parts = 1 } = options
  const { float, loss, gradients } = pass
  const fed = [...model.graph.inputs, ...pass.targets.values()]
  const mean =
    parts === 1
      ? { b, graph: pass.open, loss, gradients, carried: running }
      : accumulated({ count: parts, float, pass: joined(pass.open, b.graph()), loss, gradients, fed, carried: running })
  const updates = updatesOf(mean.b, model, { ...pass, gradients: mean.gradients }, options, scalars)
  const moving = [...mean.carried].map(([name, next]) => ({
    name,
    next,
    initial: model.graph.constants.get(name)!,
  }))
  const states = [...updates.flatMap((u) => u.states), ...moving]
  const whole = joined(mean.graph, mean.b.graph())
  return {
    graph: {
      ...whole,
      values: new Map([...whole.values, ...states.map(({ name, initial }) => [name, typeOf(initial)] as const)]),
      inputs: [...model.graph.inputs, ...pass.fed, ...states.map((s) => s.name)],
      outputs: [mean.loss, ...states.map((s) => s.next)],
    },
    opsets: model.opsets,
    float,
    parts,
    inputs: model.graph.inputs,
    targets: pass.targets,
    ...scalars,
    loss: mean.loss,
    states,
    parameters: new Map([
      ...updates.map(({ name, value }) => [name, value] as const),
      ...changing.map((name) => [name, name] as const),
    ]),
  }
}

interface Updated {
  readonly name: string
  /** The state that holds what is judged and handed back. */
  readonly value: string
  readonly states: readonly State[]
}

/** What the optimizer, the penalties and the averaging make of each trained weight. */
function updatesOf(
  b: Builder,
  model: Model,
  pass: Pass,
  options: StepOptions,
  scalars: StepScalars,
): readonly Updated[] {
  const { optimizer, penalties = [], clipNorm, averaging, keepZeros = [] } = options
  const keeps = new Set(keepZeros)
  // Gradients too, whose norm counts; and weights, as what became zero on the way has momentum left.
  const masked = (name: string, x: string): string => (keeps.has(name) ? whereNotZero(b, name, x) : x)
  const open = new Map([...pass.gradients].map(([name, g]) => [name, masked(name, g)]))
  const gradients = clipNorm === undefined ? open : clipped(b, open, clipNorm)
  const shared = optimizer.shared?.(b, scalars) ?? []
  const keep = averaging === undefined ? null : averagingShare(b, averaging, scalars.step)
  return [...gradients].map(([name, gradient]) => {
    const initial = model.graph.constants.get(name)!
    const slots = optimizer.slots.map((slot) => b.fresh(`${name}.${slot}`))
    const updated = optimizer.update(b, { parameter: name, gradient, slots }, scalars, shared)
    const zeros = b.tensor(initial.shape, new Float64Array(elementCount(initial.shape)))
    const next = penalties
      .filter((p) => p.proximal && p.weights.includes(name))
      .reduce(
        (w, { penalty }) => penalty.emitProx(b, pass.weight(name, w), scalars.learningRate),
        masked(name, updated.parameter),
      )
    const own = [
      { name, next, initial },
      ...slots.map((slot, i) => ({ name: slot, next: updated.slots[i]!, initial: zeros })),
    ]
    if (keep === null) return { name, value: name, states: own }
    const average = b.fresh(`${name}.average`)
    return { name, value: average, states: [...own, { name: average, next: mixed(b, average, next, keep), initial }] }
  })
}

/** x · [w ≠ 0] */
const whereNotZero = (b: Builder, w: string, x: string): string =>
  b.op('Where', [b.op('Equal', [w, b.number(0)]), b.number(0), x])

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
      if (!graph.constants.has(name) || !node.outputs[k]) continue
      if (found.has(name)) throw sharedStatistics(node.name, name)
      found.set(name, node.outputs[k])
    }
  }
  return found
}

const sharedStatistics = (where: string, name: string): PareError =>
  new PareError('TRAIN_STATISTICS', 'two normalizations share their running statistics', {
    where,
    value: name,
    remedy: 'Leave them as they are: set isTraining to false, or freeze their scales and biases.',
  })
