/** Layers inside recurrent nodes: their gates are products of the input, and of the last output, with constant weights. */

import { intAttr, stringAttr } from '../../ir/attrs.js'
import type { Graph, Node } from '../../ir/types.js'
import { allFinite } from '../quantize/weights.js'
import { findLayers, type Layer } from './layer.js'

/** The layers of a graph, those inside LSTM, GRU and RNN among them, in its order. */
export const findAllLayers = (graph: Graph): readonly Layer[] => {
  const place = new Map(graph.nodes.map((node, i) => [node, i]))
  const all = [...findLayers(graph), ...findRecurrent(graph)]
  return all.sort((a, b) => place.get(a.node)! - place.get(b.node)!)
}

const RECURRENT: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN'])

/** W [directions, gates · hidden, inputs] and, of nodes with one direction, R [1, gates · hidden, hidden]. */
function findRecurrent(graph: Graph): readonly Layer[] {
  const overridable = new Set(graph.inputs)
  return graph.nodes.flatMap((node) => {
    if (node.domain !== '' || !RECURRENT.has(node.op) || intAttr(node, 'layout', 0) !== 0) return []
    const input = node.inputs[0]!
    const layerOf = (weight: string, kind: 'input' | 'state'): readonly Layer[] => {
      const t = graph.constants.get(weight)
      if (t?.dtype !== 'float32' || overridable.has(weight) || !allFinite(t)) return []
      const [groups, rows, depth] = t.shape as [number, number, number]
      return [{ node, kind, input, weight, groups, rows, depth, isTransposed: false }]
    }
    if (graph.constants.has(input)) return []
    return [...layerOf(node.inputs[1]!, 'input'), ...(showsStates(node) ? layerOf(node.inputs[2]!, 'state') : [])]
  })
}

/** All steps are seen, from the first on, and R meets the states themselves: a GRU may reset them before. */
const showsStates = (node: Node): boolean =>
  stringAttr(node, 'direction', 'forward') === 'forward' &&
  Boolean(node.outputs[0]) &&
  !node.inputs[4] &&
  (node.op !== 'GRU' || intAttr(node, 'linear_before_reset', 0) !== 0)
