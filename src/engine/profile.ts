/** Reading ONNX Runtime's profile (Chrome trace events): the time that each node's kernel took. */

import { PareError } from '../util/errors.js'
import type { NodeProfile } from './engine.js'

interface TraceEvent {
  readonly cat?: string
  readonly name?: string
  /** Microseconds. */
  readonly ts?: number
  readonly dur?: number
  readonly args?: { readonly op_name?: string }
}

const KERNEL = '_kernel_time'

/**
 * Mean milliseconds a run for each node, in the order in which they ran. The profile holds `runs` + 1 runs, of which
 * the first (allocations, packing of weights) is left out. Nodes in a subgraph count every time that they ran.
 */
export function parseProfile(text: string, runs: number): readonly NodeProfile[] {
  const events = parse(text)
  const starts = events.filter((e) => e.name === 'model_run').sort((a, b) => (a.ts ?? 0) - (b.ts ?? 0))
  const first = starts[0]
  const after = first === undefined ? 0 : (first.ts ?? 0) + (first.dur ?? 0)
  const nodes = new Map<string, { readonly op: string; us: number }>()
  for (const { cat, name = '', ts = 0, dur = 0, args } of events) {
    if (cat !== 'Node' || !name.endsWith(KERNEL) || ts < after) continue
    const node = name.slice(0, -KERNEL.length)
    const entry = nodes.get(node)
    if (entry) entry.us += dur
    else nodes.set(node, { op: args?.op_name ?? '', us: dur })
  }
  return [...nodes].map(([name, { op, us }]) => ({ name, op, ms: us / 1000 / runs }))
}

function parse(text: string): readonly TraceEvent[] {
  try {
    return JSON.parse(text) as TraceEvent[]
  } catch (cause) {
    throw new PareError('ENGINE_PROFILE', 'the engine wrote a profile that cannot be read', {
      remedy: 'Check that the disk of the temporary folder is not full.',
      cause,
    })
  }
}
