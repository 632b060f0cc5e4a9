import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { weights } from '../../test/compress-models.js'
import { rowSamples } from '../../test/search-models.js'
import { value } from '../../test/small-models.js'
import { findUnits } from '../compress/quantize/units.js'
import type { NodeProfile } from '../engine/engine.js'
import { ints } from '../ir/attrs.js'
import { builder, modelOf } from '../ir/builder.js'
import { nodeKey } from '../ir/graphs.js'
import { i64 } from '../ir/tensor.js'
import { decodeModel } from '../onnx/codec.js'
import type { Bench } from './evaluate.js'
import { openSetup, type Setup } from './setup.js'
import { profileInFloat, slowLayers } from './slow-layers.js'
import type { Step } from './trial.js'

/** x [1, 64] → four convolutions, one without a name → a product; a residual Add is a unit without weights. */
function convModel() {
  const b = builder()
  b.input('x', value('float32', [1, 64]))
  const conv = (x: string, channels: number, name: string): string =>
    b.op('Conv', [x, b.constant(weights([8, channels, 3, 3], channels, 0.1), 'w')], {
      name,
      attrs: { pads: ints([1, 1, 1, 1]) },
    })
  const image = b.op('Reshape', ['x', b.constant(i64([4], [1, 1, 8, 8]), 'shape')])
  const first = b.op('Relu', [conv(image, 1, 'first')])
  const second = b.op('Relu', [conv(first, 8, 'second')])
  const sum = b.op('Add', [second, conv(second, 8, '')], { name: 'sum' })
  const fourth = b.op('Relu', [conv(sum, 8, 'fourth')])
  const flat = b.op('Reshape', [fourth, b.constant(i64([2], [1, 512]), 'flat')])
  b.ops('MatMul', [flat, b.constant(weights([512, 4], 5, 0.1), 'w')], { outputs: ['y'], name: 'last' })
  b.output('y', value('float32', [1, 4]))
  return modelOf(b.graph())
}

let folder: string
let opened: Setup
/** Keys of the units with weights, in graph order, and the number that each unit goes by in a profile. */
let keys: readonly string[]
let numbers: readonly number[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-slow-'))
  opened = await openSetup(convModel(), { samples: rowSamples(12), threads: 1 }, folder)
  const units = findUnits(opened.prepared.graph)
  const weighted = units.filter((u) => u.weight !== undefined)
  keys = weighted.map((u) => nodeKey(u.node))
  numbers = weighted.map((u) => units.indexOf(u))
  expect(keys).toHaveLength(5)
  expect(units.length).toBeGreaterThan(5)
})
afterAll(async () => {
  await opened?.close()
  await rm(folder, { recursive: true })
})

const STATIC: readonly Step[] = [
  { transform: 'quantize/static', params: {} },
  { transform: 'store/int8', params: {} },
]

type Times = readonly (number | null)[]
type Naming = (unit: number, layer: number) => string
const fused: Naming = (unit) => `unit${unit}._nchwc`

interface Options {
  readonly name?: Naming
  /** Rows besides those of the layers. */
  readonly more?: (integer: boolean) => readonly NodeProfile[]
  readonly steps?: readonly Step[]
}

/** What is found where the five layers take so long in float and in integers; null: the profile has no row for it. */
async function found(float: Times, integer: Times, { name = fused, more = () => [], steps = STATIC }: Options = {}) {
  const asked: { readonly ops: readonly string[]; readonly runs: number | undefined }[] = []
  const target: Setup['target'] = {
    ...opened.target,
    async profile(model, _, { runs } = {}) {
      const ops = decodeModel(model as Uint8Array).graph.nodes.map((n) => n.op)
      asked.push({ ops, runs })
      const isInteger = ops.includes('QuantizeLinear')
      const times = isInteger ? integer : float
      const rows = times.flatMap((ms, i) => (ms === null ? [] : [{ name: name(numbers[i]!, i), op: 'Conv', ms }]))
      return [...rows, ...more(isInteger)]
    },
  }
  return { ways: await slowLayersOf({ ...opened, target }, steps), asked }
}
const slowLayersOf = async (bench: Bench, steps: readonly Step[]) =>
  slowLayers(bench, await profileInFloat(bench), steps)
const ONE: Times = [1, 1, 1, 1, 1]
const keysAt = (...at: readonly number[]): readonly string[] => at.map((i) => keys[i]!)

describe('layers that integers make slower', () => {
  test('are found, and so is the run of them from the input that loses most', async () => {
    const { ways } = await found(ONE, [2, 1.5, 0.5, 3, 0.5])
    // Losses 1, 0.5, −0.5, 2, −0.5: the sum of the first four is the largest.
    expect(ways).toEqual([
      { what: '3 slow layers', keys: keysAt(0, 1, 3) },
      { what: 'first 4 layers', keys: keysAt(0, 1, 2, 3) },
    ])
  })

  test('make the shortest run among those that lose as much', async () => {
    const { ways } = await found(ONE, [2, 0.5, 1.5, 0.5, 1.4])
    expect(ways[1]).toEqual({ what: 'first layer', keys: keysAt(0) })
  })

  test('are named one by one', async () => {
    const { ways } = await found(ONE, [0.5, 0.5, 0.5, 2, 0.5])
    expect(ways).toEqual([{ what: '1 slow layer', keys: keysAt(3) }])
  })

  test('are counted from a hundredth of the time that the model takes in integers', async () => {
    const rest = [0.5, 0.5, 0.5, 97.5] as const
    // The whole is 100 and a little: a loss of 0.99 is not enough, one of 1.02 is.
    expect((await found([0.01, 0.5, 0.5, 0.5, 97.5], [1, ...rest])).ways.map((w) => w.what)).toEqual(['first layer'])
    expect((await found([0, 0.5, 0.5, 0.5, 97.5], [1.02, ...rest])).ways.map((w) => w.what)).toEqual(['1 slow layer'])
  })

  test('are told once where both ways are the same', async () => {
    const { ways } = await found(ONE, [2, 2, 0.5, 0.5, 0.5])
    expect(ways).toEqual([{ what: '2 slow layers', keys: keysAt(0, 1) }])
  })

  test('are none where integers are faster everywhere', async () => {
    expect((await found(ONE, [0.5, 0.5, 1, 0.5, 0.5])).ways).toEqual([])
  })

  test('are not told where they are all: that would be the model in float', async () => {
    expect((await found(ONE, [2, 2, 2, 2, 2])).ways).toEqual([])
    const { ways } = await found(ONE, [3, 0.9, 2, 0.9, 3])
    expect(ways).toEqual([{ what: '3 slow layers', keys: keysAt(0, 2, 4) }])
  })

  test('are none where the engine has no profile', async () => {
    const none = [null, null, null, null, null]
    expect((await found(none, none)).ways).toEqual([])
    expect((await found(ONE, none)).ways).toEqual([])
  })

  test('are only those that the profile knows in both', async () => {
    const { ways } = await found([1, null, 1, 1, 1], [2, 5, 0.5, 0.5, null])
    expect(ways).toEqual([{ what: '1 slow layer', keys: keysAt(0) }])
    // The longest run passes over what is not known.
    const over = await found([1, null, 1, 1, 1], [2, 5, 2, 0.5, 0.5])
    expect(over.ways).toEqual([{ what: '2 slow layers', keys: keysAt(0, 2) }])
  })
})

describe('the engine', () => {
  test('is asked for the model in float, and for what static steps alone make of it', async () => {
    const steps: readonly Step[] = [{ transform: 'quantize/static', params: { matmul: false } }, ...STATIC.slice(1)]
    const { asked } = await found(ONE, ONE, { steps })
    expect(asked.map(({ ops }) => ops.includes('QuantizeLinear'))).toEqual([false, true])
    // The product stays in float. Storing its weights in integers would change nothing in what takes time.
    expect(asked.flatMap(({ ops }) => ops)).not.toContain('Cast')
    for (const { runs } of asked) expect(runs).toBeGreaterThan(1)
  })

  test('may call a node by the value it makes, where it changed the layout', async () => {
    const units = findUnits(opened.prepared.graph)
    const { ways } = await found(ONE, [2, 0.5, 0.5, 0.5, 0.5], { name: (unit) => `${units[unit]!.output}_nchwc` })
    expect(ways).toEqual([{ what: '1 slow layer', keys: keysAt(0) }])
    const own = await found(ONE, [2, 0.5, 0.5, 0.5, 0.5], {
      name: (unit) => `${units[unit]!.node.outputs[0]}_nchwc`,
    })
    expect(own.ways).toEqual(ways)
  })

  test('may spend a layer’s time in several nodes', async () => {
    const more = (integer: boolean) => [{ name: `unit${numbers[3]}._reorder`, op: 'ReorderInput', ms: integer ? 2 : 1 }]
    const { ways } = await found(ONE, [0.5, 0.5, 0.5, 0.9, 0.5], { more })
    expect(ways).toEqual([{ what: '1 slow layer', keys: keysAt(3) }])
  })

  test('may spend time in nodes of no layer, and in units without weights: neither is a slow layer', async () => {
    const map = findUnits(opened.prepared.graph).findIndex((u) => u.weight === undefined)
    const more = (integer: boolean) =>
      ['reorder', `unit${map}._kernel`].map((name) => ({ name, op: 'Other', ms: integer ? 50 : 1 }))
    const { ways } = await found(ONE, [1.1, 0.5, 0.5, 0.5, 0.5], { more })
    expect(ways).toEqual([{ what: '1 slow layer', keys: keysAt(0) }])
  })
})

test('on the real engine what is found are layers, not all, the first ones first, and nothing else changes', async () => {
  const before = opened.prepared
  const ways = await slowLayersOf(opened, STATIC)
  expect(opened.prepared).toBe(before)
  expect(ways.length).toBeLessThanOrEqual(2)
  for (const way of ways) {
    expect(keys).toEqual(expect.arrayContaining([...way.keys]))
    expect(new Set(way.keys).size).toBe(way.keys.length)
    expect(way.keys.length).toBeGreaterThan(0)
    expect(way.keys.length).toBeLessThan(keys.length)
    if (way.what.startsWith('first')) expect(way.keys).toEqual(keys.slice(0, way.keys.length))
  }
})

test('the names that the layers go by are found in the real engine’s profile, in float and in integers', async () => {
  const rows: NodeProfile[][] = []
  const target: Setup['target'] = {
    ...opened.target,
    async profile(...asked) {
      const got = await opened.target.profile(...asked)
      rows.push([...got])
      // Every row by its own name, but in integers layers take twice as long: all that is known is slow.
      return got.map((r) => ({ ...r, ms: rows.length === 1 ? 1 : r.name.startsWith(`unit${numbers[0]}.`) ? 0.5 : 2 }))
    },
  }
  const [slow] = await slowLayersOf({ ...opened, target }, STATIC)
  expect(rows).toHaveLength(2)
  expect(slow?.keys).toEqual(keys.slice(1))
})
