import { expect, test } from 'vitest'
import { parseDataOptions } from './inputs.js'

test('data options go to the reader they are for', () => {
  const entries = [
    'mean=123.7,116.3,103.5',
    'scale=0.017',
    'size=240x320',
    'resize=cover',
    'hop=256',
    'take=ends',
    'reshape',
  ]
  expect(parseDataOptions(entries)).toEqual({
    image: { mean: [123.7, 116.3, 103.5], scale: 0.017, size: [240, 320], resize: 'cover' },
    wav: { hop: 256 },
    raw: { take: 'ends' },
    fit: { reshape: true },
  })
  expect(parseDataOptions(['constant=sr:16000', 'constant=k:1,2', 'rename=a:b', 'zero=h,c'])).toEqual({
    fit: { constants: { sr: 16000, k: [1, 2] }, rename: { a: 'b' }, zeroInputs: ['h', 'c'] },
  })
})

test('unknown names and values that are no numbers are refused', () => {
  expect(() => parseDataOptions(['meam=1'])).toThrow(/Did you mean mean\?/)
  expect(() => parseDataOptions(['mean=grey'])).toThrow(/a number is needed/)
  expect(() => parseDataOptions(['constant=16000'])).toThrow(/name:value/)
  expect(() => parseDataOptions(['toString=1'])).toThrow(/no such data option/)
})
