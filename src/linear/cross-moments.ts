/**
 * Cross-validation of a path: each fold is predicted by models that were fitted on the others. Errors of a Gaussian
 * model follow from moments alone, so the data is read once for each fold and never again.
 */

import type { Engine } from '../engine/engine.js'
import { BLOCK, kernelPool, openGramKernel, wholeBlocks } from '../kernels/gram-kernel.js'
import type { RunOptions } from '../util/env.js'
import type { Task } from '../util/tasks.js'
import { nextTurn } from '../util/turns.js'
import { type CrossValidationSummary, summaryOf } from './cv-summary.js'
import { type FoldMoments, trainingOf } from './fold-moments.js'
import type { ModelRecipe } from './gaussian-model.js'
import type { Moments } from './moments.js'
import type { LinearModel, LinearPath } from './path.js'

interface ByOptions extends Pick<RunOptions, 'onProgress' | 'signal'> {
  /** Its threads take folds too, where these are large. */
  readonly engine?: Pick<Engine, 'tasks'> | undefined
  /** Of all rows, where it is known. Default: by `pathOf`. */
  readonly path?: LinearPath
}

/** Errors are mean squares. */
export interface CrossValidation extends CrossValidationSummary {
  /** Of all rows. */
  readonly path: LinearPath
}

/** A path of some rows, of which the folds are known too; its own strengths unless given. */
export type PathOfPart = (part: FoldMoments, lambdas?: ArrayLike<number>) => LinearPath

/** With what another thread makes it of. */
export interface PathByRecipe extends PathOfPart {
  readonly recipe: ModelRecipe
}

/** Columns from which on a fold is worth the way to another thread. */
const WIDE = 128

/**
 * Whatever `pathOf` chooses by data, it chooses for each fold by what that fold is judged by. Between folds a cancellation
 * is heard. Throws `FOLDS`.
 */
export async function crossValidateBy(
  pathOf: PathByRecipe,
  folds: FoldMoments,
  { onProgress, signal, engine, path = pathOf(folds) }: ByOptions = {},
): Promise<CrossValidation> {
  const { tests, all } = folds
  const others = all.means.length < WIDE ? 0 : Math.min(engine?.tasks?.threads ?? 0, tests.length - 1)
  const next = others > 0 ? new Int32Array(new SharedArrayBuffer(4)) : new Int32Array(1)
  const input: FoldInput = { recipe: pathOf.recipe, folds, lambdas: path.lambdas, next }
  const elsewhere = Promise.all(Array.from({ length: others }, () => engine!.tasks!.run(FOLD_TASK, input)))
  // It is heard below, unless something else fails before.
  elsewhere.catch(() => {})
  const found: FoldError[] = []
  try {
    for (const one of errorsByFold(pathOf, input)) {
      found.push(one)
      onProgress?.({
        task: 'cross-validation',
        done: Math.max(1, taken(next, tests.length) - others),
        total: tests.length,
      })
      await nextTurn(signal)
    }
    if (found.length < tests.length) found.push(...(await elsewhere).flat())
    signal?.throwIfAborted()
  } finally {
    Atomics.store(next, 0, tests.length)
  }
  if (others > 0) onProgress?.({ task: 'cross-validation', done: tests.length, total: tests.length })
  return { path, ...summaryOf(inOrder(found), weightsOf(folds)) }
}

/** Of a path that is chosen while another one is solved. */
export function crossValidateAtOnce(pathOf: PathOfPart, folds: FoldMoments): CrossValidation {
  const path = pathOf(folds)
  const found = errorsByFold(pathOf, { folds, lambdas: path.lambdas, next: new Int32Array(1) })
  return { path, ...summaryOf(inOrder([...found]), weightsOf(folds)) }
}

const weightsOf = ({ tests }: FoldMoments): readonly number[] => tests.map(({ weight }) => weight)

const taken = (next: Int32Array, most: number): number => Math.min(most, Atomics.load(next, 0))

/** Of a fold, by λ. */
export interface FoldError {
  readonly fold: number
  readonly errors: readonly number[]
}

const inOrder = (found: readonly FoldError[]): readonly (readonly number[])[] =>
  found.toSorted((a, b) => a.fold - b.fold).map(({ errors }) => errors)

/** What threads share that take folds one by one. */
export interface FoldInput {
  readonly recipe: ModelRecipe
  readonly folds: FoldMoments
  readonly lambdas: Float64Array
  /** [1]: the fold that nobody has taken yet. */
  readonly next: Int32Array
}

const FOLD_TASK: Task<FoldInput, readonly FoldError[]> = { module: 'linear/fold-task.js' }

/** Of the folds that are left, one after the other. */
export function* errorsByFold(
  pathOf: PathOfPart,
  { folds, lambdas, next }: Omit<FoldInput, 'recipe'>,
): Generator<FoldError> {
  // What all of them need, one after the other.
  const room = new Float64Array(folds.all.scatter.length)
  const kernels = kernelPool()
  for (;;) {
    const fold = Atomics.add(next, 0, 1)
    if (fold >= folds.tests.length) return
    const { models } = pathOf(trainingOf(folds, fold, room), lambdas)
    kernels.begin()
    yield { fold, errors: errorsOf(folds.tests[fold]!, models, kernels.open) }
  }
}

/** Mean squared error of a model on rows of which only the moments are known. */
export const errorOf = (test: Moments, model: LinearModel): number => errorsOf(test, [model])[0]!

/** Rows of a sum of squares that are multiplied together. */
const STRIP = 8 * BLOCK

/** Of the models of a path, which have most of their columns in common. */
function errorsOf(
  { weight, means, scatter }: Moments,
  models: readonly LinearModel[],
  open = openGramKernel,
): number[] {
  const m = means.length
  const p = m - 1
  // Of the columns that some model uses, those that come in first first: each model has its part in one place.
  const order = orderOf(models, p)
  const many = order.length
  const stride = wholeBlocks(many)
  const { memory, subtractRows } = open((many + 3) * stride)
  const own = memory.subarray(0, many * stride)
  const [c, inside, outside] = [0, 1, 2].map((at) =>
    memory.subarray((many + at) * stride, (many + at + 1) * stride),
  ) as [Float64Array, Float64Array, Float64Array]
  for (let a = 0; a < many; a++) {
    const row = order[a]! * m
    for (let b = a - (a % STRIP); b < many; b++) own[a * stride + b] = scatter[row + order[b]!]!
  }
  return models.map(({ coefficients, intercept }) => {
    // e = y − xᵀβ − β₀ = cᵀz − β₀ with c = (1, −β): Var(e) + E(e)².
    let [shift, last] = [-intercept, 0]
    for (let a = 0; a < many; a++) {
      c[a] = order[a] === p ? 1 : -coefficients[order[a]!]!
      if (c[a] === 0) continue
      shift += c[a]! * means[order[a]!]!
      last = a
    }
    const used = last + 1
    inside.fill(0)
    outside.fill(0)
    // What lies beside the squares on the diagonal lies there twice.
    for (let from = 0; from < used; from += STRIP) {
      const [data, to] = [own.subarray(from * stride + from), Math.min(used, from + STRIP)]
      const count = to - from
      subtractRows({ count, length: count, data, stride }, c.subarray(from), inside.subarray(from))
      if (to === used) break
      subtractRows(
        { count, length: used - to, data: data.subarray(count), stride },
        c.subarray(from),
        outside.subarray(to),
      )
    }
    let square = 0
    for (let a = 0; a < used; a++) square -= c[a]! * (inside[a]! + 2 * outside[a]!)
    return square / weight + shift * shift
  })
}

/** y, then the columns with a coefficient, in the order in which they come in. */
function orderOf(models: readonly LinearModel[], p: number): readonly number[] {
  const order = [p]
  const isIn = new Uint8Array(p)
  for (const { coefficients } of models)
    for (let j = 0; j < p; j++)
      if (isIn[j] === 0 && coefficients[j] !== 0) {
        isIn[j] = 1
        order.push(j)
      }
  return order
}
