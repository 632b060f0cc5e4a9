import { truncateSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeNpy } from '../data/npy.js'
import { floatTensor } from '../ir/tensor.js'
import type { PareError } from '../util/errors.js'
import { random } from '../util/random.js'
import { parseCommandLine } from './args.js'
import { reduce } from './commands/reduce.js'
import { type ReduceChoice, reduceFile } from './reduce-file.js'
import { terminalOf } from './terminal.js'

let folder: string
const at = (...names: readonly string[]): string => join(folder, ...names)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-reduce-file-'))
  for (const name of ['held', 'streamed']) await mkdir(at(name))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Bytes that are much: blocks hold 200 numbers, or what is read of a table at once. */
const LITTLE = 1600

/** What it answers and warns of, and how often all rows were read. */
async function reducing(from: string, args: readonly string[], much?: number, onPass = () => {}) {
  const warnings: string[] = []
  let passes = 0
  const { options } = parseCommandLine(reduce, [at(from), '--method', 'pca', ...args])
  const { json } = await reduceFile(
    at(from),
    options as unknown as ReduceChoice,
    {
      terminal: terminalOf({}, {}),
      signal: new AbortController().signal,
      commandLine: 'pare reduce',
      warn: (message) => warnings.push(message),
      onProgress({ task, done, total }) {
        if (task !== 'reading rows' || done !== total) return
        passes++
        onPass()
      },
    },
    much,
  )
  return { answer: json as Readonly<Record<string, unknown>>, warnings, passes }
}

const cellsOf = async (path: string): Promise<readonly (readonly string[])[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))

/** Both ways, with all that can be written; what they write is the same up to rounding. */
async function expectAlike(from: string, args: readonly string[]): Promise<readonly (readonly string[])[]> {
  const ways = ['held', 'streamed'] as const
  const files = (way: string) => ['-o', at(way, 's.csv'), '--model', at(way, 'm.onnx'), '--report', at(way, 'r.html')]
  const [held, streamed] = await Promise.all(
    ways.map((way) =>
      reducing(from, [...args, ...files(way), '--picture', at(way, 'p.svg')], way === 'held' ? undefined : LITTLE),
    ),
  )
  expect(held!.passes).toBe(1)
  expect(streamed!.passes).toBe(2)
  expect(streamed!.answer.components).toEqual(held!.answer.components)
  expect(streamed!.answer.columns).toEqual(held!.answer.columns)
  for (const name of ['explainedVariance', 'explainedVarianceRatio', 'singularValues']) {
    const [found, wanted] = [streamed!.answer[name], held!.answer[name]] as [number[], number[]]
    expect(found).toHaveLength(wanted.length)
    for (const [k, v] of wanted.entries()) expect(Math.abs(found[k]! - v)).toBeLessThan(1e-9 * wanted[0]!)
  }
  const [wanted, found] = await Promise.all(ways.map((way) => cellsOf(at(way, 's.csv'))))
  expect(found![0]).toEqual(wanted![0])
  expect(found).toHaveLength(wanted!.length)
  const isScore = wanted![0]!.map((name) => name.startsWith('pca'))
  const part = (rows: readonly (readonly string[])[], isWanted: boolean) =>
    rows.slice(1).map((row) => row.filter((_, k) => isScore[k] === isWanted))
  expect(part(found!, false)).toEqual(part(wanted!, false))
  const scores = part(wanted!, true).flat().map(Number)
  const away = part(found!, true)
    .flat()
    .map((cell, at) => Math.abs(Number(cell) - scores[at]!))
  expect(Math.max(...away)).toBeLessThan(1e-8)
  for (const name of ['m.onnx', 'r.html', 'p.svg']) {
    const [a, b] = await Promise.all(ways.map((way) => readFile(at(way, name))))
    expect(Math.abs(a!.length - b!.length)).toBeLessThanOrEqual(0.02 * a!.length)
  }
  return found!
}

const ROWS = 2500
const header = 'a,b,c,d,kind,stars'

/** About 190 kB, which are read in three pieces: c depends on a and b, and cells of b are missing. */
function lines(): string[] {
  const { normal } = random(1)
  return Array.from({ length: ROWS }, (_, i) => {
    const [a, b, d] = [normal(3), normal(0), 50 * normal(0)]
    return [a, i % 7 === 6 ? '' : b, a + b + normal(0) / 10, d, i % 3 ? 'u' : i % 2 ? 'v' : '', i % 5].join(',')
  })
}

describe('a table of which a block is in memory has the components and scores that it has in memory', () => {
  beforeAll(async () => {
    await writeFile(at('t.csv'), [header, ...lines()].join('\n'))
  })
  const colours = ['--color', 'kind', '--color', 'stars', '--missing', 'mean']

  test.each<[string, readonly string[]]>([
    ['all of them', []],
    [
      'standardized and whitened, as many as hold a part of the variance',
      ['--standardize', '--whiten', '--components', '0.9'],
    ],
    ['by a criterion, of some columns', ['--columns', 'c,a,d', '--components', 'mle']],
    ['of the rows up to a limit', ['--limit', '1500', '--components', '2']],
  ])('%s', async (_, args) => {
    const found = await expectAlike('t.csv', [...colours, ...args])
    const rows = args.includes('1500') ? 1500 : ROWS
    expect(found).toHaveLength(rows + 1)
    expect(found.slice(1).map((row) => row.slice(-2))).toEqual(
      Array.from({ length: rows }, (_, i) => [i % 3 ? 'u' : i % 2 ? 'v' : '', String(i % 5)]),
    )
  })

  test('many scores are worth a word, and how to have fewer', async () => {
    const { warnings } = await reducing('t.csv', [...colours, '-o', at('s.csv')], LITTLE)
    expect(warnings).toEqual([expect.stringMatching(/scores: 2\.50 k rows of 4 columns.*--components takes fewer/)])
  })
})

describe('samples, too', () => {
  test.each(['float32', 'float64'] as const)('of %s', async (dtype) => {
    const { normal } = random(2)
    const data = Float64Array.from({ length: 500 * 12 }, () => normal(1))
    await writeFile(at('x.npy'), encodeNpy(floatTensor(dtype, [500, 3, 4], data)))
    await writeFile(at('y.txt'), Array.from({ length: 500 }, (_, i) => `c${i % 3}`).join('\n'))
    const found = await expectAlike('x.npy', ['--components', '3', '--standardize', '--labels', at('y.txt')])
    expect(found.slice(1).map((row) => row[3])).toEqual(Array.from({ length: 500 }, (_, i) => `c${i % 3}`))
  })

  test('of bytes, up to a limit', async () => {
    const { integer } = random(3)
    const body = Array.from({ length: 300 * 6 }, () => integer(256))
    await writeFile(at('x.idx'), Uint8Array.from([0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 2, 0, 0, 0, 3, ...body]))
    expect(await expectAlike('x.idx', ['--limit', '123', '--components', '2'])).toHaveLength(124)
  })
})

describe('what cannot be read is named by its row and column, and nothing is written', () => {
  test.each<[string, string, readonly string[], string, string]>([
    ['a missing number', ',2,3,4,u,1', [], 'TABLE_MISSING', 'row 2401, column a'],
    ['a text', '1,2,oops,4,u,1', [], 'TABLE_CELL', 'row 2401, column c'],
    ['infinity', '1,2,3,inf,u,1', [], 'DESIGN_FINITE', 'row 2401, column d'],
    [
      'infinity beside what is filled in',
      '1,inf,3,4,u,1',
      ['--missing', 'mean'],
      'DESIGN_FINITE',
      'row 2401, column b',
    ],
    ['a number too large', '1,2,3,1e200,u,1', ['--missing', 'mean'], 'DESIGN_RANGE', 'row 2401, column d'],
  ])('%s', async (_, row, args, code, where) => {
    const filled = lines().map((line) => (args.length > 0 ? line : line.replace(',,', ',0,')))
    await writeFile(at('bad.csv'), [header, ...filled.toSpliced(2400, 1, row)].join('\n'))
    const before = await readdir(folder)
    const wanted = ['--color', 'kind', '--color', 'stars', '-o', at('bad-scores.csv'), ...args]
    const error = await reducing('bad.csv', wanted, LITTLE).catch((e: PareError) => e)
    expect(error).toMatchObject({ code, detail: { where: `bad.csv, ${where}` } })
    expect(await readdir(folder)).toEqual(before)
  })

  test('rows that are gone when they are read again', async () => {
    const all = [header, ...lines()]
    await writeFile(at('short.csv'), all.join('\n'))
    const cut = () => truncateSync(at('short.csv'), all.slice(0, 1000).join('\n').length)
    const args = ['--color', 'kind', '--missing', 'mean', '-o', at('x.csv')]
    const error = await reducing('short.csv', args, LITTLE, cut).catch((e: PareError) => e)
    expect(error).toMatchObject({ code: 'TABLE_CHANGED', detail: { where: 'short.csv', value: '2500 rows before' } })
  })

  test('NaN among samples', async () => {
    const data = Float64Array.from({ length: 500 * 12 }, (_, k) => (k === 400 * 12 + 5 ? Number.NaN : Math.sin(k * k)))
    await writeFile(at('nan.npy'), encodeNpy(floatTensor('float64', [500, 12], data)))
    const error = await reducing('nan.npy', ['-o', at('n.csv')], LITTLE).catch((e: PareError) => e)
    expect(error).toMatchObject({ code: 'DESIGN_FINITE', detail: { where: 'X, row 401, column 6' } })
  })
})

test('more columns than rows are held, which is told', async () => {
  const data = Float64Array.from({ length: 20 * 30 }, (_, k) => Math.sin(k * k))
  await writeFile(at('wide.npy'), encodeNpy(floatTensor('float64', [20, 30], data)))
  const { warnings, passes, answer } = await reducing('wide.npy', ['--components', '2', '-o', at('w.csv')], LITTLE)
  expect(warnings).toEqual(['20 rows of 30 columns are held in memory, about 4.80 kB'])
  expect(passes).toBe(1)
  expect(answer.solver).toBe('gram')
})
