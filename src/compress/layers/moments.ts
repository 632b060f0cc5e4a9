/**
 * Moments of what enters layers: H = Σ x xᵀ / n over columns x of many samples. All that second-order methods ask of data
 * lies in it, for a changed weight's squared error over these columns is tr(Δ H Δᵀ) · n. The products are made by the
 * engine, behind the model's own nodes, and only they leave it; sums over samples are in float64.
 */

import { drawn } from '../../data/split.js'
import { withStates } from '../../data/state.js'
import type { Feeds } from '../../engine/engine.js'
import { throwIfAborted } from '../../engine/failures.js'
import { finiteness } from '../../engine/finite.js'
import { builder } from '../../ir/builder.js'
import { allNames } from '../../ir/graphs.js'
import { i64, numbers } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { factFinder } from '../../passes/facts.js'
import { standardOpset } from '../../passes/standard-domain.js'
import { PareError } from '../../util/errors.js'
import { type Random, random } from '../../util/random.js'
import type { TransformEnv } from '../transform.js'
import { addMoments, columnsKey, POSITIONS, positionsOf } from './columns.js'
import type { Layer } from './layer.js'

/** Of a layer, or of several that see the same: to be read only. */
export interface Moments {
  /** Columns that were seen. */
  readonly count: number
  /** [groups, depth, depth]: Σ x xᵀ / count, symmetric. */
  readonly h: Float64Array
  /** [groups, depth]: Σ x / count. */
  readonly mean: Float64Array
}

export interface InputMoments {
  readonly of: ReadonlyMap<Layer, Moments>
  /** Layers without moments, and why. */
  readonly missing: ReadonlyMap<Layer, string>
}

/** Largest depth: H of more takes more than 128 MB. */
const DEEPEST = 4096

/** Elements of the sums that are made in one reading of the samples. */
const AT_ONCE = 2 ** 25

/**
 * The moments of `layers` of the model's graph over `env.samples`, which are read once, or as often as the sums of all
 * layers do not fit into memory together. Samples with NaN or infinities are left out, and of a sample that gives one
 * layer thousands of columns some are drawn by `env.seed`.
 *
 * Throws `SAMPLES_EMPTY` where there are none.
 */
export async function inputMoments(
  model: Model,
  layers: readonly Layer[],
  env: Pick<TransformEnv, 'engine' | 'samples' | 'seed' | 'signal' | 'onProgress'>,
): Promise<InputMoments> {
  const missing = new Map<Layer, string>()
  const taps = new Map<string, Layer[]>()
  for (const layer of layers) {
    const reason = whyNot(layer, standardOpset(model.opsets))
    if (reason !== null) {
      missing.set(layer, reason)
      continue
    }
    const key = columnsKey(layer, kernelOf(layer, model))
    taps.set(key, [...(taps.get(key) ?? []), layer])
  }
  const of = new Map<Layer, Moments>()
  for (const turn of turnsOf([...taps.values()])) {
    const sums = await sumOver(model, turn, env)
    for (const [i, { groups, depth }] of turn.map((same) => same[0]!).entries()) {
      const moments = momentsOf(sums[i]!, groups, depth)
      for (const layer of turn[i]!) {
        if (moments === null) missing.set(layer, 'nothing finite enters it on the samples')
        else of.set(layer, moments)
      }
    }
  }
  return { of, missing }
}

function whyNot({ kind, depth }: Layer, opset: number): string | null {
  if (depth > DEEPEST) return `each output sums over ${depth} inputs, more than ${DEEPEST}`
  return kind === 'state' && opset < 10 ? `its states are shown from opset 10 on, and the model's is ${opset}` : null
}

/** Sizes of a convolution's window; the attribute that names them may be left out. */
const kernelOf = ({ weight }: Layer, { graph }: Model): readonly number[] => graph.constants.get(weight)!.shape.slice(2)

const sizeOf = ([first]: readonly Layer[]): number => first!.groups * (first!.depth + 1) ** 2

/** Lists of layers that see the same, in runs whose sums fit into memory together. */
function turnsOf(taps: readonly (readonly Layer[])[]): readonly (readonly (readonly Layer[])[])[] {
  const turns: (readonly Layer[])[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const same of taps) {
    size += sizeOf(same)
    if (size > AT_ONCE) {
      turns.push([])
      size = sizeOf(same)
    }
    turns.at(-1)!.push(same)
  }
  return turns
}

/** The sums of `addMoments` over all samples, for each list of layers that see the same. */
async function sumOver(
  model: Model,
  turn: readonly (readonly Layer[])[],
  env: Parameters<typeof inputMoments>[2],
): Promise<readonly Float64Array[]> {
  const { signal, onProgress } = env
  const run = signal ? { signal } : {}
  const probe = momentProbe(
    model,
    turn.map((same) => same[0]!),
  )
  const engine = await env.engine()
  const session = await engine.load(encodeModel(probe.model).bytes, run)
  const isCarried = (env.samples?.carry ?? []).length > 0
  const original = isCarried ? await engine.load(encodeModel(model).bytes, run) : null
  const sums = turn.map((same) => new Float64Array(sizeOf(same)))
  const finite = finiteness()
  const draws = random(env.seed ?? 0)
  let seen = 0
  try {
    const samples = env.samples && original ? withStates(env.samples, original) : env.samples
    for await (const { feeds, name } of samples?.read(run) ?? []) {
      throwIfAborted(signal)
      if (!finite.add(feeds, name)) continue
      const outputs = await session.run({ ...feeds, ...probe.picks(draws.fork(seen)) }, run)
      for (const [i, output] of probe.outputs.entries()) add(sums[i]!, outputs[output]!)
      seen++
      const total = samples?.count
      onProgress?.({ task: 'looking at what enters layers', done: seen, ...(typeof total === 'number' && { total }) })
    }
  } finally {
    await original?.close()
    await session.close()
  }
  if (seen === 0) {
    throw new PareError('SAMPLES_EMPTY', 'there are no samples without NaN to look at', {
      ...(env.samples && { where: env.samples.name }),
      remedy: 'Check the path given as --data.',
    })
  }
  return sums
}

/** Adds what one sample gives, unless some of it is not finite. */
function add(sum: Float64Array, product: Tensor): void {
  const values = numbers(product)
  for (let i = 0; i < values.length; i++) if (values[i]! - values[i]! !== 0) return
  for (let i = 0; i < values.length; i++) sum[i]! += values[i]!
}

interface MomentProbe {
  readonly model: Model
  /** One for each layer. */
  readonly outputs: readonly string[]
  /** The columns that count in one run, drawn anew. */
  picks(draw: Random): Feeds
}

/** The model with the sums for its outputs. */
function momentProbe(model: Model, layers: readonly Layer[]): MomentProbe {
  const { graph } = model
  const b = builder(allNames(graph))
  const factOf = factFinder(model)
  const picks = new Map<number, string>()
  const picksOf = (count: number | null): string | undefined => {
    if (count === null || count <= POSITIONS) return undefined
    const known = picks.get(count)
    if (known !== undefined) return known
    const name = b.input(b.fresh('picks'), { kind: 'tensor', dtype: 'int64', shape: [POSITIONS] })
    picks.set(count, name)
    return name
  }
  const outputs = layers.map((layer) =>
    addMoments(b, model, layer, kernelOf(layer, model), picksOf(positionsOf(layer, factOf))),
  )
  const added = b.graph()
  const tapped = {
    ...graph,
    inputs: [...graph.inputs, ...added.inputs],
    outputs,
    nodes: [...graph.nodes, ...added.nodes],
    constants: new Map([...graph.constants, ...added.constants]),
    values: new Map([...graph.values, ...added.values]),
  }
  return {
    model: { ...model, graph: tapped },
    outputs,
    picks: (draw) => Object.fromEntries([...picks].map(([count, name], i) => [name, indices(count, draw.fork(i))])),
  }
}

/** `POSITIONS` of `count` indices. */
function indices(count: number, draw: Random): Tensor {
  const marks = drawn(count, POSITIONS, draw)
  return i64(
    [POSITIONS],
    [...marks.keys()].filter((i) => marks[i] === 1),
  )
}

/** From sums [groups, depth + 1, depth + 1]; null where no column was seen. */
function momentsOf(sums: Float64Array, groups: number, depth: number): Moments | null {
  const side = depth + 1
  const count = sums[side * side - 1]!
  if (!(count > 0)) return null
  const h = new Float64Array(groups * depth * depth)
  const mean = new Float64Array(groups * depth)
  for (let row = 0; row < groups * depth; row++) {
    const from = (Math.floor(row / depth) * side + (row % depth)) * side
    for (let k = 0; k < depth; k++) h[row * depth + k] = sums[from + k]! / count
    mean[row] = sums[from + depth]! / count
  }
  return { count, h, mean }
}
