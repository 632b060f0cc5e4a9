import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../../../test/calibrated.js'
import { weights } from '../../../test/compress-models.js'
import { value } from '../../../test/small-models.js'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { optimizedGraph } from '../../engine/node/optimized.js'
import { onSigns, type SignGrid } from '../../grids/signs.js'
import { ints } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { quantize } from '../quantize/index.js'

let engine: Engine
let wasm: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
  wasm = await openEngine({ device: 'wasm', threads: 1 })
})
afterAll(async () => {
  await engine.close()
  await wasm.close()
})

const GRIDS: readonly SignGrid[] = ['binary', 'ternary']
const onGrid = (t: Tensor, axis: number | null, grid: SignGrid): Tensor =>
  f32(t.shape, onSigns(floats(t), t.shape, axis, grid))

/** A Conv, a product and a transposed one on the grid, with sizes that fill no byte; the last product is ordinary. */
function mixed(grid: SignGrid): Model {
  const b = builder()
  b.input('x', value('float32', ['N', 7, 5, 5]))
  const conv = b.constant(onGrid(weights([11, 7, 3, 3], 1), 0, grid), 'conv')
  const y = b.op('Relu', [b.op('Conv', ['x', conv])])
  const flat = b.op('Flatten', [y])
  const up = b.op('MatMul', [flat, b.constant(onGrid(weights([99, 67], 2), 1, grid), 'up')])
  const turned = b.op('Transpose', [b.constant(onGrid(weights([61, 67], 3), 0, grid), 'across')], {
    attrs: { perm: ints([1, 0]) },
  })
  const across = b.op('MatMul', [b.op('Tanh', [up]), turned])
  b.output(b.op('MatMul', [across, b.constant(weights([61, 40], 4), 'down')]), value('float32', ['N', 40]))
  return modelOf(b.graph())
}

const feeds = { x: f32([2, 7, 5, 5], floats(weights([2, 7, 5, 5], 9))) }
const env = { engine: async () => engine }

describe.each(GRIDS)('%s', (grid) => {
  test('outputs are those of the float model, bit for bit, on both engines', async () => {
    const model = mixed(grid)
    const stored = await quantize(model, { to: grid }, env)
    for (const e of [engine, wasm])
      for (const [name, t] of Object.entries(await outputsOf(e, model, feeds)))
        expect((await outputsOf(e, stored, feeds))[name]!.bytes(), e.device).toEqual(t.bytes())
  })

  test('nothing is left to do at run time', async () => {
    const model = mixed(grid)
    const stored = await quantize(model, { to: grid }, env)
    const ops = async (m: Model) =>
      (await optimizedGraph(engine, encodeModel(m).bytes, { optimization: 'basic' })).graph.nodes.map((n) => n.op)
    expect(stored.graph.nodes.length).toBeGreaterThan(model.graph.nodes.length + 10)
    expect(await ops(stored)).toEqual(await ops(model))
  })

  test('weights that are not on the grid stay as they are; those that are take 1 bit, or 1.6', async () => {
    const stored = await quantize(mixed(grid), { to: grid }, env)
    const kept = [...stored.graph.constants.values()].filter((t) => t.dtype === 'float32' && t.byteLength > 1000)
    expect(kept.map((t) => t.shape)).toEqual([[61, 40]])
    const packed = [...stored.graph.constants.values()].filter((t) => t.dtype === 'uint8' && t.byteLength > 10)
    const aByte = grid === 'binary' ? 8 : 5
    expect(packed.map((t) => t.byteLength).sort()).toEqual(
      [11 * 63, 99 * 67, 61 * 67].map((n) => Math.ceil(n / aByte)).sort(),
    )
  })

  test('a model without such weights is refused, and the remedy is to train it so', async () => {
    const b = builder()
    b.input('x', value('float32', [1, 64]))
    b.output(b.op('MatMul', ['x', b.constant(weights([64, 64], 5), 'w')]), value('float32', null))
    await expect(quantize(modelOf(b.graph()), { to: grid }, env)).rejects.toMatchObject({
      code: 'QUANTIZE_NOTHING',
      message: expect.stringContaining(`--round-to ${grid}`),
    })
  })

  test('excluded nodes keep their weights', async () => {
    const model = mixed(grid)
    const conv = model.graph.nodes.find((n) => n.op === 'Conv')!.name
    const stored = await quantize(model, { to: grid, exclude: [conv] }, env)
    const [own] = [...stored.graph.constants.values()].filter((t) => t.shape.join() === '11,7,3,3')
    expect(own!.bytes()).toEqual(model.graph.constants.get('conv')!.bytes())
  })
})

test('binary weights are ternary ones too, and a weight of three values is no binary one', async () => {
  const stored = await quantize(mixed('binary'), { to: 'ternary' }, env)
  for (const [name, t] of Object.entries(await outputsOf(engine, mixed('binary'), feeds)))
    expect((await outputsOf(engine, stored, feeds))[name]!.bytes()).toEqual(t.bytes())
  await expect(quantize(mixed('ternary'), { to: 'binary' }, env)).rejects.toMatchObject({ code: 'QUANTIZE_NOTHING' })
})
