import fc from 'fast-check'
import { expect, test } from 'vitest'
import { thinned } from './thin.js'

const heights = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 60 })

test('what is left out lies on the line that is left, within the tolerance', () => {
  fc.assert(
    fc.property(heights, (ys) => {
      const points = ys.map((y, x) => [x, y] as const)
      const kept = thinned(points, 0.5)
      expect([kept[0], kept.at(-1)]).toEqual([points[0], points.at(-1)])
      for (const [x, y] of points) {
        const at = kept.findIndex(([k]) => k >= x)
        const [[x1, y1], [x0, y0]] = [kept[at]!, kept[Math.max(0, at - 1)]!]
        const line = x1 === x0 ? y1 : y0 + ((x - x0) / (x1 - x0)) * (y1 - y0)
        expect(Math.abs(line - y)).toBeLessThanOrEqual(0.5 + 1e-9)
      }
    }),
  )
})

test('a straight line is its two ends', () => {
  const line = Array.from({ length: 100 }, (_, i) => [i, 3 - 2 * i] as const)
  expect(thinned(line, 0.1)).toEqual([line[0], line[99]])
})
