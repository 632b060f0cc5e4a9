/** What a model is run on: the user's samples, frame after frame with their states, or random inputs where allowed. */

import type { Feeds, Session, ValueInfo } from '../engine/engine.js'
import type { InputShapes } from '../passes/with-shapes.js'
import { PareError } from '../util/errors.js'
import type { Context } from './command.js'
import { type DataChoice, openData } from './inputs.js'

export interface FeedStream {
  readonly kind: 'samples' | 'random'
  readonly name: string
  readonly count: number | null
  /** `remember` takes the reference's outputs, from which states go to the next frame of the same recording. */
  read(): AsyncIterable<{ readonly feed: Feeds; readonly name: string; readonly remember: (outputs: Feeds) => void }>
}

export interface FeedChoice extends DataChoice {
  readonly random: boolean
  readonly shape: string | undefined
}

const RANDOM_RUNS = 8

/** Throws `OPTION_MISSING` where neither samples nor random inputs are asked for, and what opening samples throws. */
export async function feedsFor(model: Session, choice: FeedChoice, context: Context): Promise<FeedStream> {
  const shapes = await shapesOf(choice.shape)
  const { fixInputs } = await import('../passes/with-shapes.js')
  const inputs = fixInputs(model.inputs, shapes)
  // Of random inputs too, the limit says how many.
  const limit = choice.data === undefined ? undefined : choice.limit
  const opened = await openData({ ...choice, limit }, { inputs, outputs: model.outputs })
  if (!opened && !choice.random) {
    throw new PareError('OPTION_MISSING', 'there is nothing to run the models on', {
      remedy: 'Give real inputs with --data, or --random for a check that says nothing of quality.',
    })
  }
  if (!opened) return randomStream(inputs, choice.limit ?? RANDOM_RUNS)
  const { carriedStates } = await import('../data/state.js')
  const { samples } = opened
  return {
    kind: 'samples',
    name: samples.name,
    count: samples.count,
    async *read() {
      const { feeds, remember } = carriedStates(opened.links)
      for await (const sample of samples.read({ signal: context.signal }))
        yield { feed: feeds(sample), name: sample.name, remember }
    },
  }
}

export async function shapesOf(text: string | undefined): Promise<InputShapes> {
  if (text === undefined) return {}
  const { parseShapes } = await import('../passes/with-shapes.js')
  return parseShapes(text)
}

/** Throws `SAMPLES_EMPTY` where nothing was read: what is said of no samples is true of any two models. */
export function requireSamples(count: number, { name }: FeedStream): void {
  if (count > 0) return
  throw new PareError('SAMPLES_EMPTY', 'there are no samples', { where: name, remedy: 'Give at least one.' })
}

async function randomStream(inputs: readonly ValueInfo[], count: number): Promise<FeedStream> {
  const { randomFeeds } = await import('../data/synthesize.js')
  return {
    kind: 'random',
    name: 'random inputs',
    count,
    async *read() {
      for (let seed = 0; seed < count; seed++) {
        yield { feed: randomFeeds(inputs, { seed }), name: `seed ${seed}`, remember: () => {} }
      }
    },
  }
}
