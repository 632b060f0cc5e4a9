import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_EXACT, packMap, unpackMap } from '../point-map.js'
import { paintDiscs } from '../raster.js'
import { selectionCsv } from './csv.js'
import { inside, rectangle } from './lasso.js'
import { nearIndex } from './near.js'
import { shuffled } from './paint.js'
import { panBy, toMap, toPixels, WHOLE, zoomAt } from './view.js'

const unit = fc.float({ min: -1, max: 1, noNaN: true })
const cloud = fc
  .array(fc.tuple(unit, unit), { minLength: 1, maxLength: 300 })
  .map((rows) => ({ x: Float32Array.from(rows, ([x]) => x), y: Float32Array.from(rows, ([, y]) => y) }))

test('the nearest point is that of a search through all of them', () => {
  fc.assert(
    fc.property(cloud, unit, unit, fc.double({ min: 0.01, max: 3, noNaN: true }), (places, px, py, radius) => {
      const wanted = (i: number): boolean => i % 3 !== 1
      const away = (i: number): number => (places.x[i]! - px) ** 2 + (places.y[i]! - py) ** 2
      const found = nearIndex(places).nearest(px, py, radius, wanted)
      const all = [...places.x.keys()].filter((i) => wanted(i) && away(i) <= radius * radius)
      if (all.length === 0) expect(found).toBe(-1)
      else expect(away(found)).toBe(Math.min(...all.map(away)))
    }),
  )
})

test('a lasso holds what a rectangle of the same corners does, and an hourglass not its waist', () => {
  fc.assert(
    fc.property(cloud, unit, unit, unit, unit, (places, a, b, c, d) => {
      const found = inside(rectangle(a, b, c, d), places)
      for (let i = 0; i < found.length; i++) {
        const [x, y] = [places.x[i]!, places.y[i]!]
        const isIn = x > Math.min(a, c) && x < Math.max(a, c) && y > Math.min(b, d) && y < Math.max(b, d)
        // On the line itself either may be.
        const isOn = x === a || x === c || y === b || y === d
        if (!isOn) expect(found[i]).toBe(Number(isIn))
      }
    }),
  )
  const places = { x: Float32Array.of(0, 0, 0.9, -0.9), y: Float32Array.of(0.5, -0.5, 0, 0) }
  expect([...inside([-1, 1, 1, 1, -1, -1, 1, -1], places)]).toEqual([1, 1, 0, 0])
  expect([...inside([0, 0, 1, 1], places)]).toEqual([0, 0, 0, 0])
})

test('what lies under the pointer stays there while the map is zoomed, and pixels lead back to the map', () => {
  const stage = { width: 800, height: 500 }
  const factor = fc.double({ min: 0.5, max: 4, noNaN: true })
  const place = fc.tuple(fc.integer({ min: 300, max: 500 }), fc.integer({ min: 200, max: 300 }))
  fc.assert(
    fc.property(factor, place, place, (zoom, [px, py], [dx, dy]) => {
      const moved = panBy(WHOLE, stage, (dx - 400) / 2, (dy - 250) / 2)
      const before = toMap(moved, stage, px, py)
      const view = zoomAt(moved, stage, zoom, px, py)
      const after = toPixels(view, stage, ...before)
      expect(after[0]).toBeCloseTo(px, 6)
      expect(after[1]).toBeCloseTo(py, 6)
    }),
  )
  expect(zoomAt(WHOLE, stage, 1e9, 400, 250).zoom).toBe(2000)
  expect(Math.abs(panBy(WHOLE, stage, 1e9, 0).x)).toBeLessThan(1.3)
})

test('a map comes out of its page as it went in; a large one within half a step of its range', () => {
  const columns = [
    { kind: 'number', name: 'n', values: Float64Array.of(0.1, Number.NaN, 7) },
    { kind: 'category', name: 'c', codes: Int32Array.of(-1, 1, 0), levels: ['ü', '</script>'] },
  ] as const
  const small = { x: Float32Array.of(0.1, -5, 1e-9), y: Float32Array.of(1e6, 2, 3), axes: ['a', 'b'] as const, columns }
  expect(unpackMap(JSON.parse(JSON.stringify(packMap(small))))).toEqual(small)
  const n = MOST_EXACT + 1
  const x = Float32Array.from({ length: n }, (_, i) => Math.sin(i) * 50)
  const large = packMap({ x, y: x, axes: ['a', 'b'], columns: [] })
  expect(large.x.data.length).toBeLessThan(2.7 * n)
  const back = unpackMap(large)
  const span = large.bounds[1] - large.bounds[0]
  expect(back.x.length).toBe(n)
  for (let i = 0; i < n; i += 997) expect(Math.abs(back.x[i]! - x[i]!)).toBeLessThan((0.5001 * span) / 65_535 + 1e-5)
})

test('points are painted in a shuffled order, each once', () => {
  for (const n of [0, 1, 2, 3, 1000, 4096]) {
    const order = shuffled(n)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
  }
  // The first tenth holds points of all of the list.
  const tenths = new Set([...shuffled(10_000).subarray(0, 1000)].map((i) => Math.floor(i / 1000)))
  expect(tenths.size).toBe(10)
})

test('a disc covers its area, wherever between pixels it lies, and is cut at the edges', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 15, max: 25, noNaN: true }),
      fc.double({ min: 15, max: 25, noNaN: true }),
      fc.double({ min: 2, max: 12, noNaN: true }),
      (x, y, diameter) => {
        const pixels = { width: 40, height: 40, data: new Uint8ClampedArray(6400) }
        const disc = {
          count: 1,
          x: () => x,
          y: () => y,
          colour: () => 0,
          colours: ['#ff8000'],
          opacities: [1],
          diameter,
        }
        paintDiscs(pixels, disc)
        let [area, middleX] = [0, 0]
        for (let at = 0; at < 1600; at++) {
          const share = pixels.data[4 * at + 3]! / 255
          area += share
          middleX += share * ((at % 40) + 0.5)
          if (share === 1) expect([...pixels.data.subarray(4 * at, 4 * at + 3)]).toEqual([255, 128, 0])
        }
        expect(Math.abs(area / ((Math.PI * diameter ** 2) / 4) - 1)).toBeLessThan(0.15)
        expect(Math.abs(middleX / area - x)).toBeLessThan(0.3)
        paintDiscs(pixels, { ...disc, x: () => -1, y: () => 41 })
      },
    ),
  )
})

test('what is chosen is written with the very numbers of the columns', () => {
  const values = Float64Array.of(1700000128, Math.fround(0.1), Number.NaN)
  const map = {
    x: Float32Array.of(0.1, 2, 3),
    y: Float32Array.of(-0.7, 5, 6),
    axes: ['tsne1', 'tsne2'] as const,
    columns: [{ kind: 'number', name: 'when, or so', values } as const],
  }
  expect(selectionCsv(map, [0, 2])).toBe('row,tsne1,tsne2,"when, or so"\n1,0.1,-0.7,1700000128\n3,3,6,\n')
  expect(Number(selectionCsv(map, [1]).trim().split(',').at(-1))).toBe(values[1])
})
