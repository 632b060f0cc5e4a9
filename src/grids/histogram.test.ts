import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { type Histogram, histogramCollector } from './histogram.js'

const collect = (...batches: readonly Float32Array[]): Histogram => {
  const collector = histogramCollector()
  for (const batch of batches) collector.add(batch)
  return collector.snapshot()
}

/** float32 values from denormal to huge, both signs, zeros. */
const number = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: -4, max: 4, noNaN: true }),
  fc.constantFrom(0, -0, 1, -1, 2 ** 20, 1e-40),
)
const special = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
const values = fc.array(number, { maxLength: 200 })

/** Without the sign of zeros, which is that of the first one seen. */
const unsigned = (h: Histogram): Histogram => ({ ...h, min: h.min + 0, max: h.max + 0 })

const total = (h: Histogram): number => [...h.positive, ...h.negative].reduce((a, b) => a + b, 0)

/** The definition, value by value: the narrowest power-of-two width whose bins hold all. */
function plain(all: readonly number[]): Histogram {
  const finite = all.filter(Number.isFinite)
  const bins = collect().positive.length
  const reach = Math.max(0, ...finite.map(Math.abs))
  let width = reach === 0 ? 1 : 2 ** -200
  if (reach > 0) while (width * bins <= reach) width *= 2
  const positive = new Float64Array(bins)
  const negative = new Float64Array(bins)
  for (const v of finite) (v >= 0 ? positive : negative)[Math.floor(Math.abs(v) / width)]!++
  return {
    width,
    positive,
    negative,
    min: finite.length === 0 ? 0 : finite.reduce((a, b) => Math.min(a, b)),
    max: finite.length === 0 ? 0 : finite.reduce((a, b) => Math.max(a, b)),
    count: finite.length,
    nonFinite: all.length - finite.length,
  }
}

describe('a histogram', () => {
  test('is what counting one by one gives', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 20, arbitrary: number }, special), { maxLength: 200 }), (list) => {
        expect(unsigned(collect(Float32Array.from(list)))).toEqual(unsigned(plain(list.map(Math.fround))))
      }),
    )
  })

  test('does not depend on the order of the stream nor on how it was cut', () => {
    const cuts = fc.array(fc.nat(200), { maxLength: 6 })
    fc.assert(
      fc.property(values, cuts, fc.integer(), (list, at, seed) => {
        const whole = collect(Float32Array.from(list))
        const mixed = random(seed).shuffle([...list])
        const edges = [0, ...at.map((a) => Math.min(a, list.length)).sort((a, b) => a - b), list.length]
        const cut = collect(
          ...edges.slice(1).map((end, i) => Float32Array.from(mixed.slice(Math.min(edges[i]!, end), end))),
        )
        expect(unsigned(cut)).toEqual(unsigned(whole))
      }),
    )
  })

  test('widens for a value that lies just on the edge', () => {
    for (const edge of [2, 4, 2 ** 30])
      expect(collect(Float32Array.of(1), Float32Array.of(edge))).toEqual(collect(Float32Array.of(1, edge)))
  })

  test('counts every value once, with the exact ends', () => {
    fc.assert(
      fc.property(values, (list) => {
        const h = collect(Float32Array.from(list))
        expect(h.count).toBe(list.length)
        expect(total(h)).toBe(list.length)
        if (list.length > 0) {
          const seen = list.map(Math.fround)
          expect(h.min + 0).toBe(Math.min(...seen) + 0)
          expect(h.max + 0).toBe(Math.max(...seen) + 0)
        }
      }),
    )
  })

  test('sets NaN and infinities apart', () => {
    const h = collect(Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY, -2, Number.NEGATIVE_INFINITY))
    expect(h).toMatchObject({ min: -2, max: 1, count: 2, nonFinite: 3 })
    expect(total(h)).toBe(2)
    const none = collect(Float32Array.of(Number.NaN), new Float32Array(0))
    expect(none).toMatchObject({ min: 0, max: 0, count: 0, nonFinite: 1 })
    expect(total(none)).toBe(0)
  })

  test('keeps zeros in the lowest bin, also where nothing else was seen', () => {
    const zeros = collect(new Float32Array(5))
    expect(zeros).toMatchObject({ min: 0, max: 0, count: 5 })
    expect(zeros.positive[0]).toBe(5)
    const later = collect(new Float32Array(5), Float32Array.of(100))
    expect(later.positive[0]).toBe(5)
    expect(later.max).toBe(100)
  })

  test('has at least 1024 bins up to the largest magnitude', () => {
    fc.assert(
      fc.property(
        number.filter((v) => v !== 0),
        (v) => {
          const h = collect(Float32Array.of(v))
          expect(Math.abs(v) / h.width).toBeGreaterThanOrEqual(1024)
          expect(Math.abs(v) / h.width).toBeLessThan(h.positive.length)
        },
      ),
    )
  })

  test('takes the same memory however much it has seen', () => {
    const few = collect(Float32Array.of(1))
    const generator = random(1)
    const collector = histogramCollector()
    for (let i = -13; i < 37; i++)
      collector.add(Float32Array.from({ length: 1000 }, () => generator.normal(0, 10 ** i)))
    const many = collector.snapshot()
    expect(many.count).toBe(50_000)
    expect(many.positive.length).toBe(few.positive.length)
    expect(many.negative.length).toBe(few.negative.length)
  })

  test('told the ends of values of which only some are counted, holds both', () => {
    const collector = histogramCollector()
    collector.span(-8, 3)
    collector.add(Float32Array.of(1, -2))
    const h = collector.snapshot()
    expect(h).toMatchObject({ min: -8, max: 3, count: 2, nonFinite: 0 })
    expect(h.width).toBe(collect(Float32Array.of(-8)).width)
    expect(total(h)).toBe(2)
    collector.span(Number.NEGATIVE_INFINITY, 100)
    collector.span(0, Number.NaN)
    expect(collector.snapshot()).toMatchObject({ min: -8, max: 3, count: 2, nonFinite: 2 })
  })

  test('a snapshot is not touched by what comes later', () => {
    const collector = histogramCollector()
    collector.add(Float32Array.of(1, -1))
    const before = collector.snapshot()
    collector.add(Float32Array.of(5, -5))
    expect(before).toEqual(collect(Float32Array.of(1, -1)))
  })
})
