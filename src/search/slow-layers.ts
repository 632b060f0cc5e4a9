/**
 * Layers that integers make slower. A wide first convolution, a depthwise one, may run faster in float than in int8
 * on the same machine: the engine's profile of both tells which, and they are better left in float.
 */

import { findUnits, type Unit } from '../compress/quantize/units.js'
import { applySteps } from '../compress/recipes.js'
import type { NodeProfile } from '../engine/engine.js'
import { nodeKey, withGraph } from '../ir/graphs.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { Bench } from './evaluate.js'
import type { Step } from './trial.js'

/** Runs that a profile averages over, and the least share of the model's time that a layer must lose to count. */
const RUNS = 40
const SHARE = 0.01

export interface SlowLayers {
  /** For the name of the trial: `3 slow layers`. */
  readonly what: string
  readonly keys: readonly string[]
}

/** A model under names that the engine's profile keeps, and what its layers take in float. */
export interface FloatProfile {
  readonly units: readonly Unit[]
  readonly named: Model
  readonly times: UnitTimes
}
type UnitTimes = ReadonlyMap<Unit, number>

export async function profileInFloat(bench: Bench): Promise<FloatProfile> {
  const units = findUnits(bench.prepared.graph)
  const named = nameUnits(bench.prepared, units)
  return { units, named, times: await unitTimes(bench, named, units) }
}

/**
 * Layers to leave in float, in the ways to be tried: all that integers make slower, and the longest run of them from
 * the model's input, where leaving float costs no conversion back. Empty where the engine has no profile.
 */
export async function slowLayers(
  bench: Bench,
  { units, named, times: float }: FloatProfile,
  steps: readonly Step[],
): Promise<readonly SlowLayers[]> {
  const integers = await applySteps(
    named,
    steps.filter((s) => s.transform === 'quantize/static'),
    bench.env,
  )
  const integer = await unitTimes(bench, integers, units)
  const rows = units
    .filter((u) => u.weight !== undefined)
    .flatMap((u) => {
      const [f, i] = [float.get(u), integer.get(u)]
      return f === undefined || i === undefined ? [] : [{ key: nodeKey(u.node), loss: i - f, ms: i }]
    })
  const total = rows.reduce((n, r) => n + r.ms, 0)
  const slower = rows.filter((r) => r.loss > SHARE * total).map((r) => r.key)
  const first = rows.slice(0, bestPrefix(rows.map((r) => r.loss))).map((r) => r.key)
  const ways = [
    { what: `${slower.length} slow ${slower.length === 1 ? 'layer' : 'layers'}`, keys: slower },
    { what: first.length === 1 ? 'first layer' : `first ${first.length} layers`, keys: first },
  ]
  return ways.filter(
    ({ keys }, i) => keys.length > 0 && keys.length < rows.length && (i === 0 || keys.join() !== slower.join()),
  )
}

/** Length of the prefix with the largest sum; 0 where none is positive. */
function bestPrefix(values: readonly number[]): number {
  let best = 0
  let length = 0
  let sum = 0
  for (const [i, v] of values.entries()) {
    sum += v
    if (sum > best) {
      best = sum
      length = i + 1
    }
  }
  return length
}

const label = (i: number): string => `unit${i}.`

/** The engine keeps node names at the front of what it fuses them into. */
function nameUnits(model: Model, units: readonly Unit[]): Model {
  const names = new Map(units.map((u, i) => [u.node, label(i)]))
  return withGraph(model, {
    ...model.graph,
    nodes: model.graph.nodes.map((n) => (names.has(n) ? { ...n, name: names.get(n)! } : n)),
  })
}

async function unitTimes(bench: Bench, model: Model, units: readonly Unit[]): Promise<UnitTimes> {
  const { signal } = bench.env
  const rows = await bench.target.profile(encodeModel(model).bytes, bench.feeds[0]!, {
    runs: RUNS,
    ...(signal && { signal }),
  })
  return new Map(
    units.flatMap((u, i) => {
      const own = rows.filter((row) => belongs(row, u, i))
      return own.length === 0 ? [] : [[u, own.reduce((n, r) => n + r.ms, 0)] as const]
    }),
  )
}

/** By name, or by the value it makes where the engine changed the layout. */
const belongs = ({ name }: NodeProfile, unit: Unit, i: number): boolean =>
  name.startsWith(label(i)) || name === `${unit.output}_nchwc` || name === `${unit.node.outputs[0]}_nchwc`
