/** What `pare train` and its like are told beside data and model: what judges, what changes samples, how to descend. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pareText, pare as runPare } from '../../../test/pare.js'
import { numbers } from '../../ir/tensor.js'
import { readModel } from '../../onnx/files.js'
import { random } from '../../util/random.js'
import { textWidth } from '../terminal.js'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-choices-'))
  const { normal } = random(3)
  const rows = Array.from({ length: 200 }, () => [normal(), normal()] as const)
  const table = (title: string, value: (x: number, y: number) => number): string =>
    [`a,b,${title}`, ...rows.map(([x, y]) => `${x},${y},${value(x, y)}`)].join('\n')
  await writeFile(
    at('ring.csv'),
    table('label', (x, y) => Number(Math.hypot(x, y) > 1.2)),
  )
  await writeFile(
    at('price.csv'),
    table('label', (x, y) => 50 + 3 * x - 2 * y),
  )
})
afterAll(() => rm(folder, { recursive: true }))

const inFolder = (args: readonly string[]): string[] =>
  args.map((a) => (/\.(csv|onnx|html|state)$/.test(a) ? at(a) : a))

const told = (args: readonly string[], columns = '80') => pareText([...inFolder(args), '--threads', '1'], columns)
const pare = (...args: readonly string[]) => runPare(...inFolder(args), '--threads', '1')

const RING = ['--data', 'ring.csv', '--model', 'mlp:8', '--learning-rate', '0.02', '--batch', '16'] as const
const many = (option: string, ...names: readonly string[]): readonly string[] => names.flatMap((name) => [option, name])

test('--keep-zeros: what a penalty brought to zero stays there while the rest is tuned', async () => {
  await pare('train', ...RING, '--epochs', '8', '--penalty', 'l1:0.5', '-o', 'sparse.onnx')
  const tune = ['finetune', 'sparse.onnx', '--data', 'ring.csv', '--epochs', '4', '--learning-rate', '0.01']
  await pare(...tune, '--keep-zeros', '-o', 'kept.onnx')
  await pare(...tune, '-o', 'moved.onnx')
  const weights = async (name: string): Promise<readonly number[]> =>
    [...(await readModel(at(name))).graph.constants.values()]
      .filter((t) => t.dtype === 'float32' && t.shape.length === 2)
      .flatMap((t) => [...numbers(t)])
  const [sparse, kept, moved] = await Promise.all(['sparse.onnx', 'kept.onnx', 'moved.onnx'].map(weights))
  const zeros = sparse!.flatMap((v, i) => (v === 0 ? [i] : []))
  expect(zeros.length).toBeGreaterThan(2)
  expect(kept).not.toEqual(sparse)
  expect(zeros.filter((i) => kept![i] !== 0)).toEqual([])
  expect(zeros.filter((i) => moved![i] !== 0)).not.toEqual([])
})

describe('--metric', () => {
  const METRICS = many('--metric', 'auc', 'f1', 'macro-f1', 'balanced-accuracy')

  test('in JSON, in the table, which stays within 80 columns, and in the report', async () => {
    const args = ['train', ...RING, '--epochs', '3', ...METRICS, '--test', 'ring.csv', '-o', 'm.onnx']
    const { result } = await pare(...args)
    const names = ['auc', 'f1', 'macro-f1', 'balanced-accuracy']
    for (const score of [
      result.before,
      ...result.epochs.map((e: { validation: unknown }) => e.validation),
      result.test,
    ])
      expect(Object.keys(score.metrics)).toEqual(names)
    const { text } = await told([...args, '--report', 'm.html'])
    for (const line of text.split('\n').filter((l) => !l.includes(folder)))
      expect(textWidth(line)).toBeLessThanOrEqual(80)
    for (const name of names) expect(text).toContain(name)
    const wide = await told(args, '120')
    expect(wide.text.split('\n')[0]).toMatch(/accuracy +auc +f1 +macro-f1 +balanced-accuracy +time$/)
    const page = await readFile(at('m.html'), 'utf8')
    expect(page).toContain('<h2>balanced-accuracy</h2>')
    expect(page).toContain('Test auc')
    expect(page).not.toMatch(/undefined|NaN/)
  })

  test('of a model that is trained on, and of values', async () => {
    const price = ['--data', 'price.csv', '--model', 'mlp', '--epochs', '20', '--learning-rate', '0.1']
    const { result } = await pare('train', ...price, ...many('--metric', 'r2', 'mae'), '-o', 'price.onnx')
    expect(result.epochs.at(-1).validation.metrics.r2).toBeGreaterThan(0.9)
    const tuned = await pare('finetune', 'price.onnx', '--data', 'price.csv', '--metric', 'rmse', '-o', 'tuned.onnx')
    expect(tuned.result.before.metrics.rmse).toBeCloseTo(Math.sqrt(tuned.result.before.loss), 5)
  })

  test('--best-by decides which weights are kept, and is told as well', async () => {
    const { result } = await pare('train', ...RING, '--epochs', '8', '--best-by', 'auc', '-o', 'best.onnx')
    const all: readonly number[] = result.epochs.map(
      (e: { validation: { metrics: { auc: number } } }) => e.validation.metrics.auc,
    )
    expect(result.bestBy).toBe('auc')
    expect(result.best).toBe(all.indexOf(Math.max(...all)) + 1)
  })

  test('one that no score holds is told of', async () => {
    const [head, ...lines] = (await readFile(at('ring.csv'), 'utf8')).split('\n')
    await writeFile(at('ones.csv'), [head, ...lines.filter((l) => l.endsWith(',1'))].join('\n'))
    const judged = ['--validation', 'ones.csv', '--epochs', '1', '-o', 'x.onnx']
    for (const more of [[], ['--optimizer', 'lbfgs']]) {
      const of = more.length === 0 ? RING : RING.slice(0, 4)
      const { answer } = await pare('train', ...of, ...more, ...judged, ...many('--metric', 'auc', 'f1'))
      const missing = answer.warnings.filter((w: string) => w.includes('no value'))
      expect(missing).toEqual(more.length === 0 ? [expect.stringContaining('auc')] : [])
    }
    const kept = ['train', ...RING, '--epochs', '1', '--checkpoint', 'm.state', '-o', 'x.onnx']
    await pare(...kept)
    const { answer } = await pare(...kept, ...many('--metric', 'f1', 'accuracy'))
    expect(answer.warnings.filter((w: string) => w.includes('no value'))).toEqual([expect.stringContaining('f1')])
    await rm(at('x.onnx'))
  })

  test.each([
    ['a name that is none', ['--metric', 'auk'], 'OPTION_VALUE'],
    ['values of classes', ['--metric', 'r2'], 'TRAIN_METRIC'],
    ['more classes than there are', ['--metric', 'top-5'], 'TRAIN_METRIC'],
    ['a judge that does not suit', ['--best-by', 'mae'], 'TRAIN_METRIC'],
  ])('%s is refused, and nothing is written', async (_, more, code) => {
    expect((await pare('train', ...RING, ...more, '-o', 'x.onnx')).code).toBe(code)
    expect(existsSync(at('x.onnx'))).toBe(false)
  })
})

describe('--augment', () => {
  /** Pictures of 4 × 4, bright on one side or on both. */
  async function writePictures(): Promise<void> {
    if (existsSync(at('pictures.idx'))) return
    const { uniform } = random(4)
    const count = 60
    const pixels = Array.from({ length: count * 16 }, (_, i) => {
      const [sample, x] = [Math.floor(i / 16), i % 4]
      return Math.floor(60 * uniform()) + (x < 2 || sample % 2 === 1 ? 150 : 0)
    })
    await writeFile(
      at('pictures.idx'),
      Uint8Array.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 4, ...pixels]),
    )
    const labels = Array.from({ length: count }, (_, i) => i % 2)
    await writeFile(at('labels.idx'), Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...labels]))
  }
  const pictures = (): readonly string[] => [
    ...['--data', at('pictures.idx'), '--labels', at('labels.idx'), '--model', 'mlp:8', '--epochs', '2'],
    ...['--batch', '8', '-o', 'p.onnx'],
  ]
  const losses = (result: { readonly epochs: readonly { readonly trainingLoss: number }[] }) =>
    result.epochs.map((e) => e.trainingLoss)

  test('changes what is trained on, in turn, alike for one seed', async () => {
    await writePictures()
    const plain = await pare('train', ...pictures())
    const seen = [losses(plain.result)]
    for (const changes of [['shift:1'], ['mirror'], ['cutout:2'], ['noise:0.5'], ['mirror', 'noise:0.5']]) {
      const args = [...pictures(), ...many('--augment', ...changes)]
      const [first, second] = [await pare('train', ...args), await pare('train', ...args)]
      expect([first.status, losses(second.result)]).toEqual([0, losses(first.result)])
      expect(first.result.before).toEqual(plain.result.before)
      expect(seen).not.toContainEqual(losses(first.result))
      seen.push(losses(first.result))
    }
  })

  test('a checkpoint is not that of a run with another change', async () => {
    await writePictures()
    const args = [...pictures(), '--checkpoint', 'a.state']
    await pare('train', ...args, '--augment', 'shift:1')
    for (const change of [[], ['shift:2'], ['mirror'], ['shift:1', 'mirror']])
      expect((await pare('train', ...args, ...many('--augment', ...change))).code).toBe('TRAIN_CHECKPOINT')
    expect((await pare('train', ...args, '--augment', 'shift:1')).status).toBe(0)
  })

  test('noise suits tables; what is of pictures is an error there', async () => {
    expect((await pare('train', ...RING, '--epochs', '1', '--augment', 'noise:0.1', '-o', 'n.onnx')).status).toBe(0)
    for (const change of ['shift:1', 'mirror', 'cutout:2']) {
      const { code, answer } = await pare('train', ...RING, '--augment', change, '-o', 'x.onnx')
      expect([code, answer.error.message]).toEqual(['TRAIN_AUGMENT', expect.stringContaining('[2]')])
    }
    expect(existsSync(at('x.onnx'))).toBe(false)
  })

  test.each(['rotate:3', 'shift', 'shift:0', 'shift:1.5', 'mirror:2', 'noise:-1', 'noise:', 'cutout:2:3'])(
    '%s is refused before anything is read, and it says what there is',
    async (change) => {
      const { code, answer } = await pare(
        'train',
        '--data',
        'gone.csv',
        '--model',
        'mlp',
        '--augment',
        change,
        '-o',
        'x.onnx',
      )
      expect([code, answer.error.remedy]).toEqual([
        'OPTION_VALUE',
        expect.stringContaining('shift:1, mirror, cutout:8'),
      ])
    },
  )
})

describe('--optimizer lbfgs', () => {
  const price = ['--data', 'price.csv', '--model', 'mlp', '--optimizer', 'lbfgs'] as const

  /** Ridge on standardized columns: (2 s²/n ZᵀZ + λ I) w = 2 s²/n Zᵀ t, t being the standardized labels. */
  async function ridge(lambda: number): Promise<readonly number[]> {
    const [, ...lines] = (await readFile(at('price.csv'), 'utf8')).split('\n')
    const rows = lines.map((line) => line.split(',').map(Number))
    const n = rows.length
    const standard = (j: number) => {
      const column = rows.map((row) => row[j]!)
      const mean = column.reduce((a, v) => a + v, 0) / n
      const deviation = Math.sqrt(column.reduce((a, v) => a + (v - mean) ** 2, 0) / n)
      return { deviation, values: column.map((v) => (v - mean) / deviation) }
    }
    const [a, b, t] = [standard(0).values, standard(1).values, standard(2).values]
    const scale = (2 * standard(2).deviation ** 2) / n
    const product = (u: readonly number[], v: readonly number[]) => scale * u.reduce((sum, x, i) => sum + x * v[i]!, 0)
    const [p, q, r] = [product(a, a) + lambda, product(a, b), product(b, b) + lambda]
    const [c, d] = [product(a, t), product(b, t)]
    return [(r * c - q * d) / (p * r - q * q), (p * d - q * c) / (p * r - q * q)]
  }

  test('reaches the closed-form solution of ridge, and tells the losses on the way', async () => {
    for (const lambda of [0.5, 20]) {
      const { result } = await pare(
        'train',
        ...price,
        '--penalty',
        `l2:${lambda}`,
        '--metric',
        'r2',
        '-o',
        'ridge.onnx',
      )
      const { graph } = await readModel(at('ridge.onnx'))
      const [, weight] = [...graph.constants].find(([name]) => name.endsWith('weight'))!
      const wanted = await ridge(lambda)
      for (const [i, w] of numbers(weight).entries()) expect(w).toBeCloseTo(wanted[i]!, 4)
      expect(result.losses).toHaveLength(result.iterations + 1)
      expect(result.losses.every((v: number, i: number) => i === 0 || v < result.losses[i - 1])).toBe(true)
      expect(result.training.loss).toBeLessThan(result.before.loss)
      expect(result.training.metrics.r2).toBeGreaterThan(0.1)
      expect(result.epochs).toBeUndefined()
    }
  })

  test('--epochs limits the iterations, which is said; validation and test samples judge', async () => {
    const ring = ['--data', 'ring.csv', '--model', 'mlp:6', '--optimizer', 'lbfgs', '--epochs', '3']
    const judged = ['--validation', 'ring.csv', '--test', 'ring.csv', '--metric', 'auc']
    const { result, answer } = await pare('train', ...ring, ...judged, '-o', 'l.onnx', '--report', 'l.html')
    expect([result.iterations, result.isConverged]).toEqual([3, false])
    expect(JSON.stringify(answer.warnings)).toContain('not converged')
    expect(result.validation).toEqual(result.test)
    expect(result.validation.metrics.auc).toBeGreaterThan(result.before.metrics.auc)
    const page = await readFile(at('l.html'), 'utf8')
    expect(page).toContain('right on test samples')
    expect(page).not.toMatch(/undefined|NaN|<script|https?:/)
    const { text } = await told(['train', ...ring, ...judged, '-o', 'l.onnx'])
    for (const line of text.split('\n').filter((l) => !l.includes(folder) && !/^warning/.test(l)))
      expect(textWidth(line)).toBeLessThanOrEqual(80)
  })

  test('finetune goes on from a model and leaves what is frozen; distill learns from a teacher', async () => {
    await pare('train', ...RING, '--epochs', '2', '-o', 'first.onnx')
    const how = ['--data', 'ring.csv', '--optimizer', 'lbfgs', '--epochs', '20']
    const tuned = await pare('finetune', 'first.onnx', ...how, '--freeze', 'layer1*', '-o', 'second.onnx')
    expect(tuned.result.training.loss).toBeLessThan(0.8 * tuned.result.before.loss)
    const [a, b] = await Promise.all(['first.onnx', 'second.onnx'].map((name) => readModel(at(name))))
    expect(b!.graph.constants.get('layer1.weight')!.bytes()).toEqual(a!.graph.constants.get('layer1.weight')!.bytes())
    await writeFile(at('bare.csv'), (await readFile(at('ring.csv'), 'utf8')).replace(/,[^,]*$/gm, ''))
    const taught = ['distill', 'first.onnx', '--teacher', 'second.onnx', '--data', 'bare.csv', '--optimizer', 'lbfgs']
    const { result } = await pare(...taught, '-o', 'third.onnx')
    expect(result.training.loss).toBeLessThan(result.before.loss / 50)
  })

  test('finetune hands back what was given where validation finds the outcome no better; train says so', async () => {
    await pare('train', ...price, '-o', 'right.onnx')
    const [head, ...lines] = (await readFile(at('price.csv'), 'utf8')).split('\n')
    await writeFile(at('wrong.csv'), [head, ...lines.slice(0, 20).map((l) => l.replace(/[^,]*$/, '-50'))].join('\n'))
    const how = ['--data', 'wrong.csv', '--validation', 'price.csv', '--optimizer', 'lbfgs', '--report', 'w.html']
    const tuned = await pare('finetune', 'right.onnx', ...how, '-o', 'kept.onnx')
    const [a, b] = await Promise.all(['right.onnx', 'kept.onnx'].map((name) => readModel(at(name))))
    for (const [name, t] of a!.graph.constants) expect(b!.graph.constants.get(name)!.bytes()).toEqual(t.bytes())
    expect([tuned.result.best, tuned.result.validation]).toEqual([0, tuned.result.before])
    expect(JSON.stringify(tuned.answer.warnings)).toContain('handed back')
    expect(await readFile(at('w.html'), 'utf8')).toContain('the weights that were given are kept')
    const trained = await pare('train', '--model', 'right.onnx', ...how, '-o', 'worse.onnx')
    expect(trained.result.validation.loss).toBeGreaterThan(100 * trained.result.before.loss)
    expect(JSON.stringify(trained.answer.warnings)).toContain('The loss on the validation samples went from')
    const better = await pare('finetune', 'worse.onnx', ...how.with(1, 'price.csv'), '-o', 'kept.onnx')
    expect(better.result.best).toBe(better.result.iterations)
    expect(better.answer.warnings).toEqual([])
  })

  test.each([
    ...['--learning-rate', '--clip', '--averaging', '--mixup'].map((option) => [option, '0.1']),
    ...['--batch', '--workers', '--patience', '--plateau'].map((option) => [option, '2']),
    ['--schedule', 'cosine'],
    ['--augment', 'noise:0.1'],
    ['--round-to', 'int8'],
    ['--checkpoint', 'l.state'],
    ['--best-by', 'r2'],
  ])('%s has no meaning there, and is refused', async (option, value) => {
    const { code, answer } = await pare('train', ...price, option!, value!, '-o', 'x.onnx')
    expect([code, answer.error.where]).toEqual(['OPTION_UNUSED', option])
  })

  test('a penalty without a gradient is refused before anything is read', async () => {
    const gone = ['--data', 'gone.csv', '--model', 'mlp', '--optimizer', 'lbfgs', '-o', 'x.onnx']
    const { code } = await pare('train', ...gone, ...many('--penalty', 'l2:0.1', 'l1:0.1'))
    expect(code).toBe('TRAIN_PENALTY')
  })

  test('nor have statistics of batches, and metrics of another kind', async () => {
    expect((await pare('train', ...price, '--metric', 'auc', '-o', 'x.onnx')).code).toBe('TRAIN_METRIC')
    const args = ['finetune', 'ridge.onnx', '--data', 'price.csv', '--optimizer', 'lbfgs', '--batch-statistics']
    expect((await pare(...args, '-o', 'x.onnx')).code).toBe('OPTION_UNUSED')
    expect(existsSync(at('x.onnx'))).toBe(false)
  })
})

describe('--schedule and --plateau', () => {
  const rates = (result: { readonly epochs: readonly { readonly learningRate: number }[] }) =>
    result.epochs.map((e) => e.learningRate / 0.02)

  test('step lowers the rate at half and at three quarters, warm-up-cosine ends at nothing', async () => {
    const step = await pare('train', ...RING, '--epochs', '4', '--schedule', 'step', '-o', 's.onnx')
    for (const [i, rate] of rates(step.result).entries()) expect(rate).toBeCloseTo([1, 1, 0.1, 0.01][i]!, 6)
    const warm = await pare('train', ...RING, '--epochs', '4', '--schedule', 'warm-up-cosine', '-o', 's.onnx')
    expect(rates(warm.result)[0]).toBeGreaterThan(0.8)
    expect(rates(warm.result)[3]).toBeLessThan(0.01)
  })

  test('a plateau lowers the rate to a tenth, from one that stays as it is', async () => {
    const still = ['--data', 'ring.csv', '--model', 'mlp:8', '--batch', '16', '--learning-rate', '1e-12']
    const { result } = await pare('train', ...still, '--epochs', '4', '--plateau', '1', '-o', 's.onnx')
    const all: readonly number[] = result.epochs.map((e: { readonly learningRate: number }) => e.learningRate * 1e12)
    expect(all.map((v) => v.toPrecision(3))).toEqual(['1.00', '0.100', '0.0100', '0.00100'])
  })
})
