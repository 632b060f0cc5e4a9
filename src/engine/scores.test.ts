import { expect, test } from 'vitest'
import { f32, i64 } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { LOOKED_AT, scoreFinder } from './scores.js'

const found = (...outputs: readonly Record<string, Tensor>[]): readonly string[] => {
  const finder = scoreFinder()
  for (const o of outputs) finder.see(o)
  return finder.found()
}
const row = (...values: number[]) => f32([1, values.length], values)

test('rows that are probabilities are scores; logits, boxes, single numbers and integers are not', () => {
  const p = row(0.25, 0.75)
  expect(found({ p, logits: row(1, 3), one: row(1), whole: i64([1, 2], [0, 1]) })).toEqual(['p'])
  expect(found({ p: f32([1, 2, 2], [0.5, 0.5, 1, 0]) })).toEqual(['p'])
  expect(found({ p: f32([1, 2, 2], [0.5, 0.5, 1, 1]) })).toEqual([])
  expect(found({ p: row(-0.5, 1.5) })).toEqual([])
  expect(found({ p: f32([0, 2], []) })).toEqual([])
})

test('one sample refutes, and later ones are not looked at', () => {
  expect(found({ p: row(0, 1) }, { p: row(1, 1) })).toEqual([])
  const many = Array.from({ length: LOOKED_AT }, () => ({ p: row(0, 1) }))
  expect(found(...many, { p: row(1, 1) })).toEqual(['p'])
})

test('rows with NaN neither show nor refute', () => {
  expect(found({ p: row(Number.NaN, 1) }, { p: row(0, 1) })).toEqual(['p'])
  expect(found({ p: row(Number.NaN, 1) })).toEqual([])
})
