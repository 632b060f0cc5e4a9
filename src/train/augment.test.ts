import { describe, expect, test } from 'vitest'
import { random } from '../util/random.js'
import { type Augment, cutout, inTurn, mirror, noise, shift } from './augment.js'
import type { Dataset } from './dataset.js'

const picture = (shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i + 1)

/** What becomes of a sample in which every value tells its place. */
function changed(augment: Augment, shape: readonly number[], seed = 0): readonly number[] {
  const values = picture(shape)
  augment(values, { input: 'x', shape }, random(seed))
  return [...values]
}
const seeds = Array.from({ length: 40 }, (_, i) => i)

describe('of pictures', () => {
  test('shift moves all channels alike, and what comes in is 0', () => {
    const all = new Set<string>()
    for (const seed of seeds) {
      const values = changed(shift(1), [2, 3, 4], seed)
      const plain = (c: number, y: number, x: number) =>
        y < 0 || y > 2 || x < 0 || x > 3 ? 0 : picture([2, 3, 4])[12 * c + 4 * y + x]!
      const moves = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [dy, dx] as const))
      const [move] = moves.filter(([dy, dx]) =>
        values.every((v, i) => v === plain(Math.floor(i / 12), (Math.floor(i / 4) % 3) - dy, (i % 4) - dx)),
      )
      expect(move).toBeDefined()
      all.add(move!.join())
    }
    expect(all.size).toBe(9)
  })

  test('mirror turns the width around in half of all samples', () => {
    const results = seeds.map((seed) => changed(mirror(), [1, 2, 3], seed).join())
    const turned = results.filter((r) => r === '3,2,1,6,5,4').length
    expect(results.filter((r) => r === '1,2,3,4,5,6').length).toBe(seeds.length - turned)
    expect(turned).toBeGreaterThan(10)
    expect(turned).toBeLessThan(30)
  })

  test('channels that come last are no width', () => {
    const last = seeds.map((seed) => changed(mirror(), [5, 5, 3], seed).slice(0, 3).join())
    expect(new Set(last)).toEqual(new Set(['1,2,3', '13,14,15']))
    for (const seed of seeds) {
      const cut = changed(cutout(1), [5, 6, 3], seed)
      expect(cut.filter((v) => v === 0)).toHaveLength(3)
      expect(cut.indexOf(0) % 3).toBe(0)
    }
  })

  test('many channels that come first are no height, though the picture is small', () => {
    const rows = seeds.map((seed) => changed(mirror(), [16, 4, 4], seed).slice(0, 4).join())
    expect(new Set(rows)).toEqual(new Set(['1,2,3,4', '4,3,2,1']))
  })

  test('cutout clears a square in all channels, less of it at the border', () => {
    const sizes = seeds.map((seed) => {
      const values = changed(cutout(3), [2, 6, 5], seed)
      const places = values.flatMap((v, i) => (v === 0 ? [i] : []))
      const [first, second] = [0, 1].map((c) => places.filter((i) => Math.floor(i / 30) === c).map((i) => i % 30))
      expect(first).toEqual(second)
      const span = (of: readonly number[]) => Math.max(...of) - Math.min(...of) + 1
      const [height, width] = [span(first!.map((i) => Math.floor(i / 5))), span(first!.map((i) => i % 5))]
      expect(first).toHaveLength(height * width)
      expect(values.every((v, i) => v === 0 || v === i + 1)).toBe(true)
      return [height, width]
    })
    for (const side of sizes.flat()) expect([2, 3]).toContain(side)
    expect(new Set(sizes.flat()).size).toBe(2)
  })

  test('vectors and indices are left as they are', () => {
    for (const augment of [shift(1), mirror(), cutout(2)]) {
      for (const seed of seeds) expect(changed(augment, [6], seed)).toEqual([1, 2, 3, 4, 5, 6])
      const indices = BigInt64Array.from([1n, 2n, 3n, 4n])
      augment(indices, { input: 'x', shape: [2, 2] }, random(1))
      expect([...indices]).toEqual([1n, 2n, 3n, 4n])
    }
  })
})

describe('noise', () => {
  /** Columns on scales of their own, the last of which never changes. */
  const { normal } = random(5)
  const count = 500
  const x = Float32Array.from({ length: 3 * count }, (_, i) => [1000, 1, 0][i % 3]! * normal() + 7)
  const table = (shape: readonly number[]): Dataset => ({
    count,
    inputs: new Map([
      ['x', { dtype: 'float32', shape, data: x }],
      ['i', { dtype: 'int64', shape: [], data: new BigInt64Array(count) }],
    ]),
    targets: new Map(),
  })
  const deviationOf = (augment: Augment, shape: readonly number[]): readonly number[] => {
    const sums = [0, 0, 0]
    for (let i = 0; i < 2000; i++) {
      const values = new Float32Array(3)
      augment(values, { input: 'x', shape }, random(i))
      for (const [j, v] of values.entries()) sums[j]! += v * v
    }
    return sums.map((s) => Math.sqrt(s / 2000))
  }

  test('of a table is a share of the deviation of each column', () => {
    const [a, b, c] = deviationOf(noise(0.1, table([3])), [3])
    expect([a! / 100, b! / 0.1].every((v) => v > 0.9 && v < 1.1)).toBe(true)
    expect(c).toBe(0)
  })

  test('of a picture is a share of the deviation of all values', () => {
    const each = deviationOf(noise(0.1, table([1, 3])), [1, 3])
    const all = 0.1 * Math.sqrt(1000 ** 2 / 3)
    for (const v of each) expect(v / all).toBeCloseTo(1, 0)
  })

  test('leaves indices and inputs that it does not know', () => {
    const augment = noise(1, table([3]))
    const [indices, other] = [new BigInt64Array(2), new Float32Array(2)]
    augment(indices, { input: 'i', shape: [2] }, random(1))
    augment(other, { input: 'other', shape: [2] }, random(1))
    expect([[...indices], [...other]]).toEqual([
      [0n, 0n],
      [0, 0],
    ])
  })
})

test('changes come one after the other', () => {
  const add: Augment = (values) => {
    for (let i = 0; i < values.length; i++) values[i] = Number(values[i]) + 1
  }
  const double: Augment = (values) => {
    for (let i = 0; i < values.length; i++) values[i] = 2 * Number(values[i])
  }
  expect(changed(inTurn(add, double), [2])).toEqual([4, 6])
})
