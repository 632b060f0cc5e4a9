import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { dataPath } from '../../test/data.js'
import type { ValueInfo } from '../engine/engine.js'
import { elements, numbers } from '../ir/tensor.js'
import { csvSamples } from './csv.js'
import { fileSource } from './files.js'
import { fitSamples } from './fit.js'
import { parquetSamples } from './parquet.js'
import { UNNAMED } from './samples.js'
import { bytesSource, type Source } from './source.js'

const csv = async (text: string, options = {}) =>
  collect((await csvSamples(bytesSource('t.csv', new TextEncoder().encode(text)), options)).read())
const golden = (name: string) => fileSource(join(import.meta.dirname, '../../test/golden/arrays', name))
const input = (name: string, dtype: string, shape: (number | string)[]): ValueInfo => ({ name, dtype, shape })

test('all columns but the label are the one input', async () => {
  const read = await csv('a,b,target\n1,2.5,7\n-1e-3,4,8\n')
  expect(read.map((s) => [...numbers(s.feeds[UNNAMED]!)])).toEqual([
    [1, 2.5],
    [-1e-3, 4],
  ])
  expect(read.map((s) => s.label)).toEqual([7, 8])
  const [chosen] = await csv('a,b,c\n1,2,3\n', { columns: ['c', 'a'], label: 'b' })
  expect([...numbers(chosen!.feeds[UNNAMED]!)]).toEqual([3, 1])
  expect(chosen!.label).toBe(2)
})

test('columns called like inputs are these inputs, in their types', async () => {
  const inputs = [input('age', 'int64', ['N', 1]), input('city', 'string', ['N', 1])]
  const samples = await csvSamples(bytesSource('t', new TextEncoder().encode('id,age,city\n9,41,"Oslo, N"\n')), {
    inputs,
  })
  const [read] = await collect(fitSamples(samples, inputs).read())
  expect(elements(read!.feeds.age!)).toEqual(BigInt64Array.of(41n))
  expect(read!.feeds.city).toMatchObject({ shape: [1, 1] })
  expect(new TextDecoder().decode(read!.feeds.city!.strings!()[0])).toBe('Oslo, N')
})

test('tabs, semicolons, no header, byte order mark, Windows lines', async () => {
  for (const text of ['1\t2\n3\t4\n', '1;2\n3;4\n', '\ufeff1,2\r\n3,4\r\n', 'x,z\n1,2\n\n3,4']) {
    expect(
      (await csv(text)).map((s) => [...numbers(s.feeds[UNNAMED]!)]),
      text,
    ).toEqual([
      [1, 2],
      [3, 4],
    ])
  }
})

test('a cell that is no number is named by row, column and value', async () => {
  await expect(csv('a,b\n1,2\n3,four\n')).rejects.toMatchObject({
    code: 'TABLE_CELL',
    message: expect.stringMatching(/row 2, column b.*"four"/),
  })
  await expect(csv('a,b\n1,\n')).rejects.toMatchObject({ code: 'TABLE_CELL' })
  await expect(csv('a,b\n1,0x10\n')).rejects.toMatchObject({ code: 'TABLE_CELL' })
  await expect(csv('a,b\n1\n')).rejects.toMatchObject({ code: 'CSV_FORMAT' })
  await expect(csv('')).rejects.toMatchObject({ code: 'CSV_EMPTY' })
  await expect(csv('a,b\n1,2\n', { label: 'c' })).rejects.toMatchObject({ code: 'TABLE_COLUMN' })
  expect([...numbers((await csv('a,b\nnan,-inf\n'))[0]!.feeds[UNNAMED]!)]).toEqual([Number.NaN, -Infinity])
})

test('labels as text need the classes', async () => {
  const text = 'a,label\n1,dog\n2,cat\n'
  await expect(csv(text)).rejects.toMatchObject({ code: 'LABEL_TEXT' })
  expect((await csv(text, { classes: ['cat', 'dog'] })).map((s) => s.label)).toEqual([1, 0])
  await expect(csv(text, { classes: ['cat'] })).rejects.toMatchObject({ code: 'LABEL_TEXT' })
})

const housing = dataPath('tabular/california-housing.csv')
test.skipIf(housing === null)('California housing: 20,640 rows of 8', async () => {
  const inputs = [input('x', 'float32', ['N', 8])]
  const samples = fitSamples(await csvSamples(await fileSource(housing!), { inputs }), inputs)
  let rows = 0
  let sum = 0
  for await (const { feeds, label } of samples.read()) {
    if (rows === 0) expect(numbers(feeds.x!)[0]).toBeCloseTo(8.3252, 5)
    if (rows === 0) expect(feeds.x!.shape).toEqual([1, 8])
    sum += label as number
    rows++
  }
  expect(rows).toBe(20_640)
  // The published mean of the target.
  expect(sum / rows).toBeCloseTo(2.0686, 4)
})

test('Parquet: groups of rows, snappy and gzip, columns by name, lists', async () => {
  const inputs = [input('a', 'float32', ['N', 1]), input('vec', 'float32', ['N', 3])]
  const samples = await parquetSamples(await golden('rows.parquet'), { inputs })
  expect(samples.count).toBe(7)
  const read = await collect(fitSamples(samples, inputs).read())
  expect(read.map((s) => numbers(s.feeds.a!)[0])).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i / 4))
  expect([...numbers(read[5]!.feeds.vec!)]).toEqual([5, 6, 7])
  expect(read[5]!.feeds.vec!.shape).toEqual([1, 3])
  expect(read.map((s) => s.label)).toEqual([0, 1, 2, 0, 1, 2, 0])
  const plain = await collect((await parquetSamples(await golden('rows-gzip.parquet'))).read())
  expect(plain.map((s) => [...numbers(s.feeds[UNNAMED]!)])).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => [i / 4, i]))
})

const zstd = 'zstdDecompressSync' in zlib
const values = async (name: string) => {
  const inputs = [input('a', 'float32', ['N', 1]), input('vec', 'float32', ['N', 3])]
  const samples = await parquetSamples(await golden(name), { inputs })
  return (await collect(samples.read())).map((s) => [...numbers(s.feeds.a!), ...numbers(s.feeds.vec!)])
}

test('Parquet: Brotli', async () => {
  expect(await values('rows-brotli.parquet')).toEqual(await values('rows.parquet'))
})

test.skipIf(!zstd)('Parquet: Zstandard, where Node has it', async () => {
  expect(await values('rows-zstd.parquet')).toEqual(await values('rows.parquet'))
})

test.skipIf(zstd)('Parquet: Zstandard, where Node does not have it', async () => {
  await expect(values('rows-zstd.parquet')).rejects.toMatchObject({
    code: 'PARQUET_READ',
    message: expect.stringMatching(/got "ZSTD".*'snappy'.*Node 22\.15/),
  })
})

test('Parquet: a large group is read in slices, none of which is read before it is needed', async () => {
  const source = await golden('one-group.parquet')
  let reads = 0
  const slice: Source['slice'] = (start, end) => {
    reads++
    return source.slice(start, end)
  }
  const samples = await parquetSamples({ ...source, slice })
  expect(samples.count).toBe(150_000)
  let seen = reads
  const at: number[] = []
  let row = 0
  for await (const { feeds } of samples.read()) {
    const [a, b] = numbers(feeds[UNNAMED]!)
    if (a !== Math.floor(row / 1000) || b !== row % 3) throw new Error(`row ${row} is ${a}, ${b}`)
    if (reads !== seen) at.push(row)
    seen = reads
    row++
  }
  expect(row).toBe(150_000)
  expect(at).toEqual([0, 65_536, 131_072])
})

test('Parquet: errors', async () => {
  const source = await golden('rows.parquet')
  const bytes = await source.slice(0, source.size)
  const open = (part: Uint8Array) => parquetSamples(bytesSource('t.parquet', part)).then((s) => collect(s.read()))
  await expect(open(bytes.slice(0, 300))).rejects.toMatchObject({ code: 'PARQUET_READ' })
  await expect(open(bytes)).rejects.toMatchObject({
    code: 'TABLE_CELL',
    message: expect.stringContaining('column vec'),
  })
})
