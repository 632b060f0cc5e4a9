/** What long-running functions take: seed, cancellation and progress are arguments, never globals. */

export interface Progress {
  /** What is being done, in a few words: `calibrating`, `trial 3 of 12`. */
  readonly task: string
  /** What changes while it is done: `loss 0.12`. */
  readonly detail?: string
  /** Values over the course of the work, such as losses, the latest last: where there is room they are drawn. */
  readonly curve?: readonly number[]
  readonly done: number
  /** Absent while the amount of work is unknown. */
  readonly total?: number
}

export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  readonly seed?: number
  /** Told of what the user should know and that is no error. */
  readonly onWarning?: (message: string) => void
}
