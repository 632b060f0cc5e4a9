import { expect, test } from 'vitest'
import { elements, numbers } from '../ir/tensor.js'
import { randomFeeds } from './synthesize.js'

const input = (name: string, dtype: string, shape: (number | string)[]) => ({ name, dtype, shape })

test('every type gives feeds of the declared shape, the same for a seed', () => {
  const types =
    'float32 float64 float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool string int4 uint4'.split(
      ' ',
    )
  const inputs = types.map((dtype) => input(dtype, dtype, ['N', 3, 4]))
  const feeds = randomFeeds(inputs, { seed: 1, dims: { N: 2 } })
  for (const dtype of types) {
    const t = feeds[dtype]!
    expect(t).toMatchObject({ dtype, shape: [2, 3, 4] })
    if (dtype === 'string') expect(t.strings!()).toHaveLength(24)
    else expect(numbers(t)).toHaveLength(24)
    expect(t.bytes()).toEqual(randomFeeds(inputs, { seed: 1, dims: { N: 2 } })[dtype]!.bytes())
  }
  expect(feeds.float32!.bytes()).not.toEqual(randomFeeds(inputs, { seed: 2, dims: { N: 2 } }).float32!.bytes())
})

test('indices are 0 or 1, lengths are 1, bytes fill their range, floats are normal', () => {
  const feeds = randomFeeds([
    input('ids', 'int64', [1000]),
    input('length', 'int64', []),
    input('bytes', 'uint8', [4000]),
    input('x', 'float16', [4000]),
    input('mask', 'bool', [100]),
  ])
  expect(new Set(elements(feeds.ids!) as BigInt64Array)).toEqual(new Set([0n, 1n]))
  expect(elements(feeds.length!)).toEqual(BigInt64Array.of(1n))
  expect(new Set(elements(feeds.bytes!) as Uint8Array).size).toBe(256)
  expect(new Set(numbers(feeds.mask!))).toEqual(new Set([0, 1]))
  const x = numbers(feeds.x!) as Float32Array
  expect(x.reduce((s, v) => s + v * v, 0) / x.length).toBeCloseTo(1, 1)
})

test('constants stay, symbolic lengths are 1, odd types are refused', () => {
  const sr = { dtype: 'int64', shape: [], byteLength: 8, bytes: () => new Uint8Array(8) } as const
  const feeds = randomFeeds([input('sr', 'int64', []), input('x', 'float32', ['', 5])], { constants: { sr } })
  expect(feeds.sr).toBe(sr)
  expect(feeds.x!.shape).toEqual([1, 5])
  expect(() => randomFeeds([{ name: 's', dtype: 'seq(tensor(float))' }])).toThrow(
    expect.objectContaining({ code: 'SAMPLE_DTYPE' }),
  )
})
