/** What the example finds, and that its one graph names the species. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Engine, encodeModel, openEngine } from '../src/node.js'
import { classifier, componentsOf, fromBlocks, readIrises } from './components.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const irises = readIrises()

test('two components are enough, and blocks of rows give the same ones', async () => {
  const found = await componentsOf(engine, irises)
  expect(found.nComponents).toBe(2)
  const streamed = await fromBlocks(engine, irises)
  for (const [at, v] of found.components.entries()) expect(streamed.components[at]).toBeCloseTo(v, 12)
})

test('one graph from measures to species', async () => {
  const model = await classifier(engine, irises, await componentsOf(engine, irises))
  expect(model.graph.inputs).toEqual(irises.names)
  const session = await engine.load(encodeModel(model).bytes)
  const { rows, data } = irises.x
  const column = (j: number) => Float64Array.from({ length: rows }, (_, i) => data[i * 4 + j]!)
  const feeds = irises.names.map((name, j) => {
    const bytes = new Uint8Array(column(j).buffer)
    return [name, { dtype: 'float64', shape: [rows, 1], byteLength: bytes.length, bytes: () => bytes }] as const
  })
  const { prediction } = await session.run(Object.fromEntries(feeds))
  await session.close()
  const told = prediction!.strings!().map((s) => new TextDecoder().decode(s))
  const right = told.filter((name, i) => name === irises.species[i]).length
  expect(right).toBeGreaterThan(140)
})
