import { constants, existsSync, statfsSync } from 'node:fs'
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plainModel } from '../../test/plain.js'
import { builder, modelOf } from '../ir/builder.js'
import { elements, f32 } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { encodeModel } from './codec.js'
import { readModel, writeModel } from './files.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-models-'))
})
afterAll(() => rm(folder, { recursive: true }))

const fresh = async (): Promise<string> => mkdtemp(join(folder, 'case-'))

function sample(weights: Readonly<Record<string, Tensor>>): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: null })
  for (const [name, t] of Object.entries(weights)) b.constant(t, name)
  b.ops('Sum', ['x', ...Object.keys(weights)], { outputs: ['y'] })
  b.output('y', { kind: 'tensor', dtype: 'float32', shape: null })
  return modelOf(b.graph())
}

const ramp = (n: number, from = 0): Tensor =>
  f32(
    [n],
    Float32Array.from({ length: n }, (_, i) => from + i),
  )
const large = () => sample({ a: ramp(1000), b: ramp(3000, 5), bias: ramp(2) })

async function errorOf(work: Promise<unknown>): Promise<PareError> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  if (error instanceof PareError) return error
  throw error ?? new Error('no error')
}
const codeOf = async (work: Promise<unknown>): Promise<string> => (await errorOf(work)).code

test('a model is written and read', async () => {
  const path = join(await fresh(), 'm.onnx')
  await writeModel(large(), path)
  expect(plainModel(await readModel(path))).toEqual(plainModel(large()))
})

test('large weights lie beside the model, and come along when it is written elsewhere', async () => {
  const at = await fresh()
  const path = join(at, 'm.onnx')
  await writeModel(large(), path, { externalAbove: 1000 })
  expect((await readdir(at)).sort()).toEqual(['m.onnx', 'm.onnx.data'])
  expect((await readFile(path)).byteLength).toBeLessThan(1000)
  expect((await readFile(`${path}.data`)).byteLength).toBe(4096 + 12_000)
  const model = await readModel(path)
  expect(model.graph.constants.get('b')!.external).toEqual({ location: 'm.onnx.data', offset: 4096, length: 12_000 })
  expect(model.graph.constants.get('bias')!.external).toBeUndefined()

  const elsewhere = join(await fresh(), 'whole.onnx')
  await writeModel(model, elsewhere)
  await mkdir(join(at, 'again'))
  const again = join(at, 'again', 'other.onnx')
  await writeModel(model, again, { externalAbove: 0 })
  await rm(path)
  await rm(`${path}.data`)
  expect(plainModel(await readModel(elsewhere))).toEqual(plainModel(large()))
  expect(plainModel(await readModel(again))).toEqual(plainModel(large()))
})

test('a model can be written over the files that its weights are read from', async () => {
  const path = join(await fresh(), 'm.onnx')
  await writeModel(large(), path, { externalAbove: 1000 })
  const model = await readModel(path)
  const { b, ...rest } = Object.fromEntries(model.graph.constants)
  await writeModel(sample({ b: b!, ...rest }), path, { externalAbove: 1000 })
  expect(plainModel(await readModel(path))).toEqual(
    plainModel(sample({ b: ramp(3000, 5), a: ramp(1000), bias: ramp(2) })),
  )
  // The old model in memory must not see the new file's bytes at its own offsets.
  const code = (t: Tensor) => {
    try {
      return [...elements(t)].join() === [...elements(ramp(1000))].join() ? 'right' : 'wrong'
    } catch (error) {
      return (error as PareError).code
    }
  }
  expect(['right', 'EXTERNAL_CHANGED']).toContain(code(model.graph.constants.get('a')!))
  const unread = await readModel(path)
  await writeModel(large(), path, { externalAbove: 1000 })
  expect(code(unread.graph.constants.get('a')!)).toBe('EXTERNAL_CHANGED')
})

test('data outside the folder is refused, in whatever way it is named', async () => {
  const at = await fresh()
  await mkdir(join(at, 'model'))
  const path = join(at, 'model', 'm.onnx')
  await writeModel(large(), path, { externalAbove: 1000 })
  await copyFile(`${path}.data`, join(at, 'outside.data'))
  const named = async (location: string) => {
    await writeFile(path, encodeModel(large(), { external: { location } }).bytes)
    return codeOf(readModel(path))
  }
  expect(await named('../outside.data')).toBe('EXTERNAL_PATH')
  expect(await named('sub/../../outside.data')).toBe('EXTERNAL_PATH')
  expect(await named(join(at, 'outside.data'))).toBe('EXTERNAL_PATH')
  expect(await named('/etc/passwd')).toBe('EXTERNAL_PATH')
  expect(await named('..\\outside.data')).toBe('EXTERNAL_PATH')
  expect(await named('C:\\outside.data')).toBe('EXTERNAL_PATH')
  expect(await named('a\0b')).toBe('EXTERNAL_PATH')
  await symlink('../outside.data', join(at, 'model', 'link.data'))
  expect(await named('link.data')).toBe('EXTERNAL_PATH')
  await symlink('m.onnx.data', join(at, 'model', 'inside.data'))
  await writeFile(path, encodeModel(large(), { external: { location: 'inside.data' } }).bytes)
  expect(plainModel(await readModel(path))).toEqual(plainModel(large()))
})

test('a download cache, where model and data are links to one other folder, is read', async () => {
  const at = await fresh()
  await mkdir(join(at, 'blobs'))
  await mkdir(join(at, 'snapshot'))
  const path = join(at, 'snapshot', 'm.onnx')
  await writeModel(large(), path, { externalAbove: 1000 })
  for (const name of ['m.onnx', 'm.onnx.data']) {
    await rename(join(at, 'snapshot', name), join(at, 'blobs', `hash-of-${name}`))
    await symlink(`../blobs/hash-of-${name}`, join(at, 'snapshot', name))
  }
  expect(plainModel(await readModel(path))).toEqual(plainModel(large()))
})

test('missing and short data are found when the model is read', async () => {
  const path = join(await fresh(), 'm.onnx')
  await writeModel(large(), path, { externalAbove: 1000 })
  const data = await readFile(`${path}.data`)
  await writeFile(`${path}.data`, data.subarray(0, -1))
  expect(await codeOf(readModel(path))).toBe('EXTERNAL_SHORT')
  await rm(`${path}.data`)
  const error = await errorOf(readModel(path))
  expect(error.code).toBe('EXTERNAL_MISSING')
  expect(error.message).toContain('m.onnx.data')
})

test('of data beyond 2 GB only the part is read that is asked for', async (context) => {
  const at = await fresh()
  const space = statfsSync(at)
  const file = await open(join(at, 'far.data'), 'w')
  const offset = 3 * 2 ** 30
  try {
    await file.truncate(offset + 4000)
    await file.write(new Uint8Array(new Float32Array(1000).fill(7).buffer), 0, 4000, offset)
  } catch {
    context.skip(`no room for a sparse file of 3 GB (${space.bavail * space.bsize} bytes free)`)
  } finally {
    await file.close()
  }
  const path = join(at, 'm.onnx')
  const far: Tensor = { ...ramp(1000), external: { location: 'far.data', offset, length: 4000 } }
  await writeFile(path, encodeModel(sample({ a: far }), { keepReferences: true }).bytes)
  const before = process.memoryUsage().arrayBuffers
  const a = (await readModel(path)).graph.constants.get('a')!
  expect([...elements(a)]).toEqual(new Array(1000).fill(7))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27)
})

test('what cannot be read is named', async () => {
  const at = await fresh()
  await writeFile(join(at, 'b.onnx'), '')
  expect(await codeOf(readModel(join(at, 'none.onnx')))).toBe('FILE_MISSING')
  expect(await codeOf(readModel(join(at, 'b.onnx', 'c')))).toBe('FILE_MISSING')
  expect(await codeOf(readModel(join(at, 'b.onnx')))).toBe('MODEL_EMPTY')
  const error = await errorOf(readModel(at))
  expect(error.code).toBe('FILE_IS_FOLDER')
  expect(error.message).toContain('b.onnx')
})

test.skipIf(process.getuid?.() === 0)('a file without the right to read is named (not as root)', async () => {
  const path = join(await fresh(), 'm.onnx')
  await writeModel(large(), path)
  await chmod(path, constants.S_IWUSR)
  expect(await codeOf(readModel(path))).toBe('FILE_UNREADABLE')
})

const PICKLE = Buffer.from('\x80\x02}q\x00.', 'latin1')
const ZIP = Buffer.from('PK\x03\x04 archive')
test.each([
  ['model.pt', ZIP, 'torch.onnx.export'],
  ['model.pth', PICKLE, 'torch.onnx.export'],
  ['renamed.onnx', PICKLE, 'torch.onnx.export'],
  ['renamed.onnx', ZIP, 'Unpack'],
  ['model.keras', ZIP, 'keras.saving'],
  ['model.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), 'keras.saving'],
  ['model.tflite', Buffer.from('\x1c\0\0\0TFL3'), '--tflite'],
  ['saved_model.pb', Buffer.from('\x08\x01\x12\x05hello'), '--saved-model'],
  ['model.safetensors', Buffer.from('\x10\0\0\0\0\0\0\0{"a":{}}'), 'optimum-cli'],
  ['model.joblib', Buffer.from('\x80\x04\x95', 'latin1'), 'skl2onnx'],
  ['model.pkl', PICKLE, 'skl2onnx'],
  ['model.ort', Buffer.from('\x18\0\0\0ORTM'), '.onnx file'],
  ['model.onnx', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'), 'git lfs pull'],
  ['model.onnx', Buffer.from('<!DOCTYPE html><html>'), 'raw file'],
  ['x.npy', Buffer.from('\x93NUMPY', 'latin1'), 'samples'],
  ['model.onnx.gz', gzipSync('model'), 'Unpack'],
  ['renamed.onnx', Buffer.from('\x28\xb5\x2f\xfd\x04\x00', 'latin1'), 'Unpack'],
  ['model.mlmodel', Buffer.from('\x08\x04\x12\x0ctext'), 'Core ML'],
  ['notes.onnx', Buffer.from('hello wörld\n'), 'text file'],
])('%s of another format gets the way out', async (name, bytes, remedy) => {
  const path = join(await fresh(), name)
  await writeFile(path, bytes)
  const error = await errorOf(readModel(path))
  expect(error.code).toBe('MODEL_FORMAT')
  expect(error.message).toContain(remedy)
})

test.skipIf(process.platform !== 'linux')('a device without end is no model, and is not read for ever', async () => {
  expect(await codeOf(readModel('/dev/zero'))).toBe('MODEL_GARBAGE')
})

test('a model named like another format is read all the same', async () => {
  const path = join(await fresh(), 'model.pb')
  await writeModel(large(), path)
  expect((await readModel(path)).graph.nodes).toHaveLength(1)
})

test('where the model cannot be written, neither it nor its data is left or changed', async () => {
  const at = await fresh()
  const path = join(at, 'm.onnx')
  await mkdir(path)
  expect(await codeOf(writeModel(large(), path, { externalAbove: 0 }))).toBe('FILE_UNWRITABLE')
  expect(await readdir(at)).toEqual(['m.onnx'])
  expect(await codeOf(writeModel(large(), join(at, 'none', 'm.onnx')))).toBe('FILE_UNWRITABLE')

  const other = join(at, 'other.onnx')
  await writeModel(large(), other, { externalAbove: 1000 })
  const lost = await readModel(other)
  await rm(`${other}.data`)
  expect(await codeOf(writeModel(lost, other, { externalAbove: 0 }))).toBe('EXTERNAL_CHANGED')
  expect((await readdir(at)).sort()).toEqual(['m.onnx', 'other.onnx'])
  expect(existsSync(`${other}.data`)).toBe(false)
})

test('written through a link, model and data lie beside the file itself, and both names read them', async () => {
  const at = await fresh()
  const [path, link] = [join(at, 'm.onnx'), join(at, 'links', 'l.onnx')]
  await writeModel(large(), path)
  await mkdir(join(at, 'links'))
  await symlink(path, link)
  await writeModel(large(), link, { externalAbove: 1000 })
  expect((await readdir(at)).sort()).toEqual(['links', 'm.onnx', 'm.onnx.data'])
  expect(await readdir(join(at, 'links'))).toEqual(['l.onnx'])
  for (const name of [path, link]) {
    const [read] = (await readModel(name)).graph.constants.values()
    expect([...elements(read!)]).toEqual([...elements([...large().graph.constants.values()][0]!)])
  }
})

test('a device takes a whole model', async () => {
  await writeModel(large(), '/dev/null', { externalAbove: 0 })
  expect(existsSync('/dev/null.data')).toBe(false)
})
