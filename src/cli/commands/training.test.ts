/** `pare train`, `finetune` and `distill` from the command line to the files. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { numbers } from '../../ir/tensor.js'
import { readModel, writeModel } from '../../onnx/files.js'
import { random } from '../../util/random.js'
import { run } from '../run.js'

let folder: string
const at = (name: string): string => join(folder, name)

/** Two classes that a circle parts, and a value to predict. */
async function writeTables(): Promise<void> {
  const { normal } = random(3)
  const rows = Array.from({ length: 240 }, () => [normal(), normal()] as const)
  const table = (title: string, value: (x: number, y: number) => string | number): string =>
    [`a,b,${title}`, ...rows.map(([x, y]) => `${x},${y},${value(x, y)}`)].join('\n')
  await writeFile(
    at('ring.csv'),
    table('label', (x, y) => Number(Math.hypot(x, y) > 1.2)),
  )
  await writeFile(
    at('names.csv'),
    table('label', (x, y) => (Math.hypot(x, y) > 1.2 ? 'out' : 'in')),
  )
  await writeFile(
    at('price.csv'),
    table('price', (x, y) => 5000 + 300 * x - 200 * y),
  )
  await writeFile(at('bare.csv'), ['a,b', ...rows.map(([x, y]) => `${x},${y}`)].join('\n'))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-train-'))
  await writeTables()
})
afterAll(() => rm(folder, { recursive: true }))

async function pare(...args: readonly string[]) {
  let text = ''
  const out = {
    write(chunk: string) {
      text += chunk
    },
  }
  const argv = [...args, '--json', '--threads', '1']
  const status = await run(argv, { stdout: out, stderr: out, env: {}, signal: new AbortController().signal })
  const answer = JSON.parse(text)
  return { status, answer, result: answer.result, code: answer.error?.code as string | undefined }
}

const RING = ['--data', 'ring.csv', '--model', 'mlp:16', '--learning-rate', '0.02', '--batch', '16'] as const
const inFolder = (args: readonly string[]): string[] =>
  args.map((a) => (/\.(csv|onnx|html|mjs|state)$/.test(a) ? at(a) : a))

describe('train', () => {
  test('a classifier of a table: it has learned, and takes the table as it is', async () => {
    const { status, result } = await pare(
      'train',
      ...inFolder([...RING, '--epochs', '30', '-o', 'ring.onnx', '--report', 'ring.html', '--test', 'ring.csv']),
    )
    expect(status).toBe(0)
    expect(result.epochs).toHaveLength(30)
    expect(result.test.accuracy).toBeGreaterThan(0.93)
    expect(result.before.loss).toBeGreaterThan(result.epochs[result.best - 1].validation.loss)
    const { graph } = await readModel(at('ring.onnx'))
    expect(graph.values.get(graph.inputs[0]!)).toMatchObject({ shape: ['N', 2] })
    const report = await readFile(at('ring.html'), 'utf8')
    expect(report).toContain('right on test samples')
    expect(report).not.toMatch(/<script|https?:/)
  })

  test('classes by name, and values on their own scale', async () => {
    const named = await pare(
      'train',
      ...inFolder(['--data', 'names.csv', '--model', 'mlp:16', '--epochs', '2', '-o', 'names.onnx']),
    )
    expect([named.status, named.result.classes]).toEqual([0, ['in', 'out']])
    const price = [
      '--data',
      'price.csv',
      '--data-option',
      'label=price',
      '--model',
      'mlp',
      '--batch',
      '16',
      '--epochs',
      '60',
      '--learning-rate',
      '0.05',
    ]
    const { result } = await pare('train', ...inFolder([...price, '-o', 'price.onnx']))
    // The spread of the labels is about 360: a loss of 1 is far below.
    expect(result.epochs[result.best - 1].validation.loss).toBeLessThan(10)
    const { graph } = await readModel(at('price.onnx'))
    const mean = [...graph.constants].find(([name]) => name.endsWith('fixed_mean') && name.startsWith('layer2'))
    expect(numbers(mean![1])[0]).toBeGreaterThan(4900)
  })

  test('penalties, a module as the model, patience', async () => {
    const module = `import { layers, sequential } from ${JSON.stringify(join(import.meta.dirname, '../../index.js').replace(/js$/, 'ts'))}
export default ({ facts, seed }) => sequential([layers.dense(8), layers.tanh(), layers.dense(facts.classes)], { input: facts.shape, seed })`
    await writeFile(at('model.mjs'), module)
    const args = [
      '--data',
      'ring.csv',
      '--model',
      'model.mjs',
      '--penalty',
      'l1:0.05',
      '--optimizer',
      'sgd',
      '--learning-rate',
      '0.1',
      '--epochs',
      '40',
      '--patience',
      '3',
      '--batch',
      '16',
    ]
    const { status, answer } = await pare('train', ...inFolder([...args, '-o', 'sparse.onnx']))
    expect([status, answer.error]).toEqual([0, undefined])
    const { graph } = await readModel(at('sparse.onnx'))
    expect(numbers(graph.constants.get('layer0.weight')!).filter((w) => w === 0).length).toBeGreaterThan(0)
  })

  test('goes on from a checkpoint to the same weights', async () => {
    const args = [...RING, '--epochs', '4']
    await pare('train', ...inFolder([...args, '-o', 'whole.onnx']))
    const stop = new AbortController()
    const stopped = run(
      [...inFolder(['train', ...args, '-o', 'rest.onnx', '--checkpoint', 'run.state']), '--threads', '1'],
      {
        stdout: { write: () => {} },
        stderr: { write: () => {} },
        env: {},
        signal: stop.signal,
      },
    )
    while (!existsSync(at('run.state'))) await new Promise((done) => setTimeout(done, 1))
    stop.abort(new Error('enough'))
    await stopped
    await pare('train', ...inFolder([...args, '-o', 'rest.onnx', '--checkpoint', 'run.state']))
    const [whole, rest] = await Promise.all(['whole.onnx', 'rest.onnx'].map((name) => readFile(at(name))))
    expect(Buffer.compare(whole!, rest!)).toBe(0)
    const other = await pare(
      'train',
      ...inFolder([...args, '--seed', '9', '-o', 'rest.onnx', '--checkpoint', 'run.state']),
    )
    expect(other.code).toBe('TRAIN_CHECKPOINT')
  })

  test.each([
    ['no data', ['--model', 'mlp', '-o', 'x.onnx'], 'OPTION_MISSING'],
    ['no labels', ['--data', 'bare.csv', '--model', 'mlp', '-o', 'x.onnx'], 'TRAIN_LABELS'],
    ['a model that is none', ['--data', 'ring.csv', '--model', 'mpl:3', '-o', 'x.onnx'], 'MODEL_NAME'],
    ['a penalty that is none', [...RING, '--penalty', 'l3:1', '-o', 'x.onnx'], 'OPTION_VALUE'],
    ['a cnn of vectors', ['--data', 'ring.csv', '--model', 'cnn', '-o', 'x.onnx'], 'LAYER_SHAPE'],
    [
      'classes of values',
      [
        '--data',
        'price.csv',
        '--data-option',
        'label=price',
        '--loss',
        'cross-entropy',
        '--model',
        'mlp',
        '-o',
        'x.onnx',
      ],
      'TRAIN_LABELS',
    ],
    ['everything frozen', [...RING, '--freeze', '*', '-o', 'x.onnx'], 'TRAIN_FROZEN'],
  ])('%s is refused, and nothing is written', async (_, args, code) => {
    const { status, code: got } = await pare('train', ...inFolder(args))
    expect([status === 0, got]).toEqual([false, code])
    expect(existsSync(at('x.onnx'))).toBe(false)
  })
})

describe('finetune and distill', () => {
  /** The trained ring, with weights that are a little off. */
  async function spoil(): Promise<void> {
    if (!existsSync(at('ring.onnx'))) await pare('train', ...inFolder([...RING, '--epochs', '30', '-o', 'ring.onnx']))
    const model = await readModel(at('ring.onnx'))
    const { normal } = random(8)
    const constants = new Map(
      [...model.graph.constants].map(([name, t]) => {
        if (!name.endsWith('weight')) return [name, t] as const
        const values = Float32Array.from(numbers(t), (w) => w + 0.3 * normal())
        const bytes = new Uint8Array(values.buffer)
        return [name, { ...t, bytes: () => bytes }] as const
      }),
    )
    await writeModel({ ...model, graph: { ...model.graph, constants } }, at('spoiled.onnx'))
  }

  test('finetune makes it better again, and leaves what is frozen', async () => {
    await spoil()
    const { status, result } = await pare(
      'finetune',
      ...inFolder([
        'spoiled.onnx',
        '--data',
        'ring.csv',
        '--freeze',
        'layer1*',
        '--learning-rate',
        '0.02',
        '--batch',
        '16',
        '--epochs',
        '10',
        '-o',
        'tuned.onnx',
      ]),
    )
    expect(status).toBe(0)
    expect(result.epochs[result.best - 1].validation.loss).toBeLessThan(result.before.loss)
    const [a, b] = await Promise.all(
      ['spoiled.onnx', 'tuned.onnx'].map(
        async (name) => (await readModel(at(name))).graph.constants.get('layer1.weight')!,
      ),
    )
    expect(Buffer.compare(a!.bytes(), b!.bytes())).toBe(0)
  })

  test('distill brings it back to its teacher, without labels', async () => {
    await spoil()
    const args = [
      'spoiled.onnx',
      '--teacher',
      'ring.onnx',
      '--data',
      'bare.csv',
      '--learning-rate',
      '0.02',
      '--batch',
      '16',
      '--epochs',
      '20',
    ]
    const { status, result } = await pare('distill', ...inFolder([...args, '-o', 'back.onnx']))
    expect(status).toBe(0)
    expect(result.epochs[result.best - 1].validation.loss).toBeLessThan(result.before.loss / 10)
    const soft = await pare('distill', ...inFolder([...args, '--loss', 'kullback-leibler', '-o', 'soft.onnx']))
    expect(soft.result.epochs[soft.result.best - 1].validation.loss).toBeLessThan(soft.result.before.loss)
  })

  test('weights that training only makes worse are kept', async () => {
    await spoil()
    const args = [
      'ring.onnx',
      '--teacher',
      'ring.onnx',
      '--data',
      'bare.csv',
      '--epochs',
      '1',
      '--learning-rate',
      '0.1',
      '-o',
      'same.onnx',
    ]
    const { result, answer } = await pare('distill', ...inFolder(args))
    expect(result.best).toBe(0)
    expect(JSON.stringify(answer.warnings)).toContain('No epoch')
  })

  test.each([
    [
      'the output in place of the model',
      ['finetune', 'ring.onnx', '--data', 'ring.csv', '-o', 'ring.onnx'],
      'OUTPUT_IS_INPUT',
    ],
    ['no samples', ['distill', 'ring.onnx', '--teacher', 'ring.onnx', '-o', 'x.onnx'], 'OPTION_MISSING'],
    [
      'an output that is none',
      ['finetune', 'ring.onnx', '--data', 'ring.csv', '--of', 'nobody', '-o', 'x.onnx'],
      'TRAIN_OUTPUT',
    ],
  ])('%s is refused', async (_, args, code) => {
    await spoil()
    expect((await pare(...inFolder(args))).code).toBe(code)
  })
})
