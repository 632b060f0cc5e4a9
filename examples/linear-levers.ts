/**
 * The plain levers on plain data, in float64: `npx tsx examples/linear-levers.ts`. Ridge and lasso by gradient descent,
 * and lasso on two principal components, first without an intercept at a strength that nobody chose, then with one at
 * the strength that cross-validation chooses.
 *
 * `linear-levers.csv` holds what NumPy draws: `seed(0); X = randn(100, 10); y = X @ randn(10) + 0.5`.
 */

import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import {
  type Dataset,
  type Engine,
  layers,
  losses,
  openEngine,
  optimizers,
  type Penalty,
  penalties,
  scoreOf,
  sequential,
  train,
} from '../src/node.js'

/** Rows of features and their targets. */
interface Table {
  readonly x: readonly Float64Array[]
  readonly y: readonly number[]
}

interface Lever {
  readonly name: string
  readonly penalty: (lambda: number) => Penalty
  /** Principal components to keep; all columns where not given. */
  readonly components?: number
}

export const LEVERS: readonly Lever[] = [
  { name: 'ridge', penalty: penalties.l2 },
  { name: 'lasso', penalty: (lambda) => penalties.l1(lambda) },
  { name: 'PCA to 2, then lasso', penalty: (lambda) => penalties.l1(lambda), components: 2 },
]

export function readTable(file = new URL('linear-levers.csv', import.meta.url)): Table {
  const [, ...rows]: string[][] = parse(readFileSync(file))
  const values = rows.map((row) => Float64Array.from(row, Number))
  return { x: values.map((row) => row.subarray(0, -1)), y: values.map((row) => row.at(-1)!) }
}

/** Root of the mean squared error on `test` of a lever that was fitted on `table`: wᵀx + b, or wᵀx. */
export async function rmse(
  engine: Engine,
  lever: Lever,
  o: { readonly lambda: number; readonly hasIntercept: boolean; readonly table: Table; readonly test?: Table },
): Promise<number> {
  const { lambda, hasIntercept, table, test = table } = o
  const project = lever.components === undefined ? (row: Float64Array) => row : pca(table.x, lever.components)
  const data = dataset(table, project)
  const model = sequential([layers.dense(1)], { input: [lever.components ?? table.x[0]!.length], float: 'float64' })
  // J = ‖Xw − y‖² / 2m + λ P(w) in steps of 0.1; the mean squared error is twice the first term, so λ is doubled and
  // the step halved.
  const { model: fitted } = await train(model, {
    engine,
    data,
    validation: null,
    loss: losses.squaredError(),
    optimizer: optimizers.sgd(),
    learningRate: 0.1 / 2,
    penalties: [{ penalty: lever.penalty(2 * lambda) }],
    freeze: hasIntercept ? [] : ['*.bias'],
    batchSize: data.count,
    epochs: 1000,
  })
  return Math.sqrt((await scoreOf(fitted, { engine, data: dataset(test, project), loss: losses.squaredError() })).loss)
}

/** The strength with the smallest error on folds that were left out, each fold a fifth of the rows. */
export async function chosenLambda(
  engine: Engine,
  lever: Lever,
  table: Table,
  grid: readonly number[],
): Promise<{ readonly lambda: number; readonly error: number }> {
  let [best, least] = [grid[0]!, Number.POSITIVE_INFINITY]
  for (const lambda of grid) {
    let sum = 0
    for (let fold = 0; fold < 5; fold++) {
      const [train, test] = [rows(table, (i) => i % 5 !== fold), rows(table, (i) => i % 5 === fold)]
      sum += test.y.length * (await rmse(engine, lever, { lambda, hasIntercept: true, table: train, test })) ** 2
    }
    const error = Math.sqrt(sum / table.y.length)
    if (error < least) [best, least] = [lambda, error]
  }
  return { lambda: best, error: least }
}

const rows = ({ x, y }: Table, isIn: (i: number) => boolean): Table => ({
  x: x.filter((_, i) => isIn(i)),
  y: y.filter((_, i) => isIn(i)),
})

function dataset({ x, y }: Table, project: (row: Float64Array) => Float64Array): Dataset {
  const projected = x.map(project)
  const width = projected[0]!.length
  const all = Float64Array.from(projected.flatMap((row) => [...row]))
  return {
    count: y.length,
    inputs: new Map([['input', { dtype: 'float64', shape: [width], data: all }]]),
    targets: new Map([['output', { dtype: 'float64', shape: [1], data: Float64Array.from(y) }]]),
  }
}

/** The projection on the first eigenvectors of the covariance, by power iteration and deflation. */
function pca(x: readonly Float64Array[], components: number): (row: Float64Array) => Float64Array {
  const mean = x[0]!.map((_, j) => x.reduce((sum, row) => sum + row[j]!, 0) / x.length)
  const centred = x.map((row) => row.map((v, j) => v - mean[j]!))
  const axes: Float64Array[] = []
  while (axes.length < components) {
    let axis = mean.map((_, j) => 1 / (j + 1))
    for (let i = 0; i < 2000; i++) {
      for (const known of axes) axis = axis.map((v, j, a) => v - dot(a, known) * known[j]!)
      const next = axis.map(() => 0)
      for (const row of centred) {
        const score = dot(row, axis)
        for (let j = 0; j < next.length; j++) next[j]! += score * row[j]!
      }
      const size = Math.sqrt(dot(next, next))
      axis = next.map((v) => v / size)
    }
    axes.push(axis)
  }
  return (row) =>
    Float64Array.from(axes, (axis) =>
      dot(
        axis,
        row.map((v, j) => v - mean[j]!),
      ),
    )
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, j) => sum + v * b[j]!, 0)

if (process.argv[1]?.endsWith('linear-levers.ts')) {
  const engine = await openEngine({ threads: 1 })
  const table = readTable()
  console.log('RMSE                  no intercept     intercept        left out (5 folds)  λ')
  for (const lever of LEVERS) {
    const plain = await rmse(engine, lever, { lambda: 0.1 / table.y.length, hasIntercept: false, table })
    const { lambda, error } = await chosenLambda(engine, lever, table, [1e-4, 1e-3, 1e-2, 0.1, 1])
    const chosen = await rmse(engine, lever, { lambda, hasIntercept: true, table })
    const errors = [plain, chosen, error].map((v, i) => v.toFixed(13).padEnd([17, 17, 20][i]!))
    console.log(`${lever.name.padEnd(21)} ${errors.join('')}${lambda}`)
  }
  await engine.close()
}
