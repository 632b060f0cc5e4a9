import { describe, expect, test } from 'vitest'
import { f32, i64, tensorOfBytes } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { addPair, comparison, differenceOf, NO_SUMS, rowWidth } from './compare.js'

const difference = (a: Tensor, b: Tensor) => differenceOf(addPair(NO_SUMS, a, b))
const row = (...values: number[]) => f32([1, values.length], values)
const text = (...words: string[]): Tensor => ({
  dtype: 'string',
  shape: [words.length],
  byteLength: 0,
  bytes: () => new Uint8Array(0),
  strings: () => words.map((w) => new TextEncoder().encode(w)),
})

describe('numbers', () => {
  test('follow their definitions', () => {
    const d = difference(row(3, 4, 0), row(3, 0, 4))
    expect(d.cosine).toBeCloseTo(9 / 25, 12)
    expect(d.relativeL2).toBeCloseTo(Math.sqrt(32) / 5, 12)
    expect(d).toMatchObject({ elements: 3, maxAbs: 4, top1Agreement: 0, mismatched: 0 })
  })

  test('equal outputs are equal, zeros among them', () => {
    for (const t of [row(1, -2, 3), row(0, 0), f32([0, 4], [])]) {
      expect(difference(t, t)).toMatchObject({ cosine: 1, relativeL2: 0, maxAbs: 0 })
    }
    expect(difference(row(0, 0), row(0, 1))).toMatchObject({ cosine: 0, relativeL2: Number.POSITIVE_INFINITY })
  })

  test('NaN and infinities agree with nothing else, and where they meet themselves that is counted', () => {
    const odd = row(Number.NaN, Number.POSITIVE_INFINITY, 2)
    expect(difference(odd, odd)).toMatchObject({ relativeL2: 0, mismatched: 0, elements: 3, nonFinite: 2 })
    for (const other of [row(1, Number.POSITIVE_INFINITY, 2), row(Number.NaN, Number.NEGATIVE_INFINITY, 2)]) {
      expect(difference(odd, other)).toMatchObject({ relativeL2: Number.POSITIVE_INFINITY, mismatched: 1 })
      expect(difference(other, odd).mismatched).toBe(1)
    }
  })

  test('where no element can be compared, nothing is similar', () => {
    const odd = row(Number.NaN, Number.NaN)
    expect(difference(row(1, 2), odd)).toMatchObject({ cosine: 0, relativeL2: Number.POSITIVE_INFINITY })
    for (const same of [odd, row(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)]) {
      const nothing = { cosine: Number.NaN, relativeL2: Number.NaN, maxAbs: Number.NaN, top1Agreement: null }
      expect(difference(same, same)).toMatchObject({ elements: 2, nonFinite: 2, mismatched: 0, ...nothing })
    }
    expect(difference(text('a'), text('b')).cosine).toBe(0)
    expect(difference(text('a'), text('a')).cosine).toBe(1)
  })

  test('rows are what lies along the last axis that is not 1 long, the first of several apart', () => {
    const cases: readonly (readonly [readonly number[], number])[] = [
      [[], 1],
      [[5], 5],
      [[1, 5], 5],
      [[3, 5], 5],
      [[1, 5, 1, 1], 5],
      [[1, 3, 5], 5],
      [[3, 1], 1],
      [[3, 1, 1], 1],
      [[1, 0], 0],
    ]
    for (const [shape, width] of cases) expect([shape, rowWidth(shape)]).toEqual([shape, width])
    const pooled = (...values: number[]) => f32([2, 2, 1, 1], values)
    expect(difference(pooled(0, 1, 1, 0), pooled(0, 1, 0, 1)).top1Agreement).toBe(0.5)
  })

  test('top-1 is counted by rows of the last axis', () => {
    const a = f32([2, 2, 2], [0, 1, 1, 0, 0, 1, 1, 0])
    const b = f32([2, 2, 2], [0, 1, 1, 0, 0, 1, 0, 1])
    expect(difference(a, b).top1Agreement).toBe(0.75)
    expect(difference(f32([2, 1], [1, 2]), f32([2, 1], [1, 3])).top1Agreement).toBeNull()
    expect(difference(f32([], [1]), f32([], [1])).top1Agreement).toBeNull()
  })

  test('rows whose reference holds NaN have no largest element; a candidate with NaN is never right', () => {
    const a = f32([3, 2], [0, 1, Number.NaN, 1, Number.NaN, Number.NaN])
    expect(difference(a, a).top1Agreement).toBe(1)
    expect(difference(a, f32([3, 2], [1, 0, Number.NaN, 1, Number.NaN, Number.NaN])).top1Agreement).toBe(0)
    expect(difference(row(0, 1), row(0, Number.NaN)).top1Agreement).toBe(0)
  })

  test('integers, halves and strings compare too', () => {
    expect(difference(i64([2], [1, 2]), i64([2], [1, 4]))).toMatchObject({ maxAbs: 2 })
    const half = (bits: number) => tensorOfBytes('float16', [1], new Uint8Array(Uint16Array.of(bits).buffer))
    expect(difference(half(0x3c00), half(0x4000)).relativeL2).toBe(1)
    expect(difference(text('a', 'b'), text('a', 'c'))).toMatchObject({ elements: 2, mismatched: 1 })
  })
})

test('many samples give the numbers of all of them together', () => {
  const all = comparison()
  const parts = [0, 1, 2, 3].map((k) => [row(k, 1, k * k), row(k, 1.1, k * k - 0.3)] as const)
  for (const [a, b] of parts) all.add({ y: a }, { y: b })
  const joined = (side: 0 | 1) =>
    f32(
      [4, 3],
      parts.flatMap((p) => [...new Float32Array(p[side].bytes().slice().buffer)]),
    )
  expect(all.differences().get('y')).toEqual(difference(joined(0), joined(1)))
})

test('outputs that do not match are errors that name them', () => {
  expect(() => comparison().add({ a: row(1) }, { b: row(1) })).toThrow(/a, b/)
  expect(() => comparison().add({ a: row(1) }, { a: row(1, 2) })).toThrow(/output a: the shapes differ/)
  expect(() => difference(text('a'), f32([1], [1]))).toThrow(/element types differ/)
})
