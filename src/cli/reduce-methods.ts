/** Principal components and t-SNE of the rows of `pare reduce`, as columns with names and what there is to say of them. */

import type { NumberColumn } from '../data/columns.js'
import type { FloatColumn } from '../data/write-table.js'
import type { Engine } from '../engine/engine.js'
import type { DenseMatrix } from '../linear/design.js'
import type { Pca } from '../reduce/pca.js'
import type { Tsne } from '../reduce/tsne/tsne.js'
import type { Context } from './command.js'
import { componentNames } from './reduce-names.js'
import { pcaComponents, type ReduceValues, tsneComponents } from './reduce-options.js'
import type { Rows } from './reduce-rows.js'

export interface Reduced {
  /** One a component, as they are written. */
  readonly scores: readonly (NumberColumn | FloatColumn)[]
  readonly found: FoundPca | FoundTsne
}

export interface FoundPca {
  readonly method: 'pca'
  readonly pca: Pca
}

export interface FoundTsne {
  readonly method: 'tsne'
  readonly tsne: Tsne
  /** The divergence, every `every` iterations from iteration `every` on. */
  readonly losses: readonly number[]
  readonly every: number
  /** What columns were brought to before; null where they were taken as they are. */
  readonly initial: { readonly components: number; readonly share: number } | null
}

type Choice = ReduceValues & { readonly seed: number }
type World = Pick<Context, 'signal' | 'onProgress' | 'warn'> & { readonly engine: Engine }

/** Throws what the method throws, and `OPTION_VALUE`. */
export async function reduced(rows: Rows, choice: Choice, world: World): Promise<Reduced> {
  return choice.method === 'pca' ? byPca(rows, choice, world) : byTsne(rows, choice, world)
}

async function byPca({ x }: Rows, choice: Choice, { engine, signal, onProgress }: World): Promise<Reduced> {
  const { pca } = await import('../reduce/pca.js')
  const nComponents = pcaComponents(choice.components)
  const found = await pca(x, {
    engine,
    signal,
    onProgress,
    seed: choice.seed,
    whiten: choice.whiten,
    isStandardized: choice.standardize,
    ...(nComponents !== undefined && { nComponents }),
  })
  const { data } = await found.transform(x)
  return { scores: columnsOf('pca', data, found.nComponents), found: { method: 'pca', pca: found } }
}

async function byTsne({ x }: Rows, choice: Choice, world: World): Promise<Reduced> {
  const { engine, signal, onProgress } = world
  const { tsne } = await import('../reduce/tsne/tsne.js')
  const { perplexity, iterations, learningRate, init, seed } = choice
  const nComponents = tsneComponents(choice.components)
  const { near, initial } = await beforeTsne(x, choice, world)
  let losses: readonly number[] = []
  let every = 1
  const found = await tsne(near, {
    engine,
    signal,
    seed,
    nComponents,
    ...(perplexity !== undefined && { perplexity }),
    ...(iterations !== undefined && { iterations }),
    ...(learningRate !== undefined && { learningRate }),
    ...(init !== undefined && { init }),
    onProgress(progress) {
      if (progress.curve !== undefined && progress.curve.length > losses.length) {
        losses = [...progress.curve]
        every = progress.done / losses.length
      }
      onProgress(progress)
    },
  })
  return {
    scores: columnsOf('tsne', found.embedding, nComponents),
    found: { method: 'tsne', tsne: found, losses, every, initial },
  }
}

/** Distances of many columns are those of their first components and noise. */
const INITIAL_COMPONENTS = 50

async function beforeTsne(
  x: DenseMatrix,
  { initialComponents: wanted = INITIAL_COMPONENTS, standardize, seed }: Choice,
  { engine, signal }: World,
): Promise<{ readonly near: DenseMatrix; readonly initial: FoundTsne['initial'] }> {
  if (wanted === 0 || x.columns <= wanted || x.rows <= wanted)
    return { near: standardize ? standardized(x) : x, initial: null }
  const { pca } = await import('../reduce/pca.js')
  const found = await pca(x, { engine, signal, seed, nComponents: wanted, isStandardized: standardize })
  const share = found.explainedVarianceRatio.reduce((sum, v) => sum + v, 0)
  return { near: await found.transform(x), initial: { components: wanted, share } }
}

/** `tsne1`, `tsne2`, … of rows that lie one after the other. */
function columnsOf(name: string, data: Float32Array | Float64Array, width: number): Reduced['scores'] {
  const one = (k: number) => Array.from({ length: data.length / width }, (_, i) => data[i * width + k]!)
  return componentNames(name, width).map((own, k) =>
    data instanceof Float32Array
      ? { kind: 'number', name: own, values: Float32Array.from(one(k)) }
      : { kind: 'number', name: own, values: Float64Array.from(one(k)) },
  )
}

/** Columns of mean 0 and standard deviation 1 (with 1/n); of a constant column zeros. */
function standardized({ rows, columns, data }: DenseMatrix): DenseMatrix {
  const own = Float64Array.from(data)
  for (let j = 0; j < columns; j++) {
    let [mean, squares] = [0, 0]
    for (let i = 0; i < rows; i++) mean += own[i * columns + j]! / rows
    for (let i = 0; i < rows; i++) squares += (own[i * columns + j]! - mean) ** 2 / rows
    // What rounding leaves of a constant column is no deviation.
    const scale = squares > (2 ** -40 * mean) ** 2 ? 1 / Math.sqrt(squares) : 0
    for (let i = 0; i < rows; i++) own[i * columns + j] = (own[i * columns + j]! - mean) * scale
  }
  return { rows, columns, data: own }
}
