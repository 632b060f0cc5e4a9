import { expect, test } from 'vitest'
import { openSum } from './sums.js'

test('many terms of one size do not drift', () => {
  const sum = openSum()
  let plain = 0
  for (let i = 0; i < 1e6; i++) {
    sum.add(0.1)
    plain += 0.1
  }
  expect(Math.abs(sum.end() - 1e5)).toBeLessThan(1e-10)
  expect(Math.abs(plain - 1e5)).toBeGreaterThan(1e-7)
})

test('an infinite term stays infinite', () => {
  const sum = openSum()
  for (const v of [1, Number.POSITIVE_INFINITY, 2, 3]) sum.add(v)
  expect(sum.end()).toBe(Number.POSITIVE_INFINITY)
})
