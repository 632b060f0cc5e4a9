/** The training loop: shuffled batches in blocks of steps, a score after each epoch, the best weights in the end. */

import type { Engine, Session } from '../engine/engine.js'
import { throwIfAborted } from '../engine/failures.js'
import { numbers } from '../ir/tensor.js'
import type { RunOptions } from '../util/env.js'
import { random } from '../util/random.js'
import type { Best, Checkpoint } from './checkpoint.js'
import { diverged } from './divergence.js'
import type { Score } from './evaluate.js'
import { blockFeeds, type FeedPlan, type States, stackedFeeds, statesAfter } from './feeds.js'
import type { Schedule } from './schedules.js'

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

/** Lowers the learning rate where the loss that judges stands still. */
export interface Plateau {
  /** Epochs to wait. */
  readonly patience: number
  /** What the rate is multiplied by. Default 0.1. */
  readonly factor?: number
}

export interface Run extends FeedPlan, Omit<RunOptions, 'seed'> {
  readonly engine: Engine
  readonly session: Session
  readonly epochs: number
  readonly learningRate: number
  readonly schedule: Schedule
  readonly patience: number
  readonly plateau: Plateau | null
  readonly choices: string
  readonly score: ((states: States) => Promise<Score>) | null
  readonly onEpoch?: (epoch: Epoch) => void
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>
}

/** Steps of a block, at most, and the bytes of data that one may hold. */
const BLOCK_STEPS = 50
const BLOCK_BYTES = 64e6

export async function loop(run: Run, from: Checkpoint | null): Promise<Checkpoint> {
  let at = from ?? begin(run)
  for (let epoch = at.history.length + 1; epoch <= run.epochs && !isOver(run, at); epoch++) {
    const started = performance.now()
    const made = await oneEpoch(run, at, epoch)
    const validation = run.score && (await run.score(made.states))
    if (validation && !Number.isFinite(validation.loss))
      throw await diverged(run, {
        loss: validation.loss,
        step: epoch * perEpoch(run),
        rate: made.rate,
        states: made.states,
      })
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

function begin({ step, choices }: Run): Checkpoint {
  const states: States = new Map(step.states.map((s) => [s.name, s.initial]))
  const best = { epoch: 0, loss: Number.POSITIVE_INFINITY, states }
  return { choices, history: [], states, best, rate: { factor: 1, since: 0 } }
}

/** Without validation the last weights are the best, and only patience looks at the training loss. */
function after({ plateau, score, choices }: Run, at: Checkpoint, row: Epoch, states: States): Checkpoint {
  const { epoch } = row
  const loss = row.validation?.loss ?? row.trainingLoss
  const isBetter = loss < at.best.loss
  const best: Best = isBetter ? { epoch, loss, states } : score === null ? { ...at.best, states } : at.best
  const { factor, since } = at.rate
  const isStill = plateau !== null && epoch - Math.max(since, best.epoch) >= plateau.patience
  const rate = isStill ? { factor: factor * (plateau.factor ?? 0.1), since: epoch } : at.rate
  return { choices, history: [...at.history, row], states, best, rate }
}

const isOver = ({ patience }: Run, { history, best }: Checkpoint): boolean => history.length - best.epoch >= patience

const perEpoch = ({ data, form }: FeedPlan): number => Math.floor(data.count / form.batchSize)

async function oneEpoch(run: Run, at: Checkpoint, epoch: number) {
  const { session, form, data, epochs, schedule, signal, onProgress, seed } = run
  const order = random(seed)
    .fork(epoch)
    .shuffle(Uint32Array.from({ length: data.count }, (_, i) => i))
  const count = perEpoch(run)
  const total = epochs * count
  const base = run.learningRate * at.rate.factor
  const most = blockSteps(run)
  let states = at.states
  let sum = 0
  let rate = base
  for (let from = 0; from < count; from += most) {
    throwIfAborted(signal)
    const size = Math.min(most, count - from)
    const first = (epoch - 1) * count + from
    const rates = Array.from({ length: size }, (_, i) => base * schedule(first + i, total))
    const rows = order.subarray(from * form.batchSize, (from + size) * form.batchSize)
    const stacked = stackedFeeds(run, { first, rates, rows })
    const results = await session.run(blockFeeds(run, stacked, states, size), { ...(signal && { signal }) })
    const losses = numbers(results[run.block.losses]!)
    const bad = losses.findIndex((v) => !Number.isFinite(v))
    if (bad >= 0) {
      const failure = { loss: losses[bad]!, step: first + bad + 1, rate: rates[bad]!, states }
      throw await diverged(run, failure, { stacked, index: bad })
    }
    for (const v of losses) sum += v
    rate = rates.at(-1)!
    states = statesAfter(run, results)
    const task = `epoch ${epoch} of ${epochs}, loss ${losses.at(-1)!.toPrecision(3)}`
    onProgress?.({ task, done: first + size, total })
  }
  return { states, loss: sum / count, rate }
}

function blockSteps({ data, form }: FeedPlan): number {
  const columns = [...data.inputs.values(), ...data.targets.values()]
  const bytes = columns.reduce((n, c) => n + (c.data.byteLength / data.count) * form.batchSize, 0)
  return Math.max(1, Math.min(BLOCK_STEPS, Math.floor(BLOCK_BYTES / Math.max(1, bytes))))
}
