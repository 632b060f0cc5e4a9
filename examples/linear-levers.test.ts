/** The plain levers: the numbers that NumPy comes to by the same descent, and what an intercept changes. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Engine, openEngine } from '../src/node.js'
import { chosenLambda, LEVERS, readTable, rmse } from './linear-levers.js'

const table = readTable()
const [ridge, lasso, pcaLasso] = LEVERS
let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

test('without an intercept, at a strength of 0.1/m', async () => {
  const plain = { lambda: 0.1 / table.y.length, hasIntercept: false, table }
  expect(Math.abs((await rmse(engine, ridge!, plain)) - 0.4712327788067)).toBeLessThan(1e-12)
  expect(Math.abs((await rmse(engine, pcaLasso!, plain)) - 1.8613112453)).toBeLessThan(1e-10)
}, 60_000)

test('with an intercept a chosen strength leaves no error on rows that were left out', async () => {
  const { lambda, error } = await chosenLambda(engine, lasso!, table, [1e-3, 1])
  expect(lambda).toBe(1e-3)
  expect(error).toBeLessThan(0.01)
}, 60_000)
