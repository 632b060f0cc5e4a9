import { expect, test } from 'vitest'
import { PareError } from '../util/errors.js'
import { checkGraph, checkModel } from './check.js'
import { sortModel } from './sort.js'
import { parseModel } from './text.js'
import type { Model, Tensor } from './types.js'

const model = (body: string, signature = '(x) -> (y)', functions = ''): Model =>
  parseModel(`model ir 10 opset "" 21 graph "g" ${signature} { ${body} } ${functions}`)

const errorOf = (m: Model): PareError | null => {
  try {
    checkModel(m, 'm')
    return null
  } catch (error) {
    if (error instanceof PareError) return error
    throw error
  }
}
const codeOf = (m: Model): string | undefined => errorOf(m)?.code

test.each([
  ['const w = float32[] [1.0] h = A(x, _, w) y, _ = B(h)', 'absent inputs and outputs'],
  ['y = If<b = graph "" () -> (z) { z = A(x) }>(x)', 'a value from around a graph'],
  ['y = If<b = graph "" () -> (x) {}>(x)', 'an output from around a graph'],
  ['y = If<b = graph "" (x) -> (z) { z = A(x) }, c = graph "" () -> (z) { z = A(x) }>(x)', 'names anew inside'],
])('%s is a graph', (body) => {
  expect(errorOf(model(body))).toBeNull()
})

test('an input may have a constant as its default', () => {
  expect(errorOf(model('const w = float32[] [1.0] y = A(x, w)', '(x, w) -> (y)'))).toBeNull()
})

test.each([
  ['y = A(nothing)', 'MODEL_NAME'],
  ['h = A(x)', 'MODEL_NAME'],
  ['y = A(x) y = B(x)', 'MODEL_DUPLICATE'],
  ['x = A(x) y = B(x)', 'MODEL_DUPLICATE'],
  ['y, y = A(x)', 'MODEL_DUPLICATE'],
  ['const y = float32[] [1.0] y = A(x)', 'MODEL_DUPLICATE'],
  ['y = A(h) h = B(x)', 'MODEL_ORDER'],
  ['y = A(h) h = B(y)', 'MODEL_CYCLE'],
  ['y = A(x, y)', 'MODEL_CYCLE'],
  ['y = If<b = graph "" () -> (z) { z = A(y) }>(x)', 'MODEL_CYCLE'],
  ['y = If<b = graph "" () -> (z) { z = A(q) q = B(z) }>(x)', 'MODEL_CYCLE'],
  ['y = If<b = graph "" () -> (z) { z = A(inner) }>(x)', 'MODEL_NAME'],
  ['h = If<b = graph "" () -> (z) { z = A(x) }>(x) y = A(z)', 'MODEL_NAME'],
  ['y = ""(x)', 'MODEL_OP'],
])('%s is refused', (body, code) => {
  expect(codeOf(model(body))).toBe(code)
})

test('a cycle is named by its nodes, and only by those', () => {
  const error = errorOf(model('first: a = A(x) second: b = B(a, d) third: c = C(b) fourth: d = D(c) y = E(d)'))!
  expect(error.code).toBe('MODEL_CYCLE')
  expect(error.message).toContain('second (B) <- fourth (D) <- third (C) <- second (B)')
  expect(error.message).not.toContain('first')
})

test('functions are checked like graphs, and see nothing of the graph', () => {
  const y = 'y = A(x)'
  expect(codeOf(model(y, undefined, 'function F(a) -> (b) { b = A(a) }'))).toBeUndefined()
  expect(codeOf(model(y, undefined, 'function F(a) -> (b) { b = A(x) }'))).toBe('MODEL_NAME')
  expect(codeOf(model(y, undefined, 'function F(a) -> (b) {}'))).toBe('MODEL_NAME')
  expect(codeOf(model(y, undefined, 'function F(a) -> (a) {} function F(a) -> (a) {}'))).toBe('MODEL_DUPLICATE')
  expect(codeOf(model(y, undefined, 'function F(a) -> (a) {} function F!v2(a) -> (a) {}'))).toBeUndefined()
})

test('names from around are given for a graph alone', () => {
  const { graph } = model('y = A(outside)', '() -> (y)')
  expect(() => checkGraph(graph)).toThrow(/outside/)
  checkGraph(graph, 'body', ['outside'])
})

test('a model needs operator sets', () => {
  expect(codeOf({ ...model('y = A(x)'), opsets: new Map() })).toBe('MODEL_OPSET')
})

test('data must fit its shape', () => {
  const m = model('const w = float32[2] [1.0, 2.0] y = A(x)')
  const withShape = (shape: readonly number[]): Model => {
    const w: Tensor = { ...m.graph.constants.get('w')!, shape }
    return { ...m, graph: { ...m.graph, constants: new Map([['w', w]]) } }
  }
  expect(codeOf(withShape([2, 1]))).toBeUndefined()
  expect(codeOf(withShape([3]))).toBe('TENSOR_SIZE')
  expect(codeOf(withShape([-1, -2]))).toBe('TENSOR_SHAPE')
  expect(codeOf(withShape([0.5, 4]))).toBe('TENSOR_SHAPE')
  expect(codeOf(withShape([2 ** 40, 2 ** 40]))).toBe('TENSOR_SHAPE')
})

test('sorting gives every node its place, inside too, and leaves what is sorted', () => {
  const m = model('y = A(h) h = If<b = graph "" () -> (z) { z = A(q) q = B(x) }>(x)')
  const sorted = sortModel(m)
  checkModel(sorted)
  expect(sorted.graph.nodes.map((n) => n.op)).toEqual(['If', 'A'])
  expect(sortModel(sorted)).toBe(sorted)
  const cyclic = model('y = A(h) h = B(y)')
  expect(sortModel(cyclic)).toBe(cyclic)
  const f = model('y = A(x)', undefined, 'function F(a) -> (c) { c = A(b) b = B(a) }')
  expect(sortModel(f).functions[0]!.nodes.map((n) => n.op)).toEqual(['B', 'A'])
})

test('a long chain in reverse is sorted without trouble', () => {
  const n = 20_000
  const nodes = Array.from({ length: n }, (_, i) => ({
    name: '',
    domain: '',
    op: 'A',
    inputs: [i === n - 1 ? 'x' : `v${i + 1}`],
    outputs: [i === 0 ? 'y' : `v${i}`],
    attrs: {},
  }))
  const m = model('y = A(x)')
  const sorted = sortModel({ ...m, graph: { ...m.graph, nodes } })
  checkModel(sorted)
  expect(sorted.graph.nodes[0]!.inputs).toEqual(['x'])
})
