import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Latency } from './trial.js'
import { isFaster, isSlower, maybeSlower, speed } from './verdicts.js'

const latency = (ratio: number, low: number, high: number): Latency => ({
  p50: 1,
  p95: 1,
  ratio,
  interval: [low, high],
})

const anyLatency = fc
  .record({
    ratio: fc.double({ min: 1e-4, max: 1e4, noNaN: true }),
    below: fc.double({ min: 0, max: 0.5, noNaN: true }),
    above: fc.double({ min: 0, max: 0.5, noNaN: true }),
  })
  .map(({ ratio, below, above }) => latency(ratio, ratio * (1 - below), ratio * (1 + above)))

describe('faster and slower', () => {
  test('need an interval without doubt and more than 2 percent', () => {
    expect(isSlower(latency(1.05, 1.01, 1.1))).toBe(true)
    expect(isSlower(latency(1.05, 0.99, 1.1))).toBe(false)
    expect(isSlower(latency(1.015, 1.01, 1.02))).toBe(false)
    expect(isFaster(latency(0.95, 0.9, 0.99))).toBe(true)
    expect(isFaster(latency(0.95, 0.9, 1.01))).toBe(false)
    expect(isFaster(latency(0.985, 0.98, 0.99))).toBe(false)
  })

  test('where the measurement is rough, a ratio above the margin is held against a candidate', () => {
    expect(maybeSlower(latency(1.05, 1.01, 1.1))).toBe(true)
    expect(maybeSlower(latency(1.1, 0.9, 1.3))).toBe(true)
    expect(maybeSlower(latency(1.021, 0.999, 1.038))).toBe(false)
    expect(maybeSlower(latency(1.01, 0.9, 1.2))).toBe(false)
    expect(maybeSlower(latency(0.9, 0.7, 1.2))).toBe(false)
  })

  test('are told with digits that tell', () => {
    expect(speed(latency(0.355, 0.34, 0.37))).toBe('2.82× faster')
    expect(speed(latency(1 / 1.03, 0.96, 0.98))).toBe('1.03× faster')
    expect(speed(latency(1 / 9.996, 0.09, 0.11))).toBe('10.0× faster')
    expect(speed(latency(1 / 250, 0.003, 0.005))).toBe('250× faster')
    expect(speed(latency(1.2, 1.1, 1.3))).toBe('1.20× slower')
    for (const close of [latency(1, 0.985, 1.02), latency(1.015, 1.01, 1.03)])
      expect(speed(close)).toBe('the same speed')
    expect(speed(latency(1.3, 0.99, 1.6))).toBe('speed not told apart (0.99–1.60 of the original’s time)')
    expect(speed(latency(0.714, 0.5, 1.2))).toBe('speed not told apart (0.50–1.20 of the original’s time)')
  })

  test('are told as they are decided, and never as 1 times', () => {
    fc.assert(
      fc.property(anyLatency, (l) => {
        const said = speed(l)
        expect(said.endsWith('faster')).toBe(isFaster(l))
        expect(said.endsWith('slower')).toBe(isSlower(l))
        if (isFaster(l) || isSlower(l)) expect(Number.parseFloat(said)).toBeGreaterThan(1)
      }),
    )
  })
})
