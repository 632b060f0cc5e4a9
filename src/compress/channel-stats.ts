/**
 * What the channels of values hold over samples: mean, least and greatest, found in the engine, so that a few numbers a
 * channel leave it and not the values.
 */

import type { Samples } from '../data/samples.js'
import { throwIfAborted } from '../engine/failures.js'
import { int, ints } from '../ir/attrs.js'
import { floats, i64 } from '../ir/tensor.js'
import type { Model, Node, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { freshNames } from '../passes/names.js'
import type { Env } from '../passes/pass.js'
import { standardOpset } from '../passes/standard-domain.js'

/** A float32 value of the main graph whose channels are asked about. */
export interface ChannelTarget {
  readonly name: string
  readonly rank: number
  readonly axis: number
}

export interface ChannelStats {
  /** Mean over samples of the mean over positions. */
  readonly mean: Float64Array
  readonly min: Float64Array
  readonly max: Float64Array
}

type Kind = 'mean' | 'range'

/**
 * Statistics by name. Samples that make something infinite or NaN anywhere are left out; a value that no sample was left
 * for is missing. `limit`: samples that are read at most. `kind` spares the reductions that nobody asks for: the others
 * are NaN.
 */
export async function channelStats(
  model: Model,
  targets: readonly ChannelTarget[],
  samples: Samples,
  env: Env,
  { limit = Number.POSITIVE_INFINITY, kind }: { readonly limit?: number; readonly kind?: Kind } = {},
): Promise<ReadonlyMap<string, ChannelStats>> {
  if (targets.length === 0) return new Map()
  const probe = channelProbe(model, targets, kind)
  const engine = await env.engine()
  const options = env.signal ? { signal: env.signal } : {}
  const session = await engine.load(encodeModel(probe.model).bytes, options)
  try {
    let read = 0
    for await (const { feeds } of samples.read(options)) {
      throwIfAborted(env.signal)
      probe.count(floats((await session.run(feeds, options))[probe.output]!))
      if (++read >= limit) break
    }
  } finally {
    await session.close()
  }
  return probe.stats()
}

const REDUCTIONS = { mean: ['ReduceMean'], range: ['ReduceMin', 'ReduceMax'] } as const

/** The model with one output: all statistics of all targets in a row. */
function channelProbe(model: Model, targets: readonly ChannelTarget[], kind?: Kind) {
  const fresh = freshNames(model)
  const constants = new Map<string, Tensor>()
  const reduced = reducer(standardOpset(model.opsets), (t) => {
    const name = fresh('axes')
    constants.set(name, t)
    return name
  })
  const ops: readonly string[] = kind === undefined ? [...REDUCTIONS.mean, ...REDUCTIONS.range] : REDUCTIONS[kind]
  const nodes: Node[] = []
  const parts: string[] = []
  const lengths: string[] = []
  for (const { name, rank, axis } of targets) {
    const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)
    for (const op of ops) {
      const part = fresh(`${name}_${op}`)
      nodes.push(reduced(op, name, others, part))
      parts.push(part)
    }
    lengths.push(parts.at(-1)!)
  }
  // The length of each target's channels goes in front, as numbers: a value may have as many as it likes.
  const output = fresh('channels')
  const sizes = lengths.map((part) => {
    const [shape, real] = [fresh(`${part}_shape`), fresh(`${part}_size`)]
    nodes.push(plain('Shape', [part], shape), { ...plain('Cast', [shape], real), attrs: { to: int(1) } })
    return real
  })
  nodes.push({ ...plain('Concat', [...sizes, ...parts], output), attrs: { axis: int(0) } })
  const graph = {
    ...model.graph,
    nodes: [...model.graph.nodes, ...nodes],
    constants: new Map([...model.graph.constants, ...constants]),
    outputs: [output],
  }
  const collectors = new Map(targets.map(({ name }) => [name, collector()]))
  return {
    model: { ...model, graph },
    output,
    count(values: Float32Array): void {
      if (!values.every(Number.isFinite)) return
      let at = targets.length
      for (const [i, { name }] of targets.entries()) {
        const size = values[i]!
        const rows = ops.map((_, k) => values.subarray(at + k * size, at + (k + 1) * size))
        at += ops.length * size
        const row = (op: string): Float32Array | undefined => rows[ops.indexOf(op)]
        collectors.get(name)!.add(size, row('ReduceMean'), row('ReduceMin'), row('ReduceMax'))
      }
    },
    stats: (): ReadonlyMap<string, ChannelStats> =>
      new Map(
        [...collectors].flatMap(([name, c]) => {
          const stats = c.stats()
          return stats === null ? [] : [[name, stats] as const]
        }),
      ),
  }
}

const plain = (op: string, inputs: readonly string[], output: string): Node => ({
  name: '',
  domain: '',
  op,
  inputs,
  outputs: [output],
  attrs: {},
})

/** Reductions took their axes as an attribute before opset 18; without axes a vector stays as it is. */
function reducer(opset: number, constant: (t: Tensor) => string) {
  return (op: string, input: string, axes: readonly number[], output: string): Node => {
    if (axes.length === 0) return plain('Identity', [input], output)
    return opset < 18
      ? { ...plain(op, [input], output), attrs: { axes: ints(axes), keepdims: int(0) } }
      : { ...plain(op, [input, constant(i64([axes.length], axes))], output), attrs: { keepdims: int(0) } }
  }
}

/** Adds the channels of one sample after the other. */
function collector() {
  let count = 0
  let mean = new Float64Array(0)
  let min = new Float64Array(0)
  let max = new Float64Array(0)
  return {
    add(size: number, means?: Float32Array, mins?: Float32Array, maxes?: Float32Array): void {
      if (count++ === 0) {
        mean = new Float64Array(size)
        min = new Float64Array(size).fill(Number.POSITIVE_INFINITY)
        max = new Float64Array(size).fill(Number.NEGATIVE_INFINITY)
      }
      for (let c = 0; c < size; c++) {
        mean[c]! += means?.[c] ?? Number.NaN
        min[c] = Math.min(min[c]!, mins?.[c] ?? Number.NaN)
        max[c] = Math.max(max[c]!, maxes?.[c] ?? Number.NaN)
      }
    },
    stats: (): ChannelStats | null => (count === 0 ? null : { mean: mean.map((v) => v / count), min, max }),
  }
}
