/**
 * Which columns say something: `npx tsx examples/select-columns.ts`. Ten measures of a tumour's cells, 569 times, and what
 * it was; each method names the five columns that it would keep.
 */

import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { select } from '../src/node.js'

/** The first ten columns, and the last. */
export function readTumours(file = new URL('../test/data/breast-cancer.csv', import.meta.url)) {
  const [header, ...rows]: string[][] = parse(readFileSync(file))
  const names = header!.slice(0, 10)
  return {
    names,
    x: { rows: rows.length, columns: 10, data: Float64Array.from(rows.flatMap((row) => row.slice(0, 10).map(Number))) },
    y: rows.map((row) => row.at(-1)!),
  }
}

type Tumours = ReturnType<typeof readTumours>

/** Names of the five best, by method. */
export async function fiveBest({ names, x, y }: Tumours): Promise<Readonly<Record<string, readonly string[]>>> {
  const rankings = {
    'mutual information': await select.mutualInformation(x, y, { names }),
    mRMR: await select.mrmr(x, y, { names, nFeatures: 5 }),
    lasso: await select.lasso(x, y, { names }),
    correlation: select.correlation(x, y, { names, maxCorrelation: 0.95 }),
    variance: select.variance(x, { names }),
  }
  return Object.fromEntries(
    Object.entries(rankings).map(([method, { order }]) => [method, order.slice(0, 5).map((j) => names[j]!)]),
  )
}

/** The same from a table: what is kept is in its order. */
export async function keptByMrmr({ names, x, y }: Tumours): Promise<readonly string[]> {
  const levels = [...new Set(y)].sort()
  const columns = [
    ...names.map((name, j) => {
      const values = Float64Array.from({ length: x.rows }, (_, i) => x.data[i * x.columns + j]!)
      return { kind: 'number' as const, name, values }
    }),
    { kind: 'category' as const, name: 'tumour', codes: Int32Array.from(y, (v) => levels.indexOf(v)), levels },
  ]
  const table = { name: 'tumours', rows: x.rows, columns }
  const { kept } = await select.selectColumns(table, { target: 'tumour', method: 'mrmr', keep: 5 })
  return kept.map((j) => names[j]!)
}

if (process.argv[1]?.endsWith('select-columns.ts')) {
  const tumours = readTumours()
  for (const [method, names] of Object.entries(await fiveBest(tumours)))
    console.log(`${method.padEnd(20)}${names.join(', ')}`)
}
