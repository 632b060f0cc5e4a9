/** Principal components and t-SNE of the rows of `pare reduce`, as columns with names and what there is to say of them. */

import type { NumberColumn } from '../data/columns.js'
import type { FloatColumn } from '../data/write-table.js'
import type { Engine } from '../engine/engine.js'
import type { DenseMatrix } from '../linear/design.js'
import { type Pca, pca, pcaOfBlocks } from '../reduce/pca.js'
import { checkCount } from '../reduce/pca-count.js'
import type { Tsne } from '../reduce/tsne/tsne.js'
import { bytes, count, counted } from '../util/format.js'
import type { Context } from './command.js'
import { heldRows, type RowBlocks, sizeOf, TOGETHER } from './reduce-blocks.js'
import { componentNames } from './reduce-names.js'
import { pcaComponents, type ReduceValues, tsneComponents } from './reduce-options.js'
import type { Rows } from './reduce-rows.js'
import { standardized, unequalUnits } from './reduce-units.js'

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

/** Bytes of rows from which on components are found without holding them, and others are worth a word. */
const MUCH = 2 ** 28

/** Throws what the method throws, `OPTION_VALUE`, and what the blocks of the rows throw. */
export async function reduced(rows: Rows, choice: Choice, world: World, much = MUCH): Promise<Reduced> {
  if (choice.method === 'pca') return byPca(rows.x, choice, world, much)
  if (sizeOf(rows.x) > much) world.warn(areHeld(rows.x, sizeOf(rows.x)))
  return byTsne(rows, choice, world)
}

const areHeld = ({ rows, columns }: Pick<DenseMatrix, 'rows' | 'columns'>, size: number): string =>
  `${count(rows)} rows of ${counted(columns, 'column')} are held in memory, about ${bytes(size)}`

/** Columns whose products with each other take no more memory than rows that are held. */
const MOST_COLUMNS = 5000

async function byPca(x: RowBlocks, choice: Choice, world: World, much: number): Promise<Reduced> {
  const { engine, signal, warn } = world
  const nComponents = pcaComponents(choice.components)
  const options = {
    engine,
    signal,
    seed: choice.seed,
    whiten: choice.whiten,
    isStandardized: choice.standardize,
    ...(nComponents !== undefined && { nComponents }),
  }
  // Before they are all read, which takes long.
  if (x.rows > 1) checkCount(nComponents, x)
  const isMuch = sizeOf(x) > much
  const blocks = () => x.blocks(Math.min(TOGETHER, much / 8))
  const isStreamed = isMuch && x.columns <= Math.min(x.rows, MOST_COLUMNS)
  if (isMuch && !isStreamed) warn(areHeld(x, sizeOf(x)))
  const held = isStreamed ? null : await heldRows(x)
  const found = held === null ? await pcaOfBlocks(blocks(), options) : await pca(held, options)
  const scores = { rows: x.rows, columns: found.nComponents }
  const size = 8 * scores.rows * scores.columns
  if (isStreamed && size > much) warn(`scores: ${areHeld(scores, size)}; --components takes fewer`)
  const columns = await scoresOf(found, held === null ? blocks() : [held], x.rows)
  return { scores: columns, found: { method: 'pca', pca: found } }
}

async function scoresOf(
  found: Pca,
  blocks: AsyncIterable<DenseMatrix> | Iterable<DenseMatrix>,
  rows: number,
): Promise<readonly NumberColumn[]> {
  const width = found.nComponents
  const columns = componentNames('pca', width).map(
    (name) => ({ kind: 'number', name, values: new Float64Array(rows) }) as const,
  )
  let before = 0
  for await (const x of blocks) {
    const { data } = await found.transform(x)
    for (const [k, { values }] of columns.entries())
      for (let i = 0, at = k; i < x.rows; i++, at += width) values[before + i] = data[at]!
    before += x.rows
  }
  return columns
}

async function byTsne(rows: Rows, choice: Choice, world: World): Promise<Reduced> {
  const { engine, signal, onProgress } = world
  const { tsne } = await import('../reduce/tsne/tsne.js')
  const { perplexity, iterations, learningRate, init, seed } = choice
  const nComponents = tsneComponents(choice.components)
  const { near, initial } = await beforeTsne(rows, choice, world)
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
    scores: mapColumns(found.embedding, nComponents),
    found: { method: 'tsne', tsne: found, losses, every, initial },
  }
}

/** Distances of many columns are those of their first components and noise. */
const INITIAL_COMPONENTS = 50

async function beforeTsne(
  { x: blocks, names, kind }: Rows,
  { initialComponents: wanted = INITIAL_COMPONENTS, standardize, seed }: Choice,
  { engine, signal, warn }: World,
): Promise<{ readonly near: DenseMatrix; readonly initial: FoundTsne['initial'] }> {
  const x = await heldRows(blocks)
  // Numbers of a sample are of one unit: pixels that hardly change shall not count as those that do.
  const told = standardize || kind === 'samples' ? null : unequalUnits(x, names)
  if (told !== null) warn(told)
  if (wanted === 0 || x.columns <= wanted || x.rows <= wanted)
    return { near: standardize ? standardized(x) : x, initial: null }
  const found = await pca(x, { engine, signal, seed, nComponents: wanted, isStandardized: standardize })
  const share = found.explainedVarianceRatio.reduce((sum, v) => sum + v, 0)
  return { near: await found.transform(x), initial: { components: wanted, share } }
}

/** `tsne1`, `tsne2`, … of rows that lie one after the other. */
const mapColumns = (data: Tsne['embedding'], width: number): Reduced['scores'] =>
  componentNames('tsne', width).map((name, k) => ({
    kind: 'number',
    name,
    values: data.filter((_, at) => at % width === k),
  }))
