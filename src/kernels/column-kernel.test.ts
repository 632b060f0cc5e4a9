/** The compiled loops give the bits of the plain ones, and both what they say. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import { type ColumnKernel, compiledColumns, openColumnKernel, plainColumns } from './column-kernel.js'

interface Shape {
  readonly rows: number
  readonly columns: number
  readonly seed: number
  readonly isListed: boolean
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  rows: fc.integer({ min: 1, max: 40 }),
  columns: fc.integer({ min: 1, max: 20 }),
  seed: fc.nat(),
  isListed: fc.boolean(),
})

function drawn(kernel: ColumnKernel, { rows, columns, seed, isListed }: Shape) {
  const { normal, integer } = random(seed)
  for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) kernel.columns[j * kernel.stride + i] = normal()
  const list = isListed ? Int32Array.from({ length: integer(columns + 1) }, () => integer(columns)) : null
  const count = list?.length ?? columns
  const values = (f: () => number): Float64Array => Float64Array.from({ length: count }, f)
  const v = new Float64Array(kernel.stride)
  for (let i = 0; i < rows; i++) v[i] = normal()
  const terms = {
    squares: values(() => integer(5)),
    l1: values(() => integer(3)),
    l2: values(() => integer(2)),
    lower: values(() => [Number.NEGATIVE_INFINITY, 0, -0.1][integer(3)]!),
    upper: values(() => [Number.POSITIVE_INFINITY, 0, 0.1][integer(3)]!),
  }
  return { list, v, terms, coefficients: values(() => (integer(3) === 0 ? 0 : normal())), out: values(() => 7) }
}

/** All that the three leave behind. */
function results(kernel: ColumnKernel, shape: Shape): readonly Float64Array[] {
  const { list, v, terms, coefficients, out } = drawn(kernel, shape)
  kernel.products(list, v, out)
  const target = v.slice()
  kernel.subtract(list, coefficients, target)
  const [beta, residual] = [coefficients.slice(), v.slice()]
  const largest = kernel.pass(list, terms, beta, residual)
  return [out, target, beta, residual, Float64Array.of(largest)]
}

test('this engine runs the compiled loops', () => {
  expect(openColumnKernel(3, 4).isCompiled).toBe(true)
})

test('compiled and plain leave the same bits behind', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const plain = results(plainColumns(shape.rows, shape.columns), shape)
      for (const [k, a] of results(compiledColumns(shape.rows, shape.columns)!, shape).entries())
        expect(Buffer.from(a.buffer).equals(Buffer.from(plain[k]!.buffer))).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('products, sums and the residual of a pass are what they say', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const kernel = openColumnKernel(shape.rows, shape.columns)
      const { list, v, terms, coefficients, out } = drawn(kernel, shape)
      const column = (k: number): Float64Array => {
        const at = (list === null ? k : list[k]!) * kernel.stride
        return kernel.columns.subarray(at, at + kernel.stride)
      }
      const [target, residual, beta] = [v.slice(), v.slice(), coefficients.slice()]
      kernel.products(list, v, out)
      kernel.subtract(list, coefficients, target)
      kernel.pass(list, terms, beta, residual)
      for (let k = 0; k < out.length; k++) {
        expect(out[k]!).toBeCloseTo(
          column(k).reduce((sum, x, i) => sum + x * v[i]!, 0),
          10,
        )
      }
      for (let i = 0; i < v.length; i++) {
        const along = (c: (k: number) => number): number => out.reduce((sum, _, k) => sum + c(k) * column(k)[i]!, 0)
        expect(target[i]!).toBeCloseTo(v[i]! - along((k) => coefficients[k]!), 10)
        expect(residual[i]!).toBeCloseTo(v[i]! - along((k) => beta[k]! - coefficients[k]!), 10)
      }
    }),
    { numRuns: 50 },
  )
})

test('more than WebAssembly can address is left to the plain loops', () => {
  expect(compiledColumns(2 ** 15, 2 ** 14)).toBeNull()
})
