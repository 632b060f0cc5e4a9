/** What `pare train` and its like are told beside data and model: what judges, what changes samples, how to descend. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { random } from '../../util/random.js'
import { run } from '../run.js'
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

async function told(args: readonly string[], columns = '80') {
  let text = ''
  const out = {
    write(chunk: string) {
      text += chunk
    },
  }
  const world = { stdout: out, stderr: out, env: { COLUMNS: columns }, signal: new AbortController().signal }
  const status = await run([...inFolder(args), '--threads', '1'], world)
  return { status, text }
}

async function pare(...args: readonly string[]) {
  const { status, text } = await told([...args, '--json'])
  const answer = JSON.parse(text)
  return { status, answer, result: answer.result, code: answer.error?.code as string | undefined }
}

const RING = ['--data', 'ring.csv', '--model', 'mlp:8', '--learning-rate', '0.02', '--batch', '16'] as const
const many = (option: string, ...names: readonly string[]): readonly string[] => names.flatMap((name) => [option, name])

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
