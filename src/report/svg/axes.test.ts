import { expect, test } from 'vitest'
import { tickFormat, ticksOf } from './axes.js'
import { linearScale } from './scale.js'

const texts = (low: number, high: number): readonly string[] => {
  const scale = linearScale([low, high], [0, 500])
  return ticksOf(scale, tickFormat(scale)).map((t) => t.text)
}

test('ticks have the digits that tell them apart, and no more', () => {
  expect(texts(0.52, 0.56)).toEqual(['0.52', '0.53', '0.54', '0.55', '0.56'])
  expect(texts(0.98, 1.02)).toEqual(['0.98', '0.99', '1', '1.01', '1.02'])
  expect(texts(-1, 1)).toEqual(['−1', '−0.5', '0', '0.5', '1'])
  expect(texts(100_010, 100_040)).toEqual(['100010', '100020', '100030', '100040'])
  expect(texts(0, 4e-6)).toEqual(['0', '1e−6', '2e−6', '3e−6', '4e−6'])
  expect(texts(-1.2e7, 5e6)).toEqual(['−15 M', '−10 M', '−5 M', '0', '5 M'])
  for (const [low, high] of [
    [7, 7],
    [0, 0],
    [1e-300, 2e-300],
    [-1e300, 1e300],
  ] as const)
    expect(new Set(texts(low, high)).size).toBe(texts(low, high).length)
})
