/** Samples: real inputs for a model, streamed so that memory does not grow with their number. */

import type { Feeds } from '../engine/engine.js'

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
  /** Starts from the first sample each time; holds no more than a batch in memory. */
  read(options?: ReadOptions): AsyncIterable<Sample>
}
