/** What a metric is: a number for people beside the loss, gathered batch by batch. */

/** What a model answered for some samples, and what it should have. */
export interface Answers {
  /** Row after row. */
  readonly outputs: ArrayLike<number>
  /** The class of each row, 1 or 0 for each score, or as many values as `outputs` has. */
  readonly targets: ArrayLike<number>
  /** Numbers in a row of `outputs`. */
  readonly width: number
}

export interface TrainMetric<S = unknown> {
  readonly name: string
  /**
   * What it is of: rows of class scores and the index of the right one; single scores that say yes above 0, and targets
   * 1 and 0; or rows of values on the targets' scale.
   */
  readonly of: 'classes' | 'binary' | 'values'
  readonly moreIsBetter: boolean
  /** Why rows of so many numbers do not suit it; null where they do. */
  refuses?(width: number): string | null
  /** Before the first batch. */
  start(width: number): S
  /** Adds a batch to the state, in place. */
  add(state: S, answers: Answers): void
  /** Of all that was added; NaN where that allows no number. */
  value(state: S): number
}
