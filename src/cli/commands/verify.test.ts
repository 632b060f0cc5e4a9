/** What `pare verify` says: classes, tolerance, and values that cannot be compared. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { value } from '../../../test/small-models.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32 } from '../../ir/tensor.js'
import { writeModel } from '../../onnx/files.js'
import { run } from '../run.js'

/** x [1, 2] → logits, probabilities. */
function model(factor: number) {
  const b = builder()
  b.input('x', value('float32', [1, 2]))
  b.ops('Mul', ['x', b.constant(f32([], [factor]), 'factor')], { outputs: ['logits'] })
  b.ops('Softmax', ['logits'], { outputs: ['p'], attrs: { axis: int(-1) } })
  b.output('logits', value('float32', [1, 2]))
  b.output('p', value('float32', [1, 2]))
  return modelOf(b.graph())
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-verify-'))
  await writeModel(model(1), join(folder, 'a.onnx'))
  await writeModel(model(1.01), join(folder, 'b.onnx'))
  const rows = (text: string) => `export default [${text}].map((x) => ({ x: [x] }))`
  await writeFile(join(folder, 'one.mjs'), rows('[1, 2]'))
  await writeFile(join(folder, 'nan.mjs'), rows('[NaN, NaN], [NaN, NaN]'))
  await writeFile(join(folder, 'some.mjs'), rows('[1, 2], [NaN, NaN], [2, 1]'))
})
afterAll(() => rm(folder, { recursive: true }))

async function verify(a: string, b: string, data: string, ...args: readonly string[]) {
  const written = { stdout: '', stderr: '' }
  const to = (stream: 'stdout' | 'stderr') => ({
    write(text: string) {
      written[stream] += text
    },
  })
  const argv = ['verify', join(folder, a), join(folder, b), '--data', join(folder, data), '--threads', '1', ...args]
  const status = await run(argv, {
    stdout: to('stdout'),
    stderr: to('stderr'),
    env: {},
    signal: new AbortController().signal,
  })
  return { status, ...written }
}

describe('the sentence', () => {
  test('says what is within the tolerance, as it was given, and counts one sample', async () => {
    expect(await verify('a.onnx', 'a.onnx', 'one.mjs', '--tolerance', '5%')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/The models agree within 0\.05 on 1 sample of /),
    })
  })

  test('says what is beyond it', async () => {
    expect(await verify('a.onnx', 'b.onnx', 'some.mjs')).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/The models differ by more than 0\.001 on 3 samples of /),
    })
  })
})

describe('the same top class', () => {
  const tops = async (...args: readonly string[]) => {
    const { stdout } = await verify('a.onnx', 'b.onnx', 'one.mjs', '--json', ...args)
    const { outputs } = JSON.parse(stdout).result as { outputs: readonly { name: string; top1?: number }[] }
    return outputs.map(({ name, top1 }) => [name, top1])
  }

  test('is counted where rows are probabilities', async () => {
    expect(await tops()).toEqual([
      ['logits', undefined],
      ['p', 1],
    ])
  })

  test('is counted where the user says so', async () => {
    expect(await tops('--scores', 'logits')).toEqual([
      ['logits', 1],
      ['p', 1],
    ])
    expect(await verify('a.onnx', 'b.onnx', 'one.mjs', '--scores', 'q')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('SCORES_UNKNOWN'),
    })
  })
})

describe('NaN in both models', () => {
  test('everywhere is no agreement, and the input is named', async () => {
    expect(await verify('a.onnx', 'a.onnx', 'nan.mjs')).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(/output logits: both .* input x is NaN or infinite in all 2 samples.*COMPARE_NAN/),
    })
  })

  test('in some samples is left out, counted, and named', async () => {
    const { status, stdout } = await verify('a.onnx', 'a.onnx', 'some.mjs', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      warnings: [expect.stringContaining('Output logits is NaN or infinite in 1 of 3 samples'), expect.anything()],
      result: {
        outputs: [
          { name: 'logits', relativeError: 0, nonFinite: 2 },
          { name: 'p', nonFinite: 2, top1: 1 },
        ],
      },
    })
  })
})
