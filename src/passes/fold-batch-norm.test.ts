import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { float, int, ints } from '../ir/attrs.js'
import type { Builder } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import type { Dim } from '../ir/types.js'
import { foldBatchNorm } from './fold-batch-norm.js'

const { check } = passTester()

const wave = (shape: readonly number[], phase = 0) =>
  f32(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * 7.31 + phase)),
  )
const batchNorm = (b: Builder, x: string, channels: number) =>
  b.op(
    'BatchNormalization',
    [
      x,
      b.constant(wave([channels], 1)),
      b.constant(wave([channels], 2)),
      b.constant(wave([channels], 3)),
      b.constant(
        f32(
          [channels],
          Array.from({ length: channels }, (_, i) => 0.1 + i),
        ),
      ),
    ],
    { attrs: { epsilon: float(1e-3) } },
  )
const image = (build: (b: Builder) => string, shape: readonly Dim[] = ['n', 4, 6, 6], opset = 17) =>
  small(opset, { x: ['float32', shape] }, (b) => [build(b)])

const folds: Readonly<
  Record<string, readonly [readonly string[], (b: Builder) => string, (readonly Dim[])?, number?]>
> = {
  'BatchNormalization after Conv': [
    ['Conv'],
    (b) => batchNorm(b, b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))]), 6),
  ],
  'BatchNormalization after Conv, opset 7': [
    ['Conv'],
    (b) => batchNorm(b, b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))]), 6),
    [2, 4, 6, 6],
    7,
  ],
  'after a grouped Conv with bias': [
    ['Conv'],
    (b) => {
      const inputs = ['x', b.constant(wave([8, 2, 3, 3])), b.constant(wave([8]))]
      return batchNorm(b, b.op('Conv', inputs, { attrs: { group: int(2) } }), 8)
    },
  ],
  'after ConvTranspose': [
    ['ConvTranspose'],
    (b) => batchNorm(b, b.op('ConvTranspose', ['x', b.constant(wave([4, 3, 2, 2]))]), 3),
  ],
  'after a grouped ConvTranspose with bias': [
    ['ConvTranspose'],
    (b) => {
      const inputs = ['x', b.constant(wave([4, 3, 2, 2])), b.constant(wave([6]))]
      return batchNorm(b, b.op('ConvTranspose', inputs, { attrs: { group: int(2), strides: ints([2, 2]) } }), 6)
    },
  ],
  'Add of one number a channel after Conv': [
    ['Conv'],
    (b) => b.op('Add', [b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))]), b.constant(wave([6, 1, 1]))]),
  ],
  'Sub, Mul and Div by one number a channel': [
    ['Conv'],
    (b) => {
      const inputs = ['x', b.constant(wave([6, 4, 3, 3])), b.constant(wave([6]))]
      const negated = b.op('Sub', [b.constant(wave([1, 6, 1, 1], 4)), b.op('Conv', inputs)])
      const scaled = b.op('Mul', [b.constant(wave([6, 1, 1], 5)), negated])
      return b.op('Div', [scaled, b.constant(f32([], [3]))])
    },
  ],
  'BatchNormalization after Gemm': [
    ['Gemm'],
    (b) => {
      const attrs = { alpha: float(0.5), beta: float(2), transB: int(1) }
      return batchNorm(b, b.op('Gemm', ['x', b.constant(wave([6, 4])), b.constant(wave([1, 6]))], { attrs }), 6)
    },
    ['n', 4],
  ],
  'BatchNormalization after MatMul': [
    ['MatMul', 'Add'],
    (b) => batchNorm(b, b.op('MatMul', ['x', b.constant(wave([4, 6]))]), 6),
    ['n', 4],
  ],
  'BatchNormalization after MatMul and Add': [
    ['MatMul', 'Add'],
    (b) => batchNorm(b, b.op('Add', [b.constant(wave([6])), b.op('MatMul', ['x', b.constant(wave([4, 6]))])]), 6),
    ['n', 4],
  ],
}

const keeps: Readonly<Record<string, readonly [(b: Builder) => readonly string[], (readonly Dim[])?]>> = {
  'where something else reads the product': [
    (b) => {
      const y = b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))])
      return [batchNorm(b, y, 6), b.op('Relu', [y])]
    },
  ],
  'where the product is an output': [
    (b) => {
      const y = b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))])
      return [batchNorm(b, y, 6), y]
    },
  ],
  'where products share the weight': [
    (b) => {
      const w = b.constant(wave([6, 4, 3, 3]))
      return [batchNorm(b, b.op('Conv', ['x', w]), 6), b.op('Conv', [b.op('Relu', ['x']), w])]
    },
  ],
  'behind an activation': [
    (b) => [batchNorm(b, b.op('Relu', [b.op('Conv', ['x', b.constant(wave([6, 4, 3, 3]))])]), 6)],
  ],
  'a constant along another axis': [
    (b) => [b.op('Add', [b.op('Conv', ['x', b.constant(wave([4, 4, 3, 3]))]), b.constant(wave([4]))])],
  ],
  'a constant that adds an axis': [
    (b) => [b.op('Mul', [b.op('Conv', ['x', b.constant(wave([4, 4, 3, 3]))]), b.constant(f32([1, 1, 1, 1, 1], [2]))])],
  ],
  'a bias for all channels, which would take more bytes': [
    (b) => [b.op('Add', [b.op('Conv', ['x', b.constant(wave([64, 4, 3, 3]))]), b.constant(f32([], [2]))])],
  ],
  'scales that are infinite': [
    (b) => [b.op('Div', [b.op('Conv', ['x', b.constant(wave([2, 4, 3, 3]))]), b.constant(f32([2, 1, 1], [0, 1]))])],
  ],
  'a product along rows': [(b) => [batchNorm(b, b.op('MatMul', ['x', b.constant(wave([4, 6]))]), 5)], ['n', 5, 4]],
}

describe('fold-batch-norm', () => {
  it.each(Object.entries(folds))('folds %s', async (_, [ops, build, shape, opset]) => {
    const next = await check(foldBatchNorm, image(build, shape, opset), { tolerance: 1e-5, dims: { n: 2 } })
    expect(opsOf(next)).toEqual(ops)
  })

  it.each(Object.entries(keeps))('keeps %s', async (_, [build, shape]) => {
    const model = small(17, { x: ['float32', shape ?? ['n', 4, 6, 6]] }, build)
    expect(await foldBatchNorm.run(model, { engine: () => Promise.reject(new Error('needs no engine')) })).toBe(model)
  })

  const chain = (count: number) =>
    image((b) => {
      let at = 'x'
      for (let i = 0; i < count; i++) {
        const conv = b.op('Conv', [at, b.constant(wave([4, 4, 1, 1], i))])
        at = b.op('Relu', [batchNorm(b, i % 2 === 0 ? conv : b.op('Add', [conv, b.constant(wave([4, 1, 1]))]), 4)])
      }
      return at
    })

  it('folds all that lie apart in one round', async () => {
    const next = await check(foldBatchNorm, chain(20), { tolerance: 1e-4, dims: { n: 1 } })
    expect(opsOf(next)).toEqual(Array.from({ length: 20 }, () => ['Conv', 'Relu']).flat())
    let rounds = 0
    const signal = new AbortController().signal
    Object.defineProperty(signal, 'aborted', { get: () => ++rounds < 0 })
    const env = { engine: () => Promise.reject(new Error('needs no engine')), signal }
    expect(opsOf(await foldBatchNorm.run(chain(100), env))).toHaveLength(200)
    // BatchNormalization or Add after Conv; BatchNormalization after what was Add; nothing left.
    expect(rounds).toBe(3)
  })

  it('stops when told to', async () => {
    const env = { engine: () => Promise.reject(new Error('needs no engine')), signal: AbortSignal.abort() }
    await expect(foldBatchNorm.run(chain(2), env)).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
