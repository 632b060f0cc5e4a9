/** `pare select`: what it keeps, writes and says, and what it refuses. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { pare, pareText } from '../../../test/pare.js'
import { random } from '../../util/random.js'

const data = (name: string): string => join(repositoryRoot, 'test/data', name)
let folder: string
const at = (name: string): string => join(folder, name)
const written = async (name: string): Promise<readonly string[][]> =>
  (await readFile(at(name), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))

const ROWS = 250

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-select-'))
  const { normal, integer } = random(9)
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const [a, b, noise] = [normal(), normal(), normal()]
    const kind = ['red', 'blue', 'grey'][integer(3)]!
    const y = 2 * a - 1.5 * b + (kind === 'red' ? 1.5 : 0) + normal(0, 0.3)
    const cells = [noise.toFixed(3), a.toFixed(3), `${(2 * Number(a.toFixed(3))).toFixed(3)}`, '7.50', kind]
    return [...cells, b.toFixed(3), 1 + (i % 3), y.toFixed(2), y > 1 ? 'high' : 'low'].join(',')
  })
  await writeFile(at('t.csv'), ['noise,a,twice,same,kind,b,code,y,class', ...rows].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

const selected = (...args: readonly string[]) =>
  pare('select', at('t.csv'), '--target', 'y', '--without', 'class', ...args)

describe('each method keeps what matters, in the order of the table, and writes it as it is there', () => {
  test.each([
    ['mutual-information', ['--keep', '3'], ['a', 'twice', 'b']],
    ['mutual-information', ['--keep', '3', '--neighbors', '5', '--category', 'code'], ['a', 'twice', 'b']],
    ['mrmr', ['--keep', '3'], ['a', 'kind', 'b']],
    ['lasso', ['--keep', '3'], ['a', 'kind', 'b']],
    ['correlation', ['--keep', '2', '--max-correlation', '0.9'], ['a', 'b']],
    ['spearman', ['--keep', '0.3'], ['a', 'twice']],
  ])('%s %j', async (method, more, wanted) => {
    const { result } = await selected('--method', method, ...more, '-o', at('kept.csv'))
    // Which of two copies comes first is decided by rounding.
    const plain = (names: readonly string[]) => new Set(names.map((name) => (name === 'twice' ? 'a' : name)))
    expect(result).toMatchObject({ method, target: 'y', task: 'regression', rows: ROWS, output: at('kept.csv') })
    expect(plain(result.kept)).toEqual(plain(wanted))
    expect(result.kept).toHaveLength(wanted.length)
    const [header, ...lines] = await written('kept.csv')
    expect(header).toEqual([...result.kept, 'y'])
    const [names, ...cells] = (await readFile(at('t.csv'), 'utf8')).split('\n').map((line) => line.split(','))
    const places = header!.map((name) => names!.indexOf(name))
    expect(places.slice(0, -1)).toEqual(places.slice(0, -1).toSorted((p, q) => p - q))
    expect(lines).toEqual(cells.map((line) => places.map((place) => line[place]!)))
  })

  test('variance needs no target, and leaves out what does not vary', async () => {
    const { result } = await pare('select', at('t.csv'), '--method', 'variance', '-o', at('kept.csv'))
    expect(result.kept).toEqual(['noise', 'a', 'twice', 'kind', 'b', 'code', 'y', 'class'])
    expect(result).not.toHaveProperty('target')
    expect((await written('kept.csv'))[0]).toEqual(result.kept)
    const some = await pare('select', at('t.csv'), '--method', 'variance', '--target', 'y', '--threshold', '0.9')
    expect(some.result.kept).not.toContain('code')
    expect(some.result.kept).toContain('twice')
    expect(some.result.columns.at(-1)).toMatchObject({ name: 'same', score: 0, kept: false })
  })

  test('lasso by BIC: the columns of the fit that has the least', async () => {
    const { result } = await selected('--method', 'lasso', '--keep', 'bic')
    expect(result.kept).toEqual(expect.arrayContaining(['kind', 'b']))
    expect(result.kept).not.toContain('same')
    const byDefault = await selected('--method', 'lasso')
    expect(byDefault.result).toEqual(result)
    const args = ['--target', 'y', '--without', 'class', '--select', 'bic', '-o', at('m.onnx')]
    const fit = await pare('fit', at('t.csv'), ...args)
    const nonzero = Object.entries(fit.result.coefficients).filter(([, c]) => c !== 0)
    expect(new Set(result.kept)).toEqual(new Set(nonzero.map(([name]) => name.split('=')[0])))
  })
})

test('text is classes by itself, whole numbers where that is said', async () => {
  const args = ['--without', 'y', '--keep', '2']
  const text = await pare('select', at('t.csv'), '--target', 'class', ...args)
  expect(text.result).toMatchObject({ task: 'classification', target: 'class' })
  expect(text.result.kept).toEqual(['a', 'twice'])
  const code = ['--target', 'code', ...args]
  const numbers = await pare('select', at('t.csv'), ...code)
  expect(numbers.result.task).toBe('regression')
  expect(numbers.answer.warnings.join()).toMatch(/column code: 3 whole numbers.*--task classification/)
  const said = await pare('select', at('t.csv'), ...code, '--task', 'classification')
  expect(said).toMatchObject({ result: { task: 'classification' }, answer: { warnings: [] } })
})

test('a copy is not kept before what says something else', async () => {
  const { result } = await selected('--method', 'mrmr', '--keep', '7')
  const names = result.columns.map(({ name }: { name: string }) => name)
  expect(['a', 'twice']).toContain(names.at(-1))
  expect(result.columns[0].redundancy).toBe(0)
  const quotient = await selected('--method', 'mrmr', '--keep', '2', '--scheme', 'miq')
  const { score, relevance, redundancy } = quotient.result.columns[1]
  expect(score).toBeCloseTo(relevance / Math.max(redundancy, 1e-3), 12)
})

test('what was written in quotes, and what is missing, is so again', async () => {
  const rows = ['"x, y","A ""b"" c",target', '1.50,"p,q",1', ',r,2', '0x,r,3', '4e0,,5', '2.5,"p,q",4']
  await writeFile(at('q.csv'), rows.filter((row) => !row.startsWith('0x')).join('\n'))
  const args = ['--target', 'target', '--keep', '2', '-o', at('kept.csv')]
  expect((await pare('select', at('q.csv'), ...args)).code).toBe('TABLE_MISSING')
  const { status } = await pare('select', at('q.csv'), ...args, '--missing', 'mean')
  expect(status).toBe(0)
  expect(await readFile(at('kept.csv'), 'utf8')).toBe(
    '"x, y","A ""b"" c",target\n1.50,"p,q",1\n,r,2\n4e0,,5\n2.5,"p,q",4\n',
  )
})

test('JSON lines are read, and written as CSV', async () => {
  const lines = [1, 2, 3, 4, 5, 6].map((v) => JSON.stringify({ u: v % 2, v: v / 4, t: v * v }))
  await writeFile(at('t.jsonl'), lines.join('\n'))
  const { result } = await pare('select', at('t.jsonl'), '--target', 't', '--keep', '1', '-o', at('kept.csv'))
  expect(result.kept).toEqual(['v'])
  expect((await written('kept.csv')).slice(0, 2)).toEqual([
    ['v', 't'],
    ['0.25', '1'],
  ])
})

test('in a terminal: columns with their scores, the best first, in 80 columns', async () => {
  const long = 'a column whose name goes on and on, longer than a line of a terminal is wide, by far'
  await writeFile(at('long.csv'), (await readFile(at('t.csv'), 'utf8')).replace('noise', `"${long}"`))
  const args = ['select', at('long.csv'), '--target', 'y', '--without', 'class']
  const { status, text } = await pareText([...args, '--method', 'correlation', '--max-correlation', '0.9'])
  expect(status).toBe(0)
  expect(text).not.toContain('\u001b')
  for (const line of text.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(80)
  expect(text).toMatch(/^by +correlation$/m)
  expect(text).toMatch(/^(a|twice) +0\.7\d+ +yes$/m)
  expect(text).toMatch(/^(a|twice) +0\.7\d+ +(a|twice)$/m)
  const { text: mrmr } = await pareText([...args, '--method', 'mrmr', '--keep', '2'])
  expect(mrmr).toMatch(/^column +relevance +redundancy +score +kept$/m)
  expect(mrmr).toMatch(/^(a|twice) +\d\.\d+ +0 +\d\.\d+ +yes$/m)
})

test('a report is written where it is asked for, and never over the table', async () => {
  const { result } = await selected('--method', 'mrmr', '--keep', '2', '--report', at('r.html'), '-o', at('kept.csv'))
  expect(result.report).toBe(at('r.html'))
  const page = await readFile(at('r.html'), 'utf8')
  expect(page).toContain('2 of 7 columns kept for y')
  expect(page).toContain('--method mrmr --keep 2')
  expect((await selected('--report', at('t.csv'))).code).toBe('OUTPUT_IS_INPUT')
  const twice = await selected('--report', at('same.csv'), '-o', at('same.csv'))
  expect(twice.code).toBe('OUTPUT_TWICE')
  expect(twice.text).toContain('replace the table')
})

test('names of rows are told of', async () => {
  const lines = (await readFile(at('t.csv'), 'utf8')).split('\n')
  await writeFile(at('named.csv'), lines.map((line, i) => `${i === 0 ? 'id' : `n${i}`},${line}`).join('\n'))
  const { text } = await pareText(['select', at('named.csv'), '--target', 'class', '--keep', '1'])
  expect(text).toMatch(/column id: 250 different texts in 250 rows.*--without id/)
})

test('a larger table goes to several threads, and gives the same for the same seed', async () => {
  const { normal, integer } = random(2)
  const names = Array.from({ length: 30 }, (_, j) => `x${j}`)
  const rows = Array.from({ length: 9000 }, () => {
    const cells = names.map((_, j) => (j % 2 === 0 ? integer(9) : normal().toFixed(4)))
    return [...cells, (Number(cells[3]) + Number(cells[4]) / 3 + normal()).toFixed(3)].join(',')
  })
  await writeFile(at('large.csv'), [[...names, 'y'].join(','), ...rows].join('\n'))
  const ran = (...more: readonly string[]) => pare('select', at('large.csv'), '--target', 'y', '--keep', '2', ...more)
  const first = await ran()
  expect(first.result.kept).toEqual(['x3', 'x4'])
  expect((await ran()).result).toEqual(first.result)
  expect((await ran('--seed', '5')).result.columns).not.toEqual(first.result.columns)
})

describe('what cannot be done is said, with what to do', () => {
  test.each<[string, readonly string[], string, string]>([
    ['more columns than there are', ['--keep', '9'], 'SELECT_KEEP', '7'],
    ['no number', ['--keep', 'many'], 'OPTION_VALUE', '--keep'],
    ['no columns', ['--keep', '0'], 'OPTION_VALUE', '--keep'],
    ['a part of a column', ['--keep', '2.5'], 'OPTION_VALUE', '--keep'],
    ['BIC without a model', ['--keep', 'bic'], 'SELECT_KEEP', 'lasso'],
    ['neighbours of a lasso', ['--method', 'lasso', '--neighbors', '3'], 'OPTION_UNUSED', '--neighbors'],
    ['a scheme of none', ['--scheme', 'mid'], 'OPTION_UNUSED', '--scheme'],
    ['copies of no correlation', ['--max-correlation', '0.9'], 'OPTION_UNUSED', '--max-correlation'],
    ['a threshold of no variance', ['--threshold', '1'], 'OPTION_UNUSED', '--threshold'],
    ['a task of none', ['--method', 'variance', '--task', 'regression'], 'OPTION_UNUSED', '--task'],
    ['an unknown column left out', ['--without', 'z'], 'TABLE_COLUMN', 'z'],
    ['an unknown category', ['--category', 'z'], 'TABLE_COLUMN', 'z'],
    [
      'all columns left out',
      ['a', 'b', 'kind', 'noise', 'twice', 'same', 'code'].flatMap((n) => ['--without', n]),
      'DESIGN_EMPTY',
      '',
    ],
    ['the table replaced', ['-o', 't.csv'], 'OUTPUT_IS_INPUT', 't.csv'],
  ])('%s', async (_, args, code, what) => {
    const { status, answer } = await selected(...args.map((arg) => (arg === 't.csv' ? at(arg) : arg)))
    expect(answer.error?.code).toBe(code)
    expect(status).not.toBe(0)
    expect(JSON.stringify(answer.error)).toContain(what)
  })

  test.each([
    ['z', [], 'TABLE_COLUMN'],
    ['same', [], 'SELECT_TARGET'],
    ['class', ['--task', 'regression'], 'SELECT_TARGET'],
    ['class', ['--method', 'variance', '--without', 'z'], 'TABLE_COLUMN'],
  ])('target %s %j', async (target, args, code) => {
    const { answer } = await pare('select', at('t.csv'), '--target', target, ...args)
    expect(answer.error?.code).toBe(code)
  })

  test('rows too few for the BIC are told of with an option that there is', async () => {
    const { normal } = random(3)
    const rows = Array.from({ length: 6 }, () => Array.from({ length: 9 }, () => normal()))
    await writeFile(at('wide.csv'), ['a,b,c,d,e,f,g,h,y', ...rows].join('\n'))
    const args = [at('wide.csv'), '--target', 'y', '--method', 'lasso'] as const
    const { answer } = await pare('select', ...args)
    expect(answer.error.code).toBe('CRITERIA_NOISE')
    expect(answer.error.remedy).toContain('--keep with a number')
    expect((await pare('select', ...args, '--keep', '3')).result.kept).toHaveLength(3)
  })

  test.each(['kept.parquet', 'kept.tsv', 'kept.npy', 'kept'])('CSV is not written as %s', async (name) => {
    const { status, code } = await selected('-o', at(name))
    expect([status, code]).toEqual([2, 'OUTPUT_FORMAT'])
    await expect(readFile(at(name))).rejects.toThrow('ENOENT')
  })

  test('where nothing is kept no file is written, and that is said', async () => {
    await writeFile(at('flat.csv'), 'x,y\n1,1\n1,2\n1,3\n')
    for (const args of [['variance'], ['lasso']]) {
      const { status, answer, result } = await pare(
        'select',
        at('flat.csv'),
        '--target',
        'y',
        '-o',
        at('none.csv'),
        '--method',
        ...args,
      )
      expect(status).toBe(0)
      expect(result.kept).toEqual([])
      expect(result).not.toHaveProperty('output')
      expect(answer.warnings.join()).toContain('no table is written')
      await expect(readFile(at('none.csv'))).rejects.toThrow('ENOENT')
    }
  })

  test('by the variance a target is left apart, whatever it holds', async () => {
    await writeFile(at('gap.csv'), 'x,y\n1,1\n2,\n4,2\n')
    const { result } = await pare(
      'select',
      at('gap.csv'),
      '--target',
      'y',
      '--method',
      'variance',
      '-o',
      at('kept.csv'),
    )
    expect(result).toMatchObject({ kept: ['x'], target: 'y', task: 'regression' })
    expect(await readFile(at('kept.csv'), 'utf8')).toBe('x,y\n1,1\n2,\n4,2\n')
    expect((await pare('select', at('gap.csv'), '--target', 'z', '--method', 'variance')).code).toBe('TABLE_COLUMN')
  })

  test('no target; one row; one class; no rows; a gap in the target', async () => {
    expect((await pare('select', at('t.csv'))).code).toBe('SELECT_TARGET')
    const of = async (text: string, ...args: readonly string[]) => {
      await writeFile(at('few.csv'), text)
      return (await pare('select', at('few.csv'), '--target', 'y', ...args)).code
    }
    for (const method of ['mutual-information', 'mrmr', 'lasso', 'correlation', 'spearman']) {
      expect(await of('x,y\n1,2\n', '--method', method)).toBe('SELECT_TARGET')
      expect(await of('x,y\n1,a\n2,a\n', '--method', method)).toBe('SELECT_TARGET')
    }
    expect(await of('x,y\n1,a\n2,\n3,b\n')).toBe('TABLE_MISSING')
    expect(await of('x,y\n1,1\n2,\n3,2\n')).toBe('TABLE_MISSING')
    expect(await of('x,y\n,1\n,3\n', '--missing', 'mean')).toBe('TABLE_MISSING')
    expect(await of('x,y\n')).toMatch(/^(CSV|DESIGN)_EMPTY$/)
    expect(await of('x,y\n1,1\n3,2\n', '--method', 'variance')).toBeUndefined()
  })
})

test('iris: the petals say most', async () => {
  const { result } = await pare('select', data('iris.csv'), '--target', 'species')
  expect(result.kept).toEqual(['petal_length', 'petal_width'])
})
