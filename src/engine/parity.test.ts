import { afterAll, beforeAll, expect, test } from 'vitest'
import { linearModel } from '../../test/small-models.js'
import { f32 } from '../ir/tensor.js'
import type { Engine, Session } from './engine.js'
import { openEngine } from './node/open.js'
import { checkParity } from './parity.js'

let native: Engine
let wasm: Engine
beforeAll(async () => {
  native = await openEngine()
  wasm = await openEngine({ device: 'wasm' })
})
afterAll(() => Promise.all([native.close(), wasm.close()]))

const feeds = { x: f32([1, 8], [1, -2, 3, 4, -5, 6, 7, 8]) }

test('two devices that agree pass, with the numbers', async () => {
  const [y] = await checkParity(wasm, native, linearModel(8, 4), feeds)
  expect(y).toMatchObject({ output: 'y', ok: true })
  expect(y!.relativeL2).toBeLessThan(1e-5)
})

/** The native engine, its answers off by a factor or not numbers, as those of a broken driver. */
const broken = (factor: number): Engine => ({
  ...native,
  device: 'broken',
  async load(model, options) {
    const session: Session = await native.load(model, options)
    return {
      ...session,
      run: async (...args) => {
        const { y } = await session.run(...args)
        const data = new Float32Array(y!.bytes().slice().buffer)
        return {
          y: f32(
            y!.shape,
            data.map((v, i) => (i === 1 ? v * factor : v)),
          ),
        }
      },
    }
  },
})

test('a device that errs is refused with the numbers', async () => {
  await expect(checkParity(broken(1.5), native, linearModel(8, 4), feeds)).rejects.toMatchObject({
    code: 'ENGINE_PARITY',
    message: expect.stringMatching(/y: relative \d\.\d+e[-+]\d+, max .*device broken/),
  })
  await expect(checkParity(broken(Number.NaN), native, linearModel(8, 4), feeds)).rejects.toMatchObject({
    code: 'ENGINE_PARITY',
  })
  expect(await checkParity(broken(1.5), native, linearModel(8, 4), feeds, { tolerance: 10 })).toHaveLength(1)
})
