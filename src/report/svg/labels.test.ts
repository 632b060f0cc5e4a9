import { expect, test } from 'vitest'
import { random } from '../../util/random.js'
import { overlap, placeLabels, shortenTo, textWidth } from './labels.js'

test('labels keep inside the frame and off each other and the points', () => {
  const r = random(1)
  const frame = { x: 0, y: 0, width: 400, height: 300 }
  const points = Array.from({ length: 60 }, () => ({ x: r.uniform(0, 400), y: r.uniform(0, 300) }))
  const obstacles = points.map(({ x, y }) => ({ x: x - 4, y: y - 4, width: 8, height: 8 }))
  const placed = placeLabels(
    points.map((p, i) => ({ ...p, gap: 6, texts: [`a rather long label ${i}`, String(i)] })),
    obstacles,
    frame,
    12,
  ).filter((label) => label !== null)
  expect(placed.length).toBeGreaterThan(20)
  for (const [i, a] of placed.entries()) {
    expect(a.x >= 0 && a.y >= 0 && a.x + a.width <= 400 && a.y + a.height <= 300).toBe(true)
    for (const b of [...placed.slice(i + 1), ...obstacles]) expect(overlap(a, b)).toBe(false)
  }
})

test('texts are cut to a width, wide letters earlier', () => {
  expect(shortenTo('short', 80, 12)).toBe('short')
  for (const long of ['x'.repeat(200), '模型'.repeat(100), '😀'.repeat(50)]) {
    const cut = shortenTo(long, 80, 12)
    expect(cut).toContain('…')
    expect(textWidth(cut, 12)).toBeLessThanOrEqual(80)
  }
  expect([...shortenTo('模型'.repeat(100), 80, 12)].length).toBeLessThan([...shortenTo('x'.repeat(200), 80, 12)].length)
})
