/** What training makes small: losses of a model's outputs, weighted and added. */

import { intAttr } from '../ir/attrs.js'
import type { Builder, FloatType } from '../ir/builder.js'
import { i64 } from '../ir/tensor.js'
import type { Graph, Model, Value } from '../ir/types.js'
import { shapeOf } from '../ops/def.js'
import { isStatic } from '../ops/shapes.js'
import { type FactOf, factFinder } from '../passes/facts.js'
import { PareError } from '../util/errors.js'
import { type Loss, targetShape, targetType } from './losses/loss.js'

export interface Objective {
  readonly output: string
  readonly loss: Loss
  /** Default 1. */
  readonly weight?: number
}

/** One objective in a graph. */
export interface Aim extends Required<Objective> {
  /** Of the output. */
  readonly shape: readonly number[]
  /** The input that holds its targets; empty where the loss takes none. */
  readonly target: string
}

/**
 * The objectives with their weights; each may be of an output or of a value between, such as the scores before a
 * Softmax. Throws `TRAIN_OUTPUT` where a loss is for one output and the model has several, or no value of that name.
 */
export function objectivesOf({ graph }: Model, loss: Loss | readonly Objective[]): readonly Required<Objective>[] {
  if ('emit' in loss) {
    if (graph.outputs.length === 1) return [{ output: graph.outputs[0]!, loss, weight: 1 }]
    throw new PareError('TRAIN_OUTPUT', 'the model has several outputs, and the loss is of one', {
      value: graph.outputs,
      remedy: 'Give a list of objectives, each with its output.',
    })
  }
  const made = new Set(graph.nodes.flatMap((node) => node.outputs))
  const wrong = loss.find(({ output }) => !graph.outputs.includes(output) && !made.has(output))
  const twice = loss.find(({ output }, i) => loss.findIndex((o) => o.output === output) < i)
  if (twice !== undefined) {
    throw new PareError('TRAIN_OUTPUT', 'an output has two losses', {
      value: twice.output,
      remedy: 'Give each output one loss.',
    })
  }
  if (loss.length > 0 && wrong === undefined)
    return loss.map((o) => ({ weight: 1, ...o, output: beforeDropout(graph, o.output) }))
  throw new PareError('TRAIN_OUTPUT', wrong ? 'the model has no such output' : 'there is no objective', {
    value: wrong?.output ?? 'an empty list',
    remedy: `Name one of: ${graph.outputs.join(', ')}.`,
  })
}

/**
 * Objectives in a graph whose input shapes are fixed, with fresh names for their targets. Throws `TRAIN_SHAPE` where an
 * output's shape does not follow.
 */
export function aimsOf(b: Builder, model: Model, objectives: readonly Required<Objective>[]): readonly Aim[] {
  const facts = factFinder(model)
  return objectives.map((objective) => {
    const { output, loss } = objective
    return {
      ...objective,
      shape: staticShapeOf(facts, output),
      target: loss.target === 'none' ? '' : b.fresh('target'),
    }
  })
}

/** The shape of an output in a graph whose input shapes are fixed. Throws `TRAIN_SHAPE` where it does not follow. */
export function staticShapeOf(facts: FactOf, output: string): readonly number[] {
  const shape = shapeOf(facts(output))
  if (isStatic(shape)) return shape
  throw new PareError('TRAIN_SHAPE', 'the shape of the output does not follow from those of the inputs', {
    where: `output ${output}`,
    value: shape === null ? 'unknown' : shape.map((d) => d ?? '?'),
    remedy: 'Fix the shapes of the inputs, the batch size among them, with `shapes`.',
  })
}

/** The loss of an output; one that takes classes is of the scores before a Softmax. */
export const objectiveFor = (model: Model, output: string, loss: Loss): Objective => ({
  output: loss.target === 'class' ? scoresOf(model, output) : output,
  loss,
})

/** What a Dropout drops from, where its output is no output of the model: in the end that value is gone. */
function beforeDropout(graph: Graph, name: string): string {
  const maker = graph.outputs.includes(name) ? undefined : graph.nodes.find((n) => n.outputs[0] === name)
  return maker?.op === 'Dropout' && maker.domain === '' ? beforeDropout(graph, maker.inputs[0]!) : name
}

/** The value that holds class scores where an output is a Softmax along the last axis of them; else the output. */
export function scoresOf(model: Model, output: string): string {
  const { graph } = model
  const node = graph.nodes.find((n) => n.outputs.includes(output))
  const rank = node && shapeOf(factFinder(model)(output))?.length
  const axis = node && intAttr(node, 'axis', -1)
  const isLast = axis === -1 || (rank !== undefined && axis === rank - 1)
  return node?.op === 'Softmax' && node.domain === '' && isLast ? node.inputs[0]! : output
}

/** Inputs of a graph for the targets. `open`: sizes are left to the feeds. */
export const targetInputs = (
  aims: readonly Aim[],
  float: FloatType,
  open = false,
): readonly (readonly [string, Value])[] =>
  aims
    .filter((aim) => aim.target !== '')
    .map(({ target, loss, shape }) => {
      const own = targetShape(loss, shape)
      return [target, { kind: 'tensor', dtype: targetType(loss, float), shape: open ? own.map(() => null) : own }]
    })

/**
 * The sum of all losses, a scalar. With `mix`, a scalar λ, targets are mixed as the inputs are: λ loss(t) + (1 − λ)
 * loss(t of the partner in the batch) (Zhang et al. 2018, mixup, section 2).
 */
export function emitObjectives(b: Builder, aims: readonly Aim[], mix: string | null = null): string {
  const parts = aims.map(({ output, loss, shape, target, weight }) => {
    const of = (t: string): string => loss.emit(b, { output, target: t, shape })
    const value = mix === null || target === '' ? of(target) : mixed(b, of(target), of(reversed(b, target)), mix)
    return weight === 1 ? value : b.op('Mul', [value, b.number(weight, 'weight')])
  })
  return parts.length === 1 ? parts[0]! : b.op('Sum', parts)
}

/** λ x + (1 − λ) y as y + λ (x − y). */
export const mixed = (b: Builder, x: string, y: string, mix: string): string =>
  b.op('Add', [y, b.op('Mul', [mix, b.op('Sub', [x, y])])])

/** The batch from its last sample to its first. */
export function reversed(b: Builder, x: string): string {
  const one = (value: number, hint: string): string => b.constant(i64([1], [value]), hint)
  return b.op('Slice', [x, one(-1, 'start'), one(-(2 ** 31), 'end'), one(0, 'axis'), one(-1, 'step')])
}
