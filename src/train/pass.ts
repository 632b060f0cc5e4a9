/** The forward and the backward pass: a model with its loss and penalties, and the gradients of what is trained. */

import { backward } from '../autodiff/backward.js'
import { joined } from '../autodiff/gradient.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { allNames, consumers } from '../ir/graphs.js'
import type { Graph, Model, Tensor, Value } from '../ir/types.js'
import { factFinder } from '../passes/facts.js'
import type { GraphWeight, Penalty } from '../penalties/penalty.js'
import { PareError } from '../util/errors.js'
import { weightedBy } from './grids/weighted.js'
import { aimsOf, emitObjectives, type Objective, targetInputs } from './objective.js'

/** A penalty on some of the trained weights. */
export interface Penalized {
  readonly penalty: Penalty
  readonly weights: readonly string[]
  /** As a proximal step after each update, which makes exact zeros, in place of a part of the loss. */
  readonly proximal: boolean
}

export interface PassOptions {
  readonly objectives: readonly Required<Objective>[]
  /** Constants to train; those that no loss depends on stay as they are. */
  readonly trainable: readonly string[]
  readonly penalties?: readonly Penalized[]
  /** Other constants that change: inputs of the pass as well. */
  readonly changing?: readonly string[]
  /** Names of scalar inputs. */
  readonly scalars?: readonly string[]
  /** The input of the model that says in which share samples are mixed (see `withMixup`). */
  readonly mix?: string | null
  /** Values of the model that no gradient goes back through. */
  readonly detached?: ReadonlySet<string>
  /** The graph in which layers read their weights directly, where those of the model round them first. */
  readonly before?: Graph
}

export interface Pass {
  /** The model's graph; what is trained or changes, targets and scalars are inputs. */
  readonly open: Graph
  readonly float: FloatType
  /** By output: the input that holds its targets. */
  readonly targets: ReadonlyMap<string, string>
  /** Inputs beside those of the model and what is trained. */
  readonly fed: readonly string[]
  readonly loss: string
  /** The loss and those penalties that are a part of it. */
  readonly total: string
  /** By name of what is trained; without those that the loss does not depend on. */
  readonly gradients: ReadonlyMap<string, string>
  /** A weight of the model as penalties see it, under its own name or as another value. */
  readonly weight: (name: string, value?: string) => GraphWeight
}

/** Names of a model and the float type of what is trained, for the nodes that training adds. */
export const trainingBuilder = (model: Model, trainable: readonly string[]): Builder =>
  builder(allNames(model.graph), floatOf(model, trainable))

/**
 * Adds loss and gradients to `b` for a model at opset 21 whose input shapes are fixed, the batch size among them.
 * Throws `GRADIENT_…` (see `backward`), and `TRAIN_SHAPE` where an output's shape does not follow from the inputs'.
 */
export function trainingPass(b: Builder, model: Model, options: PassOptions): Pass {
  const { trainable, penalties = [], changing = [], scalars = [], mix = null, detached } = options
  const float = floatOf(model, trainable)
  const aims = aimsOf(b, model, options.objectives)
  const fed = [
    ...targetInputs(aims, float),
    ...scalars.map((name): [string, Value] => [name, { kind: 'tensor', dtype: float, shape: [] }]),
  ]
  const all = withConstantsAsInputs(model.graph, [...trainable, ...changing], fed)
  const weight = weightFinder(model, options.before ?? model.graph)
  const loss = emitObjectives(b, aims, mix)
  const costs = penalties.flatMap(({ penalty, weights, proximal }) =>
    proximal ? [] : weights.map((name) => penalty.emit(b, weight(name))),
  )
  const total = costs.length === 0 ? loss : b.op('Sum', [loss, ...costs])
  const graph = joined(all, b.graph())
  const facts = factFinder({ ...model, graph })
  const gradients = backward(b, {
    graph,
    facts,
    of: total,
    wrt: trainable,
    allowMissing: true,
    ...(detached && { detached }),
  })
  const changed = [...trainable.filter((name) => gradients.has(name)), ...changing]
  return {
    open: withConstantsAsInputs(model.graph, changed, fed),
    float,
    targets: new Map(aims.flatMap(({ output, target }) => (target === '' ? [] : [[output, target] as const]))),
    fed: fed.map(([name]) => name),
    loss,
    total,
    gradients,
    weight,
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

function weightFinder({ graph }: Model, before: Graph): Pass['weight'] {
  const readers = consumers(before)
  return (name, value = name) => {
    const { shape } = graph.constants.get(name)!
    for (const node of readers.get(name) ?? []) {
      const axis = weightedBy(node, before, new Set([name]))?.axis ?? null
      if (axis !== null) return { name: value, shape, channelAxis: axis }
    }
    return { name: value, shape, channelAxis: 0 }
  }
}

/** A graph with some of its constants, and other values, as further inputs. */
export function withConstantsAsInputs(
  graph: Graph,
  names: readonly string[],
  others: readonly (readonly [string, Value])[] = [],
): Graph {
  const own = new Set(names)
  return {
    ...graph,
    values: new Map<string, Value>([
      ...graph.values,
      ...names.map((name) => [name, typeOf(graph.constants.get(name)!)] as const),
      ...others,
    ]),
    inputs: [...graph.inputs, ...others.map(([name]) => name), ...names],
    constants: new Map([...graph.constants].filter(([name]) => !own.has(name))),
  }
}
