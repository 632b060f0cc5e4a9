import { describe, expect, it } from 'vitest'
import { passTester, small } from '../../test/check-pass.js'
import { plainModel } from '../../test/plain.js'
import { graphAttr } from '../ir/attrs.js'
import { type Builder, builder } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { f32, i64, tensor } from '../ir/tensor.js'
import type { Graph, Model, Value } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { compact } from './compact.js'

const { check, env } = passTester()

const FLOAT: Value = { kind: 'tensor', dtype: 'float32', shape: [2] }
const chain = (build: (b: Builder) => readonly string[]): Model => small(21, { 'the/input': ['float32', [2]] }, build)
const named = (b: Builder, op: string, inputs: readonly string[], out: string): string =>
  b.op(op, inputs, { outputs: [out], name: `${out}/node` })
const withGraph = (model: Model, edit: Partial<Graph>): Model => ({ ...model, graph: { ...model.graph, ...edit } })

const plain = chain((b) => {
  const sum = named(b, 'Add', ['the/input', b.constant(f32([2], [1, 2]), 'model/layer/weight')], 'model/layer/sum')
  return [named(b, 'Relu', [sum], 'the/output')]
})

describe('names of inner values', () => {
  it('become short, those of inputs, outputs and nodes stay', async () => {
    const { graph } = await check(compact, plain)
    expect(graph).toMatchObject({ inputs: ['the/input'], outputs: ['the/output'] })
    expect([...graph.constants.keys()]).toEqual(['a'])
    expect(graph.nodes).toMatchObject([
      { name: 'model/layer/sum/node', inputs: ['the/input', 'a'], outputs: ['b'] },
      { name: 'the/output/node', inputs: ['b'], outputs: ['the/output'] },
    ])
  })

  it('do not take those of inputs and outputs', async () => {
    const model = small(21, { a: ['float32', [2]], c: ['float32', [2]] }, (b) => {
      const sum = named(b, 'Add', ['a', 'c'], 'the sum')
      const next = named(b, 'Sub', [named(b, 'Mul', [sum, 'c'], 'the product'), 'a'], 'the difference')
      return [named(b, 'Relu', [next], 'd'), named(b, 'Neg', [sum], 'e')]
    })
    const { graph } = await check(compact, model)
    expect(graph.nodes.flatMap((n) => n.outputs)).toEqual(['b', 'f', 'g', 'd', 'e'])
  })

  it('stay apart, however many there are', async () => {
    const many = 26 + 26 * 36 + 60
    const model = chain((b) => {
      let at = 'the/input'
      for (let i = 0; i < many; i++) at = named(b, i % 2 === 0 ? 'Neg' : 'Abs', [at], `model/layer/${i}/output`)
      return [named(b, 'Relu', [at], 'the/output')]
    })
    const { graph } = await check(compact, model)
    expect(new Set(graph.nodes.map((n) => n.outputs[0])).size).toBe(many + 1)
    expect(graph.nodes[25]!.outputs).toEqual(['z'])
    expect(graph.nodes[26]!.outputs).toEqual(['a0'])
  })

  it('stay where new ones would be longer', async () => {
    const names = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$']
    const model = chain((b) => {
      let at = 'the/input'
      for (const name of names) at = b.op('Neg', [at], { outputs: [name] })
      return [named(b, 'Relu', [at], 'the/output')]
    })
    expect(await compact.run(model, env)).toBe(model)
  })

  it('that are left out stay left out', async () => {
    const model = small(21, { x: ['float32', [1, 1, 2, 2]] }, (b) => {
      const scales = b.constant(f32([4], [1, 1, 2, 2]), 'the/scales')
      return [b.op('Resize', ['x', '', scales], { outputs: ['y'] })]
    })
    expect((await check(compact, model)).graph.nodes[0]!.inputs).toEqual(['x', '', 'a'])
  })

  describe('in subgraphs', () => {
    const branch = (label: string, factor: number): Graph => {
      const inner = builder(['the/input', 'the/outer'])
      const scale = inner.constant(f32([2], [factor, 1]), `${label}/factor`)
      const product = named(inner, 'Mul', ['the/outer', scale], `${label}/product`)
      inner.output(named(inner, 'Add', [product, 'the/input'], `${label}/sum`), FLOAT)
      return { ...inner.graph(label), doc: `what ${label} does` }
    }
    const model = small(21, { 'the/input': ['float32', [2]], c: ['bool', []] }, (b) => {
      const outer = named(b, 'Neg', ['the/input'], 'the/outer')
      const attrs = { then_branch: graphAttr(branch('then', 2)), else_branch: graphAttr(branch('else', 3)) }
      return [b.op('If', ['c'], { attrs, outputs: ['the/output'], name: 'choice' }), outer]
    })
    const free = withGraph(model, { outputs: ['the/output'] })

    it.each([0, 1])('are the same as outside where they are captured (condition %d)', async (c) => {
      const next = await check(compact, free, { integers: { c } })
      const names = allNames(next.graph)
      for (const name of ['the/outer', 'then/product', 'then/factor', 'then/sum', 'else/sum'])
        expect(names).not.toContain(name)
      const { outputs } = next.graph.nodes[0]!
      for (const attr of Object.values(next.graph.nodes[1]!.attrs)) {
        if (attr.type !== 'graph') continue
        expect(attr.value.nodes[0]!.inputs[0]).toBe(outputs[0])
        // The type of the graph's own output stays with it, under its new name.
        expect([...attr.value.values.keys()]).toEqual(attr.value.outputs)
        expect(attr.value.doc).toBe(undefined)
      }
    })

    it('are left where they are names of the model itself', async () => {
      const next = await check(compact, model)
      expect(next.graph.outputs).toEqual(['the/output', 'the/outer'])
      const attr = next.graph.nodes[1]!.attrs.then_branch
      expect(attr?.type === 'graph' && attr.value.nodes[0]!.inputs[0]).toBe('the/outer')
    })

    it('are renamed in bodies of loops, whose inputs are names too', async () => {
      const body = builder()
      body.input('the/iteration', { kind: 'tensor', dtype: 'int64', shape: [] })
      body.input('the/condition', { kind: 'tensor', dtype: 'bool', shape: [] })
      body.input('the/state', FLOAT)
      body.output(named(body, 'Identity', ['the/condition'], 'the/next/condition'))
      body.output(named(body, 'Neg', ['the/state'], 'the/next/state'))
      const loop = small(21, { x: ['float32', [2]] }, (b) => {
        const count = b.constant(i64([], [3]), 'the/count')
        return [b.op('Loop', [count, '', 'x'], { attrs: { body: graphAttr(body.graph('body')) }, outputs: ['y'] })]
      })
      const next = await check(compact, loop)
      const attr = next.graph.nodes[0]!.attrs.body
      expect(attr?.type === 'graph' && [...attr.value.inputs, ...attr.value.outputs]).toEqual(['b', 'c', 'd', 'e', 'f'])
    })
  })

  it('are renamed in a subgraph without nodes, whose output is a constant', async () => {
    const constantBranch = (label: string): Graph => {
      const b = builder()
      b.output(b.constant(f32([2], [label.length, 1]), `the/constant/${label}`))
      return b.graph(label)
    }
    const model = small(21, { c: ['bool', []] }, (b) => {
      const attrs = {
        then_branch: graphAttr(constantBranch('then')),
        else_branch: graphAttr(constantBranch('otherwise')),
      }
      return [b.op('If', ['c'], { attrs, outputs: ['y'] })]
    })
    const next = await check(compact, model)
    const branch = next.graph.nodes[0]!.attrs.then_branch
    expect(branch?.type === 'graph' && [[...branch.value.constants.keys()], branch.value.outputs]).toEqual([
      ['a'],
      ['a'],
    ])
  })

  it('are renamed where a constant is sparse', async () => {
    const model = chain((b) => [named(b, 'Add', ['the/input', 'the/sparse'], 'the/output')])
    const values = { ...f32([1], [5]), name: 'the/sparse' }
    const sparse = { values, indices: i64([1], [1]), shape: [2] }
    const next = await check(compact, withGraph(model, { sparseConstants: new Map([['the/sparse', sparse]]) }))
    expect([...next.graph.sparseConstants!.keys()]).toEqual(['a'])
    expect(next.graph.nodes[0]!.inputs).toEqual(['the/input', 'a'])
  })

  it('are renamed where annotations of quantization use them', async () => {
    const quantAnnotations = [
      { tensor: 'model/layer/sum', parameters: new Map([['SCALE_TENSOR', 'model/layer/weight']]) },
      { tensor: 'the/output', parameters: new Map([['SCALE_TENSOR', 'model/layer/weight']]) },
    ]
    const next = await check(compact, withGraph(plain, { quantAnnotations }))
    expect(next.graph.quantAnnotations).toEqual([
      { tensor: 'b', parameters: new Map([['SCALE_TENSOR', 'a']]) },
      { tensor: 'the/output', parameters: new Map([['SCALE_TENSOR', 'a']]) },
    ])
  })
})

/** A model in which every inner name is as short as it gets: only what each test adds is left to do. */
const shortest = small(21, { x: ['float32', [2]] }, (b) => {
  b.ops('Add', ['x', b.constant(f32([2], [1, 2]), 'a')], { outputs: ['b'], name: 'add' })
  return [b.op('Relu', ['b'], { outputs: ['y'], name: 'relu' })]
})

describe('what only describes', () => {
  it('is removed from inner values, not from inputs and outputs', async () => {
    const values = new Map([...shortest.graph.values, ['b', FLOAT], ['y', FLOAT]] as const)
    const next = await check(compact, withGraph(shortest, { values }))
    expect([...next.graph.values.keys()]).toEqual(['x', 'y'])
  })

  it('is removed from nodes', async () => {
    const nodes = shortest.graph.nodes.map((n) => ({ ...n, doc: 'what it does' }))
    const next = await check(compact, withGraph(shortest, { nodes }))
    expect(next.graph.nodes).toEqual(shortest.graph.nodes)
  })

  it('is removed from constants', async () => {
    const constants = new Map([...shortest.graph.constants].map(([name, t]) => [name, { ...t, doc: 'weights' }]))
    const next = await check(compact, withGraph(shortest, { constants }))
    expect(plainModel(next)).toEqual(plainModel(shortest))
  })

  it('of the model itself stays, and so does what it carries', async () => {
    const model: Model = {
      ...plain,
      doc: 'a model',
      metadata: new Map([['author', 'somebody']]),
      graph: { ...plain.graph, doc: 'a graph', metadata: new Map([['key', 'value']]) },
    }
    const next = await check(compact, model)
    expect(next).toMatchObject({ doc: 'a model', metadata: model.metadata })
    expect(next.graph).toMatchObject({ doc: 'a graph', metadata: model.graph.metadata })
  })

  it('is nothing in a model that is short already: the same object, whatever its graph says of itself', async () => {
    for (const model of [shortest, withGraph(shortest, { doc: 'a graph' })])
      expect(await compact.run(model, env)).toBe(model)
  })

  it('is removed from a subgraph alone', async () => {
    const inner = (label: string): Graph => {
      const b = builder(['x'])
      b.output(b.op('Neg', ['x'], { outputs: [label], name: label }))
      return b.graph(label)
    }
    const modelWith = (doc?: string): Model =>
      small(21, { x: ['float32', [2]], i: ['bool', []] }, (b) => {
        const attrs = {
          then_branch: graphAttr({ ...inner('a'), ...(doc !== undefined && { doc }) }),
          else_branch: graphAttr(inner('b')),
        }
        return [b.op('If', ['i'], { attrs, outputs: ['y'], name: 'choice' })]
      })
    const short = modelWith()
    expect(await compact.run(short, env)).toBe(short)
    expect(plainModel(await check(compact, modelWith('what it does')))).toEqual(plainModel(short))
  })
})

it('takes a tenth of a small model with the names of an exporter', async () => {
  const model = chain((b) => {
    let at = 'the/input'
    for (let i = 0; i < 10; i++) {
      const path = `/model/encoder/layers.${i}/feed_forward`
      const zero = b.constant(tensor('float32', [2], Float32Array.of(i, 1)), `${path}/weight`)
      at = named(b, 'Add', [at, zero], `${path}/Add_output_0`)
    }
    return [at]
  })
  const next = await check(compact, model)
  expect(encodeModel(next).byteLength).toBeLessThan(0.9 * encodeModel(model).byteLength)
})
