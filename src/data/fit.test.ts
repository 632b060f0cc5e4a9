import { expect, test } from 'vitest'
import type { ValueInfo } from '../engine/engine.js'
import { elements, f32, numbers, tensor } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import type { PareError } from '../util/errors.js'
import { alignShape } from './align.js'
import { stringTensor, tensorOf } from './convert.js'
import { fitter } from './fit.js'
import { UNNAMED } from './samples.js'

const input = (name: string, shape: (number | string)[], dtype = 'float32'): ValueInfo => ({ name, dtype, shape })
const sample = (feeds: Record<string, Tensor>) => ({ feeds, name: 's[3]' })
const zeros = (...shape: number[]) => f32(shape, new Float32Array(shape.reduce((n, d) => n * d, 1)))
const codeOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return error as PareError
  }
  throw new Error('nothing was thrown')
}

test('axes of length 1 come and go, everything else must match', () => {
  expect(alignShape([3, 4], ['N', 3, 4])).toEqual([1, 3, 4])
  expect(alignShape([1, 3, 4], [3, 4])).toEqual([3, 4])
  expect(alignShape([28, 28], [1, 1, 28, 28])).toEqual([1, 1, 28, 28])
  expect(alignShape([5, 3], ['N', 'seq', 3])).toEqual([1, 5, 3])
  expect(alignShape([1], [])).toEqual([])
  expect(alignShape([], ['N', 1])).toEqual([1, 1])
  expect(alignShape([7, 3, 4], ['N', 3, 4])).toEqual([7, 3, 4])
  expect(alignShape([4, 3], ['N', 3, 4])).toBeNull()
  expect(alignShape([2, 3, 4], [3, 4])).toBeNull()
  expect(alignShape([28, 28], [784])).toBeNull()
})

test('an unnamed array goes to the one input that nothing else provides', () => {
  const inputs = [input('x', ['N', 2]), input('state', [2, '', 4]), input('sr', [], 'int64')]
  const fitted = fitter(inputs, { zeroInputs: ['state'], constants: { sr: 16000 } })
  const { feeds } = fitted(sample({ [UNNAMED]: f32([2], [1, 2]) }))
  expect(feeds.x!.shape).toEqual([1, 2])
  expect(feeds.state).toMatchObject({ shape: [2, 1, 4], byteLength: 32 })
  expect(elements(feeds.sr!)).toEqual(BigInt64Array.of(16000n))
  expect(feeds.sr!.shape).toEqual([])
  expect(codeOf(() => fitter(inputs)(sample({ [UNNAMED]: zeros(2) }))).code).toBe('SAMPLE_NAME')
})

test('names: unknown, missing and renamed ones', () => {
  const inputs = [input('a', [1]), input('b', [1])]
  expect(codeOf(() => fitter(inputs)(sample({ a: zeros(1), c: zeros(1) })))).toMatchObject({
    code: 'SAMPLE_NAME',
    message: expect.stringMatching(/s\[3\].*"c".*a \(float32 \[1\]\), b \(float32 \[1\]\)/),
  })
  expect(codeOf(() => fitter(inputs)(sample({ a: zeros(1) }))).message).toMatch(/nothing for input b/)
  expect(codeOf(() => fitter(inputs, { zeroInputs: ['z'] })).code).toBe('SAMPLE_NAME')
  const { feeds } = fitter(inputs, { rename: { c: 'b' } })(sample({ a: zeros(1), c: f32([1], [5]) }))
  expect(numbers(feeds.b!)[0]).toBe(5)
  expect(Object.keys(fitter([inputs[0]!])(sample({ arr_0: zeros(1) })).feeds)).toEqual(['a'])
})

test('shapes: known lengths are checked, symbols agree within a sample and with the options', () => {
  const error = codeOf(() => fitter([input('x', ['N', 3, 32, 32])])(sample({ x: zeros(32, 32, 3) })))
  expect(error).toMatchObject({ code: 'SAMPLE_SHAPE' })
  expect(error.message).toMatch(/s\[3\], input x: the model wants \[N, 3, 32, 32\] \(got "\[32, 32, 3\]"\)/)
  expect(codeOf(() => fitter([input('x', [1, 3, 8, 8])])(sample({ x: zeros(8, 8, 3) }))).message).toMatch(/transpose/)
  const pair = [input('a', ['N', 'seq']), input('b', ['N', 'seq'])]
  expect(codeOf(() => fitter(pair)(sample({ a: zeros(1, 4), b: zeros(1, 5) }))).message).toMatch(/seq is 4 elsewhere/)
  const bound = fitter([input('x', ['N', 'seq'])], { dims: { seq: 4 } })
  expect(bound(sample({ x: zeros(4) })).feeds.x!.shape).toEqual([1, 4])
  expect(codeOf(() => bound(sample({ x: zeros(5) }))).code).toBe('SAMPLE_SHAPE')
  const unnamed = fitter([input('x', ['', '']), input('y', ['', ''])])
  expect(unnamed(sample({ x: zeros(1, 4), y: zeros(1, 5) })).feeds.y!.shape).toEqual([1, 5])
})

test('an input of any rank, which the engine reports as rank 0, takes what comes; one number becomes a scalar', () => {
  const shapeOf = (...shape: number[]) =>
    fitter([input('x', [])])({ feeds: { x: zeros(...shape) }, name: 's' }).feeds.x!.shape
  expect([shapeOf(2, 3), shapeOf(1), shapeOf()]).toEqual([[2, 3], [], []])
})

test('reshaping only where it is allowed', () => {
  const inputs = [input('x', ['N', 784])]
  expect(codeOf(() => fitter(inputs)(sample({ x: zeros(28, 28) }))).code).toBe('SAMPLE_SHAPE')
  expect(fitter(inputs, { reshape: true })(sample({ x: zeros(28, 28) })).feeds.x!.shape).toEqual([1, 784])
  const wrong = () => fitter(inputs, { reshape: true })(sample({ x: zeros(28, 27) }))
  expect(codeOf(wrong).code).toBe('SAMPLE_SHAPE')
})

test('a number as a constant fills the input, whatever lengths the sample gives it', () => {
  const inputs = [input('x', ['N', 'seq']), input('b', ['N', 'seq', 3]), input('rate', [], 'int64'), input('w', [1, 2])]
  const fitted = fitter(inputs, { constants: { b: 3, rate: 16000, w: 2 } })
  const { feeds } = fitted(sample({ x: zeros(1, 4) }))
  expect(feeds.b!.shape).toEqual([1, 4, 3])
  expect([...numbers(feeds.b!)]).toEqual(new Array(12).fill(3))
  expect([feeds.rate!.shape, ...elements(feeds.rate!)]).toEqual([[], 16000n])
  expect([feeds.w!.shape, ...numbers(feeds.w!)]).toEqual([[1, 2], 2, 2])
  expect(codeOf(() => fitter(inputs, { constants: { rate: 0.5 } })).code).toBe('SAMPLE_RANGE')
})

test('the remedy is the option that helps', () => {
  const remedy = (shape: (number | string)[], have: readonly number[], count: number | null = null) =>
    codeOf(() => fitter([input('x', shape)], {}, count)(sample({ x: zeros(...have) }))).detail.remedy
  expect(remedy(['N', 1, 28, 28], [784])).toContain('--data-option reshape')
  expect(remedy([1, 1, 28, 28], [28], 28)).toMatch(/first axis .* these are 28.*x\[None\]/)
  expect(remedy([1, 1, 28, 28], [28], 20)).toContain('Resize or cut')
  expect(remedy([4, 3, 8, 8], [3, 8, 8], 10)).toMatch(/batch is fixed at 4.*--shape.*\[samples, 4, 3, 8, 8\]/)
  expect(remedy([4, 3, 8, 8], [3, 7, 8], 10)).not.toContain('batch')
  const vad = [input('sound', ['N', 'length']), input('sr', [], 'int64')]
  const unclear = codeOf(() => fitter(vad)({ feeds: { '': zeros(512) }, name: 's' }))
  expect(unclear.detail.remedy).toContain('--data-option constant=sr:VALUE or zero=sr')
  expect(codeOf(() => fitter(vad)(sample({ sound: zeros(512) }))).detail.remedy).toContain('constant=sr:VALUE')
})

const convertTo = (dtype: string, t: Tensor) => fitter([input('x', t.shape.slice(), dtype)])(sample({ x: t })).feeds.x!

test('conversions that lose nothing are made', () => {
  expect([...numbers(convertTo('float32', tensor('uint8', [2], Uint8Array.of(0, 255))))]).toEqual([0, 255])
  expect([...numbers(convertTo('float32', tensor('float64', [1], Float64Array.of(0.1))))]).toEqual([Math.fround(0.1)])
  expect([...elements(convertTo('int64', tensor('int32', [1], Int32Array.of(-7))))]).toEqual([-7n])
  expect([...elements(convertTo('int32', tensor('int64', [1], BigInt64Array.of(-7n))))]).toEqual([-7])
  expect([...elements(convertTo('bool', tensor('uint8', [2], Uint8Array.of(0, 1))))]).toEqual([0, 1])
  expect([...numbers(convertTo('float32', tensor('bool', [2], Uint8Array.of(0, 1))))]).toEqual([0, 1])
  expect([...numbers(convertTo('float16', f32([2], [0.5, Number.POSITIVE_INFINITY])))]).toEqual([0.5, Infinity])
  expect([...numbers(convertTo('float64', convertTo('float16', f32([1], [1 / 3]))))][0]).toBeCloseTo(1 / 3, 3)
})

test('conversions that lose something are refused, with the value', () => {
  expect(codeOf(() => convertTo('int64', f32([1], [1]))).code).toBe('SAMPLE_DTYPE')
  expect(codeOf(() => convertTo('uint8', tensor('int32', [1], Int32Array.of(256)))).message).toMatch(/256/)
  expect(codeOf(() => convertTo('uint8', tensor('int32', [1], Int32Array.of(-1)))).code).toBe('SAMPLE_RANGE')
  expect(codeOf(() => convertTo('float32', tensor('int32', [1], Int32Array.of(2 ** 24 + 1)))).code).toBe('SAMPLE_RANGE')
  expect(codeOf(() => convertTo('float16', f32([1], [70000]))).code).toBe('SAMPLE_RANGE')
  expect(codeOf(() => convertTo('float32', tensor('float64', [1], Float64Array.of(1e39)))).code).toBe('SAMPLE_RANGE')
  expect(codeOf(() => convertTo('bool', tensor('uint8', [1], Uint8Array.of(2)))).code).toBe('SAMPLE_RANGE')
  expect(codeOf(() => convertTo('float32', stringTensor([1], ['a']))).code).toBe('SAMPLE_DTYPE')
  expect(codeOf(() => convertTo('string', f32([1], [1]))).code).toBe('SAMPLE_DTYPE')
  expect(codeOf(() => tensorOf('int32', [1], [0.5], 'x')).code).toBe('SAMPLE_RANGE')
})
