import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbitraryModel } from '../../test/arbitrary-models.js'
import { plainModel } from '../../test/plain.js'
import { PareError } from '../util/errors.js'
import { floatAttr, graphOf, intsAttr } from './attrs.js'
import { checkModel } from './check.js'
import { f32 } from './tensor.js'
import { parseGraph, parseModel, printGraph, printModel } from './text.js'

const TEXT = `model ir 10 producer "pare" "1.0" @doc("made by hand")
opset "" 21
opset "com.example" 1
graph "net" (x: float32[N, 3, ?], c: bool[]) -> (y: float32[N, "out channels"]) {
  const w = float32[2, 1] [0.1, -1.5]
  const names = string[2] ["a", x"ff"]
  value h: sequence(float32[2] @dims("DATA_BATCH")) @doc("between")
  quant h ("SCALE_TENSOR": "w")
  conv: h = Conv<pads = [1, 1, 1, 1], auto_pad = "NOTSET", alpha = 0.5>(x, w)
  a, _, b = com.example::Three!v2<empty = ints[], axis = ref axis none 2, t = uint8[2] [0, 255]>(h, _, c)
  y = If<then_branch = graph "then" () -> (t: float32[1]) {
    t = Neg(a)
  }, else_branch = graph "else" () -> (b) {}>(c) @doc("a choice")
  com.example::Print(y)
}
function com.example::Scale<alpha, beta = 1.0>(v) -> (u) {
  opset "" 21
  u = Mul(v, v)
}
`

test('the text of this test is read, and printed as it stands', () => {
  const model = parseModel(TEXT)
  expect(printModel(model)).toBe(TEXT)
  checkModel(model)
  const [conv, three, choice] = model.graph.nodes
  expect(intsAttr(conv!, 'pads')).toEqual([1, 1, 1, 1])
  expect(floatAttr(conv!, 'alpha')).toBe(0.5)
  expect(three).toMatchObject({ domain: 'com.example', op: 'Three', overload: 'v2', outputs: ['a', '', 'b'] })
  expect(graphOf(choice!, 'then_branch')!.nodes[0]!.op).toBe('Neg')
  expect(model.graph.values.get('y')).toEqual({ kind: 'tensor', dtype: 'float32', shape: ['N', 'out channels'] })
  expect([...model.graph.constants.get('w')!.bytes()]).toEqual([...f32([2, 1], [0.1, -1.5]).bytes()])
  expect(model.functions[0]).toMatchObject({ name: 'Scale', attributes: ['alpha'] })
})

test('a graph alone is read and printed', () => {
  const graph = parseModel(TEXT).graph
  expect(printGraph(parseGraph(printGraph(graph)))).toBe(printGraph(graph))
})

test('space and comments are free', () => {
  const loose = TEXT.replaceAll(', ', ' ,\n // and\n').replaceAll(' = ', '=')
  expect(printModel(parseModel(loose))).toBe(TEXT)
})

test('what is printed is read as the same model, and printed the same', () => {
  fc.assert(
    fc.property(arbitraryModel, (model) => {
      const text = printModel(model)
      const parsed = parseModel(text)
      expect(printModel(parsed)).toBe(text)
      expect(plainModel(parsed)).toEqual(plainModel(model))
    }),
    { numRuns: 300 },
  )
})

test('a summary shows the same hash for the same data only', () => {
  const model = (v: number) => {
    const m = parseModel(TEXT)
    return { ...m, graph: { ...m.graph, constants: new Map([['w', f32([100], new Float32Array(100).fill(v))]]) } }
  }
  const summary = (v: number) => printModel(model(v), { weights: 'summary' })
  expect(summary(1)).toBe(summary(1))
  expect(summary(1)).not.toBe(summary(2))
  expect(summary(1)).toMatch(/const w = float32\[100] #[0-9a-f]{16}\n/)
  expect(summary(1).length).toBeLessThan(printModel(model(1)).length)
})

const failure = (text: string): PareError => {
  try {
    parseModel(text, 'net.txt')
  } catch (error) {
    if (error instanceof PareError) return error
    throw error
  }
  throw new Error('no error')
}

test.each([
  ['', 'net.txt:1:1', '"model"'],
  ['model ir x', 'net.txt:1:10', 'whole number'],
  [TEXT.replace('0.1,', '0.1, #'), 'net.txt:5:33', 'character'],
  [TEXT.replace('-1.5]', 'w]'), 'net.txt:5:33', 'number'],
  [TEXT.replace('(x, w)', '(x w)'), 'net.txt:9:75', '")"'],
  [`${TEXT}more`, 'net.txt:20:1', 'the end'],
])('an error names line and column: %#', (text, where, expected) => {
  const error = failure(text)
  expect(error.code).toBe('TEXT_SYNTAX')
  expect(error.message).toContain(where)
  expect(error.message).toContain(expected)
})

test('data that does not fit its shape is refused', () => {
  expect(failure(TEXT.replace('[2, 1]', '[2, 2]')).code).toBe('TENSOR_SIZE')
  expect(failure(TEXT.replace('[0, 255]', '[0, 2.5.5]')).code).toBe('TEXT_SYNTAX')
})

test('damaged text is refused or read, nothing else', () => {
  fc.assert(
    fc.property(fc.nat(TEXT.length), fc.nat(20), fc.string({ maxLength: 3 }), (at, cut, put) => {
      try {
        parseModel(TEXT.slice(0, at) + put + TEXT.slice(at + cut))
      } catch (error) {
        if (!(error instanceof PareError)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})

test('numbers that a type does not have are refused', () => {
  const constant = (text: string) => failure(TEXT.replace('uint8[2] [0, 255]', text)).code
  for (const text of ['uint8[2] [0, 256]', 'int8[1] [1.5]', 'int64[1] [1.5]', 'float16[1] [1]', 'bool[1] [nan]']) {
    expect([text, constant(text)]).toEqual([text, 'TEXT_SYNTAX'])
  }
})

test('deep nesting is refused', () => {
  const nested = (depth: number): string => (depth === 0 ? '' : `A<g = graph "" () -> () {${nested(depth - 1)}}>()`)
  const text = (depth: number) => `model ir 10 opset "" 21 graph "" () -> () {${nested(depth)}}`
  expect(parseModel(text(30)).graph.nodes).toHaveLength(1)
  expect(failure(text(10_000)).code).toBe('TEXT_SYNTAX')
})
