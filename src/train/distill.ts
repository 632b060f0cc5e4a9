/** What distillation trains on: samples with what a teacher answers to them as targets (Hinton et al. 2015). */

import type { Samples } from '../data/samples.js'
import { carriedStates, type StateLink } from '../data/state.js'
import type { Engine } from '../engine/engine.js'
import type { Model, Value } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { RunOptions } from '../util/env.js'
import { PareError } from '../util/errors.js'
import { wholesOf } from './batch-axis.js'
import { type Column, collector } from './columns.js'
import { type Dataset, noSamples } from './dataset.js'
import { kullbackLeibler } from './losses/distribution.js'
import { squaredError } from './losses/squared.js'
import { type Objective, scoresOf } from './objective.js'

export interface DistillOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
  readonly engine: Engine
  /** States that the teacher hands from frame to frame. Default: those of the samples. */
  readonly links?: readonly StateLink[]
  /** Compares distributions over classes, softened by it. Default: relative squared errors of all outputs. */
  readonly temperature?: number
}

export interface Distillation {
  readonly data: Dataset
  readonly objectives: readonly Objective[]
}

/**
 * Runs the teacher on all samples, one by one. Outputs of the two are paired by name or, where the names differ, by
 * place; outputs that are no floats are left out. Relative errors weigh all outputs alike, whatever their scales. Throws
 * `DISTILL_INPUTS`, `DISTILL_OUTPUTS`, `TRAIN_EMPTY`, `TRAIN_SHAPE`, `TRAIN_FINITE`.
 */
export async function distillation(
  student: Model,
  teacher: Model,
  samples: Samples,
  { engine, links = samples.carry ?? [], temperature, signal, onProgress }: DistillOptions,
): Promise<Distillation> {
  const isSoft = temperature !== undefined
  checkInputs(student, teacher)
  const pairs = pairsOf(student, teacher).map(([own, of]): readonly [string, string] =>
    isSoft ? [scoresOf(student, own), scoresOf(teacher, of)] : [own, of],
  )
  const graph = {
    ...teacher.graph,
    outputs: [...new Set([...pairs.map(([, of]) => of), ...links.map((l) => l.output)])],
  }
  const session = await engine.load(encodeModel({ ...teacher, graph }).bytes)
  const states = carriedStates(links)
  const isWhole = wholesOf(student)
  const inputs = collector(samples.count, isWhole)
  // What a teacher makes of one sample is all of one sample, whatever its shape.
  const targets = collector(samples.count, (name, shape) => shape[0] !== 1 || isWhole(name, shape))
  let count = 0
  try {
    for await (const sample of samples.read({ ...(signal && { signal }) })) {
      const feeds = states.feeds(sample)
      const own = Object.fromEntries(Object.entries(feeds).filter(([name]) => graph.inputs.includes(name)))
      const outputs = await session.run(own, { ...(signal && { signal }) })
      states.remember(outputs)
      for (const [name, t] of Object.entries(feeds)) inputs.add(name, t, `${sample.name}, input ${name}`)
      for (const [own, of] of pairs) targets.add(own, outputs[of]!, `${sample.name}, output ${of}`)
      count++
      onProgress?.({ task: 'asking the teacher', done: count, ...(samples.count !== null && { total: samples.count }) })
    }
  } finally {
    await session.close()
  }
  if (count === 0) throw noSamples(samples.name)
  const data = { count, inputs: inputs.columns(count), targets: targets.columns(count) }
  const objectives = pairs.map(
    ([output]): Objective =>
      isSoft
        ? { output, loss: kullbackLeibler(temperature) }
        : { output, loss: squaredError(), weight: 1 / meanSquare(data.targets.get(output)!) },
  )
  return { data, objectives }
}

/** Outputs of the student with those of the teacher. */
function pairsOf({ graph: student }: Model, { graph: teacher }: Model): readonly (readonly [string, string])[] {
  const isNamed = student.outputs.every((name) => teacher.outputs.includes(name))
  const isCounted = student.outputs.length === teacher.outputs.length
  const pairs = student.outputs
    .map((name, i): readonly [string, string] => [name, isNamed ? name : (teacher.outputs[i] ?? '')])
    .filter(([name]) => isLearned(student.values.get(name)))
  if ((isNamed || isCounted) && pairs.length > 0) return pairs
  throw new PareError('DISTILL_OUTPUTS', 'the outputs of the two models cannot be paired', {
    value: `${student.outputs.join(', ')}; teacher: ${teacher.outputs.join(', ')}`,
    remedy: 'Give models with outputs of the same names, or as many of them in the same order.',
  })
}

const isLearned = (value: Value | undefined): boolean =>
  value?.kind !== 'tensor' || value.dtype === 'float32' || value.dtype === 'float64'

function checkInputs({ graph: student }: Model, { graph: teacher }: Model): void {
  const unknown = teacher.inputs.find((name) => !teacher.constants.has(name) && !student.inputs.includes(name))
  if (unknown === undefined) return
  throw new PareError('DISTILL_INPUTS', 'the teacher has an input that the student lacks', {
    value: unknown,
    remedy: `Both are run on the same samples. The student's inputs are: ${student.inputs.join(', ')}.`,
  })
}

/** Of zeros 1, so that nothing is divided by zero. */
function meanSquare({ data }: Column): number {
  let sum = 0
  for (const v of data as Float32Array) sum += v * v
  return sum / data.length || 1
}
