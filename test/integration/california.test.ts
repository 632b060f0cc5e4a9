/** A table of real houses end to end: the file that is written predicts what the library does, on every engine. */

import { beforeAll, describe, expect, test } from 'vitest'
import type { Table } from '../../src/data/columns.js'
import { fileSource } from '../../src/data/files.js'
import { readColumns } from '../../src/data/read-columns.js'
import { floatTensor } from '../../src/ir/tensor.js'
import { fitTable, type LinearFit } from '../../src/linear/fit.js'
import { encodeModel, openEngine } from '../../src/node.js'
import { dataPath } from '../data.js'

/** R² of least squares on these rows, by NumPy's lstsq. */
const LEAST_SQUARES = 0.606232685

const path = dataPath('tabular/california-housing.csv')

describe.skipIf(path === null)('a lasso of the 20,640 blocks of California (needs the data folder)', () => {
  let data: Table
  let fit: LinearFit
  beforeAll(async () => {
    data = await readColumns(await fileSource(path!))
    fit = await fitTable(data, { target: 'target' })
  })

  test('the weakest penalty explains what least squares do, the chosen one what its predictions say', () => {
    const { actual, fitted, chosen } = fit
    const { devianceRatio, dualGap } = fit.path
    expect(devianceRatio.at(-1)).toBeCloseTo(LEAST_SQUARES, 4)
    const mean = actual.reduce((sum, v) => sum + v, 0) / actual.length
    const squares = (of: (v: number, i: number) => number): number => actual.reduce((s, v, i) => s + of(v, i) ** 2, 0)
    const explained = 1 - squares((v, i) => v - fitted[i]!) / squares((v) => v - mean)
    expect(devianceRatio[chosen]).toBeCloseTo(explained, 9)
    expect(Math.max(...dualGap)).toBeLessThan(1e-7)
  })

  test.each(['cpu', 'wasm'])('the file predicts the same on %s', async (device) => {
    const feeds = Object.fromEntries(
      data.columns
        .filter(({ name }) => name !== 'target')
        .map((column) => {
          if (column.kind !== 'number') throw new Error(column.name)
          return [column.name, floatTensor('float64', [data.rows, 1], column.values)]
        }),
    )
    const engine = await openEngine({ device, threads: 1 })
    try {
      const session = await engine.load(encodeModel(fit.model).bytes)
      const { prediction } = await session.run(feeds)
      const found = new Float64Array(prediction!.bytes().slice().buffer)
      expect(found).toHaveLength(data.rows)
      expect(Math.max(...found.map((v, i) => Math.abs(v - fit.fitted[i]!)))).toBeLessThan(1e-6)
    } finally {
      await engine.close()
    }
  })
})
