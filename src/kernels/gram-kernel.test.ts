/** The compiled loops give the bits of the plain ones: no sum changes its order, only several elements go at a time. */

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { random } from '../util/random.js'
import { compiledKernel, type GramKernel, openGramKernel, plainKernel, wholeBlocks } from './gram-kernel.js'

/** Parts of the memory, one after the other. */
function carve(kernel: GramKernel, lengths: readonly number[]): readonly Float64Array[] {
  let at = 0
  return lengths.map((length) => {
    at += length
    return kernel.memory.subarray(at - length, at)
  })
}

interface Problem {
  readonly n: number
  readonly extra: number
  readonly seed: number
  readonly most: number
  readonly tolerance: number
}

const problems = fc.record({
  n: fc.integer({ min: 1, max: 41 }),
  /** Blocks by which rows are longer than they need be. */
  extra: fc.integer({ min: 0, max: 2 }),
  seed: fc.nat(),
  most: fc.integer({ min: 1, max: 7 }),
  tolerance: fc.constantFrom(0, 1e-6, 1e9),
})

/** All that passes leave behind, on a kernel with a drawn problem in it. */
function descent(open: (length: number) => GramKernel, { n, extra, seed, most, tolerance }: Problem) {
  const { normal, uniform, integer } = random(seed)
  const stride = wholeBlocks(n) + 8 * extra
  const kernel = open((n + 6 + most) * stride)
  const parts = carve(kernel, [n * stride, ...Array(6).fill(stride), most * stride])
  const [gram, l1, l2, lower, upper, beta, residual, history] = parts as [
    Float64Array,
    ...[Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array],
  ]
  const rows = Array.from({ length: n }, () => Array.from({ length: Math.max(1, n - 2) }, () => normal()))
  // Some columns are twins, some without curvature.
  for (let j = 1; j < n; j++) if (integer(8) === 0) rows[j] = integer(2) === 0 ? rows[j - 1]! : rows[j]!.map(() => 0)
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < n; k++) gram[j * stride + k] = rows[j]!.reduce((sum, v, i) => sum + v * rows[k]![i]!, 0) / n
    residual[j] = 3 * normal()
    l1[j] = integer(4) === 0 ? 0 : uniform(0, 2)
    l2[j] = integer(2) === 0 ? 0 : uniform()
    lower[j] = [Number.NEGATIVE_INFINITY, 0, -uniform()][integer(3)]!
    upper[j] = [Number.POSITIVE_INFINITY, 0, uniform()][integer(3)]!
  }
  const made = kernel.descend({ n, gram, stride, l1, l2, lower, upper }, { beta, residual, history }, most, tolerance)
  return { ...made, memory: kernel.memory.slice() }
}

/** Whether all bits are the same: -0 is not 0. */
const isSame = (a: Float64Array, b: Float64Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer))

test('this engine runs the compiled loops', () => {
  expect(openGramKernel(100).isCompiled).toBe(true)
})

test('descent: compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const compiled = descent((length) => compiledKernel(length)!, problem)
      const plain = descent(plainKernel, problem)
      expect(compiled.passes).toBe(plain.passes)
      expect(compiled.largest).toBe(plain.largest)
      expect(isSame(compiled.memory, plain.memory)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('descent: the residual stays q − Gβ, and a pass that changes nothing ends it', () => {
  const kernel = compiledKernel(100)!
  const [gram, l1, l2, lower, upper, beta, residual, history] = carve(kernel, [16, 8, 8, 8, 8, 8, 8, 40])
  gram!.set([2, 1, 0, 0, 0, 0, 0, 0, 1, 2])
  l1!.fill(0.5)
  lower!.fill(Number.NEGATIVE_INFINITY)
  upper!.fill(Number.POSITIVE_INFINITY)
  residual!.set([3, -0.1])
  const terms = { n: 2, gram: gram!, stride: 8, l1: l1!, l2: l2!, lower: lower!, upper: upper! }
  const state = { beta: beta!, residual: residual!, history: history! }
  // β₁ = (3 − 0.5) / 2 = 1.25; then r₂ = −0.1 − 1.25, β₂ = (−1.35 + 0.5) / 2.
  expect(kernel.descend(terms, state, 1, 0)).toEqual({ passes: 1, largest: 2 * 1.25 ** 2 })
  expect([...beta!.subarray(0, 2)]).toEqual([1.25, expect.closeTo(-0.425, 14)])
  for (let round = 0; round < 20; round++) kernel.descend(terms, state, 5, 0)
  expect(kernel.descend(terms, state, 5, 0)).toEqual({ passes: 1, largest: 0 })
  const [b1, b2] = [beta![0]!, beta![1]!]
  expect(residual![0]).toBeCloseTo(3 - 2 * b1 - b2, 13)
  expect(residual![1]).toBeCloseTo(-0.1 - b1 - 2 * b2, 13)
})

test('sums of rows: compiled and plain give the same bits, and leave what is behind them', () => {
  const shapes = fc.record({
    count: fc.integer({ min: 0, max: 20 }),
    length: fc.integer({ min: 1, max: 70 }),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(shapes, ({ count, length, seed }) => {
      const stride = wholeBlocks(length) + 8
      const run = (kernel: GramKernel): Float64Array => {
        const { normal, integer } = random(seed)
        const [data, coefficients, target] = carve(kernel, [count * stride, wholeBlocks(count), stride])
        for (let k = 0; k < count; k++) {
          coefficients![k] = integer(3) === 0 ? 0 : normal()
          for (let i = 0; i < length; i++) data![k * stride + i] = normal()
        }
        for (let i = 0; i < length; i++) target![i] = normal()
        target![stride - 1] = 7
        kernel.subtractRows({ count, length, data: data!, stride }, coefficients!, target!)
        return kernel.memory.slice()
      }
      const total = (count + 2) * stride + wholeBlocks(count)
      expect(isSame(run(compiledKernel(total)!), run(plainKernel(total)))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('kernels share no memory', () => {
  const [a, b] = [compiledKernel(8)!, compiledKernel(8)!]
  a.memory.fill(1)
  expect([...b.memory]).toEqual(Array(8).fill(0))
})

test('more than WebAssembly can address is left to the plain loops', () => {
  expect(compiledKernel(2 ** 29)).toBeNull()
})

test('where compiling is not allowed the plain loops take over', async () => {
  vi.resetModules()
  const { Module } = WebAssembly
  WebAssembly.Module = class {
    constructor() {
      throw new WebAssembly.CompileError('no SIMD')
    }
  } as unknown as typeof Module
  try {
    const fresh = await import('./gram-kernel.js')
    expect(fresh.openGramKernel(8).isCompiled).toBe(false)
  } finally {
    WebAssembly.Module = Module
  }
})
