/** t-SNE: a map in which points lie as near as they belong together in the data (van der Maaten and Hinton 2008). */

import type { Engine } from '../../engine/engine.js'
import { throwIfAborted } from '../../engine/failures.js'
import type { DenseMatrix } from '../../linear/design.js'
import type { RunOptions } from '../../util/env.js'
import { rareTurns } from '../../util/turns.js'
import { nearestNeighbours } from '../neighbours.js'
import { conditionals, joint } from './affinities.js'
import { checkMapped, checkTransformed, type Settings, settingsOf } from './check.js'
import { type MovingMap, openMap } from './descent.js'
import type { RepulsionMethod } from './repulsion.js'
import { startOfMap } from './start.js'
import { placedInto, type TransformOptions } from './transform.js'

export interface TsneOptions extends RunOptions {
  /** Its products find the neighbours, and its threads move the points. Without one a few thousand rows take minutes. */
  readonly engine?: Engine | undefined
  /** Dimensions of the map. Default 2. */
  readonly nComponents?: 2 | 3
  /**
   * Neighbours that count for each row, smoothly: at least 1, and below a third of the rows. Default 30, or with fewer
   * rows the largest whole number that may be.
   */
  readonly perplexity?: number
  /** Where the points begin: by the first principal components, at random, or as given, [rows, nComponents]. Default `pca`. */
  readonly init?: 'pca' | 'random' | ArrayLike<number>
  /** Times the affinities in the first iterations. Default 12. */
  readonly earlyExaggeration?: number
  /** How many these are. Default 250. */
  readonly earlyIterations?: number
  /** Times the affinities in the others. Default 1. */
  readonly exaggeration?: number
  /** Iterations after the first ones. Default 500. */
  readonly iterations?: number
  /** Default `auto`: rows / exaggeration (Belkina et al. 2019). */
  readonly learningRate?: number | 'auto'
  /** Default 0.8. */
  readonly momentum?: number
  /**
   * How repulsion is summed up. Default `auto`: `grid` in the plane (Linderman et al. 2019), `barnes-hut` in space, `exact`
   * for few rows.
   */
  readonly method?: 'auto' | RepulsionMethod
  /** Of all pairs, or from near lists alone. Default: exact up to some 150,000 rows. */
  readonly neighbours?: 'exact' | 'lists'
  /**
   * Of `barnes-hut`: width over distance of what counts as one point, up to 0.57, where a cell could be that of the point
   * itself. Default 0.5.
   */
  readonly theta?: number
  /** Told of the map after each iteration. It is asked for where it is drawn: `embedding` copies it. */
  readonly onIteration?: (iteration: {
    readonly iteration: number
    readonly total: number
    embedding(): Float32Array
  }) => void
}

export interface Tsne {
  /** [rows, nComponents] */
  readonly embedding: Float32Array
  readonly nComponents: number
  /** Σ p ln(p / q), with q as the method sums it up. */
  readonly klDivergence: number
  readonly iterations: number
  readonly perplexity: number
  readonly method: RepulsionMethod
  /** Where other rows belong in this map, [rows, nComponents]. Throws `DESIGN_…`, `TSNE_OPTION`. */
  transform(x: DenseMatrix, options?: TransformOptions): Promise<Float32Array>
}

/** Each has a grid of its own: more of them take longer to add up than they save. */
const MOST_PARTS = 32

/** Iterations between two looks at the divergence, for who is told of it. */
const LOOK = 50

/**
 * The same seed, engine and number of threads give the same map. Throws `DESIGN_…`, `TSNE_OPTION`, `RANDOM_SEED`,
 * `TSNE_MEMORY`, `TSNE_TREE`, what the engine throws, and `ABORTED` once the signal fired.
 *
 * @example
 * const engine = await openEngine()
 * const { embedding, klDivergence } = await tsne({ rows, columns, data }, { engine, perplexity: 30 })
 */
export async function tsne(x: DenseMatrix, options: TsneOptions = {}): Promise<Tsne> {
  checkMapped(x)
  const settings = settingsOf(x, options)
  const { engine, signal, onProgress, seed, neighbours } = options
  const run = {
    engine,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(seed !== undefined && { seed }),
  }
  const { perplexity, nComponents, method, k } = settings
  throwIfAborted(signal)
  const near = await nearestNeighbours(x, k, { ...run, ...(neighbours && { search: neighbours }) })
  const affinities = joint(near, conditionals(near, perplexity).values)
  const start = await startOfMap(x, settings, engine, signal)
  const map = openMap(start, affinities, {
    dims: nComponents,
    method,
    theta: settings.theta,
    maxStepNorm: 5,
    parts: engine?.tasks === undefined ? 1 : Math.min(MOST_PARTS, engine.tasks.threads + 1),
    tasks: engine?.tasks,
  })
  try {
    await descend(map, settings, options)
    const embedding = map.embedding()
    return {
      embedding,
      nComponents,
      klDivergence: map.divergence(),
      iterations: settings.total,
      perplexity,
      method,
      transform: async (other, given = {}) => {
        checkTransformed(other, x, given)
        return placedInto({ x, embedding, dims: nComponents, method, theta: settings.theta }, other, {
          engine,
          ...given,
        })
      },
    }
  } finally {
    await map.close()
  }
}

async function descend(
  map: MovingMap,
  { phases, total }: Pick<Settings, 'phases' | 'total'>,
  { signal, onProgress, onIteration }: TsneOptions,
): Promise<void> {
  const turn = rareTurns()
  const curve: number[] = []
  let iteration = 0
  for (const phase of phases)
    for (let i = 0; i < phase.iterations; i++) {
      map.step(phase)
      iteration++
      onIteration?.({ iteration, total, embedding: map.embedding })
      if (onProgress && iteration % LOOK === 0) {
        curve.push(map.divergence())
        onProgress({ task: 't-SNE', detail: `divergence ${curve.at(-1)!.toFixed(3)}`, curve, done: iteration, total })
      }
      await turn()
      throwIfAborted(signal)
    }
}
