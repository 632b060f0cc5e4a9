/** `--data-option`: what the names mean to each kind of samples, and what openData makes of them. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { repositoryRoot } from '../../test/data.js'
import { DATA_OPTION_NAMES, openData, parseDataOptions } from './inputs.js'

const folder = mkdtempSync(join(tmpdir(), 'pare-inputs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('data options go to the reader they are for', () => {
  const image = ['mean=123.7,116.3,103.5', 'scale=0.017', 'size=240x320', 'resize=cover', 'reshape']
  expect(parseDataOptions(image, 'images')).toEqual({
    image: { mean: [123.7, 116.3, 103.5], scale: 0.017, size: [240, 320], resize: 'cover' },
    fit: { reshape: true },
  })
  expect(parseDataOptions(['constant=sr:16000', 'constant=k:1,2', 'rename=a:b', 'zero=h,c', 'zero=d'], 'idx')).toEqual({
    fit: { constants: { sr: 16000, k: [1, 2] }, rename: { a: 'b' }, zeroInputs: ['h', 'c', 'd'] },
  })
})

test('one name, each kind its own meaning', () => {
  expect(parseDataOptions(['hop=256', 'pad'], 'wav')).toEqual({ wav: { hop: 256, pad: true } })
  expect(parseDataOptions(['take=ends', 'pad=256'], 'raw')).toEqual({ raw: { take: 'ends', pad: 256 } })
  expect(parseDataOptions(['label=z'], 'parquet')).toEqual({ table: { label: 'z' } })
  expect(parseDataOptions(['label=z'], 'npz')).toEqual({ npz: { label: 'z' } })
})

test.each([
  ['meam=1', 'images', 'OPTION_UNKNOWN', /Did you mean mean\?/],
  ['toString=1', 'images', 'OPTION_UNKNOWN', /no such data option/],
  ['mean=grey', 'images', 'OPTION_VALUE', /needs a number.*mean=127\.5/],
  ['pad=grey', 'raw', 'OPTION_VALUE', /needs a number.*pad=256/],
  ['constant=sr:x', 'wav', 'OPTION_VALUE', /needs a number.*constant=sr:16000/],
  ['pad=grey', 'wav', 'OPTION_VALUE', /true, false/],
  ['constant=16000', 'idx', 'OPTION_VALUE', /name:value/],
  ['color=zzz', 'images', 'OPTION_VALUE', /rgb, bgr/],
  ['layout=nwhc', 'images', 'OPTION_VALUE', /Did you mean nhwc\?/],
  ['resize=foo', 'images', 'OPTION_VALUE', /stretch, cover, contain/],
  ['take=zzz', 'raw', 'OPTION_VALUE', /first, last, ends, chunks/],
  ['mean=3', 'idx', 'OPTION_UNUSED', /says nothing of samples of kind idx.*for images/],
  ['delimiter=;', 'parquet', 'OPTION_UNUSED', /for csv\./],
  ['pad', 'npy', 'OPTION_UNUSED', /for wav, raw/],
] as const)('%s for %s is refused with %s', (entry, kind, code, message) => {
  const parse = () => parseDataOptions([entry], kind)
  expect(parse).toThrow(expect.objectContaining({ code }))
  expect(parse).toThrow(message)
})

test('the documentation has a row for every name, and no other', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/samples.md'), 'utf8')
  const table = page.slice(page.indexOf('## On the command line'))
  const rows = [...table.matchAll(/^\| `([a-zA-Z]+)(?:=[^`]*)?` \|/gm)].map(([, name]) => name)
  expect(rows).toEqual(Object.keys(DATA_OPTION_NAMES))
})

const state = [2, 1, 4]
const vad = {
  inputs: [
    { name: 'input', dtype: 'float32', shape: [1, 2] },
    { name: 'state:0', dtype: 'float32', shape: state },
    { name: 'memory', dtype: 'float32', shape: state },
  ],
  outputs: [
    { name: 'speech', dtype: 'float32', shape: [1, 1] },
    { name: 'later:0', dtype: 'float32', shape: state },
    { name: 'memory_out', dtype: 'float32', shape: state },
  ],
}
const open = (...dataOption: readonly string[]) => {
  const path = join(folder, 'rows.csv')
  writeFileSync(path, '1,2\n3,4\n')
  return openData({ data: path, dataKind: undefined, dataOption, limit: undefined }, vad)
}

test('states are linked as carry says, with colons in their names, and no others', async () => {
  const opened = await open('carry=state:0:later:0', 'zero=memory')
  expect(opened!.links).toEqual([{ output: 'later:0', input: 'state:0' }])
  const [first] = await collect(opened!.samples.read())
  expect(first!.feeds['state:0']!.shape).toEqual(state)
  expect((await open('zero=state:0'))!.links).toEqual([{ output: 'memory_out', input: 'memory' }])
  const both = await open('carry=state:0:later:0', 'carry=memory:memory_out')
  expect(both!.links.map(({ input }) => input)).toEqual(['state:0', 'memory'])
  expect((await open('carry=none', 'zero=state:0,memory'))!.links).toEqual([])
  await expect(open('carry=memory')).rejects.toMatchObject({ code: 'OPTION_VALUE' })
  await expect(open('carry=memory:nothing')).rejects.toMatchObject({ code: 'STATE_NAME' })
})

test('the kind of the samples tells which options are meant', async () => {
  await expect(open('mean=3')).rejects.toMatchObject({ code: 'OPTION_UNUSED' })
})
