import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { numbers } from '../ir/tensor.js'
import { shortestFloat } from '../util/format.js'
import { type Table, wholeTable } from './columns.js'
import { describeTable } from './describe.js'
import { isInstalled } from './duckdb.js'
import { fileSource } from './files.js'
import { npySamples } from './npy.js'
import { openTable } from './open-table.js'
import { writeTable } from './write-table.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-write-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const TABLE: Table = {
  name: 'made',
  rows: 5,
  columns: [
    // Float32 all of them, but not by what they are.
    { kind: 'number', name: 'x "1"', values: Float64Array.from([0.1, -2.5, 1e-30, 1700000128, 0].map(Math.fround)) },
    { kind: 'number', name: 'exact', values: Float64Array.from([0.1, Math.PI, 1e300, Number.NaN, -7]) },
    {
      kind: 'category',
      name: 'town',
      codes: Int32Array.of(0, 1, 2, -1, 0),
      levels: ['Oslo', 'Rome, "old"', 'line\nbreak'],
    },
  ],
}

async function readBack(path: string): Promise<Table> {
  const cells = await openTable(await fileSource(path))
  try {
    return await wholeTable(cells, await describeTable(cells, { categories: ['town'] }))
  } finally {
    cells.close()
  }
}

/** Levels come back in the order of the alphabet: what counts is the text of each row. */
const rowsOf = ({ columns, rows }: Table) =>
  Array.from({ length: rows }, (_, i) =>
    columns.map((c) => (c.kind === 'number' ? c.values[i]! : (c.levels[c.codes[i]!] ?? null))),
  )

test.each(['csv', 'tsv'])('what is written as %s is read as the same table', async (ending) => {
  const path = join(folder, `table.${ending}`)
  await writeTable(path, TABLE)
  const back = await readBack(path)
  expect(back.columns.map(({ name }) => name)).toEqual(['x "1"', 'exact', 'town'])
  expect(rowsOf(back)).toEqual(rowsOf(TABLE))
  expect(back.columns[1]).toMatchObject({ values: Float64Array.from([0.1, Math.PI, 1e300, Number.NaN, -7]) })
})

test.skipIf(!(await isInstalled()))('and so it is as Parquet, where nothing else is left behind', async () => {
  const path = join(folder, 'table.parquet')
  await writeTable(path, TABLE)
  const back = await readBack(path)
  expect(rowsOf(back)).toEqual(rowsOf(TABLE))
  expect(back.columns[1]).toMatchObject({ values: Float64Array.from([0.1, Math.PI, 1e300, Number.NaN, -7]) })
  expect((await readdir(folder)).filter((name) => name.includes('parquet'))).toEqual(['table.parquet'])
})

test('of npy the columns of numbers', async () => {
  const path = join(folder, 'table.npy')
  await writeTable(path, TABLE)
  const rows: number[][] = []
  for await (const { feeds } of (await npySamples(await fileSource(path))).read())
    rows.push(Array.from(numbers(Object.values(feeds)[0]! as never)))
  expect(rows).toEqual(
    rowsOf(TABLE).map((_, i) => [0, 1].map((k) => (TABLE.columns[k] as never as { values: Float64Array }).values[i])),
  )
})

test('other endings are refused, and nothing is written', async () => {
  await expect(writeTable(join(folder, 'map.xlsx'), TABLE)).rejects.toMatchObject({ code: 'OUTPUT_FORMAT' })
  await expect(readFile(join(folder, 'map.xlsx'))).rejects.toThrow('ENOENT')
})

test('any number comes out of a CSV file as it went in', async () => {
  const path = join(folder, 'any.csv')
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.float({ noNaN: true, noDefaultInfinity: true }),
        ),
        { minLength: 1 },
      ),
      async (given) => {
        const values = Float64Array.from(given, (v) => v + 0)
        await writeTable(path, { name: 'any', rows: values.length, columns: [{ kind: 'number', name: 'v', values }] })
        const [, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n')
        expect(lines.map(Number)).toEqual([...values])
      },
    ),
    { numRuns: 30 },
  )
})

test('columns of float32 are written in the digits that tell them apart, and as float32', async () => {
  const values = Float32Array.of(0.1, Number.NaN, 1700000128)
  const column = { kind: 'number', name: 'v', values } as const
  const path = join(folder, 'float')
  await writeTable(`${path}.csv`, { name: 'float', rows: 3, columns: [column] })
  expect(await readFile(`${path}.csv`, 'utf8')).toBe('v\n0.1\n\n1700000100\n')
  await writeTable(`${path}.npy`, { name: 'float', rows: 3, columns: [column] })
  const found: unknown[] = []
  for await (const { feeds } of (await npySamples(await fileSource(`${path}.npy`))).read())
    found.push(Object.values(feeds)[0]!.dtype, ...numbers(Object.values(feeds)[0]! as never))
  expect(found).toEqual(['float32', Math.fround(0.1), 'float32', Number.NaN, 'float32', 1700000128])
})

test('the shortest digits of a float32 give it back', () => {
  expect([0.1, -2.5, 1e-30, 16777217].map((v) => shortestFloat(Math.fround(v)))).toEqual([
    '0.1',
    '-2.5',
    '1e-30',
    '16777216',
  ])
  fc.assert(
    fc.property(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      (v) => Math.fround(Number(shortestFloat(v))) === v + 0,
    ),
  )
})
