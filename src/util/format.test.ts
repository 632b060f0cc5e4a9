import { expect, test } from 'vitest'
import { bytes, count, duration, milliseconds, percent, shorten, significant, times } from './format.js'

test('significant digits', () => {
  expect([0, 1, 0.5, 12.345, 12345, 0.0001234, -Math.PI, 999.9].map((v) => significant(v))).toEqual([
    '0',
    '1.00',
    '0.500',
    '12.3',
    '12300',
    '0.000123',
    '−3.14',
    '1000',
  ])
  expect(significant(1.2e-7)).toBe('1.20e−7')
  expect(significant(-1.2e-7)).toBe('−1.20e−7')
  expect(significant(3e12)).toBe('3.00e12')
  expect(significant(Number.NaN)).toBe('NaN')
  expect(significant(Number.POSITIVE_INFINITY)).toBe('∞')
})

test('units roll over at a thousand, also by rounding', () => {
  expect([0, 999, 1000, 369123, 999_999, 1_047_549, 2.5e9].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '369 kB',
    '1.00 MB',
    '1.05 MB',
    '2.50 GB',
  ])
  expect([12, 1234567].map(count)).toEqual(['12', '1.23 M'])
  expect([0.0421, 4.31, 1234].map(milliseconds)).toEqual(['0.0421 ms', '4.31 ms', '1.23 s'])
  expect([4, 59.6, 200, 3600, 3900].map(duration)).toEqual(['4 s', '1 min', '3 min 20 s', '1 h', '1 h 5 min'])
})

test('percent, factors, shortening', () => {
  expect(percent(0.98921)).toBe('98.92 %')
  expect(percent(-0.00001)).toBe('0.00 %')
  expect(percent(-0.65, 0)).toBe('−65 %')
  expect(times(2.8361)).toBe('2.84×')
  expect(shorten('abcdefghij', 5)).toBe('ab…ij')
  expect(shorten('short', 5)).toBe('short')
})
