/** What commands say of options that have no effect, of samples without end, and of work that is not what was asked for. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { pare as runPare } from '../../../test/pare.js'
import { fragileModel } from '../../../test/search-models.js'
import { builder, modelOf } from '../../ir/builder.js'
import { writeModel } from '../../onnx/files.js'

const folder = mkdtempSync(join(tmpdir(), 'pare-options-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

beforeAll(async () => {
  await writeModel(fragileModel(), at('model.onnx'))
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: [1, 8, 16] })
  b.output(b.op('ConvTranspose', ['x', b.constant(weights([8, 8, 3], 1))]))
  await writeModel(modelOf(b.graph()), at('stored.onnx'))
  const [{ readModel }, { interfaceOf }] = await Promise.all([import('../../onnx/files.js'), import('../models.js')])
  const [input] = interfaceOf(await readModel(at('model.onnx'))).inputs
  const size = input!.shape!.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1)
  const values = `Float32Array.from({ length: ${size} }, (_, i) => Math.sin(n + i))`
  writeFileSync(
    at('endless.mjs'),
    `export default function* () { for (let n = 0; ; n++) yield { ${input!.name}: ${values} } }`,
  )
  writeFileSync(at('wide.mjs'), 'export default [{ x: new Float32Array(128) }]')
})

const pare = (...args: readonly string[]) => runPare(...args.map((a) => (/\.(onnx|mjs)$/.test(a) ? at(a) : a)))

const OUT = ['-o', 'out.onnx']

test.each<[string, readonly string[], string]>([
  ['ranges of no samples', ['quantize', 'model.onnx', '--to', 'int8', '--range', 'mse', ...OUT], '--range'],
  ['ranges of stored weights', ['quantize', 'model.onnx', '--to', 'f16', '--range', 'mse', ...OUT], '--range'],
  [
    'how to read no samples',
    ['quantize', 'model.onnx', '--to', 'int8', '--data-option', 'mean=1', ...OUT],
    '--data-option',
  ],
  ['the kind of no samples', ['verify', 'model.onnx', 'model.onnx', '--random', '--data-kind', 'csv'], '--data-kind'],
  ['how many of no samples', ['compress', 'model.onnx', '--limit', '3', '--dry-run'], '--limit'],
  ['how to read no samples, in bench', ['bench', 'model.onnx', '--data-option', 'mean=1'], '--data-option'],
  [
    'random inputs beside samples',
    ['verify', 'model.onnx', 'model.onnx', '--random', '--data', 'wide.mjs'],
    '--random',
  ],
])('%s: what has no effect is refused', async (_, args, where) => {
  const { status, answer } = await pare(...args)
  expect(answer.error).toMatchObject({ code: 'OPTION_UNUSED', where })
  expect(status).toBe(2)
})

test('of samples without end, --limit reads the first', async () => {
  const common = ['--data', 'endless.mjs', '--limit', '5', '--threads', '1']
  const made = await pare('quantize', 'model.onnx', '--to', 'int8', ...OUT, ...common)
  expect(made.answer).toMatchObject({ ok: true, result: { done: { static: expect.any(Number) } } })
  // Kinds that need no ranges are tried on some of the samples all the same.
  const blocks = await pare('quantize', 'model.onnx', '--to', 'int4', ...OUT, ...common)
  expect(blocks.answer).toMatchObject({ ok: true, warnings: [expect.stringContaining('Tried on 4 of the samples')] })
  const bench = await pare('bench', 'model.onnx', '--rounds', '5', ...common)
  expect(bench.answer.result.count).toBe(5)
  const verified = await pare('verify', 'model.onnx', 'model.onnx', ...common)
  expect(verified.answer.result.inputs).toMatchObject({ kind: 'samples', count: 5 })
  const plan = await pare('compress', 'model.onnx', '--dry-run', ...common)
  expect(plan.answer.result.recipes.some((r: { name: string }) => r.name.startsWith('static'))).toBe(true)
})

test.each([
  ['4 bits within the standard', ['model.onnx', '--to', 'int4', '--portable'], /No weight is in 4 bits: MatMulNBits/],
  ['4 bits without products', ['stored.onnx', '--to', 'int4'], /No weight is in 4 bits: there is no MatMul or Gemm/],
  [
    'samples without a layer for them',
    ['stored.onnx', '--to', 'int8', '--data', 'wide.mjs'],
    /samples fix no ranges: static int8 is not possible/,
  ],
])('%s: what was done instead is said', async (_, args, words) => {
  const { answer } = await pare('quantize', ...args, ...OUT)
  expect(answer.warnings).toEqual([expect.stringMatching(words)])
  expect(answer.result.done).toMatchObject({ static: 0, blocks4: 0 })
})

test('what was asked for needs no warning', async () => {
  const { answer } = await pare('quantize', 'model.onnx', '--to', 'int4', ...OUT)
  expect(answer.warnings).toEqual([])
  expect(answer.result.done.blocks4).toBeGreaterThan(0)
})

test('of several models, the one that is at fault is named', async () => {
  const verified = await pare('verify', 'model.onnx', 'stored.onnx', '--random')
  expect(verified.answer.error).toMatchObject({ code: 'ENGINE_FEEDS', where: expect.stringContaining('stored.onnx') })
  const bench = await pare('bench', 'model.onnx', 'stored.onnx', '--rounds', '5')
  expect(bench.answer.error).toMatchObject({ code: 'ENGINE_FEEDS', where: expect.stringContaining('stored.onnx') })
})
