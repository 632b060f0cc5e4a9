import { expect, test } from 'vitest'
import { builder, modelOf } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import type { Dim, Model, Value } from '../ir/types.js'
import { fixInputs, parseShapes, symbolsOf, withShapes } from './with-shapes.js'

const value = (shape: readonly Dim[] | null): Value => ({ kind: 'tensor', dtype: 'float32', shape })

function model(): Model {
  const b = builder()
  b.input('x', value(['batch', 3, null]))
  b.input('y', value(['batch', 'seq']))
  b.output(b.ops('Relu', ['x'], { outputs: ['z'] })[0]!, value(['batch', 3, 'other']))
  return modelOf(b.graph())
}

const shapes = (m: Model): Record<string, unknown> =>
  Object.fromEntries([...m.graph.values].map(([name, v]) => [name, v.kind === 'tensor' && v.shape]))

test('symbols are bound wherever they occur, and other dimensions stay', () => {
  const fixed = withShapes(model(), { batch: 2 })
  expect(shapes(fixed)).toEqual({ x: [2, 3, null], y: [2, 'seq'], z: [2, 3, 'other'] })
  expect(symbolsOf(fixed)).toEqual(['seq'])
  const same = model()
  expect(withShapes(same, {})).toBe(same)
})

test('a shape fixes an input, and the symbols in it everywhere', () => {
  expect(shapes(withShapes(model(), { x: [4, 3, 9], seq: 5 }))).toEqual({ x: [4, 3, 9], y: [4, 5], z: [4, 3, 'other'] })
})

test('shapes are read from text', () => {
  expect(parseShapes('batch=1, seq=128,image:0=1x3x224x224')).toEqual({
    batch: 1,
    seq: 128,
    'image:0': [1, 3, 224, 224],
  })
  for (const wrong of ['batch', 'batch=', 'x=1x', 'x=-1', '']) {
    expect(() => parseShapes(wrong)).toThrow(expect.objectContaining({ code: 'SHAPE_SYNTAX' }))
  }
})

test.each([
  [{ bach: 1 }, 'SHAPE_NAME'],
  [{ other: 1 }, 'SHAPE_NAME'],
  [{ x: [2, 4, 9] }, 'SHAPE_FIXED'],
  [{ x: [2, 3, 9], batch: 3 }, 'SHAPE_FIXED'],
  [{ x: [2, 3, 9], y: [3, 1] }, 'SHAPE_FIXED'],
  [{ x: [2, 3] }, 'SHAPE_RANK'],
  [{ batch: -1 }, 'SHAPE_SIZE'],
  [{ batch: 1.5 }, 'SHAPE_SIZE'],
])('%o is refused with %s', (given: Record<string, number | number[]>, code) => {
  expect(() => withShapes(model(), given)).toThrow(expect.objectContaining({ code }))
})

test('an unknown name is answered with the names that there are', () => {
  expect(() => withShapes(model(), { bach: 1 })).toThrow('Symbolic dimensions: batch, seq. Inputs: x, y.')
})

test('weights that an old file lists as inputs are not offered', () => {
  const b = builder()
  const x = b.input('x', value(['batch', 2]))
  b.output(b.op('MatMul', [x, b.constant(f32([2, 2], new Float32Array(4)), 'w')]))
  const made = modelOf(b.graph())
  const old: Model = { ...made, irVersion: 3, graph: { ...made.graph, inputs: ['x', 'w'] } }
  expect(old.graph.constants.has('w')).toBe(true)
  expect(() => withShapes(old, { bach: 1 })).toThrow(/Inputs: x\.$/)
})

/** The model above as a session lists it. */
const listed = [
  { name: 'x', dtype: 'float32', shape: ['batch', 3, ''] },
  { name: 'y', dtype: 'float32', shape: ['batch', 'seq'] },
]

test.each([[{ batch: 2 }], [{ x: [4, 3, 9] }], [{ x: [4, 3, 9], seq: 5 }]])(
  '%o fixes the inputs of a session as it fixes the model',
  (given: Record<string, number | number[]>) => {
    const expected = shapes(withShapes(model(), given))
    const found = fixInputs(listed, given).map(({ name, shape }) => [name, shape!.map((d) => (d === '' ? null : d))])
    expect(Object.fromEntries(found)).toEqual({ x: expected.x, y: expected.y })
  },
)

test('inputs of a session: one axis, unknown rank, and what contradicts', () => {
  const vector = [{ name: 'v', dtype: 'float32', shape: [''] }]
  expect(fixInputs(vector, { v: 6 })[0]!.shape).toEqual([6])
  expect(fixInputs([{ ...vector[0]!, shape: [] }], { v: [2, 3] })[0]!.shape).toEqual([2, 3])
  expect(fixInputs(vector, {})[0]!.shape).toEqual([''])
  const code = (given: Record<string, number | number[]>) => () => fixInputs(listed, given)
  expect(code({ x: [1, 4, 1] })).toThrow(expect.objectContaining({ code: 'SHAPE_FIXED' }))
  expect(code({ x: [1, 3] })).toThrow(expect.objectContaining({ code: 'SHAPE_RANK' }))
  expect(code({ z: 1 })).toThrow(expect.objectContaining({ code: 'SHAPE_NAME' }))
})
