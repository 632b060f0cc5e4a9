import { describe, expect, test } from 'vitest'
import { measureDrop, measureValue } from './measure-text.js'
import { BROKEN, type Measure } from './outcome.js'

const measure = (kind: Measure['kind'], more: Partial<Measure> = {}): Measure => ({
  kind,
  explanation: '',
  higherIsBetter: true,
  baseline: null,
  ...more,
})

describe('values and drops as they are read', () => {
  test.each([
    ['a share of samples in points', measure('top-1 agreement'), 0.0053, '0.53 points'],
    ['a share that grew', measure('accuracy'), -0.012, '−1.20 points'],
    ['of errors a plain number', measure('relative error'), 0.0053, '0.00530'],
    [
      'a plain number where errors of other outputs count too',
      measure('top-1 agreement', { judgesOthers: true }),
      0.115,
      '0.115',
    ],
    ['what is broken', measure('accuracy'), BROKEN, 'broken'],
  ])('%s', (_, m, drop, wanted) => {
    expect(measureDrop(m, drop)).toBe(wanted)
  })

  test('values: shares as percent, others as numbers', () => {
    expect(measureValue(measure('accuracy'), 0.9812)).toBe('98.12 %')
    expect(measureValue(measure('rmse'), 0.25)).toBe('0.250')
  })
})
