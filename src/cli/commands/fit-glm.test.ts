/** `pare fit` and `predict` of classes and counts, from the command line to the files. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { pare } from '../../../test/pare.js'
import { random } from '../../util/random.js'

let folder: string
const at = (name: string): string => join(folder, name)
const data = (name: string): string => join(repositoryRoot, 'test/data', name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-glm-'))
  const { normal, uniform } = random(5)
  // Knuth's draw of a Poisson number.
  const draw = (mean: number): number => {
    let [count, product] = [0, uniform()]
    for (const limit = Math.exp(-mean); product > limit; count++) product *= uniform()
    return count
  }
  const rows = Array.from({ length: 200 }, () => [normal(), normal()] as const)
  const table = ['a,b,visits', ...rows.map(([a, b]) => `${a},${b},${draw(Math.exp(1 + 0.5 * a))}`)]
  await writeFile(at('visits.csv'), table.join('\n'))
  await writeFile(
    at('flags.csv'),
    ['a,b,flag', ...rows.map(([a, b], i) => `${a},${b},${Number(a + b > 0 || i < 9)}`)].join('\n'),
  )
  await writeFile(at('odd.csv'), ['a,label', ...rows.map(([a]) => `${a},"${a > 0 ? 'yes, ""so""' : 'no'}"`)].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

const lines = async (name: string): Promise<readonly (readonly string[])[]> =>
  (await readFile(at(name), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(','))

test('text of three levels is multinomial, and the classes come back by name', async () => {
  const { status, result } = await pare(
    'fit',
    data('iris.csv'),
    '--target',
    'species',
    '--folds',
    '5',
    '-o',
    at('iris.onnx'),
  )
  expect(status).toBe(0)
  expect(result).toMatchObject({ family: 'multinomial', classes: ['setosa', 'versicolor', 'virginica'] })
  expect(result.misclassification).toBeLessThan(0.06)
  expect(result.dualGap).toBeLessThanOrEqual(1e-7)
  expect(result.models).toHaveLength(3)
  await pare('predict', at('iris.onnx'), data('iris.csv'), '-o', at('iris.csv'))
  const [header, ...rows] = await lines('iris.csv')
  expect(header).toEqual(['prediction', 'probability:setosa', 'probability:versicolor', 'probability:virginica'])
  const truth = (await readFile(data('iris.csv'), 'utf8'))
    .trim()
    .split('\n')
    .slice(1)
    .map((l) => l.split(',')[4])
  expect(rows.filter(([label], i) => label !== truth[i]).length).toBeLessThan(8)
  const [cells, model] = [
    (await readFile(data('iris.csv'), 'utf8')).split('\n')[60]!.split(',').map(Number),
    result.models,
  ]
  const eta = model.map(({ intercept, coefficients }: { intercept: number; coefficients: Record<string, number> }) =>
    Object.values(coefficients).reduce((s, c, j) => s + c * cells[j]!, intercept),
  ) as number[]
  const all = eta.reduce((s, v) => s + Math.exp(v), 0)
  for (const k of [0, 1, 2]) expect(Number(rows[59]![k + 1])).toBeCloseTo(Math.exp(eta[k]!) / all, 10)
})

test('text of two levels is binomial; labels keep commas and quotes', async () => {
  const { result } = await pare('fit', at('odd.csv'), '--target', 'label', '--select', 'bic', '-o', at('odd.onnx'))
  expect(result).toMatchObject({ family: 'binomial', classes: ['no', 'yes, "so"'] })
  await pare('predict', at('odd.onnx'), at('odd.csv'), '-o', at('out.csv'))
  const text = await readFile(at('out.csv'), 'utf8')
  expect(text.split('\n')[0]).toBe('prediction,probability:no,"probability:yes, ""so"""')
  expect(text).toMatch(/^"yes, ""so""",/m)
})

test('numbers are classes where the family says so, and stay numbers', async () => {
  const fitted = await pare(
    'fit',
    at('flags.csv'),
    '--target',
    'flag',
    '--family',
    'binomial',
    '--model',
    'ridge',
    '-o',
    at('flag.onnx'),
  )
  expect(fitted.result).toMatchObject({ family: 'binomial', classes: [0, 1] })
  await pare('predict', at('flag.onnx'), at('flags.csv'), '-o', at('flag.csv'))
  const [header, ...rows] = await lines('flag.csv')
  expect(header).toEqual(['prediction', 'probability:0', 'probability:1'])
  for (const [label, p0, p1] of rows) {
    expect(Number(p0) + Number(p1)).toBeCloseTo(1, 12)
    expect(Number(label)).toBe(Number(Number(p1) > 0.5))
  }
})

test('counts are means', async () => {
  const { result } = await pare(
    'fit',
    at('visits.csv'),
    '--target',
    'visits',
    '--family',
    'poisson',
    '-o',
    at('visits.onnx'),
  )
  const [{ intercept, coefficients }] = result.models
  expect(coefficients.a).toBeCloseTo(0.5, 0)
  expect(Math.abs(coefficients.b)).toBeLessThan(0.1)
  await pare('predict', at('visits.onnx'), at('visits.csv'), '-o', at('means.csv'))
  const [a, b] = (await lines('visits.csv'))[1]!.map(Number)
  const mean = Math.exp(intercept + coefficients.a * a! + coefficients.b * b!)
  expect(Number((await lines('means.csv'))[1]![0])).toBeCloseTo(mean, 10)
})

test.each([
  ['three classes as two', ['iris.csv', 'species', 'binomial'], 'RESPONSE'],
  ['text as counts', ['iris.csv', 'species', 'poisson'], 'RESPONSE'],
  ['text as numbers', ['iris.csv', 'species', 'gaussian'], 'TABLE_TARGET'],
])('%s is an error', async (_, [table, target, family], code) => {
  const { status, code: got } = await pare(
    'fit',
    data(table!),
    '--target',
    target!,
    '--family',
    family!,
    '-o',
    at('no.onnx'),
  )
  expect(status).not.toBe(0)
  expect(got).toBe(code)
})
