/** What an optimizer is: nodes that turn a gradient into the next value of a parameter. */

import type { Builder } from '../../ir/builder.js'

/** Values of one parameter in a training step, by name; all of the parameter's shape. */
export interface Update {
  readonly parameter: string
  readonly gradient: string
  /** One for each of the optimizer's slots. */
  readonly slots: readonly string[]
}

/** Scalars of a training step, by name. */
export interface StepScalars {
  /** Learning rate of this step. */
  readonly learningRate: string
  /** Number of the step as a float, from 1. */
  readonly step: string
}

export interface Optimizer {
  readonly name: string
  /** What works for most models. */
  readonly learningRate: number
  /** State that is kept for each parameter, of its shape; zeros at the start. */
  readonly slots: readonly string[]
  /** Scalars that all parameters share, computed once a step; handed on to `update`. */
  shared?(b: Builder, scalars: StepScalars): readonly string[]
  /** The next parameter and slots. */
  update(b: Builder, update: Update, scalars: StepScalars, shared: readonly string[]): Omit<Update, 'gradient'>
}
