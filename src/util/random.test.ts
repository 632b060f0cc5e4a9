import { expect, test } from 'vitest'
import { random } from './random.js'

test('a seed fixes the sequence, and another seed gives another', () => {
  const draw = (seed: number) =>
    Array.from(
      { length: 8 },
      (
        (r) => () =>
          r.bits()
      )(random(seed)),
    )
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  expect(draw(2 ** 33)).not.toEqual(draw(0))
  expect(draw(-1)).not.toEqual(draw(1))
})

test('uniform draws have the moments of the uniform distribution', () => {
  const r = random(1)
  const n = 50_000
  let sum = 0
  let squares = 0
  for (let i = 0; i < n; i++) {
    const u = r.uniform()
    if (u < 0 || u >= 1) throw new Error(`out of range: ${u}`)
    sum += u
    squares += u * u
  }
  expect(sum / n).toBeCloseTo(1 / 2, 2)
  expect(squares / n).toBeCloseTo(1 / 3, 2)
})

test('normal draws have mean, deviation and kurtosis of the normal distribution', () => {
  const r = random(2)
  const n = 50_000
  const moments = [0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const x = r.normal()
    for (let p = 0; p < 4; p++) moments[p]! += x ** (p + 1) / n
  }
  expect(Math.abs(moments[0]!)).toBeLessThan(0.02)
  expect(Math.abs(moments[1]! - 1)).toBeLessThan(0.03)
  expect(Math.abs(moments[2]!)).toBeLessThan(0.06)
  expect(Math.abs(moments[3]! - 3)).toBeLessThan(0.2)
  expect(random(5).normal(10, 0)).toBe(10)
})

test('integers fill their range evenly', () => {
  const r = random(3)
  const counts = new Array<number>(7).fill(0)
  for (let i = 0; i < 21_000; i++) counts[r.integer(7)]!++
  for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(250)
  expect(() => r.integer(0)).toThrow(/RANDOM|range/)
  expect(() => r.integer(1.5)).toThrow()
})

test('a shuffle is a permutation, in place, and each order of three is equally likely', () => {
  const r = random(4)
  const items = Uint32Array.from({ length: 100 }, (_, i) => i)
  expect(r.shuffle(items)).toBe(items)
  expect([...items]).not.toEqual([...items].sort((a, b) => a - b))
  expect([...items].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  const orders = new Map<string, number>()
  for (let i = 0; i < 12_000; i++) {
    const key = r.shuffle([0, 1, 2]).join('')
    orders.set(key, (orders.get(key) ?? 0) + 1)
  }
  expect(orders.size).toBe(6)
  for (const count of orders.values()) expect(Math.abs(count - 2000)).toBeLessThan(220)
})

test('forks are reproducible, differ from each other and leave the parent alone', () => {
  const parent = random(9)
  const before = random(9).bits()
  const one = parent.fork(1)
  expect(one.bits()).toBe(random(9).fork(1).bits())
  expect(parent.fork(2).bits()).not.toBe(parent.fork(1).bits())
  expect(parent.bits()).toBe(before)
})

test('a seed that is no whole number is refused', () => {
  expect(() => random(0.5)).toThrow(/whole number/)
})
