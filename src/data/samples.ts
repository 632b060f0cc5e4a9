/** Samples: real inputs for a model, streamed so that memory does not grow with their number. */

import type { Feeds } from '../engine/engine.js'
import type { StateLink } from './state.js'

/** One input of the model as a person would count them: an image, a row, a clip. */
export interface Sample {
  /** By input name; arrays without a leading batch axis or with one of length 1. */
  readonly feeds: Feeds
  /** Class index, or target values. */
  readonly label?: number | readonly number[]
  /** What to call it in messages: file name, row number. */
  readonly name: string
  /** The recording that a frame belongs to: the state of a recurrent model starts afresh where it changes. */
  readonly sequence?: string
}

/** The name of an array that its file gives no name to; `fit` finds the input that it is for. */
export const UNNAMED = ''

export interface ReadOptions {
  readonly signal?: AbortSignal
}

export interface Read {
  /** Starts from the first sample each time; holds no more than a batch in memory. */
  (options?: ReadOptions): AsyncIterable<Sample>
  /**
   * The samples of the wanted indices alone, where that spares work: decoding a picture that nobody asked for.
   * `isWanted` is asked of each index once, in order. It belongs to the function, so that who wraps `read` with
   * another one does not hand on samples that went around it.
   */
  readonly some?: ReadSome
}

export type ReadSome = (isWanted: (index: number) => boolean, options?: ReadOptions) => AsyncIterable<Sample>

export interface Samples {
  /** What to call the source in reports: the path, as given. */
  readonly name: string
  /** Known for files that state their length, else null until read. */
  readonly count: number | null
  /** What the class indices in labels stand for, where the source tells. */
  readonly classes?: readonly string[]
  /** The labels of the whole source, of which this may be a part, where they can be read without the inputs. */
  readonly labels?: {
    readonly name: string
    read(options?: ReadOptions): AsyncIterable<number | readonly number[]>
  }
  /** States that whoever runs the samples feeds back from frame to frame; see `carriedStates`. */
  readonly carry?: readonly StateLink[]
  readonly read: Read
}

/** A `read` that can leave samples out; all of them unless `isWanted` is given. */
export const readOf = (some: ReadSome): Read =>
  Object.assign((options?: ReadOptions) => some(() => true, options), { some })

/** The samples of the wanted indices. */
export async function* someOf(
  samples: Pick<Samples, 'read'>,
  isWanted: (index: number) => boolean,
  options?: ReadOptions,
): AsyncGenerator<Sample> {
  if (samples.read.some) return yield* samples.read.some(isWanted, options)
  let i = 0
  for await (const sample of samples.read(options)) if (isWanted(i++)) yield sample
}
