/** How good a model is on a data set while it is trained: its graph with the weights as inputs, loaded once. */

import { joined } from '../autodiff/gradient.js'
import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Graph, Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { dtypeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { checkDataset } from './check-dataset.js'
import { type Dataset, gather } from './dataset.js'
import { withoutDropout } from './dropout.js'
import type { Loss } from './losses/loss.js'
import { type Aim, aimsOf, emitObjectives, type Objective, objectivesOf, targetInputs } from './objective.js'
import { withConstantsAsInputs } from './pass.js'
import { prepared } from './prepare.js'
import { batchOf, batchSymbol, withBatchSize } from './training-form.js'

export interface Score {
  /** Mean loss, without penalties. */
  readonly loss: number
  /** Share of right answers, where the targets of an output are classes. */
  readonly accuracy?: number
}

export interface ScoreOptions extends Pick<RunOptions, 'signal'> {
  readonly engine: Engine
  readonly data: Dataset
  readonly loss: Loss | readonly Objective[]
  readonly shapes?: InputShapes
  /** Samples a run, where the model leaves that open. Default 64. */
  readonly batchSize?: number
}

/** How good a model is on a data set. Throws what `train` throws of data that does not fit. */
export async function scoreOf(model: Model, options: ScoreOptions): Promise<Score> {
  const { engine, data, loss, shapes, batchSize = 64, signal } = options
  const plain = withoutDropout(await prepared(model))
  const objectives = objectivesOf(plain, loss)
  const isBatchOpen = batchSymbol(plain.graph) !== null
  const fixed = withBatchSize(plain, batchSize, shapes)
  const b = builder(allNames(fixed.graph))
  const size = isBatchOpen ? batchSize : batchOf(fixed)
  const aims = aimsOf(b, fixed, objectives)
  const facts = factFinder(fixed)
  const float = aims.some((aim) => dtypeOf(facts(aim.output)) === 'float64') ? 'float64' : 'float32'
  const least = isBatchOpen ? 1 : size
  checkDataset(data, { model: fixed, inputs: plain.graph.inputs, objectives, float, least, what: 'data' })
  const evaluator = await openEvaluator(plain, { engine, float, aims, parameters: [], batchSize: size, isBatchOpen })
  try {
    return await evaluator.score(new Map(), data, signal)
  } finally {
    await evaluator.close()
  }
}

export interface Evaluator {
  score(parameters: ReadonlyMap<string, Tensor>, data: Dataset, signal?: AbortSignal): Promise<Score>
  close(): Promise<void>
}

export interface EvaluatorOptions {
  readonly engine: Engine
  readonly float: FloatType
  readonly aims: readonly Aim[]
  readonly parameters: readonly string[]
  readonly batchSize: number
  /** Whether the last batch may be smaller. */
  readonly isBatchOpen: boolean
}

export async function openEvaluator(model: Model, o: EvaluatorOptions): Promise<Evaluator> {
  const scoring = scoringGraph(model, o)
  const session = await o.engine.load(encodeModel({ ...model, graph: scoring.graph }).bytes)
  return {
    score: (parameters, data, signal) => scoreOn(session, { ...o, ...scoring }, parameters, data, signal),
    close: () => session.close(),
  }
}

interface Scoring {
  readonly graph: Graph
  readonly value: string
  readonly aims: readonly Aim[]
  /** The output whose targets are classes. */
  readonly classes: Aim | null
}

function scoringGraph(model: Model, { aims: given, parameters, float }: EvaluatorOptions): Scoring {
  const b = builder(allNames(model.graph), float)
  const aims = given.map((aim) => ({ ...aim, target: aim.target && b.fresh('target') }))
  const value = emitObjectives(b, aims)
  const targets = targetInputs(aims, float, true)
  const classes = aims.find((aim) => aim.loss.target === 'class') ?? null
  const open = withConstantsAsInputs(joined(model.graph, b.graph()), parameters, targets)
  return {
    graph: { ...open, outputs: [value, ...(classes ? [classes.output] : [])] },
    value,
    aims,
    classes,
  }
}

async function scoreOn(
  session: Session,
  o: EvaluatorOptions & Scoring,
  parameters: ReadonlyMap<string, Tensor>,
  data: Dataset,
  signal?: AbortSignal,
): Promise<Score> {
  const weights = Object.fromEntries(o.parameters.map((name) => [name, parameters.get(name)!]))
  let sum = 0
  let right = 0
  let seen = 0
  for (let from = 0; from < data.count; from += o.batchSize) {
    throwIfAborted(signal)
    const size = Math.min(o.batchSize, data.count - from)
    if (size < o.batchSize && !o.isBatchOpen) break
    const rows = Array.from({ length: size }, (_, i) => from + i)
    const feeds = Object.fromEntries([...data.inputs].map(([name, column]) => [name, gather(column, rows)]))
    const wanted = new Map(
      o.aims.filter((aim) => aim.target !== '').map((aim) => [aim.target, gather(data.targets.get(aim.output)!, rows)]),
    )
    const results = await session.run(
      { ...feeds, ...weights, ...Object.fromEntries(wanted) },
      { ...(signal && { signal }) },
    )
    sum += size * numbers(results[o.value]!)[0]!
    if (o.classes) right += hits(results[o.classes.output]!, wanted.get(o.classes.target)!)
    seen += size
  }
  if (o.classes === null) return { loss: sum / seen }
  return { loss: sum / seen, accuracy: right / (seen * elementCount(data.targets.get(o.classes.output)!.shape)) }
}

/** Rows whose largest score is that of their class. */
function hits(scores: Tensor, target: Tensor): number {
  const classes = scores.shape.at(-1)!
  const values = numbers(scores)
  let count = 0
  for (const [row, wanted] of numbers(target).entries()) {
    const own = values.subarray(row * classes, (row + 1) * classes)
    // The first of the largest, as ArgMax takes it.
    let top = 0
    for (let i = 1; i < classes; i++) if (own[i]! > own[top]!) top = i
    if (top === wanted) count++
  }
  return count
}
