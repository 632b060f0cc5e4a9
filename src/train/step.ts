/**
 * A training step as one graph: forward, loss, backward and update. Parameters and what the optimizer keeps of them are
 * inputs, and their next values are outputs, so that the engine alone does the whole step.
 */

import { backward } from '../autodiff/backward.js'
import { joined } from '../autodiff/gradient.js'
import { int, intAttr } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elementCount, f32, scalar } from '../ir/tensor.js'
import type { Graph, Model, Tensor, Value } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import { factFinder } from '../passes/facts.js'
import type { Penalty } from '../penalties/penalty.js'
import { PareError } from '../util/errors.js'
import { type Loss, targetType } from './losses/loss.js'
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
  /** Inputs: those of the model, the target, `learningRate` and `step` (scalars), and the states. */
  readonly graph: Graph
  readonly opsets: Model['opsets']
  readonly inputs: readonly string[]
  readonly target: string
  readonly learningRate: string
  readonly step: string
  readonly loss: string
  /** Parameters under their names in the model, running statistics too, then the optimizer's own. */
  readonly states: readonly State[]
  /** The states that are constants of the model. */
  readonly parameters: readonly string[]
}

export interface StepOptions {
  readonly loss: Loss
  /** The output that the loss is of. */
  readonly output: string
  /** Constants to train. */
  readonly trainable: readonly string[]
  readonly optimizer: Optimizer
  readonly penalties?: readonly Penalized[]
  /** Gradients whose norm, over all of them together, is larger are scaled down to it (Pascanu et al. 2013). */
  readonly clipNorm?: number
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
 * `GRADIENT_…` (see `backward`), and `TRAIN_SHAPE` where the output's shape does not follow from the inputs'.
 */
export function trainingStep(model: Model, options: StepOptions): TrainingStep {
  const { loss, output, trainable, optimizer, penalties = [], clipNorm } = options
  const running = runningStatistics(model.graph)
  const parameters = [...trainable, ...running.keys()]
  const b = builder(allNames(model.graph))
  const target = b.fresh('target')
  const scalars = { learningRate: b.fresh('learning_rate'), step: b.fresh('step') }
  const shape = outputShape(model, output)
  const value = loss.emit(b, { output, target, shape })
  const open = withInputs(model, parameters, { target, loss, shape, scalars: Object.values(scalars) })

  const rankOf = (name: string): number => model.graph.constants.get(name)!.shape.length
  const costs = penalties.flatMap(({ penalty, weights, proximal }) =>
    proximal ? [] : weights.map((name) => penalty.emit(b, name, rankOf(name))),
  )
  const total = costs.length === 0 ? value : b.op('Sum', [value, ...costs])
  const facts = factFinder({ ...model, graph: joined(open, b.graph()) })
  const raw = backward(b, { graph: joined(open, b.graph()), facts, of: total, wrt: trainable })
  const gradients = clipNorm === undefined ? raw : clipped(b, raw, clipNorm)
  const proximal = (name: string, updated: string): string =>
    penalties
      .filter((p) => p.proximal && p.weights.includes(name))
      .reduce((w, { penalty }) => penalty.emitProx(b, w, scalars.learningRate, rankOf(name)), updated)
  const shared = optimizer.shared?.(b, scalars) ?? []
  const states = trainable.flatMap((name) => {
    const initial = model.graph.constants.get(name)!
    const slots = optimizer.slots.map((slot) => b.fresh(`${name}.${slot}`))
    const next = optimizer.update(b, { parameter: name, gradient: gradients.get(name)!, slots }, scalars, shared)
    const zeros = f32(initial.shape, new Float32Array(elementCount(initial.shape)))
    return [
      { name, next: proximal(name, next.parameter), initial },
      ...slots.map((slot, i) => ({ name: slot, next: next.slots[i]!, initial: zeros })),
    ]
  })
  const statistics = [...running].map(([name, next]) => ({ name, next, initial: model.graph.constants.get(name)! }))
  const all = [...states, ...statistics]
  const whole = joined(open, b.graph())
  const values = new Map([...whole.values, ...all.map(({ name, initial }) => [name, typeOf(initial)] as const)])
  const own = new Set(parameters)
  return {
    graph: {
      ...whole,
      values,
      inputs: [...new Set([...open.inputs, ...all.map((s) => s.name)])],
      outputs: [value, ...all.map((s) => s.next)],
      constants: new Map([...whole.constants].filter(([name]) => !own.has(name))),
    },
    opsets: model.opsets,
    inputs: model.graph.inputs,
    target,
    ...scalars,
    loss: value,
    states: all,
    parameters,
  }
}

export const typeOf = ({ dtype, shape }: Tensor): Value => ({ kind: 'tensor', dtype, shape })

/** g · c / max(‖g‖, c), with one norm for all. */
function clipped(b: Builder, gradients: ReadonlyMap<string, string>, norm: number): ReadonlyMap<string, string> {
  const squares = [...gradients.values()].map((g) => b.op('ReduceSumSquare', [g], { attrs: { keepdims: int(0) } }))
  const limit = b.constant(scalar(norm), 'clip')
  const size = b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)])
  const factor = b.op('Div', [limit, b.op('Max', [size, limit])])
  return new Map([...gradients].map(([name, g]) => [name, b.op('Mul', [g, factor])]))
}

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

interface Added {
  readonly target: string
  readonly loss: Loss
  readonly shape: readonly number[]
  readonly scalars: readonly string[]
}

/** The model's graph with parameters, target and scalars as inputs. */
function withInputs(model: Model, parameters: readonly string[], { target, loss, shape, scalars }: Added): Graph {
  const { graph } = model
  const targetShape = loss.target === 'class' ? shape.slice(0, -1) : shape
  const values = new Map<string, Value>([
    ...graph.values,
    ...parameters.map((name) => [name, typeOf(graph.constants.get(name)!)] as const),
    [target, { kind: 'tensor', dtype: targetType(loss), shape: targetShape }],
    ...scalars.map((name) => [name, { kind: 'tensor', dtype: 'float32', shape: [] }] as const),
  ])
  const own = new Set(parameters)
  return {
    ...graph,
    values,
    inputs: [...graph.inputs, target, ...scalars, ...parameters],
    constants: new Map([...graph.constants].filter(([name]) => !own.has(name))),
  }
}

function outputShape(model: Model, output: string): readonly number[] {
  const shape = shapeOf(factFinder(model)(output))
  if (isStatic(shape)) return shape
  throw new PareError('TRAIN_SHAPE', 'the shape of the output does not follow from those of the inputs', {
    where: `output ${output}`,
    value: shape === null ? 'unknown' : shape.map((d) => d ?? '?'),
    remedy: 'Fix the shapes of the inputs, the batch size among them.',
  })
}
