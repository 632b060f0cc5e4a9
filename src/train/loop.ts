/** The training loop: shuffled batches in blocks of steps, a score after each epoch, the best weights in the end. */

import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { floatTensor, numbers } from '../ir/tensor.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'
import type { Best, Checkpoint } from './checkpoint.js'
import { diverged } from './divergence.js'
import type { Score } from './evaluate.js'
import { blockFeeds, type FeedPlan, rowsOfStep, type States, type Steps, stackedFeeds, statesAfter } from './feeds.js'
import type { Schedule } from './schedules.js'
import type { TrainingStep } from './step.js'

export interface Epoch {
  /** From 1. */
  readonly epoch: number
  /** Of the last step. */
  readonly learningRate: number
  /** Mean over the epoch's steps, while they were made. */
  readonly trainingLoss: number
  readonly validation?: Score
  readonly seconds: number
}

/** Lowers the learning rate where what judges stands still: the validation loss or `bestBy`, else the training loss. */
export interface Plateau {
  /** Epochs to wait. */
  readonly patience: number
  /** What the rate is multiplied by. Default 0.1. */
  readonly factor?: number
}

export interface Run extends FeedPlan, Omit<RunOptions, 'seed'> {
  readonly engine: Engine
  /** One a worker: they make blocks of steps at the same time, and what they come to is averaged. */
  readonly sessions: readonly Session[]
  readonly epochs: number
  readonly learningRate: number
  readonly schedule: Schedule
  readonly patience: number
  readonly plateau: Plateau | null
  readonly digest: string
  readonly score: ((states: States) => Promise<Score>) | null
  /** What a score is judged by: less is better. */
  readonly cost: (score: Score) => number
  readonly onEpoch?: (epoch: Epoch) => void
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>
}

/** Steps of a block, at most, and the bytes of data that one may hold. */
const BLOCK_STEPS = 50
const BLOCK_BYTES = 64e6

export async function loop(run: Run, from: Checkpoint | null): Promise<Checkpoint> {
  let at = from ?? (await begin(run))
  const curve: number[] = []
  for (let epoch = at.history.length + 1; epoch <= run.epochs && !isOver(run, at); epoch++) {
    const started = performance.now()
    const made = await oneEpoch(run, at, epoch, curve)
    const validation = run.score && (await run.score(made.states))
    if (validation && !Number.isFinite(validation.loss))
      throw await diverged(
        { ...run, session: run.sessions[0]! },
        {
          loss: validation.loss,
          step: epoch * perEpoch(run),
          rate: made.rate,
          states: made.states,
        },
      )
    const row: Epoch = {
      epoch,
      learningRate: made.rate,
      trainingLoss: made.loss,
      ...(validation && { validation }),
      seconds: (performance.now() - started) / 1000,
    }
    at = after(run, at, row, made.states)
    run.onEpoch?.(row)
    await run.onCheckpoint?.(at)
  }
  return at
}

/** The weights that were given are the best so far: none that are worse are handed back. */
async function begin({ step, digest, score, cost }: Run): Promise<Checkpoint> {
  const states: States = new Map(step.states.map((s) => [s.name, s.initial]))
  const before = score && (await score(states))
  const given = before && Number.isFinite(before.loss) ? cost(before) : Number.POSITIVE_INFINITY
  const best = { epoch: 0, cost: given, states: weightsOf(step, states) }
  return {
    digest,
    ...(before && Number.isFinite(before.loss) && { before }),
    history: [],
    states,
    best,
    rate: { factor: 1, since: 0 },
  }
}

/** Without validation the last weights are the best, and only patience and plateaus look at the training loss. */
function after({ plateau, step, cost: costOf }: Run, at: Checkpoint, row: Epoch, states: States): Checkpoint {
  const { epoch } = row
  const cost = row.validation ? costOf(row.validation) : row.trainingLoss
  const isBetter = cost < at.best.cost
  const best: Best = isBetter ? { epoch, cost, states: weightsOf(step, states) } : at.best
  const { factor, since } = at.rate
  const isStill = plateau !== null && epoch - Math.max(since, best.epoch) >= plateau.patience
  const rate = isStill ? { factor: factor * (plateau.factor ?? 0.1), since: epoch } : at.rate
  return { ...at, history: [...at.history, row], states, best, rate }
}

/** The states that are handed back in the end. */
const weightsOf = ({ parameters }: TrainingStep, states: States): States =>
  new Map([...parameters.values()].map((name) => [name, states.get(name)!]))

const isOver = ({ patience }: Run, { history, best }: Checkpoint): boolean => history.length - best.epoch >= patience

const perEpoch = (plan: FeedPlan): number => Math.floor(plan.data.count / rowsOfStep(plan))

/** `curve` collects the losses, for those who watch. */
async function oneEpoch(run: Run, at: Checkpoint, epoch: number, curve: number[]) {
  const { sessions, data, epochs, schedule, signal, onProgress, seed } = run
  const order = random(seed)
    .fork(epoch)
    .shuffle(Uint32Array.from({ length: data.count }, (_, i) => i))
  const count = perEpoch(run)
  const width = rowsOfStep(run)
  const total = epochs * count
  const base = run.learningRate * at.rate.factor
  const most = blockSteps(run)
  let states = at.states
  let sum = 0
  let rate = base
  for (let from = 0; from < count; ) {
    throwIfAborted(signal)
    const round = shareOut(Math.min(most * sessions.length, count - from), sessions.length)
    const blocks = round.map((size, k): Steps => {
      const begin = from + round.slice(0, k).reduce((n, s) => n + s, 0)
      const first = (epoch - 1) * count + begin
      return {
        first,
        // Workers make their steps at the same time: the optimizer counts those that follow each other.
        number: Math.floor(((epoch - 1) * count + from) / sessions.length),
        rates: Array.from({ length: size }, (_, i) => base * schedule(first + i, total)),
        rows: order.subarray(begin * width, (begin + size) * width),
      }
    })
    const results = await whole(blocks.map((steps, k) => oneBlock(run, sessions[k]!, states, steps)))
    states =
      results.length === 1
        ? results[0]!.states
        : averaged(
            results.map((r) => r.states),
            round,
          )
    const losses = results.flatMap((r) => [...r.losses])
    for (const v of losses) sum += v
    rate = blocks.at(-1)!.rates.at(-1)!
    from += losses.length
    const detail = `epoch ${epoch} of ${epochs}, loss ${losses.at(-1)!.toPrecision(3)}`
    curve.push(losses.reduce((a, v) => a + v, 0) / losses.length)
    onProgress?.({ task: 'training', detail, curve, done: (epoch - 1) * count + from, total })
  }
  return { states, loss: sum / count, rate }
}

/** All results; an error only when none is at work any more. */
async function whole<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

async function oneBlock(run: Run, session: Session, start: States, steps: Steps) {
  const { signal } = run
  const stacked = stackedFeeds(run, steps)
  const feeds = blockFeeds(run, stacked, start, steps.rates.length)
  const results = await session.run(feeds, { ...(signal && { signal }) })
  const losses = numbers(results[run.block.losses]!)
  const index = losses.findIndex((v) => !Number.isFinite(v))
  if (index < 0) return { states: statesAfter(run, results), losses }
  const failure = { loss: losses[index]!, step: steps.first + index + 1, rate: steps.rates[index]!, states: start }
  throw await diverged({ ...run, session }, failure, { stacked, index })
}

/** As even as it goes; fewer shares where there is less than one for each. */
const shareOut = (count: number, among: number): readonly number[] =>
  Array.from({ length: Math.min(among, count) }, (_, k, n = Math.min(among, count)) => Math.floor((count + k) / n))

/** The mean of what workers made of the same start, by the steps that each made (local SGD: Stich 2019, algorithm 1). */
function averaged(all: readonly States[], steps: readonly number[]): States {
  const total = steps.reduce((n, s) => n + s, 0)
  return new Map(
    [...all[0]!].map(([name, { dtype, shape }]) => {
      const parts = all.map((states) => numbers(states.get(name)!))
      const mean = parts[0]!.map((_, i) => parts.reduce((sum, part, k) => sum + (steps[k]! / total) * part[i]!, 0))
      return [name, floatTensor(dtype, shape, mean)]
    }),
  )
}

function blockSteps(plan: FeedPlan): number {
  const { data } = plan
  const columns = [...data.inputs.values(), ...data.targets.values()]
  const bytes = columns.reduce((n, c) => n + (c.data.byteLength / data.count) * rowsOfStep(plan), 0)
  return Math.max(1, Math.min(BLOCK_STEPS, Math.floor(BLOCK_BYTES / Math.max(1, bytes))))
}
