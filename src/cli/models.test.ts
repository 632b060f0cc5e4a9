/** Model files of commands: their size with external data, and what an output may not replace. */

import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { builder, modelOf } from '../ir/builder.js'
import { f32 } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { readModel, writeModel } from '../onnx/files.js'
import { PareError } from '../util/errors.js'
import { checkModelFiles, type FilesInUse, modelBytes, protectInput, writtenBytes } from './models.js'

const folder = mkdtempSync(join(tmpdir(), 'pare-models-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)

function product(): Model {
  const b = builder()
  const x = b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, 40] })
  b.output(b.op('MatMul', [x, b.constant(f32([40, 50], new Float32Array(2000).fill(0.5)))]))
  return modelOf(b.graph())
}

let external: Model
beforeAll(async () => {
  await writeModel(product(), at('ext.onnx'), { externalAbove: 1000 })
  external = await readModel(at('ext.onnx'))
  for (const name of ['rows.csv', 'other.onnx']) writeFileSync(at(name), '1,2\n')
  mkdirSync(at('link'))
})

test('the size is that of the files, whatever the model in memory was read from', async () => {
  const onDisk = statSync(at('ext.onnx')).size + statSync(at('ext.onnx.data')).size
  expect(await modelBytes(at('ext.onnx'), external)).toBe(onDisk)
  expect(await checkModelFiles([at('ext.onnx')])).toEqual([onDisk])
  await writeModel(external, at('whole.onnx'))
  expect(await writtenBytes(at('whole.onnx'))).toBe(statSync(at('whole.onnx')).size)
  await writeModel(product(), at('apart.onnx'), { externalAbove: 1000 })
  expect(await writtenBytes(at('apart.onnx'))).toBe(
    statSync(at('apart.onnx')).size + statSync(at('apart.onnx.data')).size,
  )
})

test('a stretch of a file that several weights share counts once', async () => {
  const [name, weight] = [...external.graph.constants][0]!
  const twice = { ...external.graph, constants: new Map([...external.graph.constants, [`${name}2`, { ...weight }]]) }
  const once = await modelBytes(at('ext.onnx'), external)
  expect(await modelBytes(at('ext.onnx'), { ...external, graph: twice })).toBe(once)
})

test.skipIf(process.platform === 'win32')('a device has no size, and cannot be read again', async () => {
  expect(await modelBytes('/dev/null', external)).toBeNull()
  expect(await writtenBytes('/dev/null')).toBeNull()
  await expect(checkModelFiles(['/dev/null'])).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
})

const outcome = async (output: string | undefined, force: boolean, use: FilesInUse = {}): Promise<string> => {
  try {
    await protectInput(at('ext.onnx'), output && at(output), force, { model: external, ...use })
    return 'allowed'
  } catch (error) {
    return error instanceof PareError ? error.code : String(error)
  }
}

test.each<[string | undefined, boolean, FilesInUse, string]>([
  ['new.onnx', false, {}, 'allowed'],
  ['other.onnx', false, {}, 'allowed'],
  ['ext.onnx', false, {}, 'OUTPUT_IS_INPUT'],
  ['./link/../ext.onnx', false, {}, 'OUTPUT_IS_INPUT'],
  ['ext.onnx', true, {}, 'allowed'],
  ['ext.onnx.data', false, {}, 'OUTPUT_IS_INPUT'],
  ['ext.onnx.data', true, {}, 'OUTPUT_IS_INPUT'],
  ['rows.csv', false, { read: [at('rows.csv'), undefined] }, 'OUTPUT_IS_INPUT'],
  ['rows.csv', true, { read: [at('rows.csv')] }, 'OUTPUT_IS_INPUT'],
  ['new.onnx', false, { report: at('new.html') }, 'allowed'],
  [undefined, false, { report: at('new.html') }, 'allowed'],
  ['new.onnx', true, { report: at('ext.onnx') }, 'OUTPUT_IS_INPUT'],
  ['new.onnx', true, { report: at('ext.onnx.data') }, 'OUTPUT_IS_INPUT'],
  ['new.onnx', false, { report: at('rows.csv'), read: [at('rows.csv')] }, 'OUTPUT_IS_INPUT'],
  ['new.onnx', false, { report: at('link/../new.onnx') }, 'OUTPUT_TWICE'],
])('output %s, force %s, %o: %s', async (output, force, use, expected) => {
  expect(await outcome(output, force, use)).toBe(expected)
})

test.skipIf(process.platform === 'win32')('links are followed', async () => {
  symlinkSync(at('ext.onnx.data'), at('link/data'))
  expect(await outcome('link/data', false)).toBe('OUTPUT_IS_INPUT')
  symlinkSync(at('link/nothing.onnx'), at('link/dangling'))
  expect(await outcome('link/nothing.onnx', false, { report: at('link/dangling') })).toBe('OUTPUT_TWICE')
})

test('the weights that are written beside the output are protected from being weights that are read', async () => {
  await writeModel(product(), at('one.onnx'), { externalAbove: 1000 })
  const model = await readModel(at('one.onnx'))
  // A model called two.onnx whose weights lie in one.onnx.data: one.onnx would write there.
  for (const force of [false, true]) {
    const protect = protectInput(at('two.onnx'), at('one.onnx'), force, { model })
    await expect(protect).rejects.toMatchObject({ code: 'OUTPUT_IS_INPUT' })
  }
})
