/**
 * Common subexpressions: of two nodes with the same op, attributes and inputs and as many outputs, readers of the
 * second read the first. Never ops that may be random, ops without a record (they might be), ops with subgraphs.
 */

import { subgraphs } from '../ir/attrs.js'
import { bypass, mapFunctions, renameReads } from '../ir/edits.js'
import type { Attr, Graph, Node, Tensor } from '../ir/types.js'
import { findOp } from '../ops/index.js'
import { toHex } from '../util/bytes.js'
import type { Pass } from './pass.js'
import { isRandom } from './random.js'
import { mapScopes } from './scope.js'
import { sweep } from './sweep.js'

export const mergeNodes: Pass = {
  name: 'merge-nodes',
  run: async (model) => mapFunctions(mapScopes(model, merge), merge),
}

function merge(graph: Graph): Graph {
  const outputs = new Set(graph.outputs)
  const seen = new Map<string, Node>()
  const same = new Map<string, string>()
  for (const node of graph.nodes) {
    const key = keyOf(renameReads(node, same))
    if (key === null) continue
    const first = seen.get(key)
    if (first === undefined) {
      seen.set(key, node)
    } else if (!node.outputs.some((out) => outputs.has(out))) {
      node.outputs.forEach((out, i) => {
        if (out !== '') same.set(out, first.outputs[i]!)
      })
    }
  }
  return same.size === 0 ? graph : sweep(bypass(graph, same))
}

/**
 * Equal for nodes that compute the same; null where that cannot be promised. Which outputs a node has is part of what
 * it computes: their number tells Split (before opset 18) its pieces, and BatchNormalization (before 14) to train.
 */
function keyOf(node: Node): string | null {
  const def = findOp(node.domain, node.op)
  if (def === undefined || isRandom(node) || subgraphs(node).length > 0) return null
  const attrs: string[] = []
  for (const name of Object.keys(node.attrs).sort()) {
    const key = attrKey(node.attrs[name]!)
    if (key === null) return null
    attrs.push(`${name}=${key}`)
  }
  const outputs = node.outputs.map((out) => out !== '')
  return JSON.stringify([node.domain, node.op, node.overload ?? '', node.inputs, outputs, attrs])
}

const LARGEST_TENSOR = 4096

function attrKey(attr: Attr): string | null {
  if (attr.ref !== undefined) return `ref ${attr.ref}`
  switch (attr.type) {
    case 'float':
      return `float ${Object.is(attr.value, -0) ? '-0' : attr.value}`
    case 'int':
      return `int ${attr.value}`
    case 'string':
      return `string ${toHex(attr.value)}`
    case 'floats':
      return `floats ${attr.value.map((v) => (Object.is(v, -0) ? '-0' : v)).join()}`
    case 'ints':
      return `ints ${attr.value.join()}`
    case 'strings':
      return `strings ${attr.value.map(toHex).join()}`
    case 'tensor':
      return tensorKey(attr.value)
    default:
      return null
  }
}

function tensorKey(tensor: Tensor): string | null {
  if (tensor.byteLength > LARGEST_TENSOR) return null
  const content = tensor.strings ? tensor.strings().map(toHex).join() : toHex(tensor.bytes())
  return `tensor ${tensor.dtype} ${tensor.shape.join()} ${content}`
}
