/**
 * What the units of groups answer to samples: of each unit a mean over its positions, and a mean of sizes. Both are
 * reduced inside the graph, so that a few numbers a sample leave the engine.
 */

import type { Label } from '../../../data/labels.js'
import { withStates } from '../../../data/state.js'
import { int, ints } from '../../../ir/attrs.js'
import { type Builder, builder } from '../../../ir/builder.js'
import { allNames } from '../../../ir/graphs.js'
import { i64, numbers } from '../../../ir/tensor.js'
import type { Model, Tensor } from '../../../ir/types.js'
import { encodeModel } from '../../../onnx/codec.js'
import { shapeOf } from '../../../ops/def.js'
import { factFinder } from '../../../passes/facts.js'
import { standardOpset } from '../../../passes/standard-domain.js'
import type { Group } from '../groups.js'
import { axisKey, type ValueAxis } from '../index-sets.js'
import { samplesOf } from './samples.js'
import type { ScoreContext } from './score.js'

/** Rows are samples, in order. */
export interface Readings {
  readonly count: number
  /** By group, row-major [samples, units]. */
  readonly means: ReadonlyMap<Group, Float64Array>
  readonly sizes: ReadonlyMap<Group, Float64Array>
  /** Of each sample, undefined where it has none. */
  readonly labels: readonly (Label | undefined)[]
  /** By output of the model, what it answered to each sample: at most `ANSWER` of its numbers, evenly spread. */
  readonly answers: ReadonlyMap<string, readonly Float64Array[]>
}

const ANSWER = 4096

/** `withAnswers`: what the model answers is kept too. Throws `PRUNE_SAMPLES`, and what reading and running throw. */
export async function readingsOf(
  groups: readonly Group[],
  context: ScoreContext,
  { withAnswers = false } = {},
): Promise<Readings> {
  const { model, env } = context
  const probe = probeOf(groups, model)
  const { graph } = probe.model
  const outputs = withAnswers ? [...new Set([...graph.outputs, probe.output])] : [probe.output]
  const engine = await env.engine()
  const session = await engine.load(encodeModel({ ...probe.model, graph: { ...graph, outputs } }).bytes)
  const samples = await samplesOf(context)
  const states = samples.carry?.length ? await engine.load(encodeModel(model).bytes) : null
  const rows: { readonly means: readonly Float64Array[]; readonly sizes: readonly Float64Array[] }[] = []
  const labels: (Label | undefined)[] = []
  const answers = new Map<string, Float64Array[]>()
  try {
    const run = env.signal ? { signal: env.signal } : {}
    for await (const { feeds, label } of (states ? withStates(samples, states) : samples).read(run)) {
      const results = await session.run(feeds, run)
      rows.push(probe.read(results[probe.output]!))
      labels.push(label)
      if (withAnswers) for (const name of model.graph.outputs) keep(answers, name, results[name]!)
      env.onProgress?.({
        task: 'reading units',
        done: rows.length,
        ...(samples.count !== null && { total: samples.count }),
      })
    }
  } finally {
    await session.close()
    await states?.close()
  }
  const stacked = (what: 'means' | 'sizes') =>
    new Map(groups.map((g, i) => [g, joined(rows.map((row) => row[what][i]!))]))
  return { count: rows.length, means: stacked('means'), sizes: stacked('sizes'), labels, answers }
}

function keep(answers: Map<string, Float64Array[]>, name: string, t: Tensor): void {
  if (t.dtype === 'string') return
  const values = numbers(t)
  const stride = Math.max(1, Math.ceil(values.length / ANSWER))
  const row = Float64Array.from({ length: Math.ceil(values.length / stride) }, (_, i) => values[i * stride]!)
  const rows = answers.get(name)
  if (rows) rows.push(row)
  else answers.set(name, [row])
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const width = rows[0]?.length ?? 0
  const all = new Float64Array(rows.length * width)
  for (const [i, row] of rows.entries()) all.set(row, i * width)
  return all
}

/** A value that holds units of a group along one axis. */
interface Place extends ValueAxis {
  readonly rank: number
  readonly size: number
  /** In the probe's output: the means of the axis' indices, then their mean sizes. */
  readonly from: number
}

function probeOf(groups: readonly Group[], model: Model) {
  const facts = factFinder(model)
  const places = new Map<string, Place>()
  let from = 0
  const placesOf = groups.map((group) =>
    placesWith(group).flatMap((at) => {
      const shape = shapeOf(facts(at.value))
      const size = shape?.[at.axis]
      if (!shape || typeof size !== 'number') return []
      const known = places.get(axisKey(at)) ?? { ...at, rank: shape.length, size, from }
      if (!places.has(axisKey(at))) from += 2 * size
      places.set(axisKey(at), known)
      return [known]
    }),
  )
  const b = builder(allNames(model.graph))
  const parts = [...places.values()].flatMap((place) => emitMeans(b, place, standardOpset(model.opsets)))
  const output = b.op('Concat', parts, { attrs: { axis: int(0) }, outputs: [b.fresh('readings')] })
  const added = b.graph()
  const graph = {
    ...model.graph,
    nodes: [...model.graph.nodes, ...added.nodes],
    constants: new Map([...model.graph.constants, ...added.constants]),
  }
  return {
    model: { ...model, graph },
    output,
    read(t: Tensor) {
      const values = numbers(t)
      const of = (offset: (place: Place) => number) =>
        groups.map((group, g) => unitMeans(group, placesOf[g]!, (place, k) => values[place.from + offset(place) + k]!))
      return { means: of(() => 0), sizes: of((place) => place.size) }
    },
  }
}

/** Where products read the units, behind activation functions and pools; where none does, where they are made. */
const placesWith = ({ readAt, madeAt }: Group): readonly ValueAxis[] => (readAt.length > 0 ? readAt : madeAt)

/** Of each unit the mean over its indices along all places. */
const unitMeans = (
  { units }: Group,
  places: readonly Place[],
  at: (place: Place, index: number) => number,
): Float64Array =>
  Float64Array.from(units, (unit) => {
    const found = places.flatMap((place) => unit.places.get(axisKey(place))!.map((k) => at(place, k)))
    return found.length === 0 ? 0 : found.reduce((a, b) => a + b, 0) / found.length
  })

/** The mean over all other axes, and that of absolute values, each [size]. */
function emitMeans(b: Builder, { value, axis, rank, size }: Place, opset: number): readonly string[] {
  const axes = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)
  const flat = (x: string): string => b.op('Reshape', [x, b.constant(i64([1], [size]), 'shape')])
  const mean = (x: string): string => {
    if (axes.length === 0) return flat(x)
    return opset < 18
      ? b.op('ReduceMean', [x], { attrs: { axes: ints(axes), keepdims: int(0) } })
      : b.op('ReduceMean', [x, b.constant(i64([axes.length], axes), 'axes')], { attrs: { keepdims: int(0) } })
  }
  const float = b.op('Cast', [value], { attrs: { to: int(1) } })
  return [mean(float), mean(b.op('Abs', [float]))]
}
