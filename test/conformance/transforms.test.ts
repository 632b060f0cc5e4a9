/**
 * What every transform promises, on every kind of model: the result loads and runs on the native engine and in
 * WebAssembly, its inputs and outputs stay, it is near the original and no larger. A transform listed in
 * src/compress/index.ts is tested here because it is listed.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TRANSFORMS } from '../../src/compress/index.js'
import { calibrate } from '../../src/compress/quantize/calibrate.js'
import { peakTargets } from '../../src/compress/quantize/peaks.js'
import { calibrationTargets, findUnits } from '../../src/compress/quantize/units.js'
import { applySteps } from '../../src/compress/recipes.js'
import { checkParams, type Transform, type TransformEnv } from '../../src/compress/transform.js'
import { comparison } from '../../src/engine/compare.js'
import type { Engine, Feeds, Session } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { mapGraphs, nodeKey } from '../../src/ir/graphs.js'
import { elementCount } from '../../src/ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../../src/ir/types.js'
import { encodeModel } from '../../src/onnx/codec.js'
import type { PareError } from '../../src/util/errors.js'
import { COMPRESS_CASES, type CompressCase } from '../compress-models.js'
import { randomFeeds } from '../random-feeds.js'
import { samplesOf } from '../samples-of.js'

/**
 * Root mean square of the error that rounding to the grid makes, relative to that of the values. A grid of step s
 * errs by s/√12. Normal weights and activations reach 3 to 4 deviations, in blocks of 32 about 2.
 */
const NOISE: Readonly<Record<string, number>> = {
  'equalize/weights': 2 ** -22,
  'equalize/smooth': 2 ** -22,
  'quantize/bias-correction': 2 ** -22,
  // What a hundredth of the energy leaves out.
  'factorize/svd': 0.1,
  'factorize/tucker': 0.1,
  'factorize/fewest': 0.1,
  'factorize/slice': 0.1,
  'store/int3': 2.5 / 4 / Math.sqrt(12),
  'store/int2': 2.5 / 2 / Math.sqrt(12),
  // A quarter of the units of each layer, that with the smallest weights, holds at most a quarter of the squares.
  'prune/channels': Math.sqrt(1 / 4),
  'quantize/static': Math.hypot(4 / 127, 8 / 255) / Math.sqrt(12),
  'quantize/dynamic': Math.hypot(4 / 127, 8 / 255) / Math.sqrt(12),
  'quantize/nbits': Math.hypot(2.5 / 8, 4 / 127) / Math.sqrt(12),
  'store/int8': 4 / 127 / Math.sqrt(12),
  'store/int6': 2.5 / 32 / Math.sqrt(12),
  'store/int5': 2.5 / 16 / Math.sqrt(12),
  'store/int4': 2.5 / 8 / Math.sqrt(12),
  'store/f16': 2 ** -11 / Math.sqrt(3),
  'store/binary': 2 ** -23,
  'store/ternary': 2 ** -23,
  // Of normal values the smaller half holds 7.1 % of the squares; rows here have magnitudes of their own.
  'sparsify/magnitude': 0.3,
  'sparsify/wanda': 0.3,
  'sparsify/sparsegpt': 0.3,
  // By what the loss says of a weight, not by its size.
  'sparsify/taylor': 0.3,
  'sparsify/fisher': 0.3,
  // 32 values, better placed than those of a grid: at most half the error of 16 in blocks.
  'store/codebook': 2.5 / 16 / Math.sqrt(12),
  'store/sparse': 2 ** -23,
  // Nothing was changed here, so there is nothing to bring back.
  'recover/distill': 2 ** -22,
  // There are no lessons here but what the model answers itself: it may stay, or round as int4 does.
  'recover/round': 2.5 / 8 / Math.sqrt(12),
}
/** Bytes a node that preparing a model may add: a constant that was shared, of a few dozen numbers. */
const PREPARED = 300

/** Three deviations of errors that add as squares along the layers. */
const bound = (id: string, depth: number): number => 3 * NOISE[id]! * Math.sqrt(depth)

let native: Engine
let wasm: Engine
beforeAll(async () => {
  native = await openEngine({ threads: 1 })
  wasm = await openEngine({ device: 'wasm', threads: 1 })
})
afterAll(async () => {
  await native.close()
  await wasm.close()
})

const load = (engine: Engine, model: Model, optimization: 'off' | 'all' = 'all'): Promise<Session> =>
  engine.load(encodeModel(model).bytes, { optimization })

async function runs(engine: Engine, model: Model, feeds: readonly Feeds[], optimization: 'off' | 'all' = 'all') {
  const session = await load(engine, model, optimization)
  try {
    const outputs = []
    for (const f of feeds) outputs.push(await session.run(f))
    return { inputs: session.inputs, outputs: session.outputs, results: outputs }
  } finally {
    await session.close()
  }
}

async function feedsFor({ model, feeds }: CompressCase): Promise<readonly Feeds[]> {
  const session = await load(native, model, 'off')
  const inputs = session.inputs.filter((i) => !model.graph.constants.has(i.name))
  await session.close()
  return [1, 2, 3, 4].map((seed) => randomFeeds(inputs, { ...feeds, seed }))
}

async function envFor(model: Model, feeds: readonly Feeds[], portable = false): Promise<TransformEnv> {
  const units = findUnits(model.graph)
  const engine = async () => native
  const samples = samplesOf(feeds)
  if (!units.some((u) => u.weight !== undefined)) return { engine, portable, samples }
  async function* stream() {
    yield* feeds
  }
  const peaks = peakTargets(model.graph, units)
  const calibration = await calibrate(model, calibrationTargets(model.graph, units), stream(), native, { peaks })
  return { engine, portable, samples, calibration }
}

const defaults = (t: Transform) => checkParams(t, {})
const apply = (t: Transform, model: Model, env: TransformEnv, params: Readonly<Record<string, unknown>> = {}) =>
  applySteps(model, [{ transform: t.id, params }], env)

const graphsOf = (model: Model): readonly Graph[] => {
  const all: Graph[] = []
  mapGraphs(model.graph, (g) => {
    all.push(g)
    return g
  })
  return all
}
const nodesOf = (model: Model): readonly Node[] => graphsOf(model).flatMap((g) => g.nodes)
const constantsOf = (model: Model): readonly (readonly [string, Tensor])[] =>
  graphsOf(model).flatMap((g) => [...g.constants])

/** Constants of more than an eighth of the elements of the largest: weights, and not the scales or single bits beside them. */
function large(model: Model, of: Model = model): readonly number[] {
  const counts = (m: Model) => constantsOf(m).map(([, t]) => elementCount(t.shape))
  const least = Math.max(512, Math.max(...counts(of)) / 8)
  return counts(model).filter((n) => n > least)
}

const sum = (values: readonly number[]): number => values.reduce((n, v) => n + v, 0)

const sameBytes = (a: Tensor | undefined, b: Tensor): boolean =>
  a !== undefined &&
  a.dtype === b.dtype &&
  a.shape.join() === b.shape.join() &&
  Buffer.compare(a.bytes(), b.bytes()) === 0

describe.each(COMPRESS_CASES)('$name', (c) => {
  let feeds: readonly Feeds[]
  let env: TransformEnv
  let original: Awaited<ReturnType<typeof runs>>
  beforeAll(async () => {
    feeds = await feedsFor(c)
    env = await envFor(c.model, feeds)
    original = await runs(native, c.model, feeds, 'off')
  })

  describe.each(TRANSFORMS.map((t) => ({ id: t.id, transform: t })))('$id', ({ id, transform }) => {
    let result: Model
    beforeAll(async () => {
      result = await apply(transform, c.model, env)
    })

    test('has something to do, or leaves the model as it is', () => {
      if (c.changes.includes(id)) expect(result).not.toBe(c.model)
      if (transform.refuses(c.model, env) !== null) expect(result).toBe(c.model)
    })

    test('gives a model that runs everywhere, with the same inputs and outputs, near the original', async () => {
      if (result === c.model) return
      for (const engine of [native, wasm]) {
        const got = await runs(engine, result, feeds)
        expect(got.inputs).toEqual(original.inputs)
        expect(got.outputs.map(({ name, dtype }) => ({ name, dtype }))).toEqual(
          original.outputs.map(({ name, dtype }) => ({ name, dtype })),
        )
        const sums = comparison()
        for (const [i, reference] of original.results.entries()) {
          const candidate = got.results[i]!
          expect(Object.entries(candidate).map(([n, t]) => [n, t.dtype, t.shape])).toEqual(
            Object.entries(reference).map(([n, t]) => [n, t.dtype, t.shape]),
          )
          sums.add(reference, candidate)
        }
        for (const [name, d] of sums.differences()) {
          expect(d.relativeL2, `${engine.device} ${name}`).toBeLessThanOrEqual(bound(id, c.depth) + 1e-6)
        }
      }
    })

    test('makes the file no larger, and smaller where it changed it', () => {
      const [after, before] = [result, c.model].map((m) => encodeModel(m).byteLength) as [number, number]
      if (transform.role === 'prepares' || transform.role === 'corrects')
        expect(after).toBeLessThan(before + PREPARED * nodesOf(result).length)
      else if (result !== c.model) expect(after).toBeLessThan(before)
    })

    test('keeps tied weights tied: no weight is written twice', () => {
      const [now, had] = [large(result, c.model), large(c.model)]
      // A weight in parts is more constants, of fewer elements.
      if (now.length > had.length) expect(sum(now)).toBeLessThan(sum(had))
    })

    test('leaves alone what must not change', () => {
      for (const name of c.fixed ?? [])
        expect(sameBytes(result.graph.constants.get(name), c.model.graph.constants.get(name)!), name).toBe(true)
    })

    test('leaves the weights of excluded nodes as they are, bit by bit', async () => {
      const owners = graphsOf(c.model).flatMap((g) =>
        g.nodes.flatMap((node) => {
          const own = node.inputs.flatMap((name) => {
            const t = graphsOf(c.model)
              .find((h) => h.constants.has(name))
              ?.constants.get(name)
            return t?.dtype === 'float32' && elementCount(t.shape) >= 128 ? [[name, t] as const] : []
          })
          return own.length > 0 ? [{ node, own }] : []
        }),
      )
      for (const { node, own } of owners) {
        const kept = await apply(transform, c.model, env, { exclude: [nodeKey(node)] })
        const still = nodesOf(kept).find((n) => n.name === node.name)!
        expect(still.op, node.name).toBe(node.op)
        expect(still.domain).toBe(node.domain)
        for (const [name, t] of own) {
          expect(still.inputs, node.name).toContain(name)
          expect(sameBytes(new Map(constantsOf(kept)).get(name), t), `${node.name} ${name}`).toBe(true)
        }
      }
      const all = owners.map(({ node }) => nodeKey(node))
      const untouched = new Map(constantsOf(await apply(transform, c.model, env, { exclude: all })))
      for (const [name, t] of owners.flatMap((o) => o.own)) expect(sameBytes(untouched.get(name), t), name).toBe(true)
    })

    test('applied again, changes nothing for the worse', async () => {
      const again = await apply(transform, result, env)
      if (again === result) return
      expect(encodeModel(again).byteLength).toBeLessThanOrEqual(encodeModel(result).byteLength)
      const got = await runs(native, again, feeds.slice(0, 1))
      const sums = comparison()
      sums.add(original.results[0]!, got.results[0]!)
      for (const d of sums.differences().values())
        expect(d.relativeL2).toBeLessThanOrEqual(2 * bound(id, c.depth) + 1e-6)
    })

    test('where it must be portable, uses operators of the standard alone', async () => {
      const portable = await apply(transform, c.model, { ...env, portable: true })
      if (portable === c.model) return
      expect(nodesOf(portable).filter((n) => n.domain !== '')).toEqual([])
      await runs(native, portable, feeds.slice(0, 1))
    })
  })
})

describe.each(TRANSFORMS.map((t) => ({ id: t.id, transform: t })))('parameters of $id', ({ transform }) => {
  const invalid = (given: Readonly<Record<string, unknown>>) => {
    try {
      checkParams(transform, given)
    } catch (error) {
      return error as PareError
    }
    throw new Error(`accepted ${JSON.stringify(given)}`)
  }

  test('have defaults that are valid', () => {
    expect(defaults(transform)).toEqual(
      Object.fromEntries(Object.entries(transform.params).map(([name, spec]) => [name, spec.default])),
    )
    expect(checkParams(transform, defaults(transform))).toEqual(defaults(transform))
  })

  test('have a sentence of explanation each', () => {
    for (const spec of Object.values(transform.params)) expect(spec.doc.length).toBeGreaterThan(10)
    expect(transform.summary.length).toBeGreaterThan(10)
  })

  test('that are wrong are refused by name', () => {
    for (const [name, spec] of Object.entries(transform.params)) {
      const wrong: readonly unknown[] =
        spec.kind === 'flag'
          ? ['yes', 1]
          : spec.kind === 'choice'
            ? ['neither', 4]
            : spec.kind === 'number'
              ? [spec.min - 1, spec.max + 1, Number.NaN, '3', Number.POSITIVE_INFINITY]
              : ['node', [1], [null]]
      for (const value of wrong) {
        const error = invalid({ [name]: value })
        expect(error.code).toBe('PARAM_INVALID')
        expect(error.message).toContain(`${transform.id}: ${name}`)
      }
      if (spec.kind === 'number')
        for (const value of [spec.min, spec.max]) expect(checkParams(transform, { [name]: value })[name]).toBe(value)
      if (spec.kind === 'choice')
        for (const value of spec.choices) expect(checkParams(transform, { [name]: value })[name]).toBe(value)
    }
  })

  test('that do not exist are refused, and those that do are listed', async () => {
    const error = invalid({ nothing: 1 })
    expect(error.code).toBe('PARAM_INVALID')
    for (const name of Object.keys(transform.params)) expect(error.message).toContain(name)
    const steps = [{ transform: transform.id, params: { nothing: 1 } }]
    await expect(applySteps(COMPRESS_CASES[0]!.model, steps, { engine: async () => native })).rejects.toThrow(
      expect.objectContaining({ code: 'PARAM_INVALID' }),
    )
  })
})

test('an unknown transform is refused, and the known ones are listed', async () => {
  const steps = [{ transform: 'quantize/nothing', params: {} }]
  await expect(applySteps(COMPRESS_CASES[0]!.model, steps, { engine: async () => native })).rejects.toThrow(
    expect.objectContaining({ code: 'TRANSFORM_UNKNOWN', message: expect.stringContaining('store/f16') }),
  )
})

test('static quantization without calibration says what it needs', async () => {
  const steps = [{ transform: 'quantize/static', params: {} }]
  await expect(applySteps(COMPRESS_CASES[0]!.model, steps, { engine: async () => native })).rejects.toThrow(
    expect.objectContaining({ code: 'CALIBRATION_MISSING', message: expect.stringContaining('--data') }),
  )
})
