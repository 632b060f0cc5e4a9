import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../../test/data.js'
import { pare, pareText } from '../../../test/pare.js'
import { expectWhole } from '../../../test/report/markup.js'
import { isInstalled } from '../../data/duckdb.js'
import { fileSource } from '../../data/files.js'
import { encodeNpy, npySamples } from '../../data/npy.js'
import { openTable } from '../../data/open-table.js'
import { openEngine } from '../../engine/node/open.js'
import { floatTensor, numbers } from '../../ir/tensor.js'
import { random } from '../../util/random.js'

const hasDuckDB = await isInstalled()
let folder: string
const at = (name: string): string => join(folder, name)
const read = (name: string): Promise<string> => readFile(at(name), 'utf8')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-reduce-'))
  await copyFile(join(repositoryRoot, 'test/data/iris.csv'), at('iris.csv'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const reduce = (from: string, method: 'pca' | 'tsne', to: string, ...more: readonly string[]) =>
  pare('reduce', at(from), '--method', method, '-o', at(to), ...more)

/** Cells under the header. */
const cells = (text: string): readonly (readonly string[])[] =>
  text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))

describe('principal components', () => {
  test('of the iris have the variances that are known, and their scores have these variances', async () => {
    const { status, result } = await reduce('iris.csv', 'pca', 'scores.csv', '--color', 'species')
    expect(status).toBe(0)
    // scikit-learn's PCA of the same table.
    const known = [4.22824171, 0.24267075, 0.0782095, 0.02383509]
    for (const [k, variance] of known.entries()) expect(result.explainedVariance[k]).toBeCloseTo(variance, 8)
    expect(result.columns).toEqual(['sepal_length', 'sepal_width', 'petal_length', 'petal_width'])
    const text = await read('scores.csv')
    expect(text.split('\n')[0]).toBe('pca1,pca2,pca3,pca4,species')
    const rows = cells(text)
    expect(rows).toHaveLength(150)
    for (const [k, variance] of known.entries()) {
      const own = rows.map((row) => Number(row[k]))
      expect(own.reduce((a, v) => a + v * v, 0) / 149).toBeCloseTo(variance, 7)
    }
    expect(new Set(rows.map((row) => row[4]))).toEqual(new Set(['setosa', 'versicolor', 'virginica']))
  })

  test('as a model give the same scores to pare predict, by the names of the columns', async () => {
    const files = ['--without', 'species', '--model', at('pca.onnx'), '--components', '2', '--standardize', '--whiten']
    expect((await reduce('iris.csv', 'pca', 'two.csv', ...files)).status).toBe(0)
    expect((await pare('predict', at('pca.onnx'), at('iris.csv'), '-o', at('predicted.csv'))).status).toBe(0)
    const [scores, predicted] = [await read('two.csv'), await read('predicted.csv')]
    expect(predicted.split('\n')[0]).toBe('pca1,pca2')
    const [rows, again] = [cells(scores), cells(predicted)]
    for (const [i, row] of rows.entries())
      for (const k of [0, 1]) expect(Number(again[i]![k])).toBeCloseTo(Number(row[k]), 10)
    expect(rows.reduce((a, row) => a + Number(row[1]) ** 2, 0) / 149).toBeCloseTo(1, 6)
  })

  test('of samples are a model of whole rows', async () => {
    const data = Float64Array.from({ length: 40 * 6 }, (_, k) => Math.sin(k * k))
    await writeFile(at('rows.npy'), encodeNpy(floatTensor('float32', [40, 2, 3], data)))
    expect((await reduce('rows.npy', 'pca', 'rows.csv', '--model', at('rows.onnx'), '--components', '3')).status).toBe(
      0,
    )
    const engine = await openEngine()
    try {
      const session = await engine.load(new Uint8Array(await readFile(at('rows.onnx'))))
      const { scores } = await session.run({ input: floatTensor('float32', [40, 6], data) })
      const found = numbers(scores!)
      for (const [i, row] of cells(await read('rows.csv')).entries())
        for (const k of [0, 1, 2]) expect(found[3 * i + k]).toBeCloseTo(Number(row[k]), 5)
    } finally {
      await engine.close()
    }
  })

  test('are as few as hold a part of the variance', async () => {
    const of = async (components: string) =>
      (await reduce('iris.csv', 'pca', 'part.csv', '--without', 'species', '--components', components)).result
    expect((await of('0.95')).components).toEqual(['pca1', 'pca2'])
    expect((await of('90%')).components).toEqual(['pca1'])
    expect((await of('mle')).components).toHaveLength(3)
  })

  test('are shown in the terminal, in a report and in pictures', async () => {
    const to = ['--report', at('pca.html'), '--picture', at('pca.png'), '--color', 'species']
    const { status, text } = await pareText(['reduce', at('iris.csv'), '--method', 'pca', '-o', at('s.tsv'), ...to])
    expect(status).toBe(0)
    expect(text).toContain('components  4, which hold 100.00 % of the variance')
    expect(text).toMatch(/pca2 +0\.2427 +5\.31 % +97\.77 %/)
    expectWhole(await read('pca.html'))
    expect((await readFile(at('pca.png'))).subarray(1, 4).toString()).toBe('PNG')
    expect((await read('s.tsv')).split('\n')[0]).toBe('pca1\tpca2\tpca3\tpca4\tspecies')
  })
})

describe('t-SNE', () => {
  const FEW = ['--iterations', '150', '--color', 'species'] as const

  test('maps the iris so that most nearest neighbours are of one kind; the same seed gives the same bytes', async () => {
    const to = ['--report', at('map.html'), '--picture', at('map.svg')]
    const { status, result } = await reduce('iris.csv', 'tsne', 'map.csv', ...FEW, ...to)
    expect(status).toBe(0)
    expect(result).toMatchObject({
      method: 'tsne',
      rows: 150,
      perplexity: 30,
      iterations: 400,
      components: ['tsne1', 'tsne2'],
    })
    expect(result.losses.length).toBe(8)
    expect(result.losses.at(-1)).toBeLessThan(0.3)
    const rows = cells(await read('map.csv'))
    const alike = rows.filter((row, i) => {
      const away = (other: readonly string[]): number =>
        Math.hypot(Number(row[0]) - Number(other[0]), Number(row[1]) - Number(other[1]))
      const nearest = rows.filter((_, k) => k !== i).reduce((a, b) => (away(b) < away(a) ? b : a))
      return nearest[2] === row[2]
    })
    expect(alike.length).toBeGreaterThan(135)
    expect(await read('map.html')).toContain('t-SNE of iris.csv')
    expect(await read('map.svg')).toContain('versicolor')
    await reduce('iris.csv', 'tsne', 'again.csv', ...FEW)
    expect(await read('again.csv')).toBe(await read('map.csv'))
  })

  test('of columns of unequal units says how that is mended', async () => {
    const units = (factor: number) => table('area,rooms,none', 30, (i) => [factor * s(i), s(i + 5), 1])
    const map = (...more: readonly string[]) =>
      reduce('units.csv', 'tsne', 'units-map.csv', '--perplexity', '5', '--iterations', '1', ...more)
    await writeFile(at('units.csv'), units(1000))
    const { answer } = await map()
    expect(answer.warnings).toEqual([expect.stringMatching(/column area has .*, column rooms has .* --standardize /)])
    expect((await map('--standardize')).answer.warnings).toEqual([])
    await writeFile(at('units.csv'), units(50))
    expect((await map()).answer.warnings).toEqual([])
  })

  test('in three dimensions says which two are drawn', async () => {
    const to = ['--components', '3', '--report', at('three.html'), '--picture', at('three.svg')]
    const options = ['--method', 'tsne', '-o', at('three.csv'), '--iterations', '1', '--color', 'species']
    const { text } = await pareText(['reduce', at('iris.csv'), ...options, ...to])
    expect(text).toContain('drawn       tsne1 and tsne2, two of 3 dimensions')
    expect(await read('three.html')).toContain('This map shows tsne1 and tsne2, two of 3 dimensions:')
    expect(await read('three.svg')).toContain('t-SNE of iris.csv: tsne1 and tsne2, two of 3 dimensions</title>')
  })

  test('maps samples of an npy file in three dimensions, wide ones by their first components, with labels beside', async () => {
    const { normal } = random(5)
    const data = Float64Array.from({ length: 60 * 80 }, (_, k) => normal(Math.floor(k / 80) % 2 === 0 ? 0 : 3))
    await writeFile(at('wide.npy'), encodeNpy(floatTensor('float32', [60, 8, 10], data)))
    await writeFile(at('names.txt'), Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 'even' : 'odd')).join('\n'))
    const options = ['--labels', at('names.txt'), '--components', '3', '--perplexity', '5', '--iterations', '50']
    const { status, result } = await reduce('wide.npy', 'tsne', 'wide-map.npy', ...options)
    expect(status).toBe(0)
    expect(result).toMatchObject({ rows: 60, colors: ['label'], components: ['tsne1', 'tsne2', 'tsne3'] })
    expect(result.columns[13]).toBe('2,4')
    expect(result.initial).toMatchObject({ components: 50 })
    const samples = await npySamples(await fileSource(at('wide-map.npy')))
    expect(samples.count).toBe(60)
    for await (const { feeds } of samples.read()) expect(Object.values(feeds)[0]!.shape).toEqual([3])
  })
})

test('idx files are read, also packed, a part of them where there is a limit', async () => {
  const { integer } = random(6)
  const head = [0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 2, 0, 0, 0, 3]
  const body = Array.from({ length: 180 }, () => integer(256))
  await writeFile(at('images.idx.gz'), gzipSync(Uint8Array.from([...head, ...body])))
  await writeFile(
    at('labels.idx'),
    Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 30, ...Array.from({ length: 30 }, (_, i) => i % 3)]),
  )
  const labels = ['--labels', at('labels.idx')]
  const { status, result } = await reduce('images.idx.gz', 'pca', 'images.csv', '--limit', '20', ...labels)
  expect(status).toBe(0)
  expect(result).toMatchObject({ rows: 20, columns: ['1,1', '1,2', '1,3', '2,1', '2,2', '2,3'] })
  expect(cells(await read('images.csv')).map((row) => row[6])).toEqual(
    Array.from({ length: 20 }, (_, i) => String(i % 3)),
  )
})

test.skipIf(!hasDuckDB)('Parquet is written, and its columns have their names', async () => {
  expect((await reduce('iris.csv', 'pca', 'scores.parquet', '--color', 'species')).status).toBe(0)
  const written = await openTable(await fileSource(at('scores.parquet')))
  expect(written.names).toEqual(['pca1', 'pca2', 'pca3', 'pca4', 'species'])
  written.close()
})

const table = (header: string, rows: number, row: (i: number) => readonly (number | string)[]): string =>
  [header, ...Array.from({ length: rows }, (_, i) => row(i).join(','))].join('\n')

const s = (i: number): number => Math.sin(1.7 * i)
const plain = table('a,b', 20, (i) => [s(i), s(i + 5)])

test.each<[string, string, 'pca' | 'tsne', readonly string[], string, string]>([
  [
    'text',
    table('a,kind', 20, (i) => [s(i), i % 2 ? 'u' : 'v']),
    'pca',
    [],
    'REDUCE_TEXT',
    'table.csv, column kind: a column of text',
  ],
  [
    'only text',
    table('kind', 9, () => ['u']),
    'pca',
    ['--color', 'kind'],
    'TABLE_COLUMN',
    'no column of numbers is left',
  ],
  ['no such colour', plain, 'pca', ['--color', 'c'], 'TABLE_COLUMN', 'there are a, b (got "c")'],
  ['no such column', plain, 'pca', ['--columns', 'a,B'], 'TABLE_COLUMN', 'Did you mean b?'],
  [
    'NaN',
    table('a,b', 20, (i) => [i === 3 ? 'NaN' : s(i), i]),
    'pca',
    [],
    'TABLE_MISSING',
    'table.csv, row 4, column a',
  ],
  ['infinity', table('a,b', 20, (i) => [i === 3 ? 'inf' : s(i), i]), 'tsne', [], 'DESIGN_FINITE', 'row 4, column a'],
  ['fewer rows than components', plain, 'pca', ['--components', '3'], 'PCA_COMPONENTS', 'Give a count from 1 to 2'],
  ['one row', 'a,b\n1,2\n', 'pca', [], 'PCA_ROWS', 'a single row has no variance'],
  ['no rows', 'a,b\n', 'pca', [], 'DESIGN_EMPTY', 'there is nothing to fit'],
  ['a perplexity too large', plain, 'tsne', ['--perplexity', '7'], 'TSNE_OPTION', 'perplexity'],
  ['four dimensions', plain, 'tsne', ['--components', '4'], 'OPTION_VALUE', 'a map of t-SNE has 2 or 3 dimensions'],
  ['half a component', plain, 'pca', ['--components', '1.5'], 'OPTION_VALUE', '--components: a count'],
  [
    'a perplexity of components',
    plain,
    'pca',
    ['--perplexity', '5'],
    'OPTION_UNUSED',
    'nothing of principal components',
  ],
  ['whitening a map', plain, 'tsne', ['--whiten'], 'OPTION_UNUSED', 'nothing of t-SNE'],
  ['an unknown picture', plain, 'pca', ['--picture', 'map.gif'], 'OUTPUT_FORMAT', 'SVG or PNG'],
  ['a table that is no database', plain, 'pca', ['--table', 't'], 'TABLE_FORMAT', 'only a database'],
])('%s is refused, and nothing is written', async (_, text, method, options, code, message) => {
  await writeFile(at('table.csv'), text)
  const before = await readdir(folder)
  const { status, answer } = await reduce('table.csv', method, 'bad.csv', ...options)
  expect(answer.error).toMatchObject({ code })
  expect(answer.error.message).toContain(message)
  expect(status).toBe(/^(OPTION|OUTPUT)_/.test(code) ? 2 : 3)
  expect(await readdir(folder)).toEqual(before)
})

test('missing files, unknown methods and endings, and outputs that would replace what is read are refused', async () => {
  expect((await reduce('nowhere.csv', 'pca', 'x.csv')).code).toBe('SAMPLES_MISSING')
  const iris = at('iris.csv')
  expect((await pare('reduce', iris, '--method', 'umap', '-o', at('x.csv'))).answer.error.message).toContain(
    'pca, tsne',
  )
  expect((await pare('reduce', iris, '-o', at('x.csv'))).code).toBe('OPTION_MISSING')
  expect((await reduce('iris.csv', 'pca', 'x.xlsx')).code).toBe('OUTPUT_FORMAT')
  expect((await reduce('iris.csv', 'pca', 'iris.csv')).code).toBe('OUTPUT_IS_INPUT')
  const twice = ['--without', 'species', '--report', at('x.csv')]
  expect((await reduce('iris.csv', 'pca', 'x.csv', ...twice)).answer.error.message).toContain('replace the table')
  expect((await reduce('iris.csv', 'tsne', 'x.csv', '--model', at('m.onnx'))).code).toBe('OPTION_UNUSED')
  expect((await reduce('iris.csv', 'pca', '-')).status).toBe(2)
})

test('labels that are not of these rows are refused, and so are columns of samples', async () => {
  await writeFile(at('plain.csv'), plain)
  await writeFile(at('few.txt'), 'a\nb\n')
  const few = await reduce('plain.csv', 'pca', 'x.csv', '--labels', at('few.txt'))
  expect(few.answer.error).toMatchObject({ code: 'LABEL_COUNT', value: '20 rows, 2 labels' })
  await writeFile(
    at('flat.npy'),
    encodeNpy(
      floatTensor(
        'float32',
        [4, 3],
        new Float64Array(12).map((_, i) => i * i),
      ),
    ),
  )
  expect((await reduce('flat.npy', 'pca', 'x.csv', '--columns', 'a')).code).toBe('OPTION_UNUSED')
  expect((await reduce('flat.npy', 'pca', 'x.csv', '--missing', 'mean')).answer.error).toMatchObject({
    code: 'OPTION_UNUSED',
    where: '--missing mean',
  })
})

test('with a limit no more of a table is read, nor checked', async () => {
  const rows = (i: number) => [i < 12 ? s(i) : '', i < 12 ? s(i + 5) : 'no number', i < 12 ? 'u' : 'v']
  await writeFile(at('long.csv'), table('a,b,kind', 13, rows))
  expect((await reduce('long.csv', 'pca', 'some.csv', '--color', 'kind')).code).toBe('TABLE_CELL')
  const { result } = await reduce('long.csv', 'pca', 'some.csv', '--color', 'kind', '--limit', '12')
  expect(result.rows).toBe(12)
  await writeFile(at('short.csv'), table('a,b,kind', 12, rows))
  expect((await reduce('short.csv', 'pca', 'all.csv', '--color', 'kind', '--limit', '100')).result.rows).toBe(12)
  expect(await read('some.csv')).toBe(await read('all.csv'))
})

test.skipIf(!hasDuckDB)('and so it is of tables that DuckDB reads', async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ a: s(i), b: s(i + 5) }))
  await writeFile(at('lines.jsonl'), lines.join('\n'))
  const { result } = await reduce('lines.jsonl', 'pca', 'lines.csv', '--limit', '7')
  expect(result.rows).toBe(7)
})

describe('colours', () => {
  const price = (i: number): number => 1700000128 + i
  const shop = table('a,b,price,stars', 20, (i) => [s(i), s(i + 5), price(i), i % 3])
  const both = ['--color', 'price', '--color', 'stars'] as const

  test('are written as they are in the table, and an array holds scores alone', async () => {
    await writeFile(at('shop.csv'), shop)
    expect((await reduce('shop.csv', 'pca', 'shop-scores.csv', ...both)).status).toBe(0)
    expect(cells(await read('shop-scores.csv')).map((row) => row.slice(2))).toEqual(
      Array.from({ length: 20 }, (_, i) => [String(price(i)), String(i % 3)]),
    )
    expect((await reduce('shop.csv', 'pca', 'shop.npy', ...both)).status).toBe(0)
    for await (const { feeds } of (await npySamples(await fileSource(at('shop.npy')))).read())
      expect(Object.values(feeds)[0]!.shape).toEqual([2])
  })

  test('of few whole numbers are classes where they are drawn', async () => {
    await writeFile(at('shop.csv'), shop)
    expect((await reduce('shop.csv', 'pca', 'x.csv', '--color', 'stars', '--picture', at('stars.svg'))).status).toBe(0)
    expect(await read('stars.svg')).toMatch(/>2 <tspan/)
  })

  test.skipIf(!hasDuckDB)('stay numbers in Parquet', async () => {
    await writeFile(at('shop.csv'), shop)
    expect((await reduce('shop.csv', 'pca', 'shop.parquet', ...both)).status).toBe(0)
    const written = await openTable(await fileSource(at('shop.parquet')))
    for await (const { columns } of written.blocks([3]))
      expect(columns[0]!.numbers().slice(0, 3)).toEqual(Float64Array.of(0, 1, 2))
    written.close()
  })
})

describe('two columns of one name are refused before the work', () => {
  const named = (name: string) => table(`a,b,${name}`, 20, (i) => [s(i), s(i + 5), s(3 * i)])
  test.each<[string, string, string, readonly string[]]>([
    ['a colour that is called like a component', 'pca2', 'x.csv', ['--color', 'pca2']],
    ['and where the data says how many there are', 'pca2', 'x.csv', ['--color', 'pca2', '--components', '0.9']],
    ['a colour given twice', 'c', 'x.csv', ['--color', 'c', '--color', 'c']],
    ['a colour that is called like the labels', 'label', 'x.csv', ['--color', 'label', '--labels', 'names.txt']],
    ['an input and an output of the model', 'pca1', 'x.csv', ['--model', 'x.onnx']],
  ])('%s', async (_, name, to, options) => {
    await writeFile(at('names.txt'), Array.from({ length: 20 }, (_, i) => `n${i % 2}`).join('\n'))
    await writeFile(at('named.csv'), named(name))
    const before = await readdir(folder)
    const found = await reduce(
      'named.csv',
      'pca',
      to,
      ...options.map((o) => (o.includes('.') && o !== '0.9' ? at(o) : o)),
    )
    expect(found.answer.error).toMatchObject({ code: 'TABLE_COLUMN', value: name })
    expect(found.text).not.toContain('first row')
    expect(await readdir(folder)).toEqual(before)
  })

  test('capitals tell names apart in CSV, and not in Parquet', async () => {
    await writeFile(at('named.csv'), named('PCA1'))
    expect((await reduce('named.csv', 'pca', 'capitals.csv', '--color', 'PCA1')).status).toBe(0)
    if (hasDuckDB)
      expect((await reduce('named.csv', 'pca', 'capitals.parquet', '--color', 'PCA1')).code).toBe('TABLE_COLUMN')
  })

  test('a colour that is called like a component that is not written is none of them', async () => {
    await writeFile(at('named.csv'), named('pca2'))
    expect((await reduce('named.csv', 'pca', 'one.csv', '--color', 'pca2', '--components', '1')).status).toBe(0)
  })
})
