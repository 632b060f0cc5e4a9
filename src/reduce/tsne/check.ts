/** What t-SNE is asked, with its defaults, and whether that can be. */

import { checkCells, checkShape, type DenseMatrix } from '../../linear/design.js'
import { PareError } from '../../util/errors.js'
import type { Phase } from './descent.js'
import type { RepulsionMethod } from './repulsion.js'
import type { TransformOptions } from './transform.js'
import type { TsneOptions } from './tsne.js'

export interface Settings {
  readonly nComponents: 2 | 3
  readonly perplexity: number
  /** Neighbours that are looked at. */
  readonly k: number
  readonly init: 'pca' | 'random' | ArrayLike<number>
  readonly seed: number
  readonly method: RepulsionMethod
  readonly theta: number
  readonly phases: readonly Phase[]
  readonly total: number
}

/** Where there are rows enough for it. */
const PERPLEXITY = 30

/** A cell nearer to a point than its width over this may hold the point: in three dimensions the diagonal is √3 widths. */
const WIDEST = 0.57

/** Rows up to which all pairs cost no more than a grid. */
const FEW = 400

/** Neighbours beyond this many times the perplexity have next to no weight. */
const REACH = 3

/** Throws `DESIGN_…`. */
export function checkMapped(x: DenseMatrix): void {
  checkShape(x, x.rows)
  checkCells(x)
}

const wrong = (where: string, value: unknown, remedy: string): PareError =>
  new PareError('TSNE_OPTION', 't-SNE cannot be run like this', { where, value: String(value), remedy })

/** Throws `TSNE_OPTION`. */
export function settingsOf({ rows }: DenseMatrix, o: TsneOptions): Settings {
  const { nComponents = 2, init = 'pca', seed = 0, theta = 0.5, method = 'auto' } = o
  const { perplexity = Math.min(PERPLEXITY, Math.max(1, Math.ceil(rows / 3) - 1)) } = o
  const { earlyExaggeration = 12, earlyIterations = 250, exaggeration = 1, iterations = 500 } = o
  const { learningRate = 'auto', momentum = 0.8 } = o
  if (nComponents !== 2 && nComponents !== 3) throw wrong('nComponents', nComponents, 'Give 2 or 3.')
  if (rows < 4) throw wrong('rows', rows, 'Give at least 4 rows.')
  if (!(perplexity >= 1 && perplexity < rows / 3))
    throw wrong(
      'perplexity',
      `${perplexity} with ${rows} rows`,
      `Give a number from 1 to below a third of the rows: ${Math.max(1, Math.floor((rows - 1) / 3.5))}.`,
    )
  const positive = { earlyExaggeration, exaggeration, ...(learningRate !== 'auto' && { learningRate }) }
  for (const [name, value] of Object.entries(positive))
    if (!(value > 0 && Number.isFinite(value))) throw wrong(name, value, 'Give a number above 0.')
  for (const [name, value] of Object.entries({ earlyIterations, iterations }))
    if (!(Number.isSafeInteger(value) && value >= 0)) throw wrong(name, value, 'Give a whole number from 0 on.')
  if (!(momentum >= 0 && momentum < 1)) throw wrong('momentum', momentum, 'Give a number from 0 to below 1.')
  if (!(theta > 0 && theta <= WIDEST))
    throw wrong('theta', theta, `Give a number above 0, up to ${WIDEST}; for all pairs take the method exact.`)
  if (!['auto', 'exact', 'barnes-hut', 'grid'].includes(method))
    throw wrong('method', method, 'Give auto, exact, barnes-hut or grid.')
  if (o.neighbours !== undefined && !['exact', 'lists'].includes(o.neighbours))
    throw wrong('neighbours', o.neighbours, 'Give exact or lists.')
  if (method === 'grid' && nComponents === 3) throw wrong('method', method, 'In 3 dimensions give barnes-hut or exact.')
  if (typeof init === 'string') {
    if (init !== 'pca' && init !== 'random') throw wrong('init', init, 'Give pca, random, or a start for each point.')
  } else checkStart(init, rows * nComponents)
  const phase = (exaggerated: number, count: number): Phase => ({
    iterations: count,
    exaggeration: exaggerated,
    momentum,
    learningRate: learningRate === 'auto' ? rows / exaggerated : learningRate,
  })
  const phases = [phase(earlyExaggeration, earlyIterations), phase(exaggeration, iterations)]
  const plain = nComponents === 3 ? 'barnes-hut' : 'grid'
  return {
    nComponents,
    perplexity,
    k: Math.min(rows - 1, Math.max(1, Math.ceil(REACH * perplexity))),
    init,
    seed,
    method: method !== 'auto' ? method : rows <= FEW ? 'exact' : plain,
    theta,
    phases,
    total: earlyIterations + iterations,
  }
}

function checkStart(init: ArrayLike<number>, length: number): void {
  if (init.length !== length) throw wrong('init', `${init.length} numbers`, `Give ${length}: some for each point.`)
  const at = Array.from(init).findIndex((v) => !Number.isFinite(v))
  if (at >= 0) throw wrong('init', init[at], `Give finite numbers; number ${at} is not.`)
}

/** Throws `DESIGN_…`, `TSNE_OPTION`. */
export function checkTransformed(
  x: DenseMatrix,
  map: DenseMatrix,
  { perplexity = 1, iterations = 0 }: TransformOptions,
): void {
  checkMapped(x)
  if (x.columns !== map.columns) throw wrong('columns', x.columns, `Give ${map.columns}, as the map was made of.`)
  if (!(perplexity >= 1 && perplexity < map.rows / 3))
    throw wrong('perplexity', perplexity, `Give a number from 1 to below a third of the ${map.rows} rows of the map.`)
  if (!(Number.isSafeInteger(iterations) && iterations >= 0))
    throw wrong('iterations', iterations, 'Give a whole number from 0 on.')
}
