/** The compiled loops give the bits of the plain ones, and both the right numbers. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { compiledDense, type DenseKernel, openDenseKernel, plainDense } from './dense-kernel.js'
import { wholeBlocks } from './gram-kernel.js'

const isSame = (a: Float64Array, b: Float64Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer))

const shape = { seed: fc.nat(), extra: fc.integer({ min: 0, max: 2 }) }
const squares = fc.record({ ...shape, n: fc.integer({ min: 1, max: 37 }) })
const products = fc.record({
  ...shape,
  m: fc.integer({ min: 0, max: 9 }),
  k: fc.integer({ min: 0, max: 600 }),
  n: fc.integer({ min: 1, max: 19 }),
})

test('this engine runs the compiled loops', () => {
  expect(openDenseKernel(100).isCompiled).toBe(true)
})

function reduced(
  open: (length: number) => DenseKernel,
  { n, extra, seed }: { n: number; extra: number; seed: number },
) {
  const { normal, integer } = random(seed)
  const stride = wholeBlocks(n) + 8 * extra
  const kernel = open((n + 7) * stride)
  const part = (k: number): Float64Array => kernel.memory.subarray(k * stride, (k + 1) * stride)
  const a = { data: kernel.memory.subarray(7 * stride), stride }
  // Zeros, small blocks and squares that vanish are among them.
  const sizes = [1, 0, 1e-200, -1]
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a.data[i * stride + j] = normal() * sizes[integer(5) % 4]!
  const before = a.data.slice()
  const [diagonal, off, tau] = [part(0), part(1), part(2)]
  kernel.tridiagonalize({ n, a, diagonal, off, tau }, [part(3), part(4), part(5), part(6)])
  return { memory: kernel.memory.slice(), before, after: a.data, stride, diagonal, off, tau }
}

test('reduction: compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(squares, (problem) => {
      const [compiled, plain] = [reduced((l) => compiledDense(l)!, problem), reduced(plainDense, problem)]
      expect(isSame(compiled.memory, plain.memory)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('reduction: Q T Qᵀ is the matrix', () => {
  fc.assert(
    fc.property(squares, (problem) => {
      const { n } = problem
      const { before, after, stride, diagonal, off, tau } = reduced(openDenseKernel, problem)
      const t = Array.from({ length: n }, (_, i) =>
        Array.from({ length: n }, (_, j) => {
          if (i === j) return diagonal[i]!
          return Math.abs(i - j) === 1 ? off[Math.min(i, j)]! : 0
        }),
      )
      // H₁ first: Q = Hₙ₋₁ ⋯ H₁.
      for (let i = 1; i < n; i++) {
        const u = Array.from({ length: n }, (_, k) => after[i * stride + k]!)
        for (const isRow of [true, false]) {
          for (let c = 0; c < n; c++) {
            const get = (k: number): number => (isRow ? t[c]![k]! : t[k]![c]!)
            const dot = u.reduce((s, uk, k) => s + uk * get(k), 0)
            for (let k = 0; k < n; k++) {
              if (isRow) t[c]![k]! -= tau[i]! * dot * u[k]!
              else t[k]![c]! -= tau[i]! * dot * u[k]!
            }
          }
        }
      }
      for (let i = 0; i < n; i++)
        for (let j = 0; j <= i; j++) expect(Math.abs(t[i]![j]! - before[i * stride + j]!)).toBeLessThan(1e-13 * n)
    }),
    { numRuns: 50 },
  )
})

test('products: compiled and plain give the same bits, and add to what is there', () => {
  fc.assert(
    fc.property(products, ({ m, k, n, extra, seed }) => {
      const run = (open: (length: number) => DenseKernel) => {
        const { normal } = random(seed)
        const [aStride, bStride] = [wholeBlocks(k) + 8 * extra, wholeBlocks(n) + 8 * extra]
        const kernel = open(m * aStride + k * bStride + m * wholeBlocks(n))
        const a = { data: kernel.memory.subarray(0, m * aStride), stride: aStride }
        const b = { data: kernel.memory.subarray(m * aStride, m * aStride + k * bStride), stride: bStride }
        const c = { data: kernel.memory.subarray(m * aStride + k * bStride), stride: wholeBlocks(n) }
        for (let i = 0; i < m; i++) for (let l = 0; l < k; l++) a.data[i * aStride + l] = normal()
        for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) b.data[l * bStride + j] = normal()
        for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) c.data[i * c.stride + j] = normal()
        kernel.addProduct(m, k, n, a, b, c)
        return kernel.memory.slice()
      }
      expect(
        isSame(
          run((l) => compiledDense(l)!),
          run(plainDense),
        ),
      ).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('more than WebAssembly can address is left to the plain loops', () => {
  expect(compiledDense(2 ** 29)).toBeNull()
})
