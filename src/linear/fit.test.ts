import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readColumns } from '../data/read-columns.js'
import { bytesSource } from '../data/source.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { floatTensor, numbers, stringTensor } from '../ir/tensor.js'
import { encodeModel } from '../onnx/codec.js'
import { fitTable, type LinearFit } from './fit.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const CITIES = ['Bonn', 'Oslo', 'Rome']
const lines = Array.from({ length: 40 }, (_, i) => {
  const [size, city, age] = [(i * 7) % 13, CITIES[i % 3]!, i % 5 === 0 ? '' : (i * 3) % 11]
  return `${size},${city},${age},${2 * size + (city === 'Rome' ? 5 : 0) - 0.5 * Number(age) + Math.sin(i)}`
})
const table = (text = ['size,city,age,price', ...lines].join('\n')) =>
  readColumns(bytesSource('houses.csv', new TextEncoder().encode(text)))

const strings = (...texts: readonly string[]) =>
  stringTensor(
    [texts.length, 1],
    texts.map((t) => new TextEncoder().encode(t)),
  )

test('the graph takes raw columns and answers as the library does; unknown names and missing numbers are inside', async () => {
  const fit = await fitTable(await table(), { target: 'price', folds: 5, missing: 'mean' })
  expect(fit.names).toEqual(['size', 'city=Bonn', 'city=Oslo', 'city=Rome', 'age'])
  const session = await engine.load(encodeModel(fit.model).bytes)
  const { prediction } = await session.run({
    size: floatTensor('float64', [3, 1], [3, 0, 1]),
    city: strings('Rome', 'Atlantis', ''),
    age: floatTensor('float64', [3, 1], [2, Number.NaN, 4]),
  })
  await session.close()
  const [size, , , rome, age] = fit.linear.coefficients
  const known = lines
    .map((l) => l.split(',')[2]!)
    .filter((v) => v !== '')
    .map(Number)
  const mean = known.reduce((a, b) => a + b) / known.length
  const wanted = [3 * size! + rome! + 2 * age!, mean * age!, size! + 4 * age!].map((v) => v + fit.linear.intercept)
  for (const [i, v] of numbers(prediction!).entries()) expect(v).toBeCloseTo(wanted[i]!, 12)
  expect(Math.abs(size! - 2)).toBeLessThan(0.2)
})

test('each row of a ridge left out: about what folds say', async () => {
  const data = await table()
  const options = { target: 'price', missing: 'mean', l1Ratio: 0 } as const
  const [alone, crossed] = [await fitTable(data, { ...options, select: 'loo' }), await fitTable(data, options)]
  expect(alone.crossValidation).toBe(null)
  expect(alone.criteria).toBe(null)
  expect(alone.path.models[alone.chosen]).toBe(alone.linear)
  expect(alone.chosen).toBe(alone.leaveOneOut!.least)
  const [own, folds] = [alone.leaveOneOut!, crossed.crossValidation!]
  expect(Math.abs(own.error[alone.chosen]! / folds.error[crossed.chosen]! - 1)).toBeLessThan(0.2)
})

test.each([
  ['a lasso', { l1Ratio: 1 }, 'OPTION_SELECT'],
  ['the model that is taken without a word', {}, 'OPTION_SELECT'],
  ['bounds', { l1Ratio: 0, isPositive: true }, 'OPTION_SELECT'],
])('rows are not left out one by one of %s', async (_, options, code) => {
  const given = { target: 'price', missing: 'mean', select: 'loo', ...options } as const
  await expect(fitTable(await table(), given)).rejects.toMatchObject({ code })
})

test('of one row nothing is left where it is left out', async () => {
  const data = await table('a,price\n1,2\n')
  await expect(fitTable(data, { target: 'price', l1Ratio: 0, select: 'loo' })).rejects.toMatchObject({
    code: 'SELECT_ALONE',
  })
})

test('every way to choose gives a model of the path', async () => {
  const data = await table()
  const chosen: LinearFit[] = []
  for (const select of ['cv', 'cv-1se', 'aic', 'bic', 'ebic'] as const)
    chosen.push(await fitTable(data, { target: 'price', select, folds: 5, missing: 'mean' }))
  for (const { path, chosen: at, linear } of chosen) expect(path.models[at]).toBe(linear)
  const [cv, se, aic, bic, ebic] = chosen.map((f) => f.linear.lambda)
  expect(se).toBeGreaterThanOrEqual(cv!)
  expect(bic).toBeGreaterThanOrEqual(aic!)
  expect(ebic).toBeGreaterThanOrEqual(bic!)
})

describe('bad tables', () => {
  test.each([
    ['a missing number', {}, undefined, 'TABLE_MISSING'],
    ['a target that is no column', { target: 'prize' }, undefined, 'TABLE_COLUMN'],
    ['a target of text', { target: 'city', missing: 'mean' }, undefined, 'TABLE_TARGET'],
    ['a target with a missing cell', { target: 'age', missing: 'mean' }, undefined, 'TABLE_MISSING'],
    ['an empty column', { target: 'y', missing: 'mean' }, 'x,y\n,1\n,2\n,3\n', 'TABLE_MISSING'],
    ['no rows', { target: 'y' }, 'x,y\n', 'DESIGN_EMPTY'],
    ['a target alone', { target: 'y' }, 'y\n1\n2\n3\n', 'DESIGN_EMPTY'],
    ['infinity', { target: 'y' }, 'x,y\n1,1\ninf,2\n3,3\n', 'DESIGN_FINITE'],
    ['more folds than rows', { target: 'y' }, 'x,y\n1,1\n2,2\n3,3\n', 'FOLDS'],
  ] as const)('%s', async (_, options, text, code) => {
    const data = await table(text)
    await expect(fitTable(data, { target: 'price', ...options })).rejects.toThrow(expect.objectContaining({ code }))
  })
})

describe('a ridge owes nothing to the unit of the target', () => {
  const rows = Array.from({ length: 60 }, (_, i) => {
    const [a, b] = [Math.sin(3 * i), Math.cos(5 * i)]
    return [a, b, 80 * a - 40 * b + Math.sin(7 * i * i)] as const
  })
  const inUnits = (unit: number) => table(['a,b,price', ...rows.map(([a, b, y]) => `${a},${b},${unit * y}`)].join('\n'))

  test.each(['cv', 'loo', 'aic'] as const)('%s', async (select) => {
    const options = { target: 'price', l1Ratio: 0, select, folds: 5 }
    const [small, large] = [await fitTable(await inUnits(0.001), options), await fitTable(await inUnits(1000), options)]
    expect(large.chosen).toBe(small.chosen)
    expect(large.linear.lambda).toBeCloseTo(small.linear.lambda, 8)
    for (const j of [0, 1]) expect(large.linear.coefficients[j]! / small.linear.coefficients[j]!).toBeCloseTo(1e6, 0)
    // Little of the signal is held back where there is little noise.
    expect(large.path.devianceRatio[large.chosen]).toBeGreaterThan(0.999)
  })
})

test('columns may have the names that outputs and nodes of the graph have', async () => {
  const names = ['city', 'prediction', 'Equal_out', 'Concat']
  const rows = lines.map((_, i) => [CITIES[i % 3]!, i % 7, (i * i) % 5, (i * i) % 3, Math.sin(i)])
  const text = [[...names, 'price'], ...rows].map((row) => row.join(','))
  const fit = await fitTable(await table(text.join('\n')), { target: 'price', folds: 4 })
  const session = await engine.load(encodeModel(fit.model).bytes)
  await session.close()
  expect(fit.model.graph.inputs).toEqual(names)
  expect(fit.model.graph.outputs).toEqual(['prediction_1'])
})
