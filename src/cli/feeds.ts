/** What a model is run on: the user's samples, frame after frame with their states, or random inputs where allowed. */

import type { Feeds, Session, ValueInfo } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import type { Context } from './command.js'
import { type DataChoice, openData } from './inputs.js'

export interface FeedStream {
  readonly kind: 'samples' | 'random'
  readonly name: string
  readonly count: number | null
  /** `remember` takes the reference's outputs, from which states go to the next frame of the same recording. */
  read(): AsyncIterable<{ readonly feed: Feeds; readonly remember: (outputs: Feeds) => void }>
}

export interface FeedChoice extends DataChoice {
  readonly random: boolean
  readonly limit: number | undefined
  readonly shape: string | undefined
}

const RANDOM_RUNS = 8

/** Throws `OPTION_MISSING` where neither samples nor random inputs are asked for, and what opening samples throws. */
export async function feedsFor(model: Session, choice: FeedChoice, context: Context): Promise<FeedStream> {
  const shapes = await shapesOf(choice.shape)
  const inputs = fixInputs(model.inputs, shapes)
  const opened = await openData(choice, { inputs, outputs: model.outputs })
  if (!opened && !choice.random) {
    throw new PareError('OPTION_MISSING', 'there is nothing to run the models on', {
      remedy: 'Give real inputs with --data, or --random for a check that says nothing of quality.',
    })
  }
  if (!opened) return randomStream(inputs, shapes, choice.limit ?? RANDOM_RUNS)
  const { take } = await import('../data/split.js')
  const { carried } = await import('../data/state.js')
  const samples = choice.limit === undefined ? opened.samples : take(opened.samples, choice.limit)
  return {
    kind: 'samples',
    name: samples.name,
    count: samples.count,
    async *read() {
      let sequence: string | undefined
      let state: Feeds = {}
      for await (const sample of samples.read({ signal: context.signal })) {
        if (sample.sequence === undefined || sample.sequence !== sequence) state = {}
        sequence = sample.sequence
        const remember = (outputs: Feeds): void => {
          state = carried(opened.links, outputs)
        }
        yield { feed: { ...sample.feeds, ...state }, remember }
      }
    },
  }
}

type Shapes = Readonly<Record<string, number | readonly (number | string)[]>>

export async function shapesOf(text: string | undefined): Promise<Shapes> {
  if (text === undefined) return {}
  const { parseShapes } = await import('../passes/with-shapes.js')
  return parseShapes(text)
}

/** Inputs whose open dimensions have the sizes that `--shape` gives. Throws `SHAPE_NAME` for a name that is none. */
function fixInputs(inputs: readonly ValueInfo[], shapes: Shapes): readonly ValueInfo[] {
  const symbols = new Set(inputs.flatMap(({ shape }) => (shape ?? []).filter((d) => typeof d === 'string')))
  for (const name of Object.keys(shapes)) {
    if (symbols.has(name) || inputs.some((i) => i.name === name)) continue
    throw new PareError('SHAPE_NAME', 'this is neither an open dimension of the model nor an input', {
      where: '--shape',
      value: name,
      remedy: `Its open dimensions: ${[...symbols].join(', ') || 'none'}; its inputs: ${inputs.map((i) => i.name).join(', ')}.`,
    })
  }
  return inputs.map((input) => {
    const own = shapes[input.name]
    if (Array.isArray(own)) return { ...input, shape: own as readonly number[] }
    const shape = input.shape?.map((d) => (typeof d === 'string' && typeof shapes[d] === 'number' ? shapes[d] : d))
    return shape ? { ...input, shape } : input
  })
}

async function randomStream(inputs: readonly ValueInfo[], shapes: Shapes, count: number): Promise<FeedStream> {
  const { randomFeeds } = await import('../data/synthesize.js')
  const dims = Object.fromEntries(Object.entries(shapes).filter((e): e is [string, number] => typeof e[1] === 'number'))
  return {
    kind: 'random',
    name: 'random inputs',
    count,
    async *read() {
      for (let seed = 0; seed < count; seed++) yield { feed: randomFeeds(inputs, { seed, dims }), remember: () => {} }
    },
  }
}
