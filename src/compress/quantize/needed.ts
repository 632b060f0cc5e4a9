/** Who needs a constant in float: what may be stored as integers and nothing else. */

import { consumers } from '../../ir/graphs.js'
import type { Graph, Node } from '../../ir/types.js'

/**
 * Tells whether a constant is needed as it is: it is an output, or an input whose value can change, or is read by a
 * node that does not take it otherwise. Integers beside it would store it twice. `readers` that see into subgraphs tell
 * the nodes there; without them a node with subgraphs reads what those capture.
 */
export function neededInFloat(graph: Graph, readers: ReadonlyMap<string, readonly Node[]> = consumers(graph)) {
  const fixed = new Set([...graph.inputs, ...graph.outputs])
  return (constant: string, takes: (reader: Node) => boolean): boolean =>
    fixed.has(constant) || (readers.get(constant) ?? []).some((reader) => !takes(reader))
}
