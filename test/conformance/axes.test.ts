/**
 * The certificate of the records' axes rules, on the cases of the op table: indices that are cut from all inputs
 * together leave exactly the output without them (where products are summed over them, as if zeros had stood there).
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Axes, closeAxes } from '../../src/compress/prune/axes.js'
import { cutUnits } from '../../src/compress/prune/cut.js'
import type { Slice, Unit } from '../../src/compress/prune/groups.js'
import { axisKey, axisOfKey, type IndexClass } from '../../src/compress/prune/index-sets.js'
import { maskUnits } from '../../src/compress/prune/mask.js'
import type { Engine } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { modelOf } from '../../src/ir/builder.js'
import { elementCount, numbers } from '../../src/ir/tensor.js'
import type { Graph, Model, Tensor } from '../../src/ir/types.js'
import { encodeModel } from '../../src/onnx/codec.js'
import { findOp, OPS } from '../../src/ops/index.js'
import { random } from '../../src/util/random.js'
import { graphOf, type OpCase, opsetsOf } from './ops.js'
import * as casesA from './ops-a.cases.js'
import * as casesB from './ops-b.cases.js'

/** Ops with a rule of which no case has an axis that can shrink, and why. */
const NOTHING_TO_CUT: Readonly<Record<string, string>> = {
  Swish: 'the engine has no kernel of opset 24',
  CumProd: 'the engine has no kernel of opset 26',
}

const cases = ([...Object.values(casesA), ...Object.values(casesB)] as (readonly OpCase[])[]).flat()
const label = ({ op, domain = '' }: { op: string; domain?: string }): string => (domain === '' ? op : `${domain}.${op}`)
/** What it reads of its input are the sizes themselves: held by what reads those (groups.test.ts). */
const OF_SIZES = ['Shape']
const ruled = OPS.filter((def) => def.axes !== 'none' && !OF_SIZES.includes(def.op))

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

async function run(model: Model): Promise<Readonly<Record<string, Tensor>>> {
  const session = await engine.load(encodeModel(model).bytes, { optimization: 'off' })
  try {
    return await session.run({})
  } finally {
    await session.close()
  }
}

/** Random classes, never all of an axis. */
function someClasses(axes: Axes, graph: Graph, seed: number): readonly IndexClass[] {
  const r = random(seed)
  const left = new Map<string, number>()
  const sizeAt = (key: string): number => {
    const { value, axis } = axisOfKey(key)
    const shape = graph.constants.get(value)?.shape ?? []
    const fact = axes.factOf(value)?.value
    const stated = fact?.kind === 'tensor' ? fact.shape?.[axis] : null
    return left.get(key) ?? Number(shape[axis] ?? stated)
  }
  return axes.classes.filter(({ places }) => {
    if (r.uniform() < 0.5 || [...places].some(([key, indices]) => sizeAt(key) <= indices.length)) return false
    for (const [key, indices] of places) left.set(key, sizeAt(key) - indices.length)
    return true
  })
}

const unitOf = ({ places }: IndexClass, axes: Axes, graph: Graph): Unit => ({
  places,
  slices: [...places].flatMap(([key, indices]): readonly Slice[] => {
    const { value, axis } = axisOfKey(key)
    if (!graph.constants.has(value)) return []
    return [{ constant: value, axis, indices, role: axes.summed.has(key) ? 'contraction' : 'output' }]
  }),
})

/** The elements of a tensor but those at some indices of its axes. */
function without(t: Tensor, gone: (axis: number) => ReadonlySet<number>): readonly number[] {
  const all = numbers(t)
  const sets = t.shape.map((_, axis) => gone(axis))
  return [...all].filter((_, position) => {
    let rest = position
    for (let axis = t.shape.length - 1; axis >= 0; axis--) {
      if (sets[axis]!.has(rest % t.shape[axis]!)) return false
      rest = Math.floor(rest / t.shape[axis]!)
    }
    return true
  })
}

const isNear = (a: number, b: number): boolean => Object.is(a, b) || Math.abs(a - b) <= 1e-5 * (1 + Math.abs(b))

/** How many cuts were held against the engine; throws where one differs. */
async function certify(c: OpCase, opset: number): Promise<number> {
  const graph = graphOf(c)
  const model = modelOf(graph, { '': opset, ...(c.domain && { [c.domain]: c.version ?? 1 }) })
  const axes = closeAxes(model, { ends: false })
  let [count, whole] = [0, null as Awaited<ReturnType<typeof run>> | null]
  for (const seed of [1, 2]) {
    const chosen = someClasses(axes, graph, seed)
    if (chosen.length === 0) continue
    const units = chosen.map((found) => unitOf(found, axes, graph))
    const mask = maskUnits(model, units)
    if (mask === model) whole ??= await run(model)
    const masked = mask === model ? whole! : await run(mask)
    const cut = await run(cutUnits(model, units))
    for (const name of graph.outputs) {
      const gone = (axis: number) =>
        new Set(chosen.flatMap(({ places }) => places.get(axisKey({ value: name, axis })) ?? []))
      const wanted = without(masked[name]!, gone)
      const got = numbers(cut[name]!)
      expect(got.length).toBe(elementCount(cut[name]!.shape))
      expect(got.length).toBe(wanted.length)
      expect(wanted.flatMap((v, i) => (isNear(got[i]!, v) ? [] : [[i, got[i], v]]))).toEqual([])
    }
    count++
  }
  return count
}

describe('cutting what goes together leaves the rest as it was', () => {
  test.each(ruled.map((def) => [label(def), def] as const))('%s', async (name, def) => {
    let count = 0
    for (const c of cases.filter((c) => label(c) === name)) {
      const opsets = opsetsOf(c, def.since)
      for (const opset of new Set([opsets[0]!, opsets.at(-1)!])) count += await certify(c, opset)
    }
    expect(count > 0).toBe(NOTHING_TO_CUT[name] === undefined)
  })
})

test('an op without a rule keeps everything', () => {
  const c = cases.find(({ op, domain = '' }) => findOp(domain, op)?.axes === 'none' && op === 'Det')!
  expect(closeAxes(modelOf(graphOf(c)), { ends: false }).classes).toEqual([])
})
