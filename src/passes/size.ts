/**
 * How many bytes a node or a constant takes in a file, by the rules of protobuf's encoding, so that a pass can weigh
 * an edit without writing the model.
 */

import { subgraphs } from '../ir/attrs.js'
import type { Attr, Graph, Node, Tensor } from '../ir/types.js'

const encoder = new TextEncoder()

const varint = (value: number): number => {
  let bytes = 1
  for (let v = value; v >= 128; v /= 128) bytes++
  return bytes
}

/** A field of known length: tag, length, content. */
const field = (content: number): number => 1 + varint(content) + content
const text = (value: string): number => field(encoder.encode(value).byteLength)
const optionalText = (value: string): number => (value === '' ? 0 : text(value))

/** Bytes of a tensor in a graph's list of constants, its name included; external data count, wherever they lie. */
export function tensorBytes(name: string, tensor: Tensor): number {
  const dims = tensor.shape.reduce((n, d) => n + 1 + varint(d), 0)
  return field(dims + 2 + optionalText(name) + field(tensor.byteLength))
}

/** Bytes of a node with all its attributes and subgraphs. */
export function nodeBytes(node: Node): number {
  const names = [...node.inputs, ...node.outputs, node.op].reduce((n, name) => n + text(name), 0)
  const attrs = Object.entries(node.attrs).reduce((n, [name, attr]) => n + field(text(name) + 2 + attrBytes(attr)), 0)
  const inner = subgraphs(node).reduce((n, { graph }) => n + field(graphBytes(graph)), 0)
  return field(names + optionalText(node.name) + optionalText(node.domain) + attrs + inner)
}

function graphBytes(graph: Graph): number {
  let bytes = optionalText(graph.name)
  for (const node of graph.nodes) bytes += nodeBytes(node)
  for (const [name, tensor] of graph.constants) bytes += tensorBytes(name, tensor)
  return bytes
}

function attrBytes(attr: Attr): number {
  switch (attr.type) {
    case 'float':
      return 5
    case 'int':
      return attr.value < 0n ? 11 : 1 + varint(Number(attr.value))
    case 'string':
      return field(attr.value.byteLength)
    case 'floats':
      return 5 * attr.value.length
    case 'ints':
      return attr.value.reduce((n, v) => n + (v < 0n ? 11 : 1 + varint(Number(v))), 0)
    case 'strings':
      return attr.value.reduce((n, v) => n + field(v.byteLength), 0)
    case 'tensor':
      return tensorBytes('', attr.value)
    default:
      return 0
  }
}
