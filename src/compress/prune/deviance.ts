/**
 * How unlikely a model makes what it should answer: −2 ln L over samples. With labels: class scores by their
 * cross-entropy, values by a normal distribution whose variance is the mean squared error. Without labels the answers are
 * the original's: class scores (known by their Softmax) by the cross-entropy of the two distributions, other outputs as
 * normal with a deviation that is a given part of the output's root mean square.
 */

import type { Label } from '../../data/labels.js'
import type { Samples } from '../../data/samples.js'
import { withStates } from '../../data/state.js'
import type { Session } from '../../engine/engine.js'
import { numbers } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import type { Env } from '../../passes/pass.js'
import { scoresOf } from '../../train/objective.js'
import { PareError } from '../../util/errors.js'

export interface Deviance {
  /** −2 ln L, without what is the same for all models. */
  readonly total: number
  /** Of each sample: −ln of its likelihood, or its mean squared error where that is the variance. */
  readonly losses: Float64Array
}

export interface DevianceMeter {
  /** What is counted: samples, and with values each of them. */
  readonly observations: number
  readonly samples: number
  /** What the likelihood is of, for people. */
  readonly kind: 'labelled classes' | 'labelled values' | "the original's answers"
  of(model: Model): Promise<Deviance>
}

/** The part of an output's root mean square that an error may have before it counts. */
const NOISE = 0.01

type Row = Float64Array
interface Answer {
  readonly rows: readonly Row[]
  readonly label: Label | undefined
}

/** Runs the original over the samples once. Throws `PRUNE_SAMPLES`, `PRUNE_LABELS`. */
export async function openDeviance(original: Model, samples: Samples, env: Env): Promise<DevianceMeter> {
  const engine = await env.engine()
  const { outputs } = original.graph
  const isScores = outputs.map((name) => scoresOf(original, name) !== name)
  const answersOf = async (model: Model): Promise<readonly Answer[]> => {
    const own = model.graph.outputs.map((name) => scoresOf(model, name))
    const shown = { ...model, graph: { ...model.graph, outputs: [...new Set(own)] } }
    const session = await engine.load(encodeModel(shown).bytes)
    const states = samples.carry?.length ? await engine.load(encodeModel(model).bytes) : null
    try {
      return await allAnswers(session, own, states ? withStates(samples, states) : samples, env)
    } finally {
      await session.close()
      await states?.close()
    }
  }
  const reference = await answersOf(original)
  if (reference.length === 0) {
    throw new PareError('PRUNE_SAMPLES', 'there are no samples to judge by', {
      where: samples.name,
      remedy: 'Check the path and the limit.',
    })
  }
  const { lossesOf, observations, kind, isProfiled } = judgeOf(reference, isScores)
  return {
    observations,
    samples: reference.length,
    kind,
    async of(model) {
      const losses = lossesOf(await answersOf(model))
      const sum = losses.reduce((a, b) => a + b, 0)
      return { losses, total: isProfiled ? observations * Math.log(Math.max(sum / losses.length, 1e-300)) : 2 * sum }
    },
  }
}

async function allAnswers(
  session: Session,
  outputs: readonly string[],
  samples: Samples,
  { signal }: Env,
): Promise<readonly Answer[]> {
  const run = signal ? { signal } : {}
  const all: Answer[] = []
  for await (const { feeds, label } of samples.read(run)) {
    const results = await session.run(feeds, run)
    all.push({ rows: outputs.map((name) => Float64Array.from(numbers(results[name]!))), label })
  }
  return all
}

interface Judging {
  readonly kind: DevianceMeter['kind']
  readonly observations: number
  /** Whether the variance is that of the errors. */
  readonly isProfiled: boolean
  lossesOf(answers: readonly Answer[]): Float64Array
}

function judgeOf(reference: readonly Answer[], isScores: readonly boolean[]): Judging {
  const labels = reference.map(({ label }) => label)
  if (labels.every((label) => label !== undefined)) return ofLabels(reference, labels)
  const powers = isScores.map((_, o) => powerOf(reference.map(({ rows }) => rows[o]!)))
  const width = isScores.reduce((sum, scores, o) => sum + (scores ? 1 : reference[0]!.rows[o]!.length), 0)
  return {
    kind: "the original's answers",
    observations: reference.length * width,
    isProfiled: false,
    lossesOf: (answers) =>
      Float64Array.from(answers, ({ rows }, i) =>
        rows.reduce((sum, row, o) => {
          const wanted = reference[i]!.rows[o]!
          return (
            sum + (isScores[o] ? softCrossEntropy(wanted, row) : squares(wanted, row) / (2 * NOISE ** 2 * powers[o]!))
          )
        }, 0),
      ),
  }
}

function ofLabels(reference: readonly Answer[], labels: readonly Label[]): Judging {
  const { rows } = reference[0]!
  const isClasses = labels.every((l) => typeof l === 'number' && Number.isInteger(l) && l >= 0)
  const most = isClasses ? Math.max(...(labels as readonly number[])) : 0
  const classes = isClasses ? rows.findIndex((row) => row.length > Math.max(1, most)) : -1
  if (classes >= 0) {
    return {
      kind: 'labelled classes',
      observations: labels.length,
      isProfiled: false,
      lossesOf: (answers) => Float64Array.from(answers, (a, i) => -logSoftmax(a.rows[classes]!)[labels[i] as number]!),
    }
  }
  const valuesOf = (label: Label): Row => Float64Array.from(typeof label === 'number' ? [label] : label)
  const width = valuesOf(labels[0]!).length
  const values = rows.findIndex((row) => row.length === width)
  if (values < 0) {
    throw new PareError('PRUNE_LABELS', 'no output has the size of the labels', {
      value: `${width} values a sample`,
      remedy: 'Give class indices, or as many values as an output has; or leave the labels out.',
    })
  }
  return {
    kind: 'labelled values',
    observations: labels.length * width,
    isProfiled: true,
    lossesOf: (answers) => Float64Array.from(answers, (a, i) => squares(valuesOf(labels[i]!), a.rows[values]!) / width),
  }
}

function logSoftmax(row: Row): Row {
  const most = Math.max(...row)
  const log = most + Math.log(row.reduce((sum, v) => sum + Math.exp(v - most), 0))
  return row.map((v) => v - log)
}

function softCrossEntropy(wanted: Row, row: Row): number {
  const [p, q] = [logSoftmax(wanted), logSoftmax(row)]
  return -p.reduce((sum, v, i) => sum + Math.exp(v) * q[i]!, 0)
}

const squares = (wanted: Row, row: Row): number => wanted.reduce((sum, v, i) => sum + (v - row[i]!) ** 2, 0)

/** The mean square; 1 for zeros. */
function powerOf(rows: readonly Row[]): number {
  const count = rows.reduce((n, row) => n + row.length, 0)
  return rows.reduce((sum, row) => sum + row.reduce((s, v) => s + v ** 2, 0), 0) / count || 1
}
