/**
 * Calibration: runs samples through a model and keeps a histogram of each value asked for. Memory does not grow
 * with the number of samples; one sample runs in the engine's thread while the one before is counted and the next one is
 * read here.
 */

import type { Engine, Feeds } from '../../engine/engine.js'
import { throwIfAborted } from '../../engine/failures.js'
import { type Histogram, histogramCollector, rangeOnly } from '../../grids/histogram.js'
import { floats, i64 } from '../../ir/tensor.js'
import type { Model, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { dtypeOf, shapeOf } from '../../ops/def.js'
import { factFinder } from '../../passes/facts.js'
import { freshNames } from '../../passes/names.js'
import { readAhead } from '../../util/ahead.js'
import type { RunOptions } from '../../util/env.js'
import { PareError } from '../../util/errors.js'
import type { Calibration } from '../transform.js'
import { type EndsFinder, endsFinder, type Fresh, type Usable, type Values } from './ends.js'
import { type PeakTarget, peakProbe } from './peaks.js'

/** Elements of one value that one sample adds to its histogram, about: more of the same picture tell little. */
const COUNTED = 16384

export interface CalibrateOptions extends RunOptions {
  /** Known number of samples, for the progress. */
  readonly total?: number
  /** What to call the samples in messages. */
  readonly name?: string
  /** `range` keeps minimum and maximum only: enough for min-max grids, and several times faster. Default `histogram`. */
  readonly detail?: 'histogram' | 'range'
  /** Values whose channels' peaks are asked for. */
  readonly peaks?: readonly PeakTarget[]
}

/** `names`: values of the main graph; those that are not float32 when run are left out of the result. */
export async function calibrate(
  model: Model,
  names: readonly string[],
  feeds: AsyncIterable<Feeds>,
  engine: Engine,
  { detail = 'histogram', peaks: targets = [], signal, onProgress, total, name }: CalibrateOptions = {},
): Promise<Calibration> {
  const fresh = freshNames(model)
  const peaks = peakProbe(model, targets, fresh)
  const ends = endsFinder(fresh, peaks.greatest)
  const probe = detail === 'range' ? rangeProbe(model, names, ends) : histogramProbe(model, names, ends, fresh)
  const session = await engine.load(encodeModel(withProbes(model, [probe, peaks])).bytes, signal ? { signal } : {})
  const items = readAhead(feeds)
  let samples = 0
  const count = ({ sample, outputs }: Ran): void => {
    const values: Values = (name) => outputs[name] ?? sample[name]
    peaks.count(values)
    probe.count(values)
    samples++
    onProgress?.({ task: 'calibrating', done: samples, ...(total !== undefined && { total }) })
  }
  try {
    let pending: Ran | undefined
    for (let item = await items.take(); !item.done; item = await items.take()) {
      throwIfAborted(signal)
      const run = session.run(item.value, signal ? { signal } : {})
      // Where counting fails first, nobody waits for it any more.
      run.catch(() => {})
      if (pending) count(pending)
      items.begin()
      pending = { sample: item.value, outputs: await run }
    }
    if (pending) count(pending)
  } finally {
    await items.close()
    await session.close()
  }
  if (samples === 0) {
    throw new PareError('SAMPLES_EMPTY', 'there are no samples to calibrate with', {
      ...(name !== undefined && { where: name }),
      remedy: 'Check the path given as --data.',
    })
  }
  return { samples, histograms: probe.histograms(), peaks: peaks.peaks() }
}

interface Ran {
  readonly sample: Feeds
  readonly outputs: Feeds
}

/** What makes a model show more than its outputs. */
interface Additions {
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
  readonly outputs: readonly string[]
}

/** Additions that show what is asked for, and the counting of what they show. */
interface Probe extends Additions {
  count(values: Values): void
  histograms(): ReadonlyMap<string, Histogram>
}

/** The model with what is added, and nothing but that as its outputs where there is any. */
function withProbes(model: Model, probes: readonly Additions[]): Model {
  const { graph } = model
  const outputs = [...new Set(probes.flatMap((p) => p.outputs))]
  return {
    ...model,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...probes.flatMap((p) => p.nodes)],
      constants: new Map([...graph.constants, ...probes.flatMap((p) => [...p.constants])]),
      outputs: outputs.length > 0 ? outputs : graph.outputs,
    },
  }
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
function histogramProbe(model: Model, names: readonly string[], ends: EndsFinder, fresh: Fresh): Probe {
  const inputs = new Set(model.graph.inputs)
  const constants = new Map<string, Tensor>()
  const constant = (value: readonly number[]): string => {
    const name = fresh('probe')
    constants.set(name, i64([value.length], value))
    return name
  }
  const flat = constant([-1])
  const zero = constant([0])
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
    nodes: [...probes.flatMap((p) => p.nodes), ...packed.nodes],
    constants,
    outputs: [...probes.flatMap((p) => p.outputs), ...packed.outputs],
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
function rangeProbe(model: Model, names: readonly string[], ends: EndsFinder): Probe {
  const probes = usable(model, names).map(ends.find)
  const packed = ends.packed()
  const ranges = new Map<string, Histogram>()
  return {
    nodes: [...probes.flatMap((p) => p.nodes), ...packed.nodes],
    constants: new Map(),
    outputs: [...probes.flatMap((p) => p.outputs), ...packed.outputs],
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
