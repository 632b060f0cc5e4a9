import { expect, test } from 'vitest'
import { elements } from '../ir/tensor.js'
import { PareError } from '../util/errors.js'
import { nested } from './nested.js'

const read = (value: unknown, shape?: readonly (number | string)[]) => {
  const t = nested(value, 'float32', 'here', shape)
  return [t.dtype, t.shape, [...elements(t)]]
}

test('typed arrays keep their type, Node buffers and clamped bytes among them', () => {
  expect(read(Buffer.from([1, 2]))).toEqual(['uint8', [2], [1, 2]])
  expect(read(Uint8ClampedArray.of(3, 300))).toEqual(['uint8', [2], [3, 255]])
  expect(read(BigInt64Array.of(5n))).toEqual(['int64', [1], [5n]])
})

test('arrays are copied: who made them may fill them anew', () => {
  const array = Float32Array.of(1, 2)
  const t = nested(array, 'float32', 'here')
  const foreign = nested({ data: array, dims: [2], type: 'float32' }, 'float32', 'here')
  array.fill(9)
  expect([...elements(t), ...elements(foreign)]).toEqual([1, 2, 1, 2])
})

test('a declared shape is filled: one open length, and a leading one is 1', () => {
  expect(read(new Float32Array(6), ['N', 2, 3])[1]).toEqual([1, 2, 3])
  expect(read(new Float32Array(6), ['N', 2, 'T'])[1]).toEqual([1, 2, 3])
  expect(() => read(new Float32Array(5), ['N', 2, 'T'])).toThrow('do not fill')
})

test('numbers and nested lists take the type asked for', () => {
  expect(read(4)).toEqual(['float32', [], [4]])
  expect(
    read([
      [1, 2],
      [3, 4],
    ]),
  ).toEqual(['float32', [2, 2], [1, 2, 3, 4]])
  expect(read([])).toEqual(['float32', [0], []])
  expect(() => read([[1, 2], [3]])).toThrow('different lengths')
})

test.each([[null], [undefined], [{}], [Object.create(null)], [[1, null]], [() => 1]])('%o is no tensor', (value) => {
  try {
    nested(value, 'float32', 'here')
  } catch (error) {
    expect(error).toBeInstanceOf(PareError)
    expect(error).toMatchObject({ code: 'SAMPLE_VALUE', detail: { where: 'here' } })
    return
  }
  throw new Error('no error')
})
