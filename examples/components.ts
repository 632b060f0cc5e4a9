/**
 * Principal components and what is built on them: `npx tsx examples/components.ts`. Four measures of 150 irises become
 * two, a classifier is fitted on these, and both are one ONNX graph that takes the four.
 */

import { readFileSync } from 'node:fs'
import { chain, type Engine, linear, type Model, openEngine, reduce } from '../src/node.js'

const FILE = new URL('../test/data/iris.csv', import.meta.url)

interface Irises {
  readonly names: readonly string[]
  readonly x: linear.DenseMatrix
  readonly species: readonly string[]
}

export function readIrises(): Irises {
  const [header, ...lines] = readFileSync(FILE, 'utf8').trim().split('\n')
  const rows = lines.map((line) => line.split(','))
  const data = Float64Array.from(rows.flatMap((row) => row.slice(0, 4).map(Number)))
  return {
    names: header!.split(',').slice(0, 4),
    x: { rows: rows.length, columns: 4, data },
    species: rows.map((row) => row[4]!),
  }
}

/** As many components as explain more than 97 % of the variance. */
export const componentsOf = (engine: Engine, { x }: Irises): Promise<reduce.Pca> =>
  reduce.pca(x, { engine, nComponents: 0.97 })

/** The same from blocks of rows, as of a file that no memory holds. */
export function fromBlocks(engine: Engine, { x }: Irises): Promise<reduce.Pca> {
  function* blocks() {
    for (let row = 0; row < x.rows; row += 60) {
      const data = x.data.subarray(row * 4, (row + 60) * 4)
      yield { rows: data.length / 4, columns: 4, data }
    }
  }
  return reduce.pcaOfBlocks(blocks(), { engine, nComponents: 0.97 })
}

/** The four measures to a species, by way of the components. */
export async function classifier(engine: Engine, irises: Irises, found: reduce.Pca): Promise<Model> {
  const scores = await found.transform(irises.x)
  const names = Array.from({ length: found.nComponents }, (_, k) => `PC${k + 1}`)
  const levels = [...new Set(irises.species)]
  const columns = names.map((name, k) => ({
    kind: 'number' as const,
    name,
    values: Float64Array.from({ length: scores.rows }, (_, i) => scores.data[i * names.length + k]!),
  }))
  const species = {
    kind: 'category' as const,
    name: 'species',
    codes: Int32Array.from(irises.species, (s) => levels.indexOf(s)),
    levels,
  }
  const table = { name: 'irises', rows: scores.rows, columns: [...columns, species] }
  const { model } = await linear.fitGlm(table, { engine, target: 'species' })
  // Models of tables take a column each, in float64.
  return chain(found.toOnnx({ precision: 'float64', input: irises.names, output: names }), model)
}

if (process.argv[1]?.endsWith('components.ts')) {
  const engine = await openEngine({ threads: 1 })
  const irises = readIrises()
  const found = await componentsOf(engine, irises)
  console.log(`${found.nComponents} components explain`, found.explainedVarianceRatio)
  const { graph } = await classifier(engine, irises, found)
  console.log(`one graph of ${graph.nodes.length} nodes from ${graph.inputs.join(', ')} to ${graph.outputs.join(', ')}`)
  await engine.close()
}
