import { expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { elements } from '../ir/tensor.js'
import { type RawOptions, rawSamples } from './raw.js'
import { UNNAMED } from './samples.js'
import { bytesSource } from './source.js'

const read = async (bytes: number[], options: RawOptions) =>
  (await collect((await rawSamples(bytesSource('f', Uint8Array.from(bytes)), options)).read())).map((s) => [
    ...elements(s.feeds[UNNAMED]!),
  ])

test('first, last and both ends', async () => {
  const bytes = [1, 2, 3, 4, 5, 6]
  expect(await read(bytes, { length: 4 })).toEqual([[1, 2, 3, 4]])
  expect(await read(bytes, { length: 4, take: 'last' })).toEqual([[3, 4, 5, 6]])
  expect(await read(bytes, { length: 4, take: 'ends' })).toEqual([[1, 2, 5, 6]])
  expect(await read(bytes, { length: 2, take: 'chunks' })).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ])
  expect(await read(bytes, {})).toEqual([bytes])
})

test('padding: behind the first bytes, before the last ones', async () => {
  expect(await read([1, 2], { length: 4, pad: 256 })).toEqual([[1, 2, 256, 256]])
  expect(await read([1, 2], { length: 4, pad: 256, take: 'last' })).toEqual([[256, 256, 1, 2]])
  expect(await read([1, 2, 3], { length: 8, pad: 256, take: 'ends' })).toEqual([[1, 2, 3, 256, 256, 1, 2, 3]])
  expect(await read([1, 2, 3], { length: 2, pad: 0, take: 'chunks' })).toEqual([
    [1, 2],
    [3, 0],
  ])
  expect(await read([1, 2, 3], { length: 2, take: 'chunks' })).toEqual([[1, 2]])
  await expect(read([1, 2], { length: 4 })).rejects.toMatchObject({ code: 'RAW_SHORT' })
  await expect(read([1, 2], { length: 3, take: 'ends' })).rejects.toMatchObject({ code: 'RAW_LENGTH' })
})

test('white space around the content can be left out', async () => {
  const bytes = [32, 10, 65, 32, 66, 9, 13]
  expect(await read(bytes, { length: 8, take: 'ends', pad: 256, strip: 4096 })).toEqual([
    [65, 32, 66, 9, 10, 65, 32, 66],
  ])
  expect(await read([32, 32], { length: 2, take: 'ends', pad: 256, strip: 4096 })).toEqual([[256, 256]])
})

test("the input's type and length", async () => {
  const inputs = [{ name: 'bytes', dtype: 'int64', shape: ['N', 2] }]
  expect(await read([7, 8, 9], { inputs })).toEqual([[7n, 8n]])
  const narrow = [{ name: 'bytes', dtype: 'uint8', shape: ['N', 4] }]
  await expect(read([1], { inputs: narrow, pad: 256 })).rejects.toMatchObject({ code: 'SAMPLE_RANGE' })
})
