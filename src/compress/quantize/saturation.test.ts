import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { calibratedEnv } from '../../../test/calibrated.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { affineGrid, quantizeValue } from '../../grids/affine.js'
import { int, intAttr, ints, intsAttr } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { elementCount, f32, floats, numbers } from '../../ir/tensor.js'
import type { Attr, Model, Node, Tensor } from '../../ir/types.js'
import { maddubs } from '../../kernels/pair-saturation.js'
import { random } from '../../util/random.js'
import { unitWeights } from './saturation.js'
import { findUnits } from './units.js'
import { unitsByWeight, unitWeight } from './weights.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

interface Case {
  readonly op: string
  readonly x: readonly number[]
  readonly w: readonly number[]
  readonly attrs?: Readonly<Record<string, Attr>>
}

const layer = ({ op, x, w, attrs = {} }: Case): Model => {
  const b = builder()
  b.input('x', value('float32', x))
  // Most weights of one sign: neighbours pull the same way.
  const r = random(1)
  const data = Float32Array.from({ length: elementCount(w) }, () => r.normal(0.3, 0.3))
  b.output(b.op(op, ['x', b.constant(f32(w, data), 'w')], { attrs }), value('float32', null))
  return modelOf(b.graph())
}

/** Small activations in every sample but the last one, and there only in the last image or row of the batch. */
const samples = (shape: readonly number[], count = 40): readonly Feeds[] => {
  const r = random(2)
  const size = elementCount(shape)
  return Array.from({ length: count }, (_, s) => ({
    x: f32(
      shape,
      Float32Array.from({ length: size }, (_, i) => {
        const isLoud = s === count - 1 && i >= size - size / shape[0]!
        return isLoud ? r.uniform(0.5, 1) : r.uniform(-0.1, 0.1)
      }),
    ),
  }))
}

/** Integers that enter a layer's sums, column after column in the order of the kernel, and the rows they meet. */
interface Product {
  readonly rows: readonly (readonly number[])[]
  readonly columns: readonly (readonly number[])[]
}

/** All patches of a Conv, padding included, with the weights of each group: the plain definition of the op. */
function convProducts(node: Node, x: Tensor, at: (i: number) => number, zero: number, w: Tensor): readonly Product[] {
  const [n, channels, height, width] = x.shape as [number, number, number, number]
  const [m, c, kh, kw] = w.shape as [number, number, number, number]
  const groups = intAttr(node, 'group', 1)
  const [top, left, bottom, right] = intsAttr(node, 'pads') ?? [0, 0, 0, 0]
  const [sy, sx] = intsAttr(node, 'strides') ?? [1, 1]
  const [dy, dx] = intsAttr(node, 'dilations') ?? [1, 1]
  const q = numbers(w)
  const taps = Array.from({ length: kh * kw * c }, (_, k) => [Math.floor(k / c / kw), Math.floor(k / c) % kw, k % c])
  return Array.from({ length: groups }, (_, g): Product => {
    const rows = Array.from({ length: m / groups }, (_, r) =>
      taps.map(([i, j, k]) => q[(((g * m) / groups + r) * c + k!) * kh * kw + i! * kw + j!]!),
    )
    const columns: number[][] = []
    for (let b = 0; b < n; b++)
      for (let y = -top!; y + (kh - 1) * dy! < height + bottom!; y += sy!)
        for (let z = -left!; z + (kw - 1) * dx! < width + right!; z += sx!)
          columns.push(
            taps.map(([i, j, k]) => {
              const [v, u] = [y + i! * dy!, z + j! * dx!]
              if (v < 0 || u < 0 || v >= height || u >= width) return zero
              return at(((b * channels + g * c + k!) * height + v) * width + u)
            }),
          )
    return { rows, columns }
  })
}

function matrixProduct(node: Node, x: Tensor, at: (i: number) => number, w: Tensor): Product {
  const isTurned = intAttr(node, 'transB', 0) === 1
  const [depth, outs] = isTurned ? [w.shape[1]!, w.shape[0]!] : [w.shape[0]!, w.shape[1]!]
  const q = numbers(w)
  return {
    rows: Array.from({ length: outs }, (_, n) =>
      Array.from({ length: depth }, (_, k) => q[isTurned ? n * depth + k : k * outs + n]!),
    ),
    columns: Array.from({ length: elementCount(x.shape) / depth }, (_, c) =>
      Array.from({ length: depth }, (_, k) => at(c * depth + k)),
    ),
  }
}

/** Lanes that the instruction saturates in the whole of a layer, over all samples. */
function saturated(model: Model, feeds: readonly Feeds[], w: Tensor, grid: ReturnType<typeof affineGrid>): number {
  const node = model.graph.nodes[0]!
  let count = 0
  for (const { x } of feeds) {
    const data = floats(x!)
    const at = (i: number): number => quantizeValue(data[i]!, grid)
    const products =
      node.op === 'Conv' ? convProducts(node, x!, at, grid.zeroPoint, w) : [matrixProduct(node, x!, at, w)]
    for (const { rows, columns } of products)
      for (const row of rows)
        for (const column of columns)
          for (let k = 0; k + 1 < row.length; k += 2) {
            const [a0, w0, a1, w1] = [column[k]!, row[k]!, column[k + 1]!, row[k + 1]!]
            if (maddubs(a0, w0, a1, w1) !== a0 * w0 + a1 * w1) count++
          }
  }
  return count
}

const cases: Readonly<Record<string, Case>> = {
  Conv: { op: 'Conv', x: [2, 8, 6, 6], w: [4, 8, 3, 3] },
  'Conv with an odd number of channels': { op: 'Conv', x: [2, 3, 6, 6], w: [4, 3, 3, 3] },
  'Conv with padding, strides and dilations': {
    op: 'Conv',
    x: [2, 4, 9, 9],
    w: [4, 4, 3, 3],
    attrs: { pads: ints([2, 1, 1, 2]), strides: ints([2, 3]), dilations: ints([2, 1]) },
  },
  'grouped Conv': { op: 'Conv', x: [2, 8, 5, 5], w: [4, 4, 2, 2], attrs: { group: int(2) } },
  'Conv with two filters a channel': { op: 'Conv', x: [2, 4, 5, 5], w: [8, 1, 3, 3], attrs: { group: int(4) } },
  MatMul: { op: 'MatMul', x: [3, 5, 16], w: [16, 6] },
  Gemm: { op: 'Gemm', x: [5, 32], w: [32, 6] },
  'Gemm, transposed': { op: 'Gemm', x: [5, 15], w: [6, 15], attrs: { transB: int(1) } },
}

describe('no pair saturates on any calibration sample, and without the guard some do', () => {
  test.each(Object.keys(cases).flatMap((name) => [[name, true] as const, [name, false] as const]))(
    '%s, a scale a channel: %s',
    async (name, perChannel) => {
      const given = cases[name]!
      const model = layer(given)
      const feeds = samples(given.x)
      const { calibration } = await calibratedEnv(engine, model, feeds)
      const { min, max } = calibration!.histograms.get('x')!
      const grid = affineGrid(min, max, { dtype: 'uint8' })
      const grids = new Map([['x', grid]])
      const units = findUnits(model.graph)
      const [bare, guarded] = [
        unitWeight(unitsByWeight(units).get('w')!, model.graph, grids, perChannel, [127]),
        (await unitWeights(units, model.graph, grids, perChannel, calibration!, {})).get('w')!,
      ]
      expect(saturated(model, feeds, bare.values, grid)).toBeGreaterThan(0)
      expect(saturated(model, feeds, guarded.values, grid)).toBe(0)
      // No channel is coarser than the always safe limit makes it.
      const safe = unitWeight(unitsByWeight(units).get('w')!, model.graph, grids, perChannel, [64])
      for (const [c, s] of floats(guarded.scale).entries()) expect(s).toBeLessThanOrEqual(floats(safe.scale)[c]!)
    },
  )
})

test('without peaks all activations count as the largest', async () => {
  const model = layer(cases.MatMul!)
  const grids = new Map([['x', affineGrid(0, 1, { dtype: 'uint8' })]])
  const units = findUnits(model.graph)
  const q = (await unitWeights(units, model.graph, grids, false, { peaks: new Map() }, {})).get('w')!
  const any = [{ x: f32([1, 16], new Float32Array(16).fill(1)) }]
  expect(saturated(model, any, q.values, grids.get('x')!)).toBe(0)
})

test('stops when it is cancelled in between', async () => {
  const model = layer(cases.MatMul!)
  const units = findUnits(model.graph)
  const grids = new Map([['x', affineGrid(0, 1, { dtype: 'uint8' })]])
  const stop = new AbortController()
  setImmediate(() => stop.abort(new Error('enough')))
  const run = unitWeights(units, model.graph, grids, true, { peaks: new Map() }, { signal: stop.signal })
  await expect(run).rejects.toThrow('enough')
})
