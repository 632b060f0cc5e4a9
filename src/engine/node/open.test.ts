import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dataPath } from '../../../test/data.js'
import {
  bytesOf,
  linearModel,
  loopFeeds,
  loopModel,
  patternTensor,
  reshapeModel,
  sequenceModel,
  unaryModel,
  value,
} from '../../../test/small-models.js'
import { builder } from '../../ir/builder.js'
import { DTYPES } from '../../ir/dtypes.js'
import { f32, floats, i64, stringTensor, tensorOfBytes } from '../../ir/tensor.js'
import type { KnownDType, Tensor } from '../../ir/types.js'
import type { Engine } from '../engine.js'
import { openEngine } from './open.js'

const text = new TextEncoder()
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

describe.each(['cpu', 'wasm'])('device %s', (device) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ device, threads: 2 })
  })
  afterAll(() => engine.close())

  test('says what it is', () => {
    expect(engine).toMatchObject({
      name: device === 'cpu' ? 'onnxruntime-node' : 'onnxruntime-web',
      device,
      threads: 2,
    })
    expect(engine.version).toMatch(/^\d+\.\d+/)
  })

  test.each([
    'float32',
    'float64',
    'float16',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'uint16',
    'uint32',
    'uint64',
    'bool',
  ] as const)('%s tensors pass through with every bit, of any size and rank', async (dtype: KnownDType) => {
    const session = await engine.load(unaryModel('Identity', { dtype, shape: null }))
    for (const shape of [[2, 3], [], [0, 3], [1, 1, 5]]) {
      const x = patternTensor(dtype, shape, DTYPES[dtype].bits)
      const kept = x.bytes().slice()
      const { y } = await session.run({ x })
      expect(y).toMatchObject({ dtype, shape })
      expect(same(y!.bytes(), kept)).toBe(true)
      expect(same(x.bytes(), kept), "the caller's buffer stays whole").toBe(true)
    }
    await session.close()
  })

  test('a length without a name is open', async () => {
    const session = await engine.load(unaryModel('Identity', { dtype: 'float32', shape: [null, 'n', 2] }))
    expect(session.inputs[0]!.shape).toEqual(['', 'n', 2])
    const { y } = await session.run({ x: f32([3, 1, 2], [1, 2, 3, 4, 5, 6]) })
    expect(y!.shape).toEqual([3, 1, 2])
    await session.close()
  })

  test('string tensors pass through; bytes that are not UTF-8 are refused', async () => {
    const session = await engine.load(unaryModel('Identity', { dtype: 'string' }))
    const words = ['a', '', 'é漢', '\ufeffbom'].map((s) => text.encode(s))
    const { y } = await session.run({ x: stringTensor([2, 2], words) })
    expect(y!.strings!()).toEqual(words)
    expect(y!.bytes().byteLength).toBe(y!.byteLength)
    expect((await session.run({ x: stringTensor([0, 2], []) })).y!.shape).toEqual([0, 2])
    await expect(session.run({ x: stringTensor([1, 1], [Uint8Array.of(0xff, 0xfe)]) })).rejects.toMatchObject({
      code: 'ENGINE_FEEDS',
      message: expect.stringContaining('UTF-8'),
    })
  })

  test('4-bit tensors pass where the runtime carries them, and are refused where they would end the process', async () => {
    const b = builder()
    b.input('x', value('int4', ['n']))
    const s = b.constant(f32([], [1]))
    b.ops('DequantizeLinear', ['x', s], { outputs: ['y'] })
    b.output('y', value('float32', ['n']))
    const session = await engine.load(bytesOf(b.graph()))
    const run = session.run({ x: tensorOfBytes('int4', [3], Uint8Array.of(0xf1, 0x07)) })
    if (device === 'wasm') expect([...floats((await run).y!)]).toEqual([1, -1, 7])
    else await expect(run).rejects.toMatchObject({ code: 'ENGINE_FEEDS', detail: { where: 'input x' } })

    const q = builder()
    q.input('x', value('float32', ['n']))
    const zero = q.constant(tensorOfBytes('int4', [], Uint8Array.of(0)))
    q.ops('QuantizeLinear', ['x', q.constant(f32([], [1])), zero], { outputs: ['y'] })
    q.output('y', value('int4', ['n']))
    const other = await engine.load(bytesOf(q.graph()))
    await expect(other.run({ x: f32([3], [1, 2, 3]) })).rejects.toMatchObject({ code: 'ENGINE_OUTPUTS' })
  })

  test('names the input that is missing, unknown, of another type or shape, before anything runs', async () => {
    const session = await engine.load(linearModel(4, 2))
    const x = f32([1, 4], [1, 2, 3, 4])
    const refused = (feeds: Record<string, Tensor>, message: RegExp) =>
      expect(session.run(feeds)).rejects.toMatchObject({
        code: 'ENGINE_FEEDS',
        message: expect.stringMatching(message),
      })
    await refused({}, /input x: missing, expected float32\[n, 4\]/)
    await refused({ x, z: x }, /input z: the model has no such input, it has x/)
    await refused({ x: i64([1, 4], [1, 2, 3, 4]) }, /input x: expected element type float32 \(got "int64"\)/)
    await refused({ x: f32([4], [1, 2, 3, 4]) }, /input x: expected shape \[n, 4\] \(got "\[4\]"\)/)
    await refused({ x: f32([1, 5], [1, 2, 3, 4, 5]) }, /input x: expected shape \[n, 4\]/)
    await refused({ x: { ...x, shape: [2, 4] } }, /does not fit float32\[2, 4\]/)
    expect((await session.run({ x })).y!.shape).toEqual([1, 2])
  })

  test('returns the outputs asked for; sequences are refused with a way out', async () => {
    const session = await engine.load(sequenceModel())
    const x = f32([2], [1, 2])
    expect(session.outputs[0]).not.toHaveProperty('shape')
    expect(Object.keys(await session.run({ x }, { outputs: ['y'] }))).toEqual(['y'])
    await expect(session.run({ x })).rejects.toMatchObject({ code: 'ENGINE_OUTPUTS', detail: { where: 'output s' } })
    await expect(session.run({ x }, { outputs: ['q'] })).rejects.toMatchObject({ code: 'ENGINE_OUTPUTS' })
  })

  test('tells why a model is refused', async () => {
    const refused = (model: Uint8Array | { path: string }, message: RegExp) =>
      expect(engine.load(model)).rejects.toMatchObject({
        code: 'ENGINE_LOAD',
        message: expect.stringMatching(message),
        cause: expect.any(Error),
      })
    await refused(Uint8Array.of(1, 2, 3), /cannot read this as an ONNX model/)
    await refused({ path: '/nowhere/m.onnx' }, /\/nowhere\/m\.onnx: the engine cannot open a file/)
    await refused(unaryModel('Bar', { domain: 'com.example' }), /no kernel for operator com\.example:Bar/)
    await refused(unaryModel('Elu', { dtype: 'float64' }), /node Elu_node: the engine has no kernel for operator Elu/)
    await refused(unaryModel('Identity', { dtype: 'bfloat16' }), /element type/)
    const b = builder()
    b.input('x', value('float32', [1]))
    b.ops('Relu', ['x'], { outputs: ['y'] })
    b.output('y', value('float32', [1]))
    await refused(bytesOf(b.graph(), { '': 99 }), /newer opset/)
  })

  test('a run that fails says so, and names the node where the runtime tells', async () => {
    const session = await engine.load(reshapeModel())
    await expect(session.run({ x: f32([2], [1, 2]), s: i64([1], [3]) })).rejects.toMatchObject({
      code: 'ENGINE_RUN',
      detail: { where: device === 'wasm' ? 'model' : 'model, node reshape_it' },
      // The engine's own words, without what it says of its sources.
      message: expect.stringMatching(/failed while it ran the model: (?!.*\.cc:\d).*\{2\}.*Check that the inputs/),
    })
    expect((await session.run({ x: f32([2], [1, 2]), s: i64([2], [2, 1]) })).y!.shape).toEqual([2, 1])
  })

  test('the main thread goes on while the engine computes', async () => {
    const session = await engine.load(loopModel())
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    await session.run(loopFeeds(100_000))
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(0)
  })

  test('a cancelled call rejects at once, and the engine goes on', async () => {
    const session = await engine.load(loopModel())
    const controller = new AbortController()
    const long = session.run(loopFeeds(300_000), { signal: controller.signal })
    const waiting = session.run(loopFeeds(300_000), { signal: controller.signal })
    let isOver = false
    const late = session.run(loopFeeds(1)).finally(() => {
      isOver = true
    })
    setTimeout(() => controller.abort(new Error('enough')), 30)
    await expect(long).rejects.toMatchObject({ code: 'ABORTED', cause: expect.objectContaining({ message: 'enough' }) })
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    // What runs cannot be stopped: had the calls waited for it, the one behind them would be over as well.
    expect(isOver).toBe(false)
    expect((await late).y!.shape).toEqual([64])
    await expect(session.run(loopFeeds(1), { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(engine.load(loopModel(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('a closed session says so', async () => {
    const session = await engine.load(linearModel(2, 2))
    await session.close()
    await session.close()
    await expect(session.run({ x: f32([1, 2], [1, 2]) })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

test('a closed engine rejects what waits and what comes', async () => {
  const engine = await openEngine()
  const session = await engine.load(loopModel())
  const waiting = session.run(loopFeeds(50_000))
  const rejected = expect(waiting).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  await engine.close()
  await rejected
  await expect(engine.load(loopModel())).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  await expect(session.run(loopFeeds(1))).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
})

test('session configuration reaches the runtime', async () => {
  const engine = await openEngine()
  await expect(
    engine.load(linearModel(2, 2), { config: { 'session.intra_op_thread_affinities': 'nonsense' } }),
  ).rejects.toMatchObject({ code: 'ENGINE_LOAD' })
  await engine.load(linearModel(2, 2), { config: { 'session.intra_op.allow_spinning': '0' } })
  await engine.close()
})

test('devices and thread counts that do not exist are refused', async () => {
  await expect(openEngine({ device: 'tpu' })).rejects.toMatchObject({
    code: 'ENGINE_DEVICE',
    message: expect.stringMatching(/It has cpu, .*wasm/),
  })
  await expect(openEngine({ threads: 0 })).rejects.toMatchObject({ code: 'ENGINE_THREADS' })
})

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
