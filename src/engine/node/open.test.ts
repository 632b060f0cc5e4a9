import { describe, expect, test } from 'vitest'
import { dataPath } from '../../../test/data.js'
import { f32, floats } from '../../ir/tensor.js'
import { openEngine } from './open.js'

const mnist = dataPath('models/mnist-cntk.onnx')

describe.skipIf(mnist === null)('a real model (mnist-cntk)', () => {
  test('gives the same outputs natively and in WebAssembly', async () => {
    const image = f32(
      [1, 1, 28, 28],
      Float32Array.from({ length: 784 }, (_, i) => (i * 37) % 256),
    )
    const outputs = []
    for (const device of ['cpu', 'wasm']) {
      const engine = await openEngine({ device })
      const session = await engine.load({ path: mnist! })
      outputs.push(floats((await session.run({ Input3: image })).Plus214_Output_0!))
      await engine.close()
    }
    const [native, wasm] = outputs
    expect(native).toHaveLength(10)
    for (const [i, v] of native!.entries()) expect(wasm![i]).toBeCloseTo(v, 1)
    expect(Math.max(...native!.map(Math.abs))).toBeGreaterThan(100)
  })
})
