/**
 * The loss that slopes are of: −ln of the likelihood of an answer. With labels that is their cross-entropy, or squared
 * error. Without, no loss against the model's own answers will do, as each is least where the model stands and has no
 * slope there. So an answer is drawn from the distribution that the model itself gives: the mean square of the slopes is
 * then Fisher's information, which is the curvature of the agreement (Kullback-Leibler, or squared error) with the model
 * (Martens 2020, New Insights on the Natural Gradient Method, sections 5 and 9.2).
 */

import type { Label } from '../../../data/labels.js'
import type { Sample, Samples } from '../../../data/samples.js'
import type { Feeds } from '../../../engine/engine.js'
import { int } from '../../../ir/attrs.js'
import { elementCount, floatTensor, i64, numbers } from '../../../ir/tensor.js'
import type { Model, Tensor } from '../../../ir/types.js'
import { encodeModel } from '../../../onnx/codec.js'
import { crossEntropy } from '../../../train/losses/cross-entropy.js'
import type { Loss } from '../../../train/losses/loss.js'
import { squaredError } from '../../../train/losses/squared.js'
import { type Objective, scoresOf } from '../../../train/objective.js'
import { PareError } from '../../../util/errors.js'
import { type Random, random } from '../../../util/random.js'
import type { ScoreContext } from './score.js'

export interface Likelihood {
  readonly objectives: readonly Required<Objective>[]
  /** By the output that an objective is of; the same for a sample each time. */
  targets(sample: Sample, index: number): Feeds
}

/** Σ ε f over the output's elements: the slope of −ln N(y; f, 1) for an answer y = f − ε. */
const drawnNormal: Loss = {
  name: 'drawn',
  target: 'values',
  emit: (b, { output, target }) => b.op('ReduceSum', [b.op('Mul', [output, target])], { attrs: { keepdims: int(0) } }),
}

/** What an output answered to a sample. */
interface Seen {
  readonly output: string
  readonly isScores: boolean
  readonly answers: readonly Tensor[]
}

/** Runs the model over the samples once. Throws `PRUNE_SAMPLES`, `PRUNE_LABELS`. */
export async function likelihoodOf(model: Model, samples: Samples, { env }: ScoreContext): Promise<Likelihood> {
  const { graph } = model
  const outputs = graph.outputs.map((name) => scoresOf(model, name))
  const engine = await env.engine()
  const session = await engine.load(
    encodeModel({ ...model, graph: { ...graph, outputs: [...new Set(outputs)] } }).bytes,
  )
  const answers = outputs.map((): Tensor[] => [])
  const labels: (Label | undefined)[] = []
  try {
    const run = env.signal ? { signal: env.signal } : {}
    for await (const { feeds, label } of samples.read(run)) {
      const results = await session.run(feeds, run)
      for (const [i, name] of outputs.entries()) answers[i]!.push(results[name]!)
      labels.push(label)
    }
  } finally {
    await session.close()
  }
  if (labels.length === 0) {
    throw new PareError('PRUNE_SAMPLES', 'there are no samples', {
      where: samples.name,
      remedy: 'Check the path and the limit.',
    })
  }
  const seen = outputs.flatMap((output, i): readonly Seen[] =>
    isFloats(answers[i]![0]!) ? [{ output, isScores: output !== graph.outputs[i], answers: answers[i]! }] : [],
  )
  return labels.every((label) => label !== undefined) ? ofLabels(seen, labels) : ofOwnAnswers(seen, env.seed ?? 0)
}

const isFloats = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float64'

/** Of the first output that the labels fit. */
function ofLabels(seen: readonly Seen[], labels: readonly Label[]): Likelihood {
  const valuesOf = (label: Label): readonly number[] => (typeof label === 'number' ? [label] : label)
  const isWhole = labels.every((label) => valuesOf(label).every((v) => Number.isInteger(v) && v >= 0))
  const first = valuesOf(labels[0]!)
  const most = labels.reduce<number>((m, label) => Math.max(m, ...valuesOf(label)), 0)
  const rowsOf = ({ answers: [t] }: Seen): number => elementCount(t!.shape.slice(0, -1))
  const classes = seen.find(
    (s) => isWhole && rowsOf(s) === first.length && s.answers[0]!.shape.at(-1)! > Math.max(1, most),
  )
  const values = seen.find(({ answers: [t] }) => elementCount(t!.shape) === first.length)
  const found = classes ?? values
  if (found === undefined) {
    throw new PareError('PRUNE_LABELS', 'no output has the size of the labels', {
      value: `${first.length} values a sample, up to ${most}`,
      remedy: 'Give class indices, or as many values as an output has; or leave the labels out.',
    })
  }
  const { output, answers } = found
  const { shape, dtype } = answers[0]!
  const loss = found === classes ? crossEntropy() : squaredError()
  return {
    objectives: [{ output, loss, weight: 1 }],
    targets: ({ label }) => {
      const own = valuesOf(label!)
      return { [output]: found === classes ? i64(shape.slice(0, -1), own) : floatTensor(dtype, shape, own) }
    },
  }
}

/** Classes drawn by their probabilities, and normal deviations as large as the output is: its root mean square. */
function ofOwnAnswers(seen: readonly Seen[], seed: number): Likelihood {
  const objectives = seen.map(({ output, isScores, answers }) => {
    if (isScores) return { output, loss: crossEntropy(), weight: 1 }
    return { output, loss: drawnNormal, weight: 1 / rootMeanSquare(answers) }
  })
  return {
    objectives,
    targets: (_, index) => {
      const generator = random(seed).fork(index)
      return Object.fromEntries(
        seen.map(({ output, isScores, answers }) => {
          const t = answers[index]!
          return [output, isScores ? drawnClasses(t, generator) : drawnDeviations(t, generator)]
        }),
      )
    },
  }
}

/** 1 for zeros. */
function rootMeanSquare(answers: readonly Tensor[]): number {
  let [sum, count] = [0, 0]
  for (const t of answers) {
    for (const v of numbers(t)) sum += v ** 2
    count += elementCount(t.shape)
  }
  return Math.sqrt(sum / count) || 1
}

const drawnDeviations = ({ dtype, shape }: Tensor, { normal }: Random): Tensor =>
  floatTensor(
    dtype,
    shape,
    Float64Array.from({ length: elementCount(shape) }, () => normal()),
  )

/** Of each row of scores a class, by softmax. */
function drawnClasses(t: Tensor, { uniform }: Random): Tensor {
  const scores = numbers(t)
  const width = t.shape.at(-1)!
  const shape = t.shape.slice(0, -1)
  const drawn = Array.from({ length: elementCount(shape) }, (_, r) => {
    const row = Array.from({ length: width }, (_, c) => scores[r * width + c]!)
    const most = Math.max(...row)
    const shares = row.map((v) => Math.exp(v - most))
    let left = uniform() * shares.reduce((a, b) => a + b, 0)
    const found = shares.findIndex((share) => {
      left -= share
      return left < 0
    })
    return found < 0 ? width - 1 : found
  })
  return i64(shape, drawn)
}
