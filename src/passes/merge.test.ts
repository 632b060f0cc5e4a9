/** merge-constants and merge-nodes. */

import { describe, expect, it } from 'vitest'
import { opsOf, passTester, small } from '../../test/check-pass.js'
import { float, graphAttr, int } from '../ir/attrs.js'
import { builder } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import { mergeConstants } from './merge-constants.js'
import { mergeNodes } from './merge-nodes.js'

const { check, env } = passTester()

describe('merge-constants', () => {
  it('shares equal constants, and only those', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => {
      const parts = [
        [1, 0],
        [1, 0],
        [1, -0],
        [1, 2],
      ].map((v) => b.op('Add', ['x', b.constant(f32([2], v))]))
      return [...parts, b.op('Add', ['x', b.constant(f32([1, 2], [1, 0]))])]
    })
    const next = await check(mergeConstants, model)
    expect(next.graph.constants.size).toBe(4)
    expect(next.graph.nodes[0]!.inputs).toEqual(next.graph.nodes[1]!.inputs)
  })

  it('shares with the graph around a subgraph', async () => {
    const inner = builder(['x', 'w'])
    inner.output(inner.op('Add', ['x', inner.constant(f32([2], [3, 4]), 'v')], { outputs: ['t'] }))
    const other = builder(['x', 'w'])
    other.output(other.op('Mul', ['x', other.constant(f32([2], [3, 5]), 'v')], { outputs: ['e'] }))
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      const y = b.op('Add', ['x', b.constant(f32([2], [3, 4]), 'w')])
      const attrs = { then_branch: graphAttr(inner.graph('t')), else_branch: graphAttr(other.graph('e')) }
      return [y, b.op('If', ['c'], { attrs })]
    })
    const next = await check(mergeConstants, model)
    const branches = next.graph.nodes[1]!.attrs
    expect(
      [branches.then_branch, branches.else_branch].map((a) => a?.type === 'graph' && a.value.constants.size),
    ).toEqual([0, 1])
  })

  it('reads no name that means another value in a subgraph', async () => {
    const inner = builder(['x'])
    const own = inner.constant(f32([2], [1, 1]), 'w')
    const twin = inner.constant(f32([2], [3, 4]), 'v')
    inner.output(inner.op('Add', [inner.op('Mul', ['x', own]), twin], { outputs: ['t'] }))
    const other = builder(['x'])
    other.output(other.op('Neg', ['x'], { outputs: ['e'] }))
    const model = small(17, { x: ['float32', [2]], c: ['bool', []] }, (b) => {
      const y = b.op('Add', ['x', b.constant(f32([2], [3, 4]), 'w')])
      const attrs = { then_branch: graphAttr(inner.graph('t')), else_branch: graphAttr(other.graph('e')) }
      return [y, b.op('If', ['c'], { attrs })]
    })
    expect(await mergeConstants.run(model, env)).toBe(model)
  })

  it('leaves defaults of inputs alone', async () => {
    const model = small(17, { x: ['float32', [2]] }, (b) => [
      b.op('Add', ['x', b.constant(f32([2], [1, 2]), 'w')]),
      b.op('Mul', ['x', b.constant(f32([2], [1, 2]), 'v')]),
    ])
    const values = new Map(model.graph.values).set('w', { kind: 'tensor', dtype: 'float32', shape: [2] } as const)
    const open = { ...model, graph: { ...model.graph, inputs: ['x', 'w'], values } }
    expect(await mergeConstants.run(open, env)).toBe(open)
  })
})

describe('merge-nodes', () => {
  it('merges equal computations, chains of them too', async () => {
    const model = small(17, { x: ['float32', [2, 3]] }, (b) => {
      const chain = () => b.op('Softmax', [b.op('Exp', ['x'])], { attrs: { axis: int(1) } })
      return [b.op('Add', [chain(), chain()])]
    })
    expect(opsOf(await check(mergeNodes, model))).toEqual(['Exp', 'Softmax', 'Add'])
  })

  it('keeps what differs in attributes, outputs of the graph, and what is random', async () => {
    const model = small(17, { x: ['float32', [2, 3]] }, (b) => {
      const axis = (n: number) => b.op('Softmax', ['x'], { attrs: { axis: int(n) } })
      return [b.op('Add', [axis(0), axis(1)]), b.op('Exp', ['x']), b.op('Exp', ['x'])]
    })
    expect(await check(mergeNodes, model)).toBe(model)
    const noisy = small(17, { x: ['float32', [2, 3]] }, (b) => {
      const noise = () => b.op('RandomNormalLike', ['x'], { attrs: { mean: float(0) } })
      return [b.op('Sub', [noise(), noise()])]
    })
    expect(await mergeNodes.run(noisy, env)).toBe(noisy)
  })

  it('keeps nodes that differ in the number of outputs: it tells what they compute', async () => {
    const split = small(13, { x: ['float32', [6]] }, (b) => {
      const thirds = b.ops('Split', ['x'], { outputs: 3 })
      const halves = b.ops('Split', ['x'], { outputs: 2 })
      return [b.op('Sub', [thirds[0]!, thirds[1]!]), b.op('Sub', [halves[0]!, halves[1]!])]
    })
    expect(opsOf(await check(mergeNodes, split))).toEqual(['Split', 'Split', 'Sub', 'Sub'])
    const norm = small(13, { x: ['float32', [2, 3, 4]] }, (b) => {
      const inputs = ['x', ...[1, 2, 3, 4].map((v) => b.constant(f32([3], [v, v + 1, v + 2])))]
      const [trained] = b.ops('BatchNormalization', inputs, { outputs: 5 })
      const [inferred] = b.ops('BatchNormalization', inputs, { outputs: 1 })
      return [b.op('Sub', [trained!, inferred!])]
    })
    expect(await check(mergeNodes, norm)).toBe(norm)
  })

  it('merges all outputs of a node or none', async () => {
    const model = small(13, { x: ['float32', [4]] }, (b) => {
      const [a, c] = b.ops('Split', ['x'], { outputs: 2 })
      const [d, e] = b.ops('Split', ['x'], { outputs: 2 })
      return [b.op('Add', [a!, e!]), b.op('Sub', [c!, d!])]
    })
    expect(opsOf(await check(mergeNodes, model))).toEqual(['Split', 'Add', 'Sub'])
  })
})
