/** Checks a pass on a small model: outputs kept, nothing left to do, no growth. For unit tests of passes. */

import { afterAll, beforeAll, expect } from 'vitest'
import type { Engine } from '../src/engine/engine.js'
import { openEngine } from '../src/engine/node/open.js'
import { type Builder, builder, modelOf } from '../src/ir/builder.js'
import { checkModel } from '../src/ir/check.js'
import { mapGraphs } from '../src/ir/graphs.js'
import type { Dim, DType, Model, Tensor } from '../src/ir/types.js'
import { encodeModel } from '../src/onnx/codec.js'
import type { Env, Pass } from '../src/passes/pass.js'
import { difference } from './difference.js'
import { type FeedOptions, randomFeeds } from './random-feeds.js'

/** A model of one graph; `build` gives the names of its outputs. */
export function small(
  opset: number,
  inputs: Readonly<Record<string, readonly [DType, readonly Dim[] | null]>>,
  build: (b: Builder) => readonly string[],
  domains: Readonly<Record<string, number>> = {},
): Model {
  const b = builder()
  for (const [name, [dtype, shape]] of Object.entries(inputs)) b.input(name, { kind: 'tensor', dtype, shape })
  for (const name of build(b)) b.output(name)
  return modelOf(b.graph(), { '': opset, ...domains })
}

/** Ops of all graphs of a model, inner graphs first. */
export function opsOf(model: Model): string[] {
  const ops: string[] = []
  mapGraphs(model.graph, (graph) => {
    ops.push(...graph.nodes.map((node) => node.op))
    return graph
  })
  return ops
}

export interface CheckOptions extends FeedOptions {
  /** Largest relative difference of outputs. Default 0. */
  readonly tolerance?: number
  readonly mayGrow?: boolean
}

/** Opens an engine for the tests of a file. */
export function passTester() {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ threads: 1 })
  })
  afterAll(() => engine.close())
  const env: Env = { engine: async () => engine }

  const run = async (model: Model, options: FeedOptions): Promise<Record<string, Tensor>> => {
    const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
    try {
      return await session.run(randomFeeds(session.inputs, options))
    } finally {
      await session.close()
    }
  }

  /** The pass's result, after every check. */
  const check = async (pass: Pass, model: Model, options: CheckOptions = {}): Promise<Model> => {
    const next = await pass.run(model, env)
    // As it is: the codec would put the nodes into order.
    checkModel(next)
    const [before, after] = [await run(model, options), await run(next, options)]
    expect(Object.keys(after)).toEqual(Object.keys(before))
    for (const [name, tensor] of Object.entries(before)) {
      expect(difference(tensor, after[name]!), name).toBeLessThanOrEqual(options.tolerance ?? 0)
    }
    if (!options.mayGrow) expect(encodeModel(next).byteLength).toBeLessThanOrEqual(encodeModel(model).byteLength)
    expect(await pass.run(next, env)).toBe(next)
    return next
  }
  return { env, check, run }
}
