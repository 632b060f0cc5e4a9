/** The compiled loops agree with the plain ones to the last few digits: exp is not the same to the bit. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random } from '../util/random.js'
import {
  type AffinityKernel,
  compiledAffinityKernel,
  openAffinityKernel,
  plainAffinityKernel,
} from './affinity-kernel.js'

test('this engine runs the compiled loops', () => {
  expect(openAffinityKernel(3, 4).isCompiled).toBe(true)
})

const problems = fc.record({
  rows: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 30 }).map((half) => 2 * half),
  size: fc.constantFrom(1e-12, 1, 1e9),
  perplexity: fc.double({ min: 1.01, max: 40, noNaN: true }),
  seed: fc.nat(),
})

type Problem = typeof problems extends fc.Arbitrary<infer T> ? T : never

function weighed(kernel: AffinityKernel, { rows, width, size, perplexity, seed }: Problem) {
  const { uniform } = random(seed)
  for (let at = 0; at < rows * width; at++)
    kernel.distances[at] = at % width === width - 1 && seed % 2 === 1 ? Number.POSITIVE_INFINITY : size * uniform()
  kernel.weigh(Math.log(perplexity))
  return kernel
}

test('weights have a sum of 1 and the perplexity that is asked, where it is below the number of neighbours', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const { rows, width, perplexity } = problem
      const [compiled, plain] = [
        weighed(compiledAffinityKernel(rows, width)!, problem),
        weighed(plainAffinityKernel(rows, width), problem),
      ]
      for (let i = 0; i < rows; i++) {
        const row = compiled.distances.subarray(i * width, (i + 1) * width)
        expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
        if (perplexity > 0.9 * (width - 1)) continue
        const entropy = -row.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0)
        expect(Math.abs(Math.exp(entropy) - perplexity)).toBeLessThan(1e-5)
        for (let k = 0; k < width; k++) expect(row[k]).toBeCloseTo(plain.distances[i * width + k]!, 7)
      }
    }),
  )
})

test('what is not there has no weight', () => {
  for (const kernel of [compiledAffinityKernel(1, 4)!, plainAffinityKernel(1, 4)]) {
    kernel.distances.set([5, 7, 6, Number.POSITIVE_INFINITY])
    kernel.weigh(Math.log(2))
    expect(kernel.distances[3]).toBe(0)
    expect(kernel.missed[0]).toBeCloseTo(0, 8)
  }
})

test('equal distances share the weight, whatever is asked', () => {
  for (const kernel of [compiledAffinityKernel(1, 4)!, plainAffinityKernel(1, 4)]) {
    kernel.distances.fill(3)
    kernel.weigh(Math.log(2))
    for (const p of kernel.distances) expect(p).toBeCloseTo(0.25, 12)
  }
})
