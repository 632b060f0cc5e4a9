/** Writing graphs by hand: a builder collects nodes and constants and gives every value a fresh name. */

import { PareError } from '../util/errors.js'
import { namer } from './names.js'
import { floatTensor, scalar } from './tensor.js'
import type { Attr, Graph, Model, Node, Tensor, Value } from './types.js'

export interface NodeOptions {
  readonly name?: string
  readonly domain?: string
  readonly attrs?: Readonly<Record<string, Attr>>
  /** Number of outputs, or their names. Default 1. */
  readonly outputs?: number | readonly string[]
}

/** What graphs are computed in. */
export type FloatType = 'float32' | 'float64'

export interface Builder {
  /** Adds a node and returns the name of its first output. */
  op(op: string, inputs: readonly string[], options?: NodeOptions): string
  /** Adds a node and returns the names of all its outputs. */
  ops(op: string, inputs: readonly string[], options?: NodeOptions): readonly string[]
  /** Adds a constant under a fresh name that begins with `hint`. */
  constant(tensor: Tensor, hint?: string): string
  /** A scalar constant of the builder's float type. */
  number(value: number, hint?: string): string
  /** A tensor of that type. */
  tensor(shape: readonly number[], data: ArrayLike<number>): Tensor
  input(name: string, value: Value): string
  output(name: string, value?: Value): void
  /** A name that nothing in the graph has yet. */
  fresh(hint: string): string
  graph(name?: string): Graph
}

/**
 * `taken`: names that must not be used, e.g. those of a graph that the new nodes will join. `float`: the type of what
 * `number` writes.
 */
export function builder(taken: Iterable<string> = [], float: FloatType = 'float32'): Builder {
  const used = new Set(taken)
  const nodes: Node[] = []
  const constants = new Map<string, Tensor>()
  const values = new Map<string, Value>()
  const inputs: string[] = []
  const outputs: string[] = []

  const fresh = namer(used)

  const ops: Builder['ops'] = (op, ins, { name, domain = '', attrs = {}, outputs: outs = 1 } = {}) => {
    const nodeName = name ?? fresh(op)
    const names =
      typeof outs === 'number'
        ? Array.from({ length: outs }, (_, i) => fresh(`${nodeName}_out${i === 0 ? '' : i}`))
        : outs
    for (const out of names) used.add(out)
    nodes.push({ name: nodeName, domain, op, inputs: ins, outputs: names, attrs })
    return names
  }

  const constant: Builder['constant'] = (tensor, hint = 'c') => {
    const name = fresh(hint)
    constants.set(name, tensor)
    return name
  }

  return {
    ops,
    fresh,
    op: (op, ins, options) => ops(op, ins, options)[0]!,
    constant,
    number: (value, hint = 'number') => constant(scalar(value, float), hint),
    tensor: (shape, data) => floatTensor(float, shape, data),
    input(name, value) {
      used.add(name)
      inputs.push(name)
      values.set(name, value)
      return name
    },
    output(name, value) {
      outputs.push(name)
      if (value) values.set(name, value)
    },
    graph: (name = 'graph') => ({ name, inputs, outputs, nodes, constants, values }),
  }
}

/** A model around a graph, with the IR version that its opset asks for. */
export function modelOf(graph: Graph, opsets: Readonly<Record<string, number>> = { '': 21 }): Model {
  if (opsets[''] === undefined) {
    throw new PareError('OPSET_MISSING', 'a model needs a version of the standard domain', {
      remedy: "Give opsets such as { '': 21 }.",
    })
  }
  return {
    irVersion: opsets[''] >= 21 ? 10 : opsets[''] >= 19 ? 9 : 8,
    producer: { name: 'pare', version: '' },
    domain: '',
    version: 0n,
    opsets: new Map(Object.entries(opsets)),
    graph,
    functions: [],
    metadata: new Map(),
  }
}
