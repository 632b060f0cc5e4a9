import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine, Feeds } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { float, graphAttr, int, ints } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Attr, Dim, DType, Func, Graph, Model, Value } from '../ir/types.js'
import { type FactOptions, factsOf, inferShapesPass } from './infer-shapes.js'
import { shapesFromRun } from './shapes-from-run.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const value = (shape: readonly Dim[] | null, dtype: DType = 'float32'): Value => ({ kind: 'tensor', dtype, shape })
const bool = (v: boolean) => tensor('bool', [], Uint8Array.of(v ? 1 : 0))
const zeros = (...shape: number[]) => f32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)))

/** What is known of a value of the main graph, as `float32[2,n]`. */
function known(model: Model, name: string, options: FactOptions = {}): string {
  const fact = factsOf(model, options).graphs.get(model.graph)?.get(name)?.value
  if (fact === undefined) return 'nothing'
  return fact.kind === 'tensor' ? `${fact.dtype}[${fact.shape?.map((d) => d ?? '?') ?? '...'}]` : fact.kind
}

function build(make: (b: Builder) => void, opset = 21): Model {
  const b = builder()
  make(b)
  return modelOf(b.graph(), { '': opset })
}

/** A graph whose names are not used around it. */
function body(prefix: string, make: (b: Builder, name: (n: string) => string) => void): Graph {
  const b = builder()
  make(b, (n) => `${prefix}/${n}`)
  return b.graph(prefix)
}

/** Every value of a run, in whatever graph, is what was inferred for these feeds. */
async function holds(model: Model, feeds: Feeds): Promise<number> {
  const measured = await shapesFromRun(model, feeds, engine, { values: 'all' })
  const { graphs, problems, branchProblems } = factsOf(model, { feeds })
  expect([problems, branchProblems.size]).toEqual([[], 0])
  let count = 0
  for (const [graph, values] of measured) {
    for (const [name, actual] of values) {
      const fact = graphs.get(graph)?.get(name)?.value
      const shape = fact?.kind === 'tensor' ? fact.shape?.map((d, i) => d ?? actual.shape![i]) : undefined
      expect([name, fact?.kind === 'tensor' && fact.dtype, shape]).toEqual([name, actual.dtype, actual.shape])
      count++
    }
  }
  return count
}

/** x [2, n] → If: x, or x twice along the last axis. */
const branching = build((b) => {
  b.input('cond', value([], 'bool'))
  b.input('x', value([2, 'n']))
  const same = body('same', (g, n) => g.output(g.ops('Relu', ['x'], { outputs: [n('y')] })[0]!))
  const twice = body('twice', (g, n) =>
    g.output(g.ops('Concat', ['x', 'x'], { outputs: [n('y')], attrs: { axis: int(1) } })[0]!),
  )
  b.ops('If', ['cond'], {
    outputs: ['y'],
    attrs: { then_branch: graphAttr(same), else_branch: graphAttr(twice) },
  })
  b.output('y', value(null))
})

test('after an If holds what both branches agree on, and with a known condition what the taken one gives', async () => {
  expect(known(branching, 'y')).toBe('float32[2,?]')
  expect(known(branching, 'y', { feeds: { cond: bool(true), x: zeros(2, 3) } })).toBe('float32[2,3]')
  expect(known(branching, 'y', { feeds: { cond: bool(false), x: zeros(2, 3) } })).toBe('float32[2,6]')
  expect(await holds(branching, { cond: bool(true), x: zeros(2, 3) })).toBe(2)
  expect(await holds(branching, { cond: bool(false), x: zeros(2, 3) })).toBe(2)
})

/** The state s grows by a column each time; t keeps its shape; each round puts out t. */
const looping = build((b) => {
  b.input('s', value([2, 1]))
  b.input('t', value([3, 'n']))
  b.input('rounds', value([], 'int64'))
  const inner = body('loop', (g, n) => {
    g.input(n('i'), value([], 'int64'))
    g.input(n('go'), value([], 'bool'))
    g.input(n('s'), value(null))
    g.input(n('t'), value(null))
    g.output(g.ops('Identity', [n('go')], { outputs: [n('go2')] })[0]!)
    const one = g.constant(zeros(2, 1), n('one'))
    g.output(g.ops('Concat', [n('s'), one], { outputs: [n('s2')], attrs: { axis: int(1) } })[0]!)
    g.output(g.ops('Relu', [n('t')], { outputs: [n('t2')] })[0]!)
    g.output(g.ops('ReduceSum', [n('t')], { outputs: [n('sum')], attrs: { keepdims: int(0) } })[0]!)
    g.output(g.ops('Neg', [n('t')], { outputs: [n('neg')] })[0]!)
  })
  const attrs = { body: graphAttr(inner) }
  const names = (hint: string) => ['s', 't', 'sums', 'negs'].map((n) => `${hint}_${n}`)
  for (const name of b.ops('Loop', ['rounds', '', 's', 't'], { outputs: names('any'), attrs }))
    b.output(name, value(null))
  const five = b.constant(i64([], [5]), 'five')
  for (const name of b.ops('Loop', [five, '', 's', 't'], { outputs: names('five'), attrs })) b.output(name, value(null))
})

test('a loop keeps what every round keeps, and its scans are as long as the rounds where those are known', async () => {
  expect(known(looping, 'any_s')).toBe('float32[2,?]')
  expect(known(looping, 'any_t')).toBe('float32[3,n]')
  expect(known(looping, 'any_sums')).toBe('float32[?]')
  expect(known(looping, 'five_negs')).toBe('float32[5,3,n]')
  const feeds = { s: zeros(2, 1), t: zeros(3, 4), rounds: i64([], [3]) }
  expect(known(looping, 'any_negs', { feeds })).toBe('float32[3,3,4]')
  expect(await holds(looping, feeds)).toBe(8)
})

test.each([
  ['9', 21, [4, 3, 2]],
  ['9 with axes', 21, [3, 2, 4]],
  ['8', 8, [6, 4, 3, 2]],
])('Scan of opset %s', async (name, opset, shape) => {
  const axes = name.endsWith('axes')
  const model = build(
    (b) => {
      const batch = opset === 8 ? [6] : []
      b.input('x', value(shape))
      b.input('s', value([...batch, 3, 2]))
      const inner = body('scan', (g, n) => {
        g.input(n('s'), value([3, 2]))
        g.input(n('x'), value([3, 2]))
        g.output(g.ops('Add', [n('s'), n('x')], { outputs: [n('s2')] })[0]!, value([3, 2]))
        g.output(g.ops('ReduceMax', [n('x')], { outputs: [n('max')], attrs: { axes: ints([1]) } })[0]!, value(null))
      })
      // Reductions take their axes as an attribute up to opset 17.
      const attrs = {
        body: graphAttr(inner),
        num_scan_inputs: int(1),
        ...(axes && { scan_input_axes: ints([2]), scan_output_axes: ints([-1]) }),
      }
      const inputs = opset === 8 ? ['', 's', 'x'] : ['s', 'x']
      for (const out of b.ops('Scan', inputs, { outputs: ['last', 'maxima'], attrs })) b.output(out, value(null))
    },
    opset === 8 ? 8 : 16,
  )
  expect(known(model, 'last')).toBe(opset === 8 ? 'float32[6,3,2]' : 'float32[3,2]')
  expect(known(model, 'maxima')).toBe(opset === 8 ? 'float32[6,4,3,1]' : axes ? 'float32[3,1,4]' : 'float32[4,3,1]')
  expect(await holds(model, { x: zeros(...shape), s: zeros(...(opset === 8 ? [6, 3, 2] : [3, 2])) })).toBe(2)
})

/** `f.Layer(x, w)`: a Gemm whose transB is the function's attribute `turned`, 0 by default. */
const withFunction = (turned: number | null): Model => {
  const func: Func = {
    name: 'Layer',
    domain: 'f',
    inputs: ['x', 'w'],
    outputs: ['y'],
    attributes: [],
    defaults: { turned: int(0) },
    opsets: new Map([['', 21]]),
    values: new Map(),
    nodes: [
      {
        name: 'gemm',
        domain: '',
        op: 'Gemm',
        inputs: ['x', 'w'],
        outputs: ['y'],
        attrs: { alpha: float(2), transB: { type: 'int', value: 0n, ref: 'turned' } },
      },
    ],
  }
  const b = builder()
  b.input('x', value(['batch', 3]))
  const w = b.constant(turned === 1 ? zeros(4, 3) : zeros(3, 4), 'w')
  const attrs: Record<string, Attr> = turned === null ? {} : { turned: int(turned) }
  b.output(b.ops('Layer', ['x', w], { domain: 'f', outputs: ['y'], attrs })[0]!, value(null))
  return { ...modelOf(b.graph(), { '': 21, f: 1 }), functions: [func] }
}

test.each([1, 0, null])('a function is expanded with its attributes: transB = %s', async (turned) => {
  const model = withFunction(turned)
  expect(known(model, 'y')).toBe('float32[batch,4]')
  expect(await holds(model, { x: zeros(5, 3) })).toBe(1)
  expect(factsOf(model, { dims: { batch: 5 } }).macs.get(model.graph.nodes[0]!)).toBe(5 * 3 * 4)
})

test('an op of the engine goes before a function of its name', async () => {
  const shape: Func = {
    name: 'QuickGelu',
    domain: 'com.microsoft',
    inputs: ['a'],
    outputs: ['b'],
    attributes: [],
    defaults: {},
    opsets: new Map([['', 21]]),
    nodes: [{ name: '', domain: '', op: 'Shape', inputs: ['a'], outputs: ['b'], attrs: {} }],
    values: new Map(),
  }
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [2, 3] })
  b.output(b.op('QuickGelu', ['x'], { domain: 'com.microsoft', outputs: ['y'] }))
  const model = { ...modelOf(b.graph(), { '': 21, 'com.microsoft': 1 }), functions: [shape] }
  expect(known(model, 'y')).toBe('float32[2,3]')
  await holds(model, { x: f32([2, 3], [1, 2, 3, 4, 5, 6]) })
})

test('a function that calls itself is a problem, not a hang', () => {
  const model = withFunction(null)
  const [func] = model.functions
  const again = { ...func!.nodes[0]!, op: 'Layer', domain: 'f' }
  const { problems } = factsOf({ ...model, functions: [{ ...func!, nodes: [again] }] })
  expect(problems.map((p) => p.code)).toEqual(['FUNCTION_RECURSIVE'])
})

/** x [n, 4] → an op that no record describes → Relu. */
const opaque = (stated?: Value): Model => {
  const b = builder()
  b.input('x', value(['n', 4]))
  const t = b.ops('CDist', ['x', 'x'], { domain: 'com.microsoft', outputs: ['t'] })[0]!
  b.output(b.ops('Relu', [t], { outputs: ['y'] })[0]!, value(null))
  const graph = b.graph()
  const values = new Map([...graph.values, ...(stated ? [['t', stated] as const] : [])])
  return modelOf({ ...graph, values }, { '': 21, 'com.microsoft': 1 })
}

test('where no record knows better, the file is believed', () => {
  expect(known(opaque(), 'y')).toBe('float32[...]')
  expect(known(opaque(value(['n', 'n'])), 'y')).toBe('float32[n,n]')
  expect(known(opaque(value(['n', 'n'])), 'y', { dims: { n: 7 } })).toBe('float32[7,7]')
})

test('where no record knows better, a run tells', async () => {
  const model = opaque()
  const feeds = { x: zeros(3, 4) }
  const measured = await shapesFromRun(model, feeds, engine)
  expect([...measured.get(model.graph)!.keys()]).toEqual(['t', 'y'])
  expect(known(model, 'y', { feeds, measured })).toBe('float32[3,3]')
  const sure = await shapesFromRun(branching, { cond: bool(true), x: zeros(2, 3) }, engine)
  expect(sure.size).toBe(0)
})

test('a run leaves out what is no tensor', async () => {
  const negated = body('b', (b, name) => {
    b.input(name('x'), value(null))
    b.output(b.op('Neg', [name('x')], { outputs: [name('y')] }), value(null))
  })
  const model = build((b) => {
    b.input('x', value([2]))
    const parts = b.op('SequenceConstruct', ['x'])
    const mapped = b.op('SequenceMap', [parts], { attrs: { body: graphAttr(negated) }, outputs: ['mapped'] })
    b.output(b.op('SequenceAt', [mapped, b.constant(i64([], [0]))], { outputs: ['y'] }), value(null))
  })
  const measured = await shapesFromRun(model, { x: zeros(2) }, engine)
  expect([...measured.get(model.graph)!.keys()]).toEqual(['y'])
})

test('a statement of the file that cannot be true is a problem; the graph is believed', () => {
  const model = build((b) => {
    b.input('x', value([2, 3]))
    b.output(b.ops('Relu', ['x'], { outputs: ['y'] })[0]!, value([2, 4]))
  })
  expect(known(model, 'y')).toBe('float32[2,3]')
  const { problems } = factsOf(model)
  expect(problems.map((p) => p.code)).toEqual(['SHAPE_CONTRADICTION'])
  expect(problems[0]!.message).toContain('[2,3] is stated to be [2,4]')
})

test('an inferred symbol outlives a number that the file was exported with', () => {
  const model = build((b) => {
    b.input('x', value(['n', 3]))
    b.output(b.ops('Relu', ['x'], { outputs: ['y'] })[0]!, value([1, 3]))
  })
  expect(known(model, 'y')).toBe('float32[n,3]')
})

test('a malformed node is a problem, and inference goes on behind it', () => {
  const model = build((b) => {
    b.input('x', value([2, 3]))
    b.input('w', value([4, 5]))
    b.ops('MatMul', ['x', 'w'], { outputs: ['t'], name: 'bad' })
    b.output(b.ops('Relu', ['t'], { outputs: ['y'] })[0]!, value(null))
    b.output(b.ops('Relu', ['x'], { outputs: ['z'] })[0]!, value(null))
  })
  const { problems } = factsOf(model)
  expect(problems.map((p) => p.detail.where)).toEqual(['bad (MatMul)'])
  expect(known(model, 'z')).toBe('float32[2,3]')
})

test('the content of an input with a default counts only where the default is taken', () => {
  const b = builder()
  b.input('x', value([6, 2]))
  b.input('shape', value([2], 'int64'))
  b.output(b.ops('Reshape', ['x', 'shape'], { outputs: ['y'] })[0]!, value(null))
  const graph: Graph = { ...b.graph(), constants: new Map([['shape', i64([2], [3, 4])]]) }
  const model = modelOf(graph)
  expect(known(model, 'y')).toBe('float32[?,?]')
  expect(known(model, 'y', { useDefaults: true })).toBe('float32[3,4]')
  expect(known({ ...model, irVersion: 3 }, 'y')).toBe('float32[3,4]')
})

test('what does not fit in a branch of an If is told apart, by the outermost If', () => {
  const model = build((b) => {
    const [x, c] = [b.input('x', value([2, 3])), b.input('c', value([], 'bool'))]
    const squeezed = builder()
    squeezed.output(squeezed.op('Squeeze', [x, 'axis'], { name: 'squeeze' }), value(null))
    const plain = builder()
    plain.output(plain.op('Identity', [x]), value(null))
    const branches = () => ({ then_branch: graphAttr(squeezed.graph('s')), else_branch: graphAttr(plain.graph('p')) })
    const outer = builder()
    outer.output(outer.op('If', [c], { name: 'inner', attrs: branches() }), value(null))
    b.constant(i64([1], [1]), 'axis')
    const attrs = { then_branch: graphAttr(outer.graph('o')), else_branch: graphAttr(plain.graph('p')) }
    b.output(b.op('If', [c], { name: 'outer', attrs }), value(null))
  })
  const { problems, branchProblems } = factsOf(model)
  expect(problems).toEqual([])
  expect([...branchProblems].map(([name, found]) => [name, found.map((p) => p.detail.where)])).toEqual([
    ['outer (If)', ['squeeze (Squeeze)']],
  ])
})

test('names inside a branch hide those outside', () => {
  const model = build((b) => {
    b.input('cond', value([], 'bool'))
    b.input('x', value([2]))
    const make = (prefix: string) =>
      body(prefix, (g) => {
        const c = g.constant(zeros(7), 'x')
        g.output(g.ops('Relu', [c], { outputs: [`${prefix}/y`] })[0]!)
      })
    const attrs = { then_branch: graphAttr(make('a')), else_branch: graphAttr(make('b')) }
    b.output(b.ops('If', ['cond'], { outputs: ['y'], attrs })[0]!, value(null))
  })
  expect(known(model, 'y')).toBe('float32[7]')
})

test('the pass fills what the file leaves open, once, and keeps the outputs', async () => {
  const env = { engine: async () => engine }
  const filled = await inferShapesPass.run(branching, env)
  expect(filled).not.toBe(branching)
  expect(filled.graph.values.get('y')).toEqual(value([2, null]))
  const inner = filled.graph.nodes[0]!.attrs.then_branch
  expect(inner?.type === 'graph' && inner.value.values.get('same/y')).toEqual(value([2, 'n']))
  expect(await inferShapesPass.run(filled, env)).toBe(filled)
  expect(await holds(filled, { cond: bool(true), x: zeros(2, 3) })).toBe(2)
})

test('products: the dearer branch of an If, the body of a Loop as often as it runs', () => {
  const dense = (prefix: string, columns: number, extra: readonly string[] = []) =>
    body(prefix, (g, n) => {
      for (const name of extra) g.input(n(name), value([], name === 'i' ? 'int64' : 'bool'))
      if (extra.length > 0) g.output(g.ops('Identity', [n('go')], { outputs: [n('go2')] })[0]!)
      g.output(g.ops('MatMul', ['x', g.constant(zeros(4, columns), n('w'))], { outputs: [n('y')] })[0]!)
    })
  const model = build((b) => {
    b.input('cond', value([], 'bool'))
    b.input('x', value([3, 4]))
    const attrs = { then_branch: graphAttr(dense('a', 5)), else_branch: graphAttr(dense('b', 9)) }
    b.ops('If', ['cond'], { outputs: ['y'], attrs })
    const seven = b.constant(i64([], [7]), 'seven')
    b.ops('Loop', [seven, ''], { outputs: ['z'], attrs: { body: graphAttr(dense('c', 2, ['i', 'go'])) } })
  })
  const { macs } = factsOf(model)
  expect(model.graph.nodes.map((n) => macs.get(n))).toEqual([3 * 4 * 9, 7 * 3 * 4 * 2])
  const taken = factsOf(model, { feeds: { cond: bool(true) } })
  expect(taken.macs.get(model.graph.nodes[0]!)).toBe(3 * 4 * 5)
})

/** A loop in a loop in a loop …, each with a state that changes. */
function nestedLoop(depth: number): Graph {
  return body(`d${depth}`, (b, name) => {
    for (const n of ['i', 'go', 'state'])
      b.input(name(n), value(n === 'state' ? [1] : [], n === 'go' ? 'bool' : 'int64'))
    const inner = depth === 0 ? null : { body: graphAttr(nestedLoop(depth - 1)) }
    const state = inner
      ? b.op('Loop', [name('i'), name('go'), name('state')], { attrs: inner, outputs: [name('inner')] })
      : name('state')
    b.output(b.op('Identity', [name('go')], { outputs: [name('stays')] }))
    b.output(b.op('Add', [state, b.constant(i64([1], [1]), name('one'))], { outputs: [name('next')] }))
  })
}

test('gives up on loops and functions that unfold without end, and says so', () => {
  const loops = build((b) => {
    const counts = [b.constant(i64([], [3])), b.constant(bool(true)), b.constant(i64([1], [0]))]
    b.output(b.op('Loop', counts, { attrs: { body: graphAttr(nestedLoop(28)) }, outputs: ['y'] }))
  })
  const doubling = Array.from({ length: 40 }, (_, i): Func => {
    const call = (input: string, output: string) => ({
      name: '',
      domain: 'own',
      op: `f${i + 1}`,
      inputs: [input],
      outputs: [output],
      attrs: {},
    })
    const nodes = [call('x', 'm'), call('m', 'y')]
    const inner = i === 39 ? nodes.map((n) => ({ ...n, domain: '', op: 'Neg' })) : nodes
    const common = {
      attributes: [],
      defaults: {},
      opsets: new Map([
        ['', 21],
        ['own', 1],
      ]),
      values: new Map(),
    }
    return { name: `f${i}`, domain: 'own', inputs: ['x'], outputs: ['y'], nodes: inner, ...common }
  })
  const calls = build((b) => {
    b.input('x', value([2]))
    b.output(b.op('f0', ['x'], { domain: 'own' }))
  })
  for (const model of [loops, { ...calls, functions: doubling }]) {
    const { graphs, problems } = factsOf(model)
    expect(problems.map((p) => p.code)).toEqual(['SHAPE_EFFORT'])
    expect(graphs.size).toBe(0)
  }
}, 60_000)

test('nodes of the domain ai.onnx are those of the standard one, in its version', () => {
  const model = build((b) => {
    b.input('x', value([4]))
    const [, mask] = b.ops('Dropout', ['x'], { domain: 'ai.onnx', outputs: 2 })
    b.output(mask!)
  })
  expect(known(model, model.graph.outputs[0]!)).toBe('bool[4]')
})

test('a state that is infinite at first is not so for ever', () => {
  const inner = body('b', (b, name) => {
    b.input(name('i'), value([], 'int64'))
    b.input(name('go'), value([], 'bool'))
    b.input(name('s'), value([2]))
    b.output(b.op('Identity', [name('go')], { outputs: [name('stays')] }))
    b.output(b.constant(f32([2], [1, 5]), name('next')))
  })
  const model = build((b) => {
    const start = b.constant(f32([2], [Number.POSITIVE_INFINITY, 5]))
    const counts = [b.constant(i64([], [3])), b.constant(bool(true)), start]
    b.output(b.op('Loop', counts, { attrs: { body: graphAttr(inner) }, outputs: ['y'] }))
  })
  expect(factsOf(model).graphs.get(model.graph)?.get('y')?.content).toEqual([null, 5])
})
