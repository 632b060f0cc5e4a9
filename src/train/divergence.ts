/** Where a loss that is no finite number came from: a weight, or the first node that put one out. */

import type { Engine, Session } from '../engine/engine.js'
import { countNonFinite } from '../engine/finite.js'
import { describeNode } from '../ir/attrs.js'
import { isFloat } from '../ir/dtypes.js'
import type { Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { dtypeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import { PareError } from '../util/errors.js'
import { blockFeeds, elementOf, type FeedPlan, type States, statesAfter } from './feeds.js'
import { withConstantsAsInputs } from './pass.js'

interface Failure {
  readonly loss: number
  /** From 1. */
  readonly step: number
  readonly rate: number
  /** Before the block in which it happened, or after the last one. */
  readonly states: States
}

/** The step within the block that was fed. */
interface Within {
  readonly stacked: ReadonlyMap<string, Tensor>
  readonly index: number
}

type Around = FeedPlan & { readonly engine: Engine; readonly session: Session }

/** The error `TRAIN_DIVERGED`, which names the step and where it began. */
export async function diverged(run: Around, failure: Failure, within?: Within): Promise<PareError> {
  const { loss, step, rate } = failure
  const where = await origin(run, failure, within)
  return new PareError('TRAIN_DIVERGED', `the loss is no finite number any more, at step ${step}`, {
    ...(where !== null && { where }),
    value: loss,
    remedy: `Lower the learning rate (it was ${rate.toPrecision(3)}), clip the gradients, or look for extreme values in the data.`,
  })
}

async function origin(run: Around, { states: start }: Failure, within?: Within): Promise<string | null> {
  const states = within
    ? statesAfter(run, await run.session.run(blockFeeds(run, within.stacked, start, within.index)))
    : start
  const weight = run.step.states.find(({ name }) => !areFinite(states.get(name)!))
  if (weight)
    return run.step.parameters.has(weight.name) ? `weight ${weight.name}` : `what the optimizer keeps, ${weight.name}`
  return within ? firstNode(run, states, within) : null
}

/** Runs the forward pass of the step with every float value put out. */
async function firstNode(
  { engine, form, step }: Around,
  states: States,
  { stacked, index }: Within,
): Promise<string | null> {
  const { model } = form
  const facts = factFinder(model)
  const open = [...step.parameters.keys()].filter((name) => states.has(name))
  const fed = (t: Tensor, part: number): Tensor =>
    step.parts === 1 ? elementOf(t, index) : elementOf(elementOf(t, index), part)
  const watched = model.graph.nodes.flatMap((node) =>
    node.outputs.filter((name) => name !== '' && isFloat(dtypeOf(facts(name)))).map((name) => ({ node, name })),
  )
  const session = await engine.load(
    encodeModel({
      ...model,
      graph: {
        ...withConstantsAsInputs(model.graph, open),
        outputs: watched.map(({ name }) => name),
      },
    }).bytes,
  )
  try {
    for (let part = 0; part < step.parts; part++) {
      const results = await session.run({
        ...Object.fromEntries(model.graph.inputs.map((name) => [name, fed(stacked.get(name)!, part)])),
        ...Object.fromEntries(open.map((name) => [name, states.get(name)!])),
      })
      const first = watched.find(({ name }) => !areFinite(results[name]!))
      if (first) return describeNode(first.node)
    }
    return null
  } finally {
    await session.close()
  }
}

export const areFinite = (t: Tensor): boolean => countNonFinite(t) === 0
