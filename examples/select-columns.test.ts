import { expect, test } from 'vitest'
import { fiveBest, keptByMrmr, readTumours } from './select-columns.js'

test('the five best columns by each method; in a table they keep their order', async () => {
  const tumours = readTumours()
  const best = await fiveBest(tumours)
  // Radius, perimeter and area say the same: of them mRMR and correlations keep one.
  const size = new Set(['mean_radius', 'mean_perimeter', 'mean_area'])
  for (const method of ['mutual information', 'lasso', 'mRMR', 'correlation'])
    expect(best[method]![0]).toBe('mean_concave_points')
  expect(best['mutual information']!.filter((name) => size.has(name))).toHaveLength(3)
  for (const method of ['mRMR', 'correlation']) expect(best[method]!.filter((name) => size.has(name))).toHaveLength(1)
  expect(best.variance![0]).toBe('mean_area')
  const kept = await keptByMrmr(tumours)
  expect(new Set(kept)).toEqual(new Set(best.mRMR))
  expect(kept).toEqual(tumours.names.filter((name) => kept.includes(name)))
})
