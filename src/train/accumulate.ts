/** A batch in parts, one after the other: the gradients of one that would not fit into memory at once. */

import { graphAttr, int, tensorAttr } from '../ir/attrs.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { renameReads } from '../ir/edits.js'
import { allNames, reads } from '../ir/graphs.js'
import { i64, scalar, tensor } from '../ir/tensor.js'
import type { Graph, Node, Value } from '../ir/types.js'

export interface Parts {
  readonly count: number
  readonly float: FloatType
  /** The forward and the backward pass of one part. */
  readonly pass: Graph
  readonly loss: string
  /** By weight, each of the weight's shape. */
  readonly gradients: ReadonlyMap<string, string>
  /** Inputs of the pass that differ from part to part. */
  readonly fed: readonly string[]
  /** Inputs that one part hands on to the next, each with the value that it hands on. */
  readonly carried: ReadonlyMap<string, string>
}

export interface Accumulated extends Pick<Parts, 'loss' | 'gradients' | 'carried'> {
  /** What is fed has a first axis of parts; loss and gradients are means over them. */
  readonly graph: Graph
  /** For what follows: it knows all names. */
  readonly b: Builder
}

/** Loop over the parts, whose state is the sums and what is carried. What is the same for all of them comes before it. */
export function accumulated(parts: Parts): Accumulated {
  const { count, float, pass, loss, gradients, fed, carried } = parts
  const summed = [loss, ...gradients.values()]
  const { same, varying } = splitByPart(parts)
  const { body, inputs } = bodyOf(parts, varying, summed)
  const b = builder([...allNames(pass), ...allNames(body)], float)
  const zeros = ['', ...gradients.keys()].map((name) => zerosOf(b, name === '' ? [] : shapeOf(pass.values.get(name)!)))
  const trips = b.constant(scalar(count, 'int64'), 'parts')
  const always = b.constant(tensor('bool', [], Uint8Array.of(1)), 'always')
  const last = b.ops('Loop', [trips, always, ...zeros, ...carried.keys()], {
    outputs: inputs.length,
    attrs: { body: graphAttr(body) },
  })
  const share = b.number(1 / count, 'share')
  const [meanLoss, ...means] = summed.map((_, k) => b.op('Mul', [last[k]!, share]))
  const values = new Map(pass.values)
  for (const name of fed) values.set(name, withParts(pass.values.get(name)!, count))
  return {
    graph: { ...pass, values, nodes: same.nodes, constants: same.constants, outputs: [] },
    b,
    loss: meanLoss!,
    gradients: new Map([...gradients.keys()].map((name, k) => [name, means[k]!])),
    carried: new Map([...carried.keys()].map((name, k) => [name, last[summed.length + k]!])),
  }
}

/**
 * The pass, without the nodes that do not depend on the part, such as the rounding of weights; and these with the
 * constants that they read, which the others see from inside the loop.
 */
function splitByPart({ pass, fed, carried }: Parts) {
  const varies = new Set([...fed, ...carried.keys()])
  // A loop hands on what it makes itself.
  const handed = new Set(carried.values())
  const isVarying = (node: Node): boolean =>
    reads(node).some((name) => varies.has(name)) || node.outputs.some((name) => handed.has(name))
  const nodes: Node[] = []
  const same: Node[] = []
  for (const node of pass.nodes) {
    if (isVarying(node)) {
      nodes.push(node)
      for (const name of node.outputs) varies.add(name)
    } else same.push(node)
  }
  const read = new Set(same.flatMap(reads))
  const constantsOf = (isRead: boolean) => new Map([...pass.constants].filter(([name]) => read.has(name) === isRead))
  return {
    same: { nodes: same, constants: constantsOf(true) },
    varying: { ...pass, nodes, constants: constantsOf(false) },
  }
}

/** One part: its share of what is fed, the pass, and the sums with its loss and gradients. Weights are captured. */
function bodyOf({ pass, fed, carried, float }: Parts, varying: Graph, summed: readonly string[]) {
  const b = builder(allNames(pass), float)
  const [i, go] = [b.fresh('part'), b.fresh('go')]
  const own = new Map(fed.map((name) => [name, b.op('Gather', [name, i], { attrs: { axis: int(0) } })]))
  const handed = new Map([...carried.keys()].map((name) => [name, b.fresh(`${name}_before`)]))
  const goOn = b.op('Identity', [go])
  const before = summed.map((name) => b.fresh(`${name}_sum`))
  const begin = b.graph().nodes.slice()
  const renamed = new Map([...own, ...handed])
  const nodes = varying.nodes.map((node) => renameReads(node, renamed))
  const inPart = (name: string): string => renamed.get(name) ?? name
  const sums = summed.map((name, k) => b.op('Add', [before[k]!, inPart(name)]))
  const end = b.graph().nodes.slice(begin.length)
  const inputs = [...before, ...handed.values()]
  const body: Graph = {
    name: 'part',
    inputs: [i, go, ...inputs],
    outputs: [goOn, ...sums, ...[...carried.values()].map(inPart)],
    nodes: [...begin, ...nodes, ...end],
    constants: varying.constants,
    values: new Map<string, Value>([
      [i, { kind: 'tensor', dtype: 'int64', shape: [] }],
      [go, { kind: 'tensor', dtype: 'bool', shape: [] }],
      ...[...handed].map(([name, before]) => [before, pass.values.get(name)!] as const),
    ]),
  }
  return { body, inputs }
}

const shapeOf = (value: Value): readonly number[] =>
  value.kind === 'tensor' ? (value.shape ?? []).map((d) => Number(d)) : []

/** Made in the graph, so that they take no room in it. */
const zerosOf = (b: Builder, shape: readonly number[]): string =>
  b.op('ConstantOfShape', [b.constant(i64([shape.length], shape), 'shape')], {
    attrs: { value: tensorAttr(b.tensor([1], [0])) },
  })

const withParts = (value: Value, count: number): Value =>
  value.kind === 'tensor' ? { ...value, shape: [count, ...(value.shape ?? [])] } : value
