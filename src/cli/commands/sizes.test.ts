/** Dimensions that a model leaves open: without a name, and with sizes given by --shape. */

import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { pare as runPare } from '../../../test/pare.js'
import { openOnlyModel, value } from '../../../test/small-models.js'
import { builder, modelOf } from '../../ir/builder.js'
import type { Dim, Model } from '../../ir/types.js'
import { readModel, writeModel } from '../../onnx/files.js'
import type { Outcome } from '../../search/outcome.js'
import { sha256 } from '../../util/hash.js'

/** y = x·W·V, twice so that the second product may fall back. */
function products(shape: readonly Dim[]): Model {
  const b = builder()
  b.input('x', value('float32', shape))
  const h = b.op('MatMul', ['x', b.constant(weights([64, 64], 1, 0.1), 'w')], { name: 'first' })
  b.ops('MatMul', [b.op('Relu', [h]), b.constant(weights([64, 64], 2, 0.1), 'v')], { outputs: ['y'], name: 'second' })
  b.output('y', value('float32', shape))
  return modelOf(b.graph())
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-sizes-'))
  await writeModel(products([null, null, 64]), at('unnamed.onnx'))
  await writeModel(products(['n', 't', 64]), at('named.onnx'))
  await writeModel(openOnlyModel(), at('open-only.onnx'))
  const samples = (width: number, more = '') => `
    let s = 1
    const r = () => (s = (s * 1103515245 + 12345) % 2147483648) / 1073741824 - 1
    export default async function* () {
      s = 1
      for (let i = 0; i < 12; i++) yield { x: [[0, 1, 2].map(() => Array.from({ length: ${width} }, r))]${more} }
    }`
  await writeFile(at('rows.mjs'), samples(64))
  await writeFile(at('flagged.mjs'), samples(8, ', flag: false'))
})
afterAll(() => rm(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)

const pare = (...args: readonly string[]) => runPare(...args, '--threads', '1')

async function compressed(model: string, ...more: readonly string[]): Promise<{ outcome: Outcome; output: string }> {
  const output = at(`small-${model}`)
  const folders = ['--run-folder', at(`run-${model}`), '-o', output]
  // For size and with room to lose, something always comes out.
  const { answer, text } = await pare('compress', at(model), '--for', 'size', '--max-drop', '0.5', ...folders, ...more)
  expect(answer.result?.output, text).toBe(output)
  return { outcome: answer.result.outcome, output }
}

const inputShape = async (path: string): Promise<unknown> => {
  const x = (await readModel(path)).graph.values.get('x')
  return x?.kind === 'tensor' && x.shape
}

describe('two dimensions without a name may differ in length', () => {
  test('when quantizing', async () => {
    const output = at('unnamed-int8.onnx')
    const ran = await pare('quantize', at('unnamed.onnx'), '--to', 'int8', '--data', at('rows.mjs'), '-o', output)
    expect(ran.status, ran.text).toBe(0)
    expect([...(await readModel(output)).graph.nodes].some((n) => n.op === 'DequantizeLinear')).toBe(true)
  })

  test('when searching', async () => {
    const { outcome } = await compressed('unnamed.onnx', '--data', at('rows.mjs'))
    expect(outcome.measure.kind).toBe('relative error')
  })
})

describe('--shape', () => {
  test('fixes what is made; hash, bytes and time are those of the file that was named', async () => {
    const { outcome, output } = await compressed('named.onnx', '--data', at('rows.mjs'), '--shape', 'n=1,t=3')
    const file = readFileSync(at('named.onnx'))
    expect(outcome.model).toMatchObject({ sha256: await sha256(file), isFile: true, shapes: { n: 1, t: 3 } })
    expect(outcome.baseline.bytes).toBe(file.length)
    expect(await inputShape(output)).toEqual([1, 3, 64])
    expect(outcome.warnings.join()).not.toContain('stay open')
  })

  test('leaves the model open where the engine refuses it otherwise, and runs it with these sizes', async () => {
    const more = ['--data', at('flagged.mjs'), '--shape', 'n=1,t=3']
    const { outcome, output } = await compressed('open-only.onnx', ...more)
    expect(outcome.warnings).toContainEqual(expect.stringMatching(/stay open.*LSTM/s))
    expect(await inputShape(output)).toEqual(['n', 't', 8])
    const quantized = at('open-only-int8.onnx')
    const ran = await pare('quantize', at('open-only.onnx'), '--to', 'store-int8', ...more, '-o', quantized)
    expect(ran.status, ran.text).toBe(0)
    expect(await inputShape(quantized)).toEqual(['n', 't', 8])
  })
})
