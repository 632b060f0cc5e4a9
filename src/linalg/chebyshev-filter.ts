/** A three-term recurrence of a matrix and a block of vectors: one graph on the engine, products in loops without one. */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { openProducts } from './products.js'

/** Of each step the factors of Ay, of y and of what came before it. */
export type FilterSteps = readonly (readonly [number, number, number])[]

export interface Filter {
  /** `block`: [n, width], after all steps. */
  apply(block: Float64Array, steps: FilterSteps): Promise<Float64Array>
  close(): Promise<void>
}

/** Multiplications of a step from which on the engine is worth its way. */
const MANY = 1e6

/** `a`: [n, n]. All calls have `degree` steps. */
export async function openFilter(
  a: Float64Array,
  n: number,
  width: number,
  degree: number,
  engine: Engine | undefined,
): Promise<Filter> {
  if (engine === undefined || n * n * width < MANY) return loopFilter(a, n, width)
  const session = await engine.load(encodeModel(filterModel(n, width, degree)).bytes)
  // Lent to every run, and given back by it.
  let matrix: Float64Array = a.slice()
  return {
    async apply(block, steps) {
      const feeds = {
        matrix: tensor('float64', [n, n], matrix),
        block: tensor('float64', [n, width], block),
        factors: tensor('float64', [3 * degree], Float64Array.from(steps.flat())),
      }
      const results = await session.run(feeds, { lend: ['matrix'] })
      matrix = numbers(results.matrix!) as Float64Array
      return numbers(results.result!) as Float64Array
    },
    close: () => session.close(),
  }
}

function loopFilter(a: Float64Array, n: number, width: number): Filter {
  const products = openProducts(undefined)
  return {
    async apply(block, steps) {
      let before: Float64Array = new Float64Array(block.length)
      let now = block
      for (const [image, own, last] of steps) {
        const next = await products.multiply(a, now, { m: n, k: n, n: width })
        for (let i = 0; i < next.length; i++) next[i] = image * next[i]! + own * now[i]! + last * before[i]!
        ;[before, now] = [now, next]
      }
      return now
    },
    close: () => products.close(),
  }
}

function filterModel(n: number, width: number, degree: number): Model {
  const b = builder(['matrix', 'block', 'factors', 'result'], 'float64')
  const input = (name: string, shape: readonly number[]): string =>
    b.input(name, { kind: 'tensor', dtype: 'float64', shape })
  const [matrix, block, factors] = [input('matrix', [n, n]), input('block', [n, width]), input('factors', [3 * degree])]
  const parts = b.ops('Split', [factors], { attrs: { num_outputs: int(3 * degree) }, outputs: 3 * degree })
  let [before, now]: [string | null, string] = [null, block]
  for (let i = 0; i < degree; i++) {
    const image = b.op('Mul', [b.op('MatMul', [matrix, now]), parts[3 * i]!])
    const own = b.op('Mul', [now, parts[3 * i + 1]!])
    const inputs: readonly string[] =
      before === null ? [image, own] : [image, own, b.op('Mul', [before, parts[3 * i + 2]!])]
    const outputs = i + 1 === degree ? ['result'] : 1
    ;[before, now] = [now, b.ops('Sum', inputs, { outputs })[0]!]
  }
  b.output('result', { kind: 'tensor', dtype: 'float64', shape: [n, width] })
  return modelOf(b.graph('filter'))
}
