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
