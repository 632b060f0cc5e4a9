/** What `pare apply` refuses. docs/commands/apply.md runs it. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pare } from '../../../test/pare.js'
import { spareModel } from '../../../test/prunable.js'
import { writeModel } from '../../onnx/files.js'

let folder: string
const at = (name: string): string => join(folder, name)
const recipe = (steps: unknown): string => JSON.stringify({ version: 1, steps, seed: 0 })
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-apply-'))
  await writeModel(spareModel(), at('model.onnx'))
  await writeFile(at('store.json'), recipe([{ transform: 'store/int8', params: {} }]))
  await writeFile(at('static.json'), recipe([{ transform: 'quantize/static', params: {} }]))
  await writeFile(at('unknown.json'), recipe([{ transform: 'store/int7' }]))
  const found = { version: 1, steps: [{ transform: 'sparsify/wanda', params: {} }], seed: 0, samples: true }
  await writeFile(at('found.json'), JSON.stringify(found))
  await writeFile(at('text.json'), 'store int8')
})
afterAll(() => rm(folder, { recursive: true }))

test('makes a model, and says what each step did', async () => {
  const { status, result } = await pare('apply', at('store.json'), at('model.onnx'), '-o', at('out.onnx'))
  expect([status, result.steps]).toEqual([0, [{ transform: 'store/int8' }]])
  expect((await readFile(at('out.onnx'))).byteLength).toBe(result.bytes)
})

test.each([
  ['static.json', [], 'RECIPE_SAMPLES'],
  ['found.json', [], 'RECIPE_SAMPLES'],
  ['unknown.json', [], 'TRANSFORM_UNKNOWN'],
  ['text.json', [], 'RECIPE_JSON'],
  ['missing.json', [], 'FILE_MISSING'],
  ['store.json', ['--labels', 'y.csv'], 'OPTION_UNUSED'],
  ['store.json', ['--limit', '3'], 'OPTION_UNUSED'],
])('%s %j is refused', async (file, more, code) => {
  const made = await pare('apply', at(file), at('model.onnx'), '-o', at('none.onnx'), ...more)
  expect(made.code).toBe(code)
  expect(existsSync(at('none.onnx'))).toBe(false)
})

test('the model and the recipe are not written over', async () => {
  for (const output of ['model.onnx', 'store.json'])
    expect((await pare('apply', at('store.json'), at('model.onnx'), '-o', at(output))).code).toBe('OUTPUT_IS_INPUT')
})
