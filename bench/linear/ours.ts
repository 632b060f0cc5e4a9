/**
 * Solves one problem with this library: `npx tsx bench/linear/ours.ts FOLDER KIND ORDER THREADS
 * [TOLERANCE]`. FOLDER holds `warm` and `problem`; what was found goes to `found`, the seconds are printed.
 */

import { join } from 'node:path'
import type { DenseMatrix } from '../../src/linear/design.js'
import { crossValidate, glmPath, path, ridgePath } from '../../src/linear/index.js'
import { type Engine, openEngine } from '../../src/node.js'
import { VERSION } from '../../src/util/version.js'
import { readArray, readByRows, writeArray } from './arrays.js'
import type { Kind } from './problems.js'

interface Given {
  readonly x: DenseMatrix
  readonly y: Float64Array
  readonly lambdas: Float64Array
  readonly folds: Float64Array | null
}

interface Model {
  readonly lambda: number
  /** [K][p] */
  readonly coefficients: readonly Float64Array[]
  readonly intercepts: ArrayLike<number>
}

interface Found {
  readonly models: readonly Model[]
  /** Of the chosen model, on rows that were left out. */
  readonly error?: number
}

const [folder, kind, order, threads, given] = process.argv.slice(2) as [
  string,
  Kind,
  DenseMatrix['order'],
  string,
  string?,
]

/** Duality gap, as a part of that of the empty model. */
const tolerance = Number(given ?? 1e-5)

const one = ({ lambda, coefficients, intercept }: Awaited<ReturnType<typeof path>>['models'][number]): Model => ({
  lambda,
  coefficients: [coefficients],
  intercepts: [intercept],
})

const SOLVE: Readonly<Record<Kind, (given: Given, engine: Engine) => Promise<Found>>> = {
  async path({ x, y, lambdas }, engine) {
    const { models } = await path(x, y, { engine, lambdas, isStandardized: false, tolerance })
    return { models: models.map(one) }
  },
  async cv({ x, y, lambdas, folds }, engine) {
    const options = { engine, lambdas, foldIds: folds!, isStandardized: false, tolerance }
    const { path, error, least } = await crossValidate(x, y, options)
    return { models: [one(path.models[least]!)], error: error[least]! }
  },
  binomial({ x, y, lambdas }, engine) {
    const options = { engine, lambdas, isStandardized: false, tolerance }
    return glmPath(x, y, { ...options, family: 'binomial' })
  },
  multinomial({ x, y, lambdas }, engine) {
    const options = { engine, lambdas, isStandardized: false, l1Ratio: 0, tolerance }
    return glmPath(x, y, { ...options, family: 'multinomial' })
  },
  async ridge({ x, y, lambdas }, engine) {
    const { models, leaveOneOut } = await ridgePath(x, y, { engine, lambdas, isStandardized: false })
    const { error, least } = leaveOneOut
    return { models: [one(models[least]!)], error: error[least]! }
  },
}

function read(name: string): Given {
  const at = (array: string): string => join(folder, name, `${array}.npy`)
  const { shape, data } = order === 'row-major' ? readByRows(at('x')) : readArray(at('x'))
  return {
    x: { rows: shape[0]!, columns: shape[1]!, data, order },
    y: readArray(at('y')).data,
    lambdas: readArray(at('lambdas')).data,
    folds: kind === 'cv' ? readArray(at('folds')).data : null,
  }
}

const engine = await openEngine({ threads: Number(threads) })
await SOLVE[kind](read('warm'), engine)
const problem = read('problem')
const begin = performance.now()
const { models, error } = await SOLVE[kind](problem, engine)
const seconds = (performance.now() - begin) / 1000
await engine.close()

const [K, p] = [models[0]!.coefficients.length, problem.x.columns]
const write = (array: string, shape: readonly number[], values: readonly ArrayLike<number>[]): void => {
  const data = Float64Array.from(values.flatMap((v) => Array.from(v)))
  writeArray(join(folder, 'found', `${array}.npy`), { shape, data, isFortran: false })
}
write('lambdas', [models.length], [models.map((m) => m.lambda)])
write(
  'coefficients',
  [models.length, K, p],
  models.flatMap((m) => m.coefficients),
)
write(
  'intercepts',
  [models.length, K],
  models.map((m) => m.intercepts),
)
console.log(JSON.stringify({ seconds, version: VERSION, error }))
