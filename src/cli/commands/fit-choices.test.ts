/** `pare fit --model …` with weights, offsets, factors and shares, from the command line to the predictions. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { pare, pareText } from '../../../test/pare.js'
import { random } from '../../util/random.js'

const VISITS = join(repositoryRoot, 'test/data/visits.csv')
let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-choices-'))
  const { normal, integer } = random(9)
  const rows = Array.from({ length: 90 }, (_, i) => {
    const [a, b, c] = [normal(), normal(), normal()]
    const kind = ['red', 'blue', 'grey'][integer(3)]!
    return [a, b, c, kind, 1 + (i % 3), 5 + 2 * a - b + (kind === 'red' ? 2 : 0) + normal(0, 0.5)].join(',')
  })
  await writeFile(at('t.csv'), ['a,b,c,kind,w,y', ...rows].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

const fitted = (...args: readonly string[]) =>
  pare('fit', at('t.csv'), '--target', 'y', '--folds', '5', '--n-lambdas', '30', '-o', at('m.onnx'), ...args)

test.each([
  ['adaptive-lasso', ['--gamma', '2']],
  ['mcp', ['--gamma', '4', '--select', 'cv-1se']],
  ['scad', ['--select', 'bic', '--positive']],
  ['group-lasso', ['--group', 'a,b', '--select', 'ebic']],
])('%s: the file predicts what the coefficients say', async (model, more) => {
  const { status, result } = await fitted('--model', model, '--weights', 'w', '--penalty-factor', 'c=3', ...more)
  expect(status).toBe(0)
  expect(result).toMatchObject({ model, weights: 'w', l1Ratio: 1 })
  expect(Object.keys(result.coefficients)).toEqual(['a', 'b', 'c', 'kind=blue', 'kind=grey', 'kind=red'])
  if (more.includes('--positive')) expect(result.coefficients.b).toBe(0)
  else expect(result.coefficients.b).toBeLessThan(-0.3)
  expect(typeof result.dualGap === 'number').toBe(model === 'adaptive-lasso' || model === 'group-lasso')
  await pare('predict', at('m.onnx'), at('t.csv'), '-o', at('p.csv'))
  const predicted = (await readFile(at('p.csv'), 'utf8')).trim().split('\n').slice(1).map(Number)
  const rows = (await readFile(at('t.csv'), 'utf8')).split('\n').slice(1)
  for (const [i, row] of rows.entries()) {
    const [a, b, c, kind] = row.split(',')
    const cells = { a, b, c, [`kind=${kind}`]: 1 }
    const sum = Object.entries(cells).reduce(
      (s, [name, v]) => s + result.coefficients[name] * Number(v),
      result.intercept,
    )
    expect(predicted[i]).toBeCloseTo(sum, 9)
  }
})

test('several shares: the answer says which was best, in JSON and in words', async () => {
  const args = ['--model', 'elastic-net', '--l1-ratio', '0.1,0.9', '--without', 'w']
  const { result } = await fitted(...args)
  expect(result.l1Ratios.map(({ l1Ratio }: { l1Ratio: number }) => l1Ratio)).toEqual([0.1, 0.9])
  const scores = result.l1Ratios.map(({ score }: { score: number }) => score)
  expect(result.l1Ratio).toBe([0.1, 0.9][scores.indexOf(Math.min(...scores))])
  const { text } = await pareText(['fit', at('t.csv'), '--target', 'y', '-o', at('m.onnx'), ...args, '--folds', '5'])
  expect(text).toMatch(/^model +elastic net \(0\.[19] lasso\) of y/m)
  expect(text).toMatch(/^shares +0\.1: [\d.]+, 0\.9: [\d.]+ \(least error/m)
})

test('a column without a penalty is in the strongest model too', async () => {
  const { result } = await fitted('--penalty-factor', 'c=0', '--penalty-factor', 'kind=red=0', '--select', 'cv-1se')
  expect(result.coefficients.c).not.toBe(0)
  expect(result.coefficients['kind=red']).not.toBe(0)
})

test('an offset is asked for again by predict, and added', async () => {
  const args = ['--target', 'visits', '--family', 'poisson', '--offset', 'log_years', '--select', 'bic']
  const { result } = await pare('fit', VISITS, ...args, '-o', at('visits.onnx'))
  expect(result).toMatchObject({ family: 'poisson', offset: 'log_years' })
  const [{ coefficients, intercept }] = result.models
  // Its true value is 0.7.
  expect(Math.abs(coefficients['clinic=north'] - 0.7)).toBeLessThan(0.35)
  await writeFile(at('new.csv'), 'age,clinic,distance,log_years\n50,east,3,0\n50,east,3,2\n')
  await pare('predict', at('visits.onnx'), at('new.csv'), '-o', at('new-visits.csv'))
  const [one, many] = (await readFile(at('new-visits.csv'), 'utf8')).trim().split('\n').slice(1).map(Number)
  const eta = intercept + 50 * coefficients.age + coefficients['clinic=east'] + 3 * coefficients.distance
  expect(one).toBeCloseTo(Math.exp(eta), 9)
  expect(many! / one!).toBeCloseTo(Math.exp(2), 9)
  await writeFile(at('without.csv'), 'age,clinic,distance\n50,east,3\n')
  expect(await pare('predict', at('visits.onnx'), at('without.csv'), '-o', at('no.csv'))).toMatchObject({
    code: 'TABLE_COLUMN',
  })
})

describe('what says nothing of a model, or cannot be read', () => {
  test.each<[readonly string[], string, string]>([
    [['--l1-ratio', '0.5'], 'OPTION_UNUSED', '--l1-ratio'],
    [['--model', 'ridge', '--gamma', '2'], 'OPTION_UNUSED', '--gamma'],
    [['--group', 'a,b'], 'OPTION_UNUSED', '--group'],
    [['--model', 'group-lasso', '--positive'], 'OPTION_UNUSED', '--positive'],
    [['--model', 'elastic-net', '--l1-ratio', '0.5,2'], 'OPTION_VALUE', '--l1-ratio'],
    [['--model', 'elastic-net', '--l1-ratio', '0.5,'], 'OPTION_VALUE', '--l1-ratio'],
    [['--penalty-factor', 'a'], 'OPTION_VALUE', '--penalty-factor'],
    [['--penalty-factor', 'a=-1'], 'OPTION_VALUE', '--penalty-factor'],
    [['--penalty-factor', 'z=1'], 'TABLE_COLUMN', 'z'],
    [['--model', 'mcp', '--gamma', '0.5'], 'PENALTY_SHAPE', 'gamma'],
    [['--offset', 'a'], 'FAMILY', 'offset'],
    [['--weights', 'c'], 'DESIGN_WEIGHT', 'column c'],
    [['--family', 'poisson', '--model', 'scad'], 'FAMILY', 'scad'],
  ])('%j', async (args, code, what) => {
    const { status, answer } = await fitted(...args)
    expect(status).not.toBe(0)
    expect(answer.error.code).toBe(code)
    expect(JSON.stringify(answer.error)).toContain(what)
  })
})
