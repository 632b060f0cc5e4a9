/** `pare factorize`: what it says of each layer, and of options that contradict each other. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { pare as runPare } from '../../../test/pare.js'
import { builder, modelOf } from '../../ir/builder.js'
import { elementCount, f32, numbers } from '../../ir/tensor.js'
import type { Model, Tensor } from '../../ir/types.js'
import { readModel, writeModel } from '../../onnx/files.js'

const folder = mkdtempSync(join(tmpdir(), 'pare-factorize-'))
const at = (name: string): string => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

function twoProducts(low: Tensor, between: string): Model {
  const b = builder()
  b.input('x', { kind: 'tensor', dtype: 'float32', shape: ['n', 48] })
  const first = b.op('MatMul', ['x', b.constant(low, 'low')], { name: 'low' })
  b.output(b.op('MatMul', [b.op(between, [first]), b.constant(weights([60, 40], 2), 'full')], { name: 'full' }), {
    kind: 'tensor',
    dtype: 'float32',
    shape: ['n', 40],
  })
  return modelOf(b.graph())
}

/** Of the first weight two in three columns repeat the one before; the second has all it can have. */
beforeAll(async () => {
  const own = numbers(weights([48, 60], 1))
  const low = f32(
    [48, 60],
    own.map((_, i) => own[i - (i % 3)]!),
  )
  for (const [file, between] of [
    ['model.onnx', 'Relu'],
    ['linear.onnx', 'Identity'],
  ] as const)
    await writeModel(twoProducts(low, between), at(file))
  writeFileSync(
    at('rows.mjs'),
    'export default Array.from({ length: 64 }, (_, n) => ({ x: Float32Array.from({ length: 48 }, (_, i) => Math.sin(n * n * 5 + i * i * (n + 1))) }))',
  )
})

const factorize = (model: string, ...args: readonly string[]) =>
  runPare('factorize', at(model), '-o', at('out.onnx'), ...args.map((a) => (/\.mjs$/.test(a) ? at(a) : a)))
const pare = (...args: readonly string[]) => factorize('model.onnx', ...args)

test('tells what became of each layer', async () => {
  const { status, result } = await pare('--energy', '99.99%')
  expect(status).toBe(0)
  expect(result).toMatchObject({ method: 'svd', output: at('out.onnx') })
  expect(result.layers).toMatchObject([
    { nodes: ['low'], op: 'MatMul', ranks: [20], parameters: 2880, parametersInParts: 2160, isSplit: true },
    { nodes: ['full'], energy: 1, parameters: 2400, isSplit: false, reason: 'no fewer parameters' },
  ])
  expect(result.bytes).toBeLessThan(result.originalBytes)
  const { graph } = await readModel(at('out.onnx'))
  expect([...graph.constants.values()].reduce((n, t) => n + elementCount(t.shape), 0)).toBe(2160 + 2400)
})

test('looks at samples, and says where the outputs went far', async () => {
  const { result, answer } = await pare('--data', 'rows.mjs', '--ratio', '0.1')
  expect(result.layers[0].isOnSamples).toBe(true)
  expect(JSON.stringify(answer.warnings)).toContain('keep more of the energy')
})

test('what contradicts itself, or has nothing to gain, is refused', async () => {
  const twice = await pare('--energy', '0.9', '--rank', 'bic')
  expect(twice).toMatchObject({ status: 2, code: 'OPTION_UNUSED' })
  expect(twice.answer.error.message).toContain('--energy decides')
  expect(await pare('--exclude', 'low', '--exclude', 'full')).toMatchObject({ status: 3, code: 'FACTORIZE_NOTHING' })
  expect((await pare('--method', 'tucker')).answer.error.message).toContain('kernel')
  expect((await pare('--exclude', 'lwo')).code).toBe('PARAM_INVALID')
})

test('slices what lies between two layers', async () => {
  const slice = (...args: readonly string[]) => factorize('linear.onnx', '--method', 'slice', ...args)
  const sliced = await slice('--data', 'rows.mjs', '--energy', '99%')
  expect(sliced.result.layers).toMatchObject([
    { nodes: ['low'], op: 'stream', shape: [60], isSplit: true, isOnSamples: true, reason: 'fewer coordinates' },
  ])
  const { graph } = await readModel(at('out.onnx'))
  const left = [...graph.constants.values()].reduce((n, t) => n + elementCount(t.shape), 0)
  expect(left).toBe(sliced.result.layers[0].parametersInParts)
  expect(sliced.result.layers[0].ranks[0] % 4).toBe(0)
  expect((await slice()).code).toBe('CALIBRATION_MISSING')
  for (const more of [
    ['--for', 'latency'],
    ['--rank', 'bic'],
  ])
    expect((await slice('--data', 'rows.mjs', ...more)).code).toBe('OPTION_UNUSED')
})
