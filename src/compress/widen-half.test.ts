import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../test/calibrated.js'
import { value } from '../../test/small-models.js'
import { addPair, differenceOf, NO_SUMS } from '../engine/compare.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { graphAttr, int, tensorAttr } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { f32, floatToHalf, tensor } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { random } from '../util/random.js'
import { quantize } from './quantize/index.js'
import { widenHalf } from './widen-half.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const half = (shape: readonly number[], seed: number): Tensor => {
  const r = random(seed)
  const length = shape.reduce((n, d) => n * d, 1)
  return tensor(
    'float16',
    shape,
    Uint16Array.from({ length }, () => floatToHalf(0.2 * r.normal())),
  )
}

/** x [1, 3, 8, 8] → Conv → If (Relu or a constant of an attribute) → MatMul → y, all float16; `seen` = x in float32. */
function halfModel(): Model {
  const branch = (op: 'Relu' | 'Constant') => {
    const b = builder()
    if (op === 'Relu') b.ops('Relu', ['c'], { outputs: ['r'] })
    else b.ops('Constant', [], { outputs: ['r'], attrs: { value: tensorAttr(half([1, 4, 8, 8], 3)) } })
    b.output('r', value('float16', [1, 4, 8, 8]))
    return b.graph(op)
  }
  const b = builder()
  b.input('x', value('float16', [1, 3, 8, 8]))
  b.input('go', value('bool', []))
  b.ops('Conv', ['x', b.constant(half([4, 3, 3, 3], 1), 'k')], {
    outputs: ['c'],
    attrs: { pads: { type: 'ints', value: [1n, 1n, 1n, 1n] } },
  })
  const r = b.op('If', ['go'], {
    attrs: { then_branch: graphAttr(branch('Relu')), else_branch: graphAttr(branch('Constant')) },
  })
  const wide = b.op('Cast', [r], { attrs: { to: int(1) } })
  const back = b.op('Cast', [wide], { attrs: { to: int(10) } })
  b.ops('MatMul', [back, b.constant(half([8, 32], 2), 'w')], { outputs: ['y'] })
  b.ops('Cast', ['x'], { outputs: ['seen'], attrs: { to: int(1) } })
  b.output('y', value('float16', [1, 4, 8, 32]))
  b.output('seen', value('float32', [1, 3, 8, 8]))
  return modelOf(b.graph())
}

const feeds = (go: number) => ({ x: half([1, 3, 8, 8], 9), go: tensor('bool', [], Uint8Array.of(go)) })

describe('a float16 model', () => {
  test('computes the same in float32, branches among it, with the inputs and outputs that it had', async () => {
    const before = halfModel()
    const after = widenHalf(before)
    const left = JSON.stringify([...after.graph.constants.values()].map((t) => t.dtype))
    expect(left).not.toContain('float16')
    for (const go of [0, 1]) {
      const [a, b] = [await outputsOf(engine, before, feeds(go)), await outputsOf(engine, after, feeds(go))]
      for (const name of ['y', 'seen']) {
        expect([b[name]!.dtype, b[name]!.shape]).toEqual([a[name]!.dtype, a[name]!.shape])
        expect(differenceOf(addPair(NO_SUMS, a[name]!, b[name]!)).relativeL2).toBeLessThan(2e-3)
      }
    }
  })

  test('is quantized', async () => {
    const env = { engine: async () => engine }
    const small = await quantize(halfModel(), { to: 'int8' }, env)
    expect(small.graph.nodes.map((n) => n.op)).toContain('MatMulInteger')
    const [a, b] = [await outputsOf(engine, halfModel(), feeds(1)), await outputsOf(engine, small, feeds(1))]
    expect(b.y!.dtype).toBe('float16')
    expect(differenceOf(addPair(NO_SUMS, a.y!, b.y!)).relativeL2).toBeLessThan(0.03)
    await expect(quantize(halfModel(), { to: 'f16' }, env)).rejects.toThrow(/weights are float16 already \(first: k\)/)
  })
})

describe('left as they are', () => {
  const product = (w: Tensor, domain = '') => {
    const b = builder()
    b.input('x', value('float16', [1, 64]))
    b.ops('MatMul', ['x', b.constant(w, 'w')], { outputs: ['h'] })
    b.ops(domain === '' ? 'Identity' : 'Mystery', ['h'], { outputs: ['y'], domain })
    b.output('y', value('float16', [1, 64]))
    return modelOf(b.graph(), { '': 21, ...(domain !== '' && { [domain]: 1 }) })
  }

  test('models of other types, and those with operators that may know no float32', () => {
    const wide = product(f32([64, 64], new Float32Array(4096)))
    expect(widenHalf(wide)).toBe(wide)
    const strange = product(half([64, 64], 1), 'strange')
    expect(widenHalf(strange)).toBe(strange)
    const plain = product(half([64, 64], 1))
    expect(widenHalf(plain)).not.toBe(plain)
  })
})
