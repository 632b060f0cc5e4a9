/** How good a model is on a data set while it is trained: its graph with the weights as inputs, loaded once. */

import { joined } from '../autodiff/gradient.js'
import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { numbers } from '../ir/tensor.js'
import type { Graph, Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { dtypeOf } from '../ops/def.js'
import { factFinder } from '../passes/facts.js'
import type { InputShapes } from '../passes/with-shapes.js'
import type { RunOptions } from '../util/env.js'
import { withBatchAxis } from './batch-axis.js'
import { checkDataset } from './check-dataset.js'
import { type Dataset, gather } from './dataset.js'
import { withoutDropout } from './dropout.js'
import type { Loss } from './losses/loss.js'
import { type BoundMetric, bindMetrics } from './metrics/bind.js'
import type { TrainMetric } from './metrics/metric.js'
import { type Aim, aimsOf, emitObjectives, type Objective, objectivesOf, targetInputs } from './objective.js'
import { withConstantsAsInputs } from './pass.js'
import { prepared } from './prepare.js'
import { batchOf, batchSymbol, withBatchSize } from './training-form.js'

export interface Score {
  /** Mean loss, without penalties. */
  readonly loss: number
  /** Share of right answers, where the targets of an output are classes, or where it was asked for. */
  readonly accuracy?: number
  /** What else was asked for, by name; without what the samples allow no number of. */
  readonly metrics?: Readonly<Record<string, number>>
}

/** The metrics beside accuracy that some scores hold. */
export const metricNames = (scores: readonly (Score | undefined)[]): readonly string[] => [
  ...new Set(scores.flatMap((score) => Object.keys(score?.metrics ?? {}))),
]

/** What a score says of a metric; undefined where it does not hold it. */
export const metricIn = ({ accuracy, metrics }: Score, name: string): number | undefined =>
  name === 'accuracy' ? accuracy : metrics?.[name]

export interface ScoreOptions extends Pick<RunOptions, 'signal'> {
  readonly engine: Engine
  readonly data: Dataset
  readonly loss: Loss | readonly Objective[]
  /** What is told beside the loss. */
  readonly metrics?: readonly TrainMetric[]
  readonly shapes?: InputShapes
  /** Samples a run, where the model leaves that open. Default 64. */
  readonly batchSize?: number
  /** What the data set is called in errors. Default: data. */
  readonly what?: string
}

/** How good a model is on a data set. Throws what `train` throws of data and metrics that do not fit. */
export async function scoreOf(model: Model, { engine, ...options }: ScoreOptions): Promise<Score> {
  const { plain, ...plan } = await scoringPlan(model, options)
  const evaluator = await openEvaluator(plain, { engine, ...plan })
  try {
    return await evaluator.score(new Map(), options.data, options.signal)
  } finally {
    await evaluator.close()
  }
}

/** Throws what `scoreOf` throws of data and metrics that do not fit, without an engine. */
export async function checkScoring(model: Model, options: Omit<ScoreOptions, 'engine'>): Promise<void> {
  await scoringPlan(model, options)
}

async function scoringPlan(model: Model, options: Omit<ScoreOptions, 'engine'>) {
  const { data, loss, metrics: asked = [], shapes, batchSize = 64, what = 'data' } = options
  const plain = withBatchAxis(withoutDropout(await prepared(model)), data)
  const objectives = objectivesOf(plain, loss)
  const isBatchOpen = batchSymbol(plain.graph) !== null
  const fixed = withBatchSize(plain, batchSize, shapes)
  const b = builder(allNames(fixed.graph))
  const size = isBatchOpen ? batchSize : batchOf(fixed)
  const aims = aimsOf(b, fixed, objectives)
  const metrics = bindMetrics(asked, aims)
  const facts = factFinder(fixed)
  const float: FloatType = aims.some((aim) => dtypeOf(facts(aim.output)) === 'float64') ? 'float64' : 'float32'
  checkDataset(data, {
    model: fixed,
    inputs: plain.graph.inputs,
    objectives,
    float,
    batchSize: isBatchOpen ? 1 : size,
    what,
  })
  return { plain, float, aims, metrics, parameters: [], batchSize: size, isBatchOpen }
}

export interface Evaluator {
  score(parameters: ReadonlyMap<string, Tensor>, data: Dataset, signal?: AbortSignal): Promise<Score>
  close(): Promise<void>
}

export interface EvaluatorOptions {
  readonly engine: Engine
  readonly float: FloatType
  readonly aims: readonly Aim[]
  readonly metrics: readonly BoundMetric[]
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
}

function scoringGraph(model: Model, { aims: given, metrics, parameters, float }: EvaluatorOptions): Scoring {
  const b = builder(allNames(model.graph), float)
  const aims = given.map((aim) => ({ ...aim, target: aim.target && b.fresh('target') }))
  const value = emitObjectives(b, aims)
  const targets = targetInputs(aims, float, true)
  const open = withConstantsAsInputs(joined(model.graph, b.graph()), parameters, targets)
  return { graph: { ...open, outputs: [value, ...new Set(metrics.map(({ output }) => output))] }, value, aims }
}

async function scoreOn(
  session: Session,
  o: EvaluatorOptions & Scoring,
  parameters: ReadonlyMap<string, Tensor>,
  data: Dataset,
  signal?: AbortSignal,
): Promise<Score> {
  const weights = Object.fromEntries(o.parameters.map((name) => [name, parameters.get(name)!]))
  const states = o.metrics.map(({ metric, width }) => metric.start(width))
  let sum = 0
  let seen = 0
  for (let from = 0; from < data.count; from += o.batchSize) {
    throwIfAborted(signal)
    const size = Math.min(o.batchSize, data.count - from)
    if (size < o.batchSize && !o.isBatchOpen) break
    const rows = Array.from({ length: size }, (_, i) => from + i)
    const feeds = Object.fromEntries([...data.inputs].map(([name, column]) => [name, gather(column, rows)]))
    const wanted = new Map(
      o.aims
        .filter((aim) => aim.target !== '')
        .map((aim) => [aim.output, { name: aim.target, value: gather(data.targets.get(aim.output)!, rows) }]),
    )
    const targets = Object.fromEntries([...wanted.values()].map(({ name, value }) => [name, value]))
    const results = await session.run({ ...feeds, ...weights, ...targets }, { ...(signal && { signal }) })
    sum += size * numbers(results[o.value]!)[0]!
    for (const [i, { metric, output, answers }] of o.metrics.entries())
      metric.add(states[i], answers(results[output]!, wanted.get(output)!.value))
    seen += size
  }
  const values = o.metrics.map(({ metric }, i) => [metric.name, metric.value(states[i])] as const)
  return scored(
    sum / seen,
    values.filter(([, v]) => !Number.isNaN(v)),
  )
}

function scored(loss: number, values: readonly (readonly [string, number])[]): Score {
  const { accuracy, ...metrics } = Object.fromEntries(values)
  return {
    loss,
    ...(accuracy !== undefined && { accuracy }),
    ...(Object.keys(metrics).length > 0 && { metrics }),
  }
}
