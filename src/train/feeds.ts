/** What a block of steps is fed: the rows of its batches, its rates, and what is drawn for each step. */

import type { TypedArray } from '../ir/dtypes.js'
import { elementCount, elements, floatTensor, i64, scalar, tensor } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { random } from '../util/random.js'
import type { Augment } from './augment.js'
import type { Block } from './block.js'
import type { Column } from './columns.js'
import { type Dataset, gather } from './dataset.js'
import { mixingShare } from './mixup.js'
import type { TrainingStep } from './step.js'
import type { TrainingForm } from './training-form.js'

/** The states of a step, by name. */
export type States = ReadonlyMap<string, Tensor>

export interface FeedPlan {
  readonly step: TrainingStep
  readonly block: Block
  readonly form: TrainingForm
  readonly data: Dataset
  readonly seed: number
  /** α of the Beta distribution that shares are drawn from. */
  readonly mixup?: number
  readonly augment?: Augment
}

export interface Steps {
  /** Number of the first one, from 0 for the first step of all. */
  readonly first: number
  /** How many steps led here, for the optimizer. Default: `first`. */
  readonly number?: number
  /** Learning rates, one a step. */
  readonly rates: readonly number[]
  /** Rows of the data, step after step. */
  readonly rows: Uint32Array
}

/** Samples that make one step. */
export const rowsOfStep = ({ step, form }: Pick<FeedPlan, 'step' | 'form'>): number => step.parts * form.batchSize

/** Values by the names of the step's inputs, stacked along the first axis. What is drawn depends on the step alone. */
export function stackedFeeds(
  { step, form, data, seed, mixup = 0, augment }: FeedPlan,
  { first, number = first, rates, rows }: Steps,
): ReadonlyMap<string, Tensor> {
  const count = rates.length
  const { parts } = step
  const lead = parts === 1 ? [count] : [count, parts]
  const numbersOf = rates.map((_, i) => number + i + 1)
  const draws = random(seed).fork(-2)
  const drawn = Array.from({ length: count * parts }, (_, i) => draws.fork(first * parts + i))
  const batches = (column: Column): Tensor => gather(column, rows, [...lead, form.batchSize])
  const feeds = new Map<string, Tensor>([
    ...[...data.inputs].map(([name, column]) => [name, batches(column)] as const),
    ...[...step.targets].map(([output, name]) => [name, batches(data.targets.get(output)!)] as const),
    [step.learningRate, floatTensor(step.float, [count], rates)],
    [step.step, floatTensor(step.float, [count], numbersOf)],
  ])
  if (form.places !== null) {
    const places = drawn.flatMap(({ integer }) => form.ranges.map((n) => integer(n)))
    feeds.set(form.places, i64([...lead, form.ranges.length], places))
  }
  if (form.mix !== null)
    feeds.set(
      form.mix,
      floatTensor(
        step.float,
        lead,
        drawn.map((d) => mixingShare(d, mixup)),
      ),
    )
  if (augment) for (const [name, column] of data.inputs) change(feeds.get(name)!, name, column, augment, drawn)
  return feeds
}

/** The feeds of a run of the block: `count` steps from `states` on. */
export function blockFeeds(
  { step, block }: FeedPlan,
  stacked: ReadonlyMap<string, Tensor>,
  states: States,
  count: number,
): Readonly<Record<string, Tensor>> {
  return {
    [block.steps]: scalar(count, 'int64'),
    ...Object.fromEntries([...stacked].map(([name, t]) => [block.stacked.get(name)!, t])),
    ...Object.fromEntries(step.states.map((s, i) => [block.initials[i]!, states.get(s.name)!])),
  }
}

export const statesAfter = ({ step, block }: FeedPlan, results: Readonly<Record<string, Tensor>>): States =>
  new Map(step.states.map((s, i) => [s.name, results[block.finals[i]!]!]))

/** One element of a stacked value along its first axis. */
export function elementOf(t: Tensor, index: number): Tensor {
  const shape = t.shape.slice(1)
  const width = elementCount(shape)
  return tensor(t.dtype, shape, elements(t).subarray(index * width, (index + 1) * width) as TypedArray)
}

function change(
  stacked: Tensor,
  input: string,
  { shape }: Column,
  augment: Augment,
  drawn: readonly ReturnType<typeof random>[],
): void {
  const values = elements(stacked)
  const width = elementCount(shape)
  const each = values.length / drawn.length
  for (const [i, generator] of drawn.entries()) {
    for (let at = i * each; at < (i + 1) * each; at += width)
      augment(values.subarray(at, at + width) as TypedArray, { input, shape }, generator)
  }
}
