import sharp from 'sharp'
import { expect, test } from 'vitest'
import { unbalanced } from '../../../test/report/markup.js'
import { random } from '../../util/random.js'
import { coloursOf, groupsOf, partsOf } from './colours.js'
import { mapPng } from './picture-png.js'
import { mapSvg } from './picture-svg.js'
import type { PointMap } from './point-map.js'

/** A hundred points in each corner of a square, a class each. */
function corners(n = 400): PointMap {
  const { normal } = random(2)
  const codes = Int32Array.from({ length: n }, (_, i) => i % 4)
  return {
    x: Float32Array.from(codes, (c) => (c % 2 === 0 ? -10 : 10) + normal(0, 0.3)),
    y: Float32Array.from(codes, (c) => (c < 2 ? -10 : 10) + normal(0, 0.3)),
    axes: ['x', 'y'],
    columns: [{ kind: 'category', name: 'corner', codes, levels: ['a', '<b>', 'c', 'd'] }],
  }
}

const pixelsOf = async (image: Uint8Array | string) => {
  const { data, info } = await sharp(Buffer.from(image as Uint8Array))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return {
    ...info,
    at: (x: number, y: number) => [...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3)],
    data,
  }
}

/** The share of coloured pixels of a square that are nearest to each colour. */
function nearestShares(
  image: Awaited<ReturnType<typeof pixelsOf>>,
  [x0, y0, side]: readonly [number, number, number],
  colours: readonly string[],
) {
  const counts = colours.map(() => 0)
  let all = 0
  for (let y = y0; y < y0 + side; y += 2)
    for (let x = x0; x < x0 + side; x += 2) {
      const pixel = image.at(x, y)
      if (pixel.every((v) => v > 225)) continue
      const away = colours.map((c) => Math.hypot(...partsOf(c).map((v, k) => v - pixel[k]!)))
      counts[away.indexOf(Math.min(...away))]!++
      all++
    }
  return counts.map((n) => n / all)
}

test.each(['png', 'svg'] as const)('in a %s each class lies in its corner, in its colour', async (kind) => {
  const map = corners()
  const image = await pixelsOf(kind === 'png' ? mapPng(map) : new TextEncoder().encode(mapSvg(map, 'corners')))
  const colours = coloursOf(groupsOf(map.columns[0]!, 400), 'light')
  const side = kind === 'png' ? 1600 : 900
  expect([image.height, image.at(side / 2, side / 2)]).toEqual([side, [255, 255, 255]])
  const half = side / 2
  const squares = [
    [0, half],
    [half, half],
    [0, 0],
    [half, 0],
  ] as const
  for (const [code, [x, y]] of squares.entries()) {
    const shares = nearestShares(image, [x, y, half], colours)
    // Edges of discs are mixed with the paper.
    expect(shares[code]).toBeGreaterThan(0.8)
  }
})

test('the same map gives the same bytes', () => {
  expect(mapPng(corners())).toEqual(mapPng(corners()))
  expect(mapSvg(corners(), 't')).toBe(mapSvg(corners(), 't'))
})

test('the SVG is whole, has its legend, and draws every point that has a place of its own', () => {
  const map = corners()
  const picture = mapSvg(map, 'a <map>')
  expect(unbalanced(picture.replace(/<\?xml.*\?>/, ''))).toEqual([])
  expect(picture).toContain('<title id="title">a &lt;map&gt;</title>')
  expect(picture).toContain('&lt;b&gt; <tspan fill="#59626e">100</tspan>')
  const drawn = new Set<string>()
  for (const [, stroke, d] of picture.matchAll(/<path stroke="([^"]*)" d="([^"]*)"/g)) {
    let [x, y] = [0, 0]
    for (const [, dx, dy] of d!.matchAll(/m(-?\d+) ?(-?\d+)h0/g)) {
      x += Number(dx)
      y += Number(dy)
      drawn.add(`${stroke} ${x} ${y}`)
    }
  }
  expect(drawn.size).toBeGreaterThan(390)
  for (const place of drawn) for (const v of place.split(' ').slice(1)) expect(Number(v)).toBeGreaterThanOrEqual(239)
})

test('a scale has its ends, and one point alone is drawn in the middle', async () => {
  const { x, y, axes } = corners()
  const values = Float64Array.from(x, (v) => 3 * v)
  const picture = mapSvg({ x, y, axes, columns: [{ kind: 'number', name: 'three x', values }] }, 't')
  expect(picture).toMatch(/≥ 3\d\.\d+<[\s\S]*≤ −3\d\.\d+</)
  const one = await pixelsOf(mapPng({ x: [3], y: [4], axes, columns: [] }))
  expect(one.at(800, 800)).not.toEqual([255, 255, 255])
  expect(() => mapPng({ x: [], y: [], axes, columns: [] })).toThrow(/at least one point/)
})

test('70,000 points make an SVG below 1 MB', () => {
  const { normal } = random(3)
  const of = () => Float32Array.from({ length: 70_000 }, () => normal(0, 30))
  const codes = Int32Array.from({ length: 70_000 }, (_, i) => i % 10)
  const levels = Array.from({ length: 10 }, (_, i) => String(i))
  const picture = mapSvg(
    { x: of(), y: of(), axes: ['x', 'y'], columns: [{ kind: 'category', name: 'd', codes, levels }] },
    't',
  )
  expect(picture.length).toBeLessThan(1e6)
})
