/** How good a model is on a data set while it is trained: its graph with the weights as inputs, loaded once. */

import { joined } from '../autodiff/gradient.js'
import type { Engine, Session } from '../engine/engine.js'
import { builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elementCount, numbers } from '../ir/tensor.js'
import type { Graph, Model, Tensor, Value } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { type Dataset, gather } from './dataset.js'
import { type Loss, targetType } from './losses/loss.js'
import { typeOf } from './step.js'

export interface Score {
  /** Mean loss, without penalties. */
  readonly loss: number
  /** Share of right answers, where targets are classes. */
  readonly accuracy?: number
}

export interface Evaluator {
  score(parameters: ReadonlyMap<string, Tensor>, data: Dataset): Promise<Score>
  close(): Promise<void>
}

export interface EvaluatorOptions {
  readonly engine: Engine
  readonly loss: Loss
  readonly output: string
  readonly outputShape: readonly number[]
  readonly parameters: readonly string[]
  readonly batchSize: number
  /** Whether the last batch may be smaller. */
  readonly isBatchOpen: boolean
}

export async function openEvaluator(model: Model, o: EvaluatorOptions): Promise<Evaluator> {
  const { graph, target, value } = scoringGraph(model, o)
  const session = await o.engine.load(encodeModel({ ...model, graph }).bytes)
  return {
    score: (parameters, data) => scoreOn(session, { ...o, target, value }, parameters, data),
    close: () => session.close(),
  }
}

function scoringGraph(model: Model, { loss, output, outputShape, parameters }: EvaluatorOptions) {
  const b = builder(allNames(model.graph))
  const target = b.fresh('target')
  const value = loss.emit(b, { output, target, shape: outputShape })
  const own = new Set(parameters)
  const whole = joined(model.graph, b.graph())
  const { constants, values } = model.graph
  const targetShape = loss.target === 'class' ? outputShape.slice(0, -1) : outputShape
  const graph: Graph = {
    ...whole,
    inputs: [...whole.inputs, target, ...parameters],
    outputs: [value, output],
    constants: new Map([...whole.constants].filter(([name]) => !own.has(name))),
    values: new Map<string, Value>([
      ...values,
      [target, { kind: 'tensor', dtype: targetType(loss), shape: targetShape.map(() => null) }],
      ...parameters.map((name): [string, Value] => [name, typeOf(constants.get(name)!)]),
    ]),
  }
  return { graph, target, value }
}

async function scoreOn(
  session: Session,
  o: EvaluatorOptions & { readonly target: string; readonly value: string },
  parameters: ReadonlyMap<string, Tensor>,
  data: Dataset,
): Promise<Score> {
  const weights = Object.fromEntries(o.parameters.map((name) => [name, parameters.get(name)!]))
  let sum = 0
  let right = 0
  let seen = 0
  for (let from = 0; from < data.count; from += o.batchSize) {
    const size = Math.min(o.batchSize, data.count - from)
    if (size < o.batchSize && !o.isBatchOpen) break
    const rows = Array.from({ length: size }, (_, i) => from + i)
    const feeds = Object.fromEntries([...data.inputs].map(([name, column]) => [name, gather(column, rows)]))
    const target = gather(data.target, rows)
    const results = await session.run({ ...feeds, ...weights, [o.target]: target })
    sum += size * numbers(results[o.value]!)[0]!
    if (o.loss.target === 'class') right += hits(results[o.output]!, target)
    seen += size
  }
  const answers = seen * elementCount(data.target.shape)
  return { loss: sum / seen, ...(o.loss.target === 'class' && { accuracy: right / answers }) }
}

/** Rows whose largest score is that of their class. */
function hits(scores: Tensor, target: Tensor): number {
  const classes = scores.shape.at(-1)!
  const values = numbers(scores)
  let count = 0
  for (const [row, wanted] of numbers(target).entries()) {
    const own = values.subarray(row * classes, (row + 1) * classes)
    if (own.every((v) => v <= own[wanted]!)) count++
  }
  return count
}
