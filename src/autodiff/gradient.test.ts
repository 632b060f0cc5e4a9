import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { int } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { f32, numbers } from '../ir/tensor.js'
import type { Dim, Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { gradient } from './gradient.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** A model of one input x, and the name of its output. */
function modelOfX(shape: readonly Dim[], body: (b: Builder, x: string) => string, opset = 21): Model {
  const b = builder()
  b.output(body(b, b.input('x', { kind: 'tensor', dtype: 'float32', shape })))
  return modelOf(b.graph(), { '': opset })
}
const total = (b: Builder, x: string): string => b.op('ReduceSum', [x], { attrs: { keepdims: int(0) } })

async function slopes(model: Model, wrt: readonly string[], feeds: Readonly<Record<string, Tensor>>) {
  const found = await gradient(model, { wrt })
  const session = await engine.load(encodeModel(found.model).bytes)
  const results = await session.run(feeds)
  await session.close()
  return Object.fromEntries([...found.gradients].map(([name, out]) => [name, [...numbers(results[out]!)]]))
}

describe('the gradient of a model', () => {
  test('Σ w x²: by the input 2 w x, by the weight x²', async () => {
    const model = modelOfX([3], (b, x) => {
      const w = b.constant(f32([3], [1, 2, 3]), 'w')
      return total(b, b.op('Mul', [w, b.op('Mul', [x, x])]))
    })
    expect(await slopes(model, ['x', 'w'], { x: f32([3], [1, -1, 2]) })).toEqual({ x: [2, -4, 12], w: [1, 1, 4] })
  })

  test('a value that is read several times gets the sum of what comes back', async () => {
    const model = modelOfX([2], (b, x) => total(b, b.op('Sum', [x, b.op('Exp', [x]), b.op('Mul', [x, x])])))
    expect((await slopes(model, ['x'], { x: f32([2], [0, 1]) })).x).toEqual([2, expect.closeTo(3 + Math.E, 5)])
  })

  test('sizes may be open: the gradient reads them at run time', async () => {
    const model = modelOfX(['n', 'm'], (b, x) => {
      const row = b.op('ReduceMean', [x, b.constant({ ...f32([1], [0]), ...axis(0) }, 'axes')])
      return total(b, b.op('Mul', [row, row]))
    })
    const { x } = await slopes(model, ['x'], { x: f32([2, 3], [1, 2, 3, 3, 4, 5]) })
    // Rows have the mean [2, 3, 4]; d Σ m² / dx = 2 m / 2.
    expect(x).toEqual([2, 3, 4, 2, 3, 4])
  })

  test('the model keeps its outputs, and an older opset is raised', async () => {
    const model = modelOfX([2], (b, x) => b.op('ReduceSum', [x], { attrs: { keepdims: int(0) } }), 11)
    const { model: next, gradients } = await gradient(model, { wrt: ['x'] })
    expect(next.opsets.get('')).toBe(21)
    expect(next.graph.outputs).toEqual([...model.graph.outputs, ...gradients.values()])
  })
})

const axis = (value: number) => {
  const data = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)
  return { dtype: 'int64', shape: [1], byteLength: 8, bytes: () => data } as const
}

describe('what cannot be differentiated is said', () => {
  const matrix = modelOfX([2, 2], (b, x) => b.op('Mul', [x, x]))
  const flat = modelOfX([2], (b, x) => total(b, b.op('Floor', [x])))
  const unknown = modelOfX([2, 2], (b, x) => total(b, b.op('Det', [x])))
  const several = modelOfX([2], (b, x) => {
    b.output(x)
    return total(b, x)
  })
  test.each([
    ['of a matrix', matrix, ['x'], 'GRADIENT_SCALAR'],
    ['by what is not there', flat, ['nobody'], 'GRADIENT_NAME'],
    ['through a rounding', flat, ['x'], 'GRADIENT_PATH'],
    ['through an op without a gradient', unknown, ['x'], 'GRADIENT_NONE'],
    ['of one of several outputs', several, ['x'], 'GRADIENT_NAME'],
  ] as const)('%s', async (_, model, wrt, code) => {
    await expect(gradient(model, { wrt })).rejects.toMatchObject({ code, detail: { remedy: expect.any(String) } })
  })

  test('by a bound that depends on it: a part must not be left out without a word', async () => {
    const model = modelOfX([2], (b, x) =>
      total(b, b.op('Clip', [x, b.op('ReduceMin', [x], { attrs: { keepdims: int(0) } })])),
    )
    await expect(gradient(model, { wrt: ['x'] })).rejects.toMatchObject({ code: 'GRADIENT_NONE' })
  })

  test('by whole numbers', async () => {
    const b = builder()
    b.input('i', { kind: 'tensor', dtype: 'int64', shape: [2] })
    b.output(total(b, b.op('Cast', ['i'], { attrs: { to: int(1) } })))
    await expect(gradient(modelOf(b.graph()), { wrt: ['i'] })).rejects.toMatchObject({ code: 'GRADIENT_TYPE' })
  })

  test('an op without a gradient is no error where only what is frozen lies before it', async () => {
    const model = modelOfX([2, 2], (b, x) => {
      const w = b.constant(f32([], [3]), 'w')
      return total(b, b.op('Mul', [b.op('Det', [x]), w]))
    })
    expect((await slopes(model, ['w'], { x: f32([2, 2], [1, 2, 3, 5]) })).w![0]).toBeCloseTo(-1, 5)
  })
})
