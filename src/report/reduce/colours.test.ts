import fc from 'fast-check'
import { expect, test } from 'vitest'
import { coloursOf, groupsOf, MOST_CLASSES, PALETTE, partsOf, STEPS, type Theme } from './colours.js'

type Triple = readonly [number, number, number]

const times = (matrix: readonly Triple[], v: Triple): Triple =>
  matrix.map((row) => row.reduce((sum, a, k) => sum + a * v[k]!, 0)) as unknown as Triple

/** Linear light of an sRGB colour (IEC 61966-2-1). */
const light = (colour: string): Triple =>
  partsOf(colour)
    .map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)) as unknown as Triple

/** Ottosson 2020, "A perceptual color space for image processing". */
const oklab = (rgb: Triple): Triple => {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map(Math.cbrt) as unknown as Triple
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    lms,
  )
}

/** Machado, Oliveira and Fernandes 2009, severity 1: protanopia, deuteranopia, tritanopia. */
const EYES: readonly (readonly Triple[])[] = [
  [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
]

/** As the eyes to which they look most alike see it. */
const distance = (a: string, b: string): number =>
  Math.min(
    ...EYES.map((eye) => {
      const [p, q] = [a, b].map((colour) =>
        oklab(times(eye, light(colour)).map((v) => Math.min(1, Math.max(0, v))) as unknown as Triple),
      )
      return Math.hypot(...p!.map((v, k) => v - q![k]!))
    }),
  )

const PAPER: Readonly<Record<Theme, string>> = { light: '#ffffff', dark: '#14171a' }

test.each(['light', 'dark'] as const)('colours of classes are apart for all eyes, on %s paper', (theme) => {
  const colours = PALETTE[theme]
  expect(new Set(colours).size).toBe(MOST_CLASSES)
  const least = (count: number): number =>
    Math.min(...colours.slice(0, count).flatMap((a, i) => colours.slice(0, i).map((b) => distance(a, b))))
  // 0.02 is about what can be told apart side by side.
  expect(least(6)).toBeGreaterThan(0.11)
  expect(least(10)).toBeGreaterThan(0.08)
  expect(least(20)).toBeGreaterThan(0.055)
  for (const colour of colours) expect(distance(colour, PAPER[theme])).toBeGreaterThan(0.08)
})

test.each(['light', 'dark'] as const)('the scale grows evenly lighter, on %s paper', (theme) => {
  const column = { kind: 'number', name: 'v', values: Float64Array.from({ length: 480 }, (_, i) => i) } as const
  const lightness = coloursOf(groupsOf(column, 480), theme)
    .slice(0, STEPS)
    .map((colour) => oklab(light(colour))[0])
  const steps = lightness.slice(1).map((v, i) => v - lightness[i]!)
  for (const step of steps) expect(step).toBeGreaterThan(0)
  expect(Math.max(...steps)).toBeLessThan(4 * Math.min(...steps))
})

test('classes have the order of their names, numbers by size; the least frequent are one group, and missing ones another', () => {
  const sizes = [5, 9, 1, 7]
  const codes = Int32Array.from([...sizes.flatMap((n, code) => Array(n).fill(code)), -1, -1])
  const { groups, of } = groupsOf({ kind: 'category', name: 'c', codes, levels: ['1', '10', '2', '9'] }, codes.length)
  expect(groups).toEqual([
    { name: '1', count: 5, place: 0 },
    { name: '2', count: 1, place: 1 },
    { name: '9', count: 7, place: 2 },
    { name: '10', count: 9, place: 3 },
    { name: 'no value', count: 2, place: null },
  ])
  expect([of[0], of[5], of[14], of[15], of[23]]).toEqual([0, 3, 1, 2, 4])
})

test('every row is in a group, which counts it, however many classes there are', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.integer({ min: -1, max: 59 }), { minLength: 1 }),
      (n, raw) => {
        const codes = Int32Array.from(raw, (c) => Math.min(c, n - 1))
        const levels = Array.from({ length: n }, (_, i) => `class ${i}`)
        const { groups, of } = groupsOf({ kind: 'category', name: 'c', codes, levels }, codes.length)
        expect(groups.filter(({ place }) => place !== null).length).toBeLessThanOrEqual(MOST_CLASSES)
        for (const [g, { count, name, place }] of groups.entries()) {
          const own = [...codes.keys()].filter((i) => of[i] === g)
          expect(own.length).toBe(count)
          for (const i of own) if (place !== null) expect(levels[codes[i]!]).toBe(name)
        }
      },
    ),
  )
})

test('values that are far out do not take the scale, and what is missing is grey', () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => (i === 3 ? 1e9 : i === 4 ? Number.NaN : i))
  const grouping = groupsOf({ kind: 'number', name: 'v', values }, 1000)
  expect(grouping.ends![1]).toBeLessThan(1000)
  expect([grouping.of[3], grouping.of[4], grouping.of[0]]).toEqual([STEPS - 1, STEPS, 0])
  expect(coloursOf(grouping, 'light')[STEPS]).toBe(
    coloursOf(groupsOf({ kind: 'category', name: 'c', codes: Int32Array.of(-1), levels: [] }, 1), 'light')[0],
  )
})
