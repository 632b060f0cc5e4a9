/** A table as a map: t-SNE of its columns, as a page to move in, as pictures, and as a table of coordinates. */

import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { fileSource } from '../src/data/files.js'
import { mapPng, mapSvg, type PointMap, readColumns, reduce, renderMap, writeTable } from '../src/node.js'
import { repositoryRoot } from '../test/data.js'

const file = join(tmpdir(), `pare-map-${process.pid}.csv`)
afterAll(() => rm(file, { force: true }))

test('irises on a map', async () => {
  const { rows, columns } = await readColumns(await fileSource(join(repositoryRoot, 'test/data/iris.csv')))
  const numbers = columns.flatMap((column) => (column.kind === 'number' ? [column.values] : []))
  const data = Float64Array.from({ length: rows * 4 }, (_, at) => numbers[at % 4]![Math.floor(at / 4)]!)

  const { embedding } = await reduce.tsne({ rows, columns: 4, data }, { iterations: 100 })

  const along = (axis: number) => Float64Array.from({ length: rows }, (_, i) => embedding[2 * i + axis]!)
  const species = columns.find(({ name }) => name === 'species')!
  const map: PointMap = { x: along(0), y: along(1), axes: ['x', 'y'], columns: [species] }
  const facts = {
    facts: [['rows', String(rows)]],
    losses: { values: [], first: 0, every: 1 },
    commandLine: '',
  } as const
  const page = renderMap({ title: 'Irises', note: 'Those that are alike lie close together.', map, ...facts })
  expect(page).toContain('<h1>Irises</h1>')
  expect(mapSvg(map, 'Irises')).toMatch(/setosa[\s\S]*versicolor[\s\S]*virginica/)
  expect(mapPng(map).subarray(1, 4)).toEqual(new TextEncoder().encode('PNG'))

  const scores = [map.x, map.y].map((values, k) => ({ kind: 'number', name: map.axes[k]!, values }) as never)
  await writeTable(file, { name: 'map', rows, columns: [...scores, species] })
  expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(152)
})
