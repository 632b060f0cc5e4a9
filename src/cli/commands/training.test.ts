/** `pare train`, `finetune` and `distill` from the command line to the files. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pare as runPare } from '../../../test/pare.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, i64, numbers } from '../../ir/tensor.js'
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

const pare = (...args: readonly string[]) => runPare(...args, '--threads', '1')

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
    const mean = [...graph.constants].find(([name]) => name.endsWith('negative_mean'))
    expect(numbers(mean![1])[0]).toBeLessThan(-4900)
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

  test('mixtures, rounding and workers', async () => {
    const args = [...RING, '--epochs', '20', '--mixup', '0.2', '--round-to', 'int8', '--workers', '2']
    const { status, result } = await pare('train', ...inFolder([...args, '-o', 'mixed.onnx']))
    expect(status).toBe(0)
    expect(result.epochs[result.best - 1].validation.accuracy).toBeGreaterThan(0.8)
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

describe('test samples', () => {
  /** A row of weights for each of four ids: the engine refuses a fifth. */
  async function writeTable(): Promise<void> {
    const b = builder()
    b.input('id', { kind: 'tensor', dtype: 'int64', shape: ['N', 1] })
    const rows = b.op('Gather', [b.constant(f32([4, 2], new Float32Array(8)), 'rows'), 'id'])
    const flat = b.op('Reshape', [rows, b.constant(i64([2], [-1, 2]), 'shape')])
    b.output(flat, { kind: 'tensor', dtype: 'float32', shape: ['N', 2] })
    await writeModel(modelOf(b.graph()), at('table.onnx'))
    const ids = Array.from({ length: 40 }, (_, i) => `${i % 4},${i % 2}`)
    await writeFile(at('ids.csv'), ['id,label', ...ids].join('\n'))
    await writeFile(at('late.csv'), ['id,label', '1,1', '9,0'].join('\n'))
  }
  const args = ['finetune', 'table.onnx', '--data', 'ids.csv', '--test', 'late.csv', '--epochs', '2', '-o', 'y.onnx']

  test.each([[], ['--optimizer', 'lbfgs']])('that fail lose nothing of the training: %s', async (...more) => {
    await writeTable()
    const { status, answer, result } = await pare(...inFolder([...args, ...more, '--report', 'late.html']))
    expect([status, result.test, existsSync(at('y.onnx')), existsSync(at('late.html'))]).toEqual([
      0,
      undefined,
      true,
      true,
    ])
    expect(JSON.stringify(answer.warnings)).toContain('The test samples could not be judged')
  })
})

describe('what is on the disk is safe', () => {
  test.each([
    ['the data', ['--data', 'ring.csv', '--model', 'mlp', '-o', 'ring.csv'], 'OUTPUT_IS_INPUT'],
    ['the data, by the report', [...RING, '-o', 'x.onnx', '--report', 'ring.csv'], 'OUTPUT_IS_INPUT'],
    ['the data, by the checkpoint', [...RING, '-o', 'x.onnx', '--checkpoint', 'ring.csv'], 'OUTPUT_IS_INPUT'],
    ['the test samples', [...RING, '-o', 'x.onnx', '--test', 'names.csv', '--report', 'names.csv'], 'OUTPUT_IS_INPUT'],
    ['the checkpoint, by the model', [...RING, '-o', 'x.onnx', '--checkpoint', 'x.onnx'], 'OUTPUT_TWICE'],
    ['the model', ['--data', 'ring.csv', '--model', 'given.onnx', '-o', 'given.onnx'], 'OUTPUT_IS_INPUT'],
  ])('%s is not overwritten', async (_, args, code) => {
    if (!existsSync(at('given.onnx'))) await pare('train', ...inFolder([...RING, '--epochs', '1', '-o', 'given.onnx']))
    const files = ['ring.csv', 'names.csv', 'given.onnx'].map(at)
    const before = await Promise.all(files.map((f) => readFile(f)))
    expect((await pare('train', ...inFolder(args))).code).toBe(code)
    for (const [i, f] of files.entries()) expect(Buffer.compare(await readFile(f), before[i]!)).toBe(0)
  })

  test('nor are weights that lie beside a model', async () => {
    await pare('train', ...inFolder(['--data', 'ring.csv', '--model', 'mlp:64,64', '--epochs', '1', '-o', 'wide.onnx']))
    const model = await readModel(at('wide.onnx'))
    await writeModel(model, at('apart.onnx'), { externalAbove: 0 })
    const weights = at('apart.onnx.data')
    const before = await readFile(weights)
    const how = ['--data', at('ring.csv'), '--epochs', '1']
    for (const args of [
      ['train', '--model', at('apart.onnx'), ...how, '-o', weights],
      ['train', '--model', at('apart.onnx'), ...how, '-o', at('x.onnx'), '--report', weights],
      ['distill', at('given.onnx'), '--teacher', at('apart.onnx'), '--data', at('bare.csv'), '-o', weights],
    ])
      expect((await pare(...args)).code).toBe('OUTPUT_IS_INPUT')
    expect(Buffer.compare(await readFile(weights), before)).toBe(0)
  })

  test.each([
    ['another optimizer', ['--optimizer', 'nesterov']],
    ['another penalty', ['--penalty', 'l1:5']],
    ['another schedule', ['--schedule', 'constant']],
    ['other frozen weights', ['--freeze', 'layer1*']],
    ['other data', ['--data', 'price.csv', '--data-option', 'label=price', '--loss', 'squared']],
  ])('a checkpoint is not that of a run with %s', async (_, more) => {
    const args = [
      '--data',
      'ring.csv',
      '--model',
      'mlp:4',
      '--epochs',
      '1',
      '--checkpoint',
      'one.state',
      '-o',
      'y.onnx',
    ]
    await pare('train', ...inFolder([...args, '--optimizer', 'momentum']))
    const own = more.includes('--data') ? args.slice(2) : args
    expect((await pare('train', ...inFolder([...own, ...more]))).code).toBe('TRAIN_CHECKPOINT')
  })

  test('a checkpoint that is damaged, or none, is said to be', async () => {
    await writeModel(await readModel(at('given.onnx')), at('none.state'))
    const { code } = await pare('train', ...inFolder([...RING, '-o', 'y.onnx', '--checkpoint', 'none.state']))
    expect(code).toBe('TRAIN_CHECKPOINT')
  })
})

describe('labels', () => {
  test('names are numbered as in the training set, in all sets', async () => {
    const rows = (names: readonly string[]) =>
      ['a,b', ...names.map((n) => `${n.length},${n === 'fox' ? 1 : 0}`)].join('\n')
    const write = async (name: string, names: readonly string[]) => {
      await writeFile(at(`${name}.csv`), rows(names))
      await writeFile(at(`${name}.txt`), names.join('\n'))
    }
    const all = Array.from({ length: 60 }, (_, i) => ['cat', 'ferret', 'fox'][i % 3]!)
    await write('three', all)
    await write(
      'two',
      all.filter((n) => n !== 'ferret'),
    )
    const sets = [
      '--data',
      'three.csv',
      '--labels',
      at('three.txt'),
      '--validation',
      'two.csv',
      '--validation-labels',
      at('two.txt'),
    ]
    const more = ['--model', 'mlp:8', '--epochs', '40', '--learning-rate', '0.05', '--batch', '8']
    const { result } = await pare('train', ...inFolder([...sets, ...more, '-o', 'names.onnx']))
    expect(result.classes).toEqual(['cat', 'ferret', 'fox'])
    expect(result.epochs[result.best - 1].validation.accuracy).toBe(1)
  })

  test('whole numbers that are amounts are values, not classes', async () => {
    const { normal } = random(1)
    const rows = Array.from({ length: 80 }, () => [normal(), normal()] as const)
    const table = ['a,b,price', ...rows.map(([x, y]) => `${x},${y},${Math.round(5000 + 300 * x)}`)].join('\n')
    await writeFile(at('amounts.csv'), table)
    const args = ['--data', 'amounts.csv', '--data-option', 'label=price', '--model', 'mlp', '--epochs', '1']
    const { result } = await pare('train', ...inFolder([...args, '-o', 'amounts.onnx']))
    expect([result.loss, result.epochs[0].validation.accuracy]).toEqual(['squared error', undefined])
  })

  test('few samples are enough with the defaults, and nothing is said for nothing', async () => {
    const few = (await readFile(at('ring.csv'), 'utf8')).split('\n').slice(0, 41).join('\n')
    await writeFile(at('few.csv'), few)
    expect((await pare('train', ...inFolder(['--data', 'few.csv', '--model', 'mlp', '-o', 'few.onnx']))).status).toBe(0)
    const lone = ['--data', 'few.csv', '--model', 'mlp', '--test-labels', 'few.csv', '-o', 'few.onnx']
    expect((await pare('train', ...inFolder(lone))).code).toBe('OPTION_UNUSED')
  })

  test('scales of the data stay as they are when the model is trained on', async () => {
    const { normal } = random(2)
    const rows = Array.from({ length: 120 }, () => [5e5 + 2e5 * normal(), normal()] as const)
    const table = ['income,b,label', ...rows.map(([x, y]) => `${x},${y},${Number(x > 5e5 !== y > 0)}`)].join('\n')
    await writeFile(at('income.csv'), table)
    const how = ['--data', 'income.csv', '--epochs', '30', '--batch', '16']
    await pare('train', ...inFolder([...how, '--learning-rate', '0.02', '--model', 'mlp:16', '-o', 'income.onnx']))
    const { result } = await pare(
      'finetune',
      ...inFolder(['income.onnx', ...how, '--learning-rate', '1e-3', '-o', 'more.onnx']),
    )
    expect(result.epochs.at(-1).trainingLoss).toBeLessThan(2 * result.before.loss + 0.05)
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
