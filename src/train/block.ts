/**
 * Many training steps as one run of the engine: a Loop whose state is what a step carries on. The state stays in the
 * engine from step to step, where single runs would copy it out and in again.
 */

import { graphAttr, int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { tensor } from '../ir/tensor.js'
import type { Graph, Model, Value } from '../ir/types.js'
import type { TrainingStep } from './step.js'

export interface Block {
  readonly model: Model
  /** How many steps to make: a scalar int64. */
  readonly steps: string
  /** By name in the step: the input that holds its values for all steps, stacked along a new first axis. */
  readonly stacked: ReadonlyMap<string, string>
  /** Inputs that hold the states before the first step, in the order of the step's states. */
  readonly initials: readonly string[]
  /** Outputs: the loss of each step, and the states after the last one (in the order of the step's states). */
  readonly losses: string
  readonly finals: readonly string[]
}

export function trainingBlock(step: TrainingStep): Block {
  const fed = [...step.inputs, ...step.targets.values(), step.learningRate, step.step]
  const b = builder(allNames(step.graph))
  const i = b.fresh('i')
  const go = b.fresh('go')
  const stacked = new Map(fed.map((name) => [name, b.fresh(`${name}_all`)]))
  // One step's part of what is stacked; names of the step stay as they are.
  for (const [name, all] of stacked) b.ops('Gather', [all, i], { outputs: [name], attrs: { axis: int(0) } })
  const goOn = b.op('Identity', [go])
  const parts = b.graph()
  const carried = step.states.map((s) => s.name)
  const body: Graph = {
    ...step.graph,
    name: 'step',
    inputs: [i, go, ...carried],
    outputs: [goOn, ...step.states.map((s) => s.next), step.loss],
    nodes: [...parts.nodes, ...step.graph.nodes],
    values: new Map([
      ...step.graph.values,
      [i, { kind: 'tensor', dtype: 'int64', shape: [] }],
      [go, { kind: 'tensor', dtype: 'bool', shape: [] }],
    ]),
  }
  const outer = builder(allNames(body))
  const steps = outer.input(outer.fresh('steps'), { kind: 'tensor', dtype: 'int64', shape: [] })
  for (const [name, all] of stacked) outer.input(all, stackedValue(step.graph.values.get(name)!))
  const initials = step.states.map(({ name, initial: { dtype, shape } }) =>
    outer.input(outer.fresh(`${name}_initial`), { kind: 'tensor', dtype, shape }),
  )
  const finals = step.states.map(({ name }) => outer.fresh(`${name}_final`))
  const losses = outer.fresh('losses')
  const always = outer.constant(tensor('bool', [], Uint8Array.of(1)), 'always')
  outer.ops('Loop', [steps, always, ...initials], { outputs: [...finals, losses], attrs: { body: graphAttr(body) } })
  for (const [k, name] of finals.entries()) {
    const { dtype, shape } = step.states[k]!.initial
    outer.output(name, { kind: 'tensor', dtype, shape })
  }
  outer.output(losses, { kind: 'tensor', dtype: step.float, shape: ['steps'] })
  return {
    model: modelOf(outer.graph('training'), Object.fromEntries(step.opsets)),
    steps,
    stacked,
    initials,
    losses,
    finals,
  }
}

const stackedValue = (value: Value): Value =>
  value.kind === 'tensor' ? { ...value, shape: ['steps', ...(value.shape ?? [])] } : value
