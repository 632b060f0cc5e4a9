import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bytesOf, value } from '../../../test/small-models.js'
import { tensorAttr } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Func, Node, Tensor } from '../../ir/types.js'
import { encodeModel } from '../../onnx/codec.js'
import { writeModel } from '../../onnx/files.js'
import { openEngine } from './open.js'

const root = mkdtempSync(join(tmpdir(), 'pare-files-'))
const folder = join(root, 'model')
mkdirSync(folder)
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A field of protobuf that holds bytes; all of them here are shorter than 128. */
const field = (no: number, data: Uint8Array | string): Uint8Array => {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  return Uint8Array.from([(no << 3) | 2, bytes.length, ...bytes])
}
const join2 = (...parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((p) => [...p]))

/** y = x + w, w of 4 floats at the start of a file. Written by hand: the writer under test elsewhere has no say here. */
function externalModel(location: string): Uint8Array {
  const entry = (key: string, v: string) => field(13, join2(field(1, key), field(2, v)))
  const w = join2(
    Uint8Array.of(8, 4, 16, 1),
    field(8, 'w'),
    entry('location', location),
    entry('length', '16'),
    Uint8Array.of(112, 1),
  )
  const info = (name: string) =>
    join2(field(1, name), field(2, field(1, join2(Uint8Array.of(8, 1), field(2, field(1, Uint8Array.of(8, 4)))))))
  const node = join2(field(1, 'x'), field(1, 'w'), field(2, 'y'), field(4, 'Add'))
  const graph = join2(field(1, node), field(2, 'g'), field(5, w), field(11, info('x')), field(12, info('y')))
  const length = Uint8Array.of((graph.length & 127) | 128, graph.length >> 7)
  return join2(Uint8Array.of(8, 8, 58), length, graph, field(8, join2(field(1, ''), Uint8Array.of(16, 17))))
}

const weights = Float32Array.of(10, 20, 30, 40)
writeFileSync(join(folder, 'w.bin'), new Uint8Array(weights.buffer))
writeFileSync(join(root, 'w.bin'), new Uint8Array(weights.buffer))
writeFileSync(join(folder, 'm.onnx'), externalModel('w.bin'))
writeFileSync(join(folder, 'leaves.onnx'), externalModel('../w.bin'))
writeFileSync(join(folder, 'missing.onnx'), externalModel('gone.bin'))
symlinkSync(join(root, 'w.bin'), join(folder, 'link.bin'))
writeFileSync(join(folder, 'linked.onnx'), externalModel('link.bin'))
writeFileSync(join(folder, '..w.bin'), new Uint8Array(weights.buffer))
writeFileSync(join(folder, 'dots.onnx'), externalModel('..w.bin'))

/** y = x + w, w in another file, for a function of the model. */
function functionModel(): Uint8Array {
  const external = { location: 'w.bin', offset: 0, length: 16 }
  const w: Tensor = { ...f32([4], weights), external }
  const node = (op: string, inputs: readonly string[], out: string, attrs: Node['attrs'] = {}): Node => ({
    name: '',
    domain: '',
    op,
    inputs,
    outputs: [out],
    attrs,
  })
  const shift: Func = {
    name: 'Shift',
    domain: 'own',
    inputs: ['x'],
    outputs: ['y'],
    attributes: [],
    defaults: {},
    opsets: new Map([['', 17]]),
    nodes: [node('Constant', [], 'w', { value: tensorAttr(w) }), node('Add', ['x', 'w'], 'y')],
    values: new Map(),
  }
  const b = builder()
  b.input('x', value('float32', [4]))
  b.ops('Shift', ['x'], { outputs: ['y'], domain: 'own' })
  b.output('y', value('float32', [4]))
  const model = { ...modelOf(b.graph(), { '': 17, own: 1 }), functions: [shift] }
  return encodeModel(model, { keepReferences: true }).bytes
}

describe.each(['cpu', 'wasm'])('weights in files of their own, on %s', (device) => {
  test('are found beside the model; bytes without them and paths out of the folder are refused', async () => {
    const engine = await openEngine({ device })
    const session = await engine.load({ path: join(folder, 'm.onnx') })
    const { y } = await session.run({ x: f32([4], [1, 2, 3, 4]) })
    expect([...floats(y as Tensor)]).toEqual([11, 22, 33, 44])

    const refused = { code: 'ENGINE_LOAD' }
    await expect(engine.load(externalModel('w.bin'))).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/only its bytes.*got "w\.bin".*path/),
    })
    await expect(engine.load({ path: join(folder, 'leaves.onnx') })).rejects.toMatchObject(refused)
    await expect(engine.load({ path: join(folder, 'missing.onnx') })).rejects.toMatchObject(refused)
    await expect(engine.load({ path: join(folder, 'linked.onnx') })).rejects.toMatchObject(refused)
    const dots = await engine.load({ path: join(folder, 'dots.onnx') })
    expect([...floats((await dots.run({ x: f32([4], [1, 2, 3, 4]) })).y!)]).toEqual([11, 22, 33, 44])
    await expect(engine.load(functionModel())).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/only its bytes.*got "w\.bin"/),
    })
    await engine.close()
  })

  test('are found where writeModel put them through a link', async () => {
    const b = builder()
    b.input('x', value('float32', [1000]))
    b.output(b.op('Add', ['x', b.constant(f32([1000], new Float32Array(1000).fill(7)))], { outputs: ['y'] }))
    const file = join(root, `${device}.onnx`)
    writeFileSync(file, '')
    const link = join(folder, `${device}.onnx`)
    symlinkSync(file, link)
    await writeModel(modelOf(b.graph(), { '': 17 }), link, { externalAbove: 0 })
    const engine = await openEngine({ device })
    const session = await engine.load({ path: link })
    expect(floats((await session.run({ x: f32([1000], new Float32Array(1000)) })).y!)[999]).toBe(7)
    await engine.close()
  })

  test('a model that only speaks of locations is not mistaken for one', async () => {
    const b = builder()
    b.input('location', value('float32', [1]))
    b.ops('Relu', ['location'], { outputs: ['y'] })
    b.output('y', value('float32', [1]))
    const engine = await openEngine({ device })
    const session = await engine.load(bytesOf(b.graph()))
    expect([...floats((await session.run({ location: f32([1], [2]) })).y!)]).toEqual([2])
    await engine.close()
  })
})
