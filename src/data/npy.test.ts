import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { collect as all } from '../../test/collect.js'
import { elements, numbers, tensorOfBytes } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { stringTensor, tensorOf } from './convert.js'
import { fileSource } from './files.js'
import { encodeNpy, npySamples, parseNpyHeader } from './npy.js'
import { npzSamples } from './npz.js'
import { type Samples, UNNAMED } from './samples.js'
import { bytesSource, type Source } from './source.js'

const golden = (name: string) => join(import.meta.dirname, '../../test/golden/arrays', name)
const collect = (samples: Samples) => all(samples.read())
const rows = async (source: Source) => (await collect(await npySamples(source))).map((s) => s.feeds[UNNAMED]!)
const text = (t: Tensor) => t.strings?.().map((s) => new TextDecoder().decode(s))

/** The golden arrays hold 0 … 23 in shape [4, 2, 3]. */
const counting = [0, 1, 2, 3].map((i) => Array.from({ length: 6 }, (_, j) => 6 * i + j))

test('headers of versions 1 to 3 as NumPy writes them', async () => {
  for (const version of ['v1', 'v2', 'v3']) {
    const read = await rows(await fileSource(golden(`${version}.npy`)))
    expect(read.map((t) => [...elements(t)])).toEqual(counting)
    expect(read[0]).toMatchObject({ dtype: 'int32', shape: [2, 3] })
  }
})

test('column-major arrays are put in row order', async () => {
  const read = await rows(await fileSource(golden('fortran.npy')))
  expect(read.map((t) => [...elements(t)])).toEqual(counting)
})

test('every dtype and byte order of NumPy has the same values', async () => {
  const [, second] = await collect(await npzSamples(await fileSource(golden('dtypes.npz'))))
  const feeds = second!.feeds
  expect(Object.keys(feeds)).toHaveLength(20)
  for (const [name, t] of Object.entries(feeds)) {
    const code = name.slice('dtype_'.length)
    if (code === 'b1') expect([...numbers(t)]).toEqual([1, 0, 1, 0, 1, 0])
    else if (code === 'c8') expect([...elements(t)]).toEqual([3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0])
    else if (code.startsWith('u')) expect([...numbers(t)], name).toEqual([6, 7, 8, 9, 10, 11])
    else expect([...numbers(t)], name).toEqual([3, 4, 5, 6, 7, 8])
  }
  expect(new Set(Object.values(feeds).map((t) => t.dtype))).toEqual(
    new Set('bool,int8,int16,int32,int64,uint8,uint16,uint32,uint64,float16,float32,float64,complex64'.split(',')),
  )
})

test('text in UTF-32 and in bytes', async () => {
  expect((await rows(await fileSource(golden('text.npy')))).map(text)).toEqual([['cat'], ['dög'], ['😀'], ['']])
  expect((await rows(await fileSource(golden('bytes.npy')))).map(text)).toEqual([['ab'], ['c']])
})

test('text with a character that does not exist is refused', async () => {
  const bytes = encodeNpy(stringTensor([2], ['a', 'b']))
  bytes.set([0xff, 0xff, 0xff, 0xff], bytes.length - 4)
  const samples = await npySamples(bytesSource('t.npy', bytes))
  await expect(collect(samples)).rejects.toMatchObject({ code: 'SAMPLES_CORRUPT' })
})

test('scalars and objects are refused with a remedy', async () => {
  await expect(npySamples(await fileSource(golden('scalar.npy')))).rejects.toMatchObject({ code: 'NPY_SCALAR' })
  await expect(npySamples(await fileSource(golden('objects.npy')))).rejects.toMatchObject({ code: 'NPY_DTYPE' })
})

test('what is written is read back: any type, any shape', async () => {
  const dtypes = [
    'float32',
    'float64',
    'float16',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'uint64',
    'bool',
  ] as const
  const widths = {
    float32: 4,
    float64: 8,
    float16: 2,
    int8: 1,
    int16: 2,
    int32: 4,
    int64: 8,
    uint8: 1,
    uint64: 8,
    bool: 1,
  }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...dtypes),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      async (dtype, shape, stream) => {
        const count = shape.reduce((n, d) => n * d, 1)
        const bytes = Uint8Array.from({ length: count * widths[dtype] }, () => stream.next().value)
        const file = encodeNpy(tensorOfBytes(dtype, shape, bytes))
        expect((file.byteLength - bytes.byteLength) % 64).toBe(0)
        const read = await rows(bytesSource('x.npy', file))
        expect(read).toHaveLength(shape[0]!)
        for (const t of read) expect(t).toMatchObject({ dtype, shape: shape.slice(1) })
        expect(Buffer.concat(read.map((t) => t.bytes())).equals(bytes)).toBe(true)
      },
    ),
    { numRuns: 60, seed: 1 },
  )
})

test('the writer gives the very bytes of np.save', async () => {
  const file = await readFile(golden('v1.npy'))
  expect(Buffer.from(encodeNpy(tensorOf('int32', [4, 2, 3], counting.flat(), 'x'))).equals(file)).toBe(true)
  const words = stringTensor([4], ['cat', 'dög', '😀', ''])
  expect(Buffer.from(encodeNpy(words)).equals(await readFile(golden('text.npy')))).toBe(true)
})

test('a file cut at any place is refused, never read as less', async () => {
  const file = encodeNpy(tensorOf('float32', [3, 2], [1, 2, 3, 4, 5, 6], 'x'))
  for (const length of [0, 5, 9, 40, 127, 128, 140, file.byteLength - 1]) {
    await expect(rows(bytesSource('x.npy', file.slice(0, length))), `${length}`).rejects.toMatchObject({
      code: expect.stringMatching(/^(NPY_HEADER|SAMPLES_TRUNCATED|NPY_VERSION)$/),
    })
  }
})

test('headers that are no dict, or claim odd shapes', () => {
  expect(() => parseNpyHeader('{}', 'x')).toThrow(expect.objectContaining({ code: 'NPY_HEADER' }))
  const odd = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -1), }"
  expect(() => parseNpyHeader(odd, 'x')).toThrow(expect.objectContaining({ code: 'NPY_HEADER' }))
  const old = "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }"
  expect(parseNpyHeader(old, 'x').shape).toEqual([3, 4])
  const record = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }"
  expect(() => parseNpyHeader(record, 'x')).toThrow(expect.objectContaining({ code: 'NPY_DTYPE' }))
})
