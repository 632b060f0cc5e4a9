import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'fflate'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { dataPath } from '../../test/data.js'
import { elements, numbers } from '../ir/tensor.js'
import { stringTensor, tensorOf } from './convert.js'
import { withLabels } from './labels.js'
import { encodeNpy } from './npy.js'
import { openSamples, type SampleKind } from './open.js'
import { type LabelOptions, openLabels } from './open-labels.js'
import { take } from './split.js'

const folder = await mkdtemp(join(tmpdir(), 'pare-open-'))
afterAll(() => rm(folder, { recursive: true }))
let files = 0
const file = async (extension: string, content: string | Uint8Array) => {
  const path = join(folder, `${files++}${extension}`)
  await writeFile(path, content)
  return path
}
const inputs = [{ name: 'x', dtype: 'float32', shape: ['N', 2] }]
const values = async (path: string, kind?: SampleKind) => {
  const samples = await openSamples(path, { inputs, ...(kind && { kind }) })
  return (await collect(samples.read())).map((s) => [...numbers(s.feeds.x!)])
}

test('the content tells the kind, else the extension', async () => {
  const npy = encodeNpy(tensorOf('float64', [2, 2], [1, 2, 3, 4], 'x'))
  const idx = Uint8Array.from([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
  const paths = [
    await file('.npy', npy),
    await file('.data', npy),
    await file('-idx2-ubyte', idx),
    await file('-idx2-ubyte.gz', gzipSync(idx)),
    await file('.csv', 'a,b\n1,2\n3,4\n'),
    await file('.tsv', 'a\tb\n1\t2\n3\t4\n'),
    await file('.mjs', 'export default function* () { yield { x: [1, 2] }; yield { x: [[3, 4]] } }'),
  ]
  for (const path of paths)
    expect(await values(path), path).toEqual([
      [1, 2],
      [3, 4],
    ])
  expect(await values(await file('.table', '1,2\n3,4\n'), 'csv')).toEqual([
    [1, 2],
    [3, 4],
  ])
})

test('unknown, missing and damaged files', async () => {
  await expect(values(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'SAMPLES_MISSING' })
  await expect(values(await file('.h5', 'HDF'))).rejects.toMatchObject({
    code: 'SAMPLES_KIND',
    message: expect.stringMatching(/\.npz, \.npy, idx.*\.csv.*\.parquet, \.wav.*module.*raw/),
  })
  await expect(values(await file('.npz', '1,2'))).rejects.toMatchObject({ code: 'NPZ_HEADER' })
  await expect(values(await file('.npz', 'PK'))).rejects.toMatchObject({ code: 'SAMPLES_TRUNCATED' })
  await expect(values(folder)).rejects.toMatchObject({ code: 'FOLDER_EMPTY' })
  await expect(values(folder, 'csv')).rejects.toMatchObject({ code: 'SAMPLES_KIND' })
})

test('a folder of any files as bytes, in order', async () => {
  const root = join(folder, 'bytes')
  await mkdir(join(root, 'sub'), { recursive: true })
  for (const [name, text] of [
    ['b.txt', 'bcd'],
    ['a.bin', 'a'],
    ['sub/c', 'xyz'],
    ['.hidden', 'no'],
  ] as const) {
    await writeFile(join(root, name), text)
  }
  const bytes = [{ name: 'bytes', dtype: 'int32', shape: ['N', 2] }]
  const samples = await openSamples(root, { inputs: bytes, kind: 'raw', raw: { pad: 256 } })
  expect(samples.count).toBe(3)
  const read = await collect(samples.read())
  expect(read.map((s) => [s.name, ...elements(s.feeds.bytes!)])).toEqual([
    ['a.bin', 97, 256],
    ['b.txt', 98, 99],
    ['sub/c', 120, 121],
  ])
})

test('modules: shapes from the input, labels, names, errors', async () => {
  const source = `
    export async function* samples({ inputs }) {
      yield { feeds: { x: new Float32Array([1, 2]) }, label: 1, name: 'first' }
      yield { feeds: { x: { type: 'float32', dims: [1, 2], data: new Float32Array([3, 4]) } }, label: [1, 2] }
      yield { x: new Float64Array(inputs[0].shape[1]) }
    }`
  const samples = await openSamples(await file('.mjs', source), { inputs })
  for (const _ of [1, 2]) {
    const read = await collect(samples.read())
    expect(read.map((s) => [...numbers(s.feeds.x!)])).toEqual([
      [1, 2],
      [3, 4],
      [0, 0],
    ])
    expect(read.map((s) => s.label)).toEqual([1, [1, 2], undefined])
    expect(read[0]!.name).toBe('first')
    expect(read[0]!.feeds.x!.shape).toEqual([1, 2])
  }
  const failing = async (text: string) => values(await file('.mjs', text))
  await expect(
    failing('export default function* () { yield { x: [1, 2] }; throw new Error("boom") }'),
  ).rejects.toMatchObject({
    code: 'MODULE_RUN',
    message: expect.stringMatching(/asked for sample 1.*boom/),
    cause: expect.objectContaining({ message: 'boom' }),
  })
  await expect(failing('export default async () => { throw new Error("early") }')).rejects.toMatchObject({
    code: 'MODULE_RUN',
    message: expect.stringMatching(/asked for sample 0.*early/),
  })
  await expect(failing('export const a = 1')).rejects.toMatchObject({ code: 'MODULE_EXPORT' })
  await expect(failing('throw new Error("no")')).rejects.toMatchObject({ code: 'MODULE_LOAD' })
  await expect(failing('export default () => 1')).rejects.toMatchObject({ code: 'MODULE_EXPORT' })
  await expect(failing('export default [3]')).rejects.toMatchObject({ code: 'MODULE_SAMPLE' })
  await expect(failing('export default [{ x: [[1], [2, 3]] }]')).rejects.toMatchObject({ code: 'SAMPLE_SHAPE' })
  await expect(failing('export default [{ x: new Float32Array(3) }]')).rejects.toMatchObject({ code: 'SAMPLE_SHAPE' })
  await expect(failing('export default [{ x: [1, {}] }]')).rejects.toMatchObject({ code: 'SAMPLE_VALUE' })
  const once = await openSamples(await file('.mjs', 'export default (function* () { yield { x: [1, 2] } })()'), {
    inputs,
  })
  expect(await collect(once.read())).toHaveLength(1)
  await expect(collect(once.read())).rejects.toMatchObject({ code: 'MODULE_ONCE' })
})

test('labels: numbers and text, from every kind of file', async () => {
  const labels = async (path: string, options?: LabelOptions) => {
    const opened = await openLabels(path, options)
    return { classes: opened.classes, labels: await collect(opened.read()) }
  }
  const numeric = { classes: undefined, labels: [2, 0, 1] }
  expect(await labels(await file('.txt', '2\n0\r\n1\n\n'))).toEqual(numeric)
  expect(await labels(await file('.csv', 'label\n2\n0\n1\n'))).toEqual(numeric)
  expect(await labels(await file('.csv', '2\n0\n1\n'))).toEqual(numeric)
  expect(await labels(await file('.csv', 'id,y\n7,2\n8,0\n9,1\n'))).toEqual(numeric)
  expect(await labels(await file('.csv', 'id,z\n7,2\n8,0\n9,1\n'), { column: 'z' })).toEqual(numeric)
  expect(await labels(await file('.npy', encodeNpy(tensorOf('int64', [3], [2, 0, 1], 'x'))))).toEqual(numeric)
  const idx = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1])
  expect(await labels(await file('-idx1-ubyte', idx))).toEqual(numeric)
  expect(await labels(await file('-idx1-ubyte.gz', gzipSync(idx)))).toEqual(numeric)

  const text = { classes: ['bird', 'cat'], labels: [1, 0, 1] }
  expect(await labels(await file('.txt', 'cat\nbird\ncat\n'))).toEqual(text)
  expect(await labels(await file('.npy', encodeNpy(stringTensor([3], ['cat', 'bird', 'cat']))))).toEqual(text)
  const given = { classes: ['cat', 'dog', 'bird'] }
  expect((await labels(await file('.txt', 'cat\nbird\ncat\n'), given)).labels).toEqual([0, 2, 0])
  const rows = encodeNpy(tensorOf('float32', [2, 2], [1, 2, 3, 4], 'x'))
  expect((await labels(await file('.npy', rows))).labels).toEqual([
    [1, 2],
    [3, 4],
  ])

  await expect(labels(await file('.txt', 'cat\nfish\n'), given)).rejects.toMatchObject({ code: 'LABEL_TEXT' })
  await expect(labels(await file('.txt', '1\n\n2\n'))).rejects.toMatchObject({ code: 'LABEL_TEXT' })
  await expect(labels(await file('.csv', 'a,b\n1,2\n'))).rejects.toMatchObject({ code: 'TABLE_COLUMN' })
  await expect(labels(await file('.doc', 'x'))).rejects.toMatchObject({ code: 'LABELS_KIND' })
  await mkdir(join(folder, 'no-classes'), { recursive: true })
  await expect(labels(join(folder, 'no-classes'))).rejects.toMatchObject({
    code: 'LABELS_KIND',
    detail: { remedy: expect.stringContaining('one folder for each class') },
  })
  await expect(labels(join(folder, 'nothing'))).rejects.toMatchObject({
    code: 'LABELS_MISSING',
    message: expect.stringMatching(/labels/),
  })
})

test('samples and labels that differ in number', async () => {
  const samples = await openSamples(await file('.csv', 'a,b\n1,2\n3,4\n'), { inputs })
  const lines = async (text: string) => withLabels(samples, await openLabels(await file('.txt', text)))
  expect((await collect((await lines('5\n6\n')).read())).map((s) => s.label)).toEqual([5, 6])
  await expect(lines('5\n').then((s) => collect(s.read()))).rejects.toMatchObject({ code: 'LABEL_COUNT' })
  await expect(lines('5\n6\n7\n').then((s) => collect(s.read()))).rejects.toMatchObject({ code: 'LABEL_COUNT' })
  const npy = (n: number) => file('.npy', encodeNpy(tensorOf('float32', [n, 2], new Float32Array(2 * n), 'x')))
  const three = await openSamples(await npy(3), { inputs })
  const four = await openLabels(await npy(4))
  expect(() => withLabels(three, four)).toThrow(expect.objectContaining({ code: 'LABEL_COUNT' }))
})

test("a module's own abort, after ours, is no fault of it", async () => {
  const source = 'export default async function* ({ signal }) { yield { x: [1, 2] }; signal.throwIfAborted() }'
  const samples = await openSamples(await file('.mjs', source), { inputs })
  const controller = new AbortController()
  const reading = async () => {
    for await (const _ of samples.read({ signal: controller.signal })) controller.abort()
  }
  await expect(reading()).rejects.toMatchObject({ name: 'AbortError' })
})

test('reading can be cancelled', async () => {
  const samples = await openSamples(await file('.csv', 'a,b\n1,2\n3,4\n'), { inputs })
  const controller = new AbortController()
  const reading = async () => {
    for await (const _ of samples.read({ signal: controller.signal })) controller.abort()
  }
  await expect(reading()).rejects.toMatchObject({ name: 'AbortError' })
})

const [images, labels] = [dataPath('mnist/t10k-images-idx3-ubyte.gz'), dataPath('mnist/t10k-labels-idx1-ubyte.gz')]
test.skipIf(images === null || labels === null)('MNIST with its labels, as the classifier wants it', async () => {
  const classifier = [{ name: 'Input3', dtype: 'float32', shape: [1, 1, 28, 28] }]
  const samples = withLabels(await openSamples(images!, { inputs: classifier }), await openLabels(labels!))
  const read = await collect(take(samples, 10).read())
  expect(read.map((s) => s.label)).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9])
  expect(read[0]!.feeds.Input3!.shape).toEqual([1, 1, 28, 28])
  expect(Math.max(...numbers(read[0]!.feeds.Input3!))).toBe(255)
})

const speech = dataPath('samples/speech/speech-16k.wav')
test.skipIf(speech === null)('speech frames for a model with a state and a sampling rate', async () => {
  const vad = [
    { name: 'input', dtype: 'float32', shape: ['', ''] },
    { name: 'state', dtype: 'float32', shape: [2, '', 128] },
    { name: 'sr', dtype: 'int64', shape: [] },
  ]
  const samples = await openSamples(speech!, {
    inputs: vad,
    wav: { frame: 512, rate: 16_000 },
    fit: { constants: { sr: 16_000 }, carry: [{ output: 'stateN', input: 'state' }] },
  })
  const [first] = await collect(take(samples, 1).read())
  expect(first!.feeds.input!.shape).toEqual([1, 512])
  expect(first!.feeds.state!.shape).toEqual([2, 1, 128])
  expect(first!.sequence).toBe('speech-16k.wav')
})
