/** Nodes that break their operator's specification in random ways: inspection names the problem and never crashes. */

import { expect, test } from 'vitest'
import { builder, modelOf } from '../../src/ir/builder.js'
import type { Attr, Dim, Graph, Model, Node, Value } from '../../src/ir/types.js'
import { OPS } from '../../src/ops/index.js'
import { inspectModel } from '../../src/passes/inspect.js'
import { type Random, random } from '../../src/util/random.js'
import type { OpCase } from './ops.js'
import * as first from './ops-a.cases.js'
import * as second from './ops-b.cases.js'

const MUTANTS = 6000

function modelOfCase(c: OpCase, opset: number): Model {
  const b = builder()
  const inputs = (c.inputs ?? []).map((t) => (t === null ? '' : b.constant(t, 'x')))
  const options = { domain: c.domain ?? '', attrs: c.attrs ?? {}, outputs: c.outputs ?? 1 }
  for (const name of c.build ? c.build(b) : b.ops(c.op, inputs, options)) b.output(name)
  return modelOf(b.graph(), { '': opset, ...(c.domain && { [c.domain]: c.version ?? 1 }) })
}

const pick = <T>(r: Random, items: readonly T[]): T => items[r.integer(items.length)]!

function mutateAttr(attr: Attr, r: Random): Attr {
  if (attr.type === 'int') return { type: 'int', value: BigInt(r.integer(20) - 10) }
  if (attr.type !== 'ints') return { type: 'int', value: 3n }
  return { type: 'ints', value: Array.from({ length: r.integer(5) }, () => BigInt(r.integer(9) - 4)) }
}

/** One input dropped, doubled or absent, one attribute changed or gone, or another op in its place. */
function mutateNode(node: Node, r: Random): Node {
  const at = r.integer(Math.max(1, node.inputs.length))
  const attr = Object.keys(node.attrs)[r.integer(Math.max(1, Object.keys(node.attrs).length))]
  switch (r.integer(7)) {
    case 0:
      return { ...node, inputs: node.inputs.slice(0, at) }
    case 1:
      return { ...node, inputs: node.inputs.map((n, i) => (i === at ? '' : n)) }
    case 2:
      return { ...node, inputs: [...node.inputs, ...node.inputs] }
    case 3:
      return { ...node, attrs: Object.fromEntries(Object.entries(node.attrs).filter(([name]) => name !== attr)) }
    case 4: {
      const { op, domain } = pick(r, OPS)
      return { ...node, op, domain }
    }
    default:
      return attr === undefined ? node : { ...node, attrs: { ...node.attrs, [attr]: mutateAttr(node.attrs[attr]!, r) } }
  }
}

/** Some constants become inputs of a wrong, partly known or unknown type. */
function mutateGraph(graph: Graph, r: Random): Graph {
  const constants = new Map(graph.constants)
  const values = new Map<string, Value>(graph.values)
  const inputs = [...graph.inputs]
  for (const [name, t] of graph.constants) {
    if (r.integer(3) !== 0) continue
    const shape: Dim[] = [...t.shape]
    if (shape.length > 0 && r.integer(2) === 0) shape[r.integer(shape.length)] = pick(r, [0, 1, null, 'n', 7])
    if (r.integer(4) === 0) shape.push(2)
    if (r.integer(5) === 0) shape.pop()
    const element: Value = {
      kind: 'tensor',
      dtype: r.integer(5) ? t.dtype : 'undefined',
      shape: r.integer(6) ? shape : null,
    }
    constants.delete(name)
    inputs.push(name)
    values.set(name, pick<Value>(r, [element, element, element, { kind: 'untyped' }, { kind: 'sequence', element }]))
  }
  return { ...graph, constants, values, inputs, nodes: graph.nodes.map((node) => mutateNode(node, r)) }
}

test(`${MUTANTS} malformed models are inspected`, () => {
  const r = random(1)
  const cases = [first, second].flatMap((m) => (Object.values(m) as (readonly OpCase[])[]).flat())
  const models = cases.map((c) => modelOfCase(c, 7 + r.integer(17)))
  let problems = 0
  for (let i = 0; i < MUTANTS; i++) {
    const model = pick(r, models)
    const mutant = { ...model, graph: mutateGraph(model.graph, r) }
    const found = inspectModel(mutant)
    expect(Number.isFinite(found.macs)).toBe(true)
    problems += found.problems.length
  }
  expect(problems).toBeGreaterThan(MUTANTS / 20)
})
