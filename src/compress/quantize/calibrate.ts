/**
 * Calibration: runs samples through a model and keeps a histogram of each value asked for. Memory does not grow
 * with the number of samples; the next sample runs in the engine's thread while the last one is counted here.
 */

import type { Engine, Feeds } from '../../engine/engine.js'
import { type Histogram, histogramCollector, rangeOnly } from '../../grids/histogram.js'
import { int } from '../../ir/attrs.js'
import { floats, i64 } from '../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { dtypeOf, shapeOf } from '../../ops/def.js'
import { factFinder } from '../../passes/facts.js'
import { freshNames } from '../../passes/names.js'
import type { RunOptions } from '../../util/env.js'
import { PareError } from '../../util/errors.js'
import type { Calibration } from '../transform.js'

/** Samples kept whole, for checks that need real values side by side. */
const KEPT_FEEDS = 4

/** Elements of one value that one sample adds to its histogram, about: more of the same picture tell little. */
const COUNTED = 16384

export interface CalibrateOptions extends RunOptions {
  /** Known number of samples, for the progress. */
  readonly total?: number
  /** What to call the samples in messages. */
  readonly name?: string
  /** `range` keeps minimum and maximum only: enough for min-max grids, and several times faster. Default `histogram`. */
  readonly detail?: 'histogram' | 'range'
}

/** `names`: values of the main graph; those that are not float32 when run are left out of the result. */
export async function calibrate(
  model: Model,
  names: readonly string[],
  feeds: AsyncIterable<Feeds>,
  engine: Engine,
  { detail = 'histogram', signal, onProgress, total, name }: CalibrateOptions = {},
): Promise<Calibration> {
  const probe = detail === 'range' ? rangeProbe(model, names) : histogramProbe(model, names)
  const session = await engine.load(encodeModel(probe.model).bytes, signal ? { signal } : {})
  const kept: Feeds[] = []
  let samples = 0
  const count = ({ sample, outputs }: Ran): void => {
    probe.count((name) => outputs[name] ?? sample[name])
    samples++
    onProgress?.({ task: 'calibrating', done: samples, ...(total !== undefined && { total }) })
  }
  try {
    let pending: Ran | undefined
    for await (const sample of feeds) {
      signal?.throwIfAborted()
      if (kept.length < KEPT_FEEDS) kept.push(sample)
      const run = session.run(sample, signal ? { signal } : {})
      if (pending) count(pending)
      pending = { sample, outputs: await run }
    }
    if (pending) count(pending)
  } finally {
    await session.close()
  }
  if (samples === 0) {
    throw new PareError('SAMPLES_EMPTY', 'there are no samples to calibrate with', {
      ...(name !== undefined && { where: name }),
      remedy: 'Check the path given as --data.',
    })
  }
  return { samples, histograms: probe.histograms(), feeds: kept }
}

interface Ran {
  readonly sample: Feeds
  readonly outputs: Feeds
}

/** The value of a name in one run, where it was shown. */
type Values = (name: string) => Tensor | undefined

/** A model that shows what is asked for, and the counting of what it shows. */
interface Probe {
  readonly model: Model
  count(values: Values): void
  histograms(): ReadonlyMap<string, Histogram>
}

/** How the least and the greatest element of a value are found: numbers leave the engine, not the value. */
interface Ends {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly outputs: readonly string[]
  /** NaN twice where an element is not finite (or the sum is too large for float32); null where there is none. */
  read(values: Values): readonly [number, number] | null
}

/**
 * The ends of values. Those of values of one rank leave the engine in one tensor: every output of a run costs a
 * message of its own, which takes longer than finding it.
 */
function endsFinder(fresh: (hint: string) => string) {
  const packs = new Map<number, { readonly name: string; readonly parts: string[] }>()
  const packOf = (rank: number) => {
    const pack = packs.get(rank) ?? { name: fresh('ends'), parts: [] }
    packs.set(rank, pack)
    return pack
  }
  const find = ({ name, rank }: Usable): Ends => {
    const parts = [fresh(`${name}_min`), fresh(`${name}_max`), fresh(`${name}_sum`)] as const
    const isPacked = rank !== null && rank > 0
    const plain = { name: '', domain: '', inputs: [name], attrs: { keepdims: int(isPacked ? 1 : 0) } }
    const nodes: Node[] = [
      { ...plain, op: 'ReduceMin', outputs: [parts[0]] },
      { ...plain, op: 'ReduceMax', outputs: [parts[1]] },
      // The engine's minimum and maximum pass over NaN; its sum does not.
      { ...plain, op: 'ReduceSum', outputs: [parts[2]] },
    ]
    if (!isPacked) {
      const one = (values: Values, part: string): number | null => {
        const t = values(part)!
        return t.dtype === 'float32' ? floats(t)[0]! : null
      }
      return { name, nodes, outputs: parts, read: (values) => spanOf(parts.map((part) => one(values, part))) }
    }
    const pack = packOf(rank)
    const at = pack.parts.push(...parts) - parts.length
    const read = (values: Values) => spanOf([...floats(values(pack.name)!).subarray(at, at + parts.length)])
    return { name, nodes, outputs: [], read }
  }
  /** Nodes and outputs of the tensors that hold what was packed. */
  const packed = () => ({
    nodes: [...packs.values()].map(
      ({ name, parts }): Node => ({
        name: '',
        domain: '',
        op: 'Concat',
        inputs: parts,
        outputs: [name],
        attrs: { axis: int(0) },
      }),
    ),
    outputs: [...packs.values()].map(({ name }) => name),
  })
  return { find, packed }
}

function spanOf(ends: readonly (number | null)[]): readonly [number, number] | null {
  const [low, high, sum] = ends
  if (low == null || high == null || sum == null) return null
  if (!Number.isFinite(sum)) return [Number.NaN, Number.NaN]
  return low > high ? null : [low, high]
}

const withProbes = (
  model: Model,
  nodes: readonly Node[],
  constants: ReadonlyMap<string, Tensor>,
  outputs: readonly string[],
): Model => {
  const { graph } = model
  return withOutputs(
    {
      ...model,
      graph: { ...graph, nodes: [...graph.nodes, ...nodes], constants: new Map([...graph.constants, ...constants]) },
    },
    outputs.length > 0 ? outputs : graph.outputs,
  )
}

/** A value whose range is asked for. */
interface Usable {
  readonly name: string
  /** Number of elements, where it is known. */
  readonly size: number | null
  /** Rank, where it is known and the value is known to be float32. */
  readonly rank: number | null
}

/** Values that are float32, or may be. */
function usable(model: Model, names: readonly string[]): readonly Usable[] {
  const found = factFinder(model)
  return names.flatMap((name) => {
    const fact = found(name)
    if (fact !== null && dtypeOf(fact) !== 'float32') return []
    const shape = shapeOf(fact)
    const size = shape?.reduce<number | null>((n, d) => (n === null || typeof d !== 'number' ? null : n * d), 1)
    return [{ name, size: size ?? null, rank: (fact !== null && shape?.length) || null }]
  })
}

/**
 * Histograms. Of a large value of known size every k-th element leaves the engine, and its exact ends; others leave
 * whole. An odd k does not fall into step with rows of an even length.
 */
function histogramProbe(model: Model, names: readonly string[]): Probe {
  const fresh = freshNames(model)
  const inputs = new Set(model.graph.inputs)
  const constants = new Map<string, Tensor>()
  const constant = (value: readonly number[]): string => {
    const name = fresh('probe')
    constants.set(name, i64([value.length], value))
    return name
  }
  const flat = constant([-1])
  const zero = constant([0])
  const ends = endsFinder(fresh)
  const probes = usable(model, names).map((wanted) => {
    const { name, size } = wanted
    const stride = Math.floor((size ?? 0) / COUNTED) | 1
    if (stride === 1) return { name, nodes: [], outputs: inputs.has(name) ? [] : [name], shown: name, ends: null }
    const [line, some] = [fresh(`${name}_line`), fresh(`${name}_some`)] as const
    const own = ends.find(wanted)
    const plain = { name: '', domain: '', attrs: {} }
    const nodes: Node[] = [
      ...own.nodes,
      { ...plain, op: 'Reshape', inputs: [name, flat], outputs: [line] },
      { ...plain, op: 'Slice', inputs: [line, zero, constant([size!]), zero, constant([stride])], outputs: [some] },
    ]
    return { name, nodes, outputs: [...own.outputs, some], shown: some, ends: own }
  })
  const collectors = new Map(probes.map(({ name }) => [name, histogramCollector()]))
  const seen = new Set<string>()
  const packed = ends.packed()
  return {
    model: withProbes(model, [...probes.flatMap((p) => p.nodes), ...packed.nodes], constants, [
      ...probes.flatMap((p) => p.outputs),
      ...packed.outputs,
    ]),
    count(values) {
      for (const { name, shown, ends: own } of probes) {
        const value = values(shown)
        if (value?.dtype !== 'float32') continue
        seen.add(name)
        const collector = collectors.get(name)!
        const span = own?.read(values)
        if (span) collector.span(...span)
        collector.add(floats(value))
      }
    },
    histograms: () =>
      new Map([...collectors].filter(([name]) => seen.has(name)).map(([name, c]) => [name, c.snapshot()])),
  }
}

const NOTHING = rangeOnly(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0)

/** Ranges alone: nothing but two numbers a value leaves the engine. */
function rangeProbe(model: Model, names: readonly string[]): Probe {
  const fresh = freshNames(model)
  const ends = endsFinder(fresh)
  const probes = usable(model, names).map(ends.find)
  const packed = ends.packed()
  const ranges = new Map<string, Histogram>()
  return {
    model: withProbes(model, [...probes.flatMap((p) => p.nodes), ...packed.nodes], new Map(), [
      ...probes.flatMap((p) => p.outputs),
      ...packed.outputs,
    ]),
    count(values) {
      for (const { name, read } of probes) {
        const span = read(values)
        if (span === null) continue
        const [low, high] = span
        const { min, max, count, nonFinite } = ranges.get(name) ?? NOTHING
        const next =
          Number.isFinite(low) && Number.isFinite(high)
            ? rangeOnly(Math.min(low, min), Math.max(high, max), count + 1, nonFinite)
            : rangeOnly(min, max, count, nonFinite + 1)
        ranges.set(name, next)
      }
    },
    histograms: () => ranges,
  }
}

/** The model with these values as its outputs. */
export function withOutputs(model: Model, names: readonly string[]): Model {
  return { ...model, graph: { ...model.graph, outputs: names } }
}
