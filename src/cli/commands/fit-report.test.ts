/** `pare fit --report`: the page is written, and nothing that is read or written is replaced by it. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pare, pareText } from '../../../test/pare.js'
import { random } from '../../util/random.js'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-fit-'))
  const { normal } = random(2)
  const rows = Array.from({ length: 40 }, () => [normal(), normal()] as const)
  await writeFile(at('t.csv'), ['a,b,y', ...rows.map(([a, b]) => `${a},${b},${a - b}`)].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

const inFolder = (args: readonly string[]): string[] => args.map((a) => (/\.(csv|onnx|html)$/.test(a) ? at(a) : a))
const fitted = (...args: readonly string[]) => pare('fit', ...inFolder(args), '--target', 'y')

test('the report is written, with the command that gives it again', async () => {
  expect(await fitted('t.csv', '-o', 'a.onnx', '--report', 'a.html', '--model', 'elastic-net')).toMatchObject({
    status: 0,
  })
  const page = await readFile(at('a.html'), 'utf8')
  expect(page).toContain('An elastic net (0.5 lasso) on 40 rows and 2 columns.')
  expect(page).toContain('--model elastic-net')
  expect(page).not.toMatch(/<script|https?:/)
})

test('of another family too', async () => {
  const rows = Array.from({ length: 30 }, (_, i) => `${i},${i % 3 === 0 || i > 20 ? 'yes' : 'no'}`)
  await writeFile(at('classes.csv'), ['a,y', ...rows].join('\n'))
  expect(await fitted('classes.csv', '-o', 'c.onnx', '--report', 'c.html')).toMatchObject({ status: 0 })
  expect(await readFile(at('c.html'), 'utf8')).toContain('of the deviance of y')
})

test('the terminal shows coefficients by what a standard deviation of their column does', async () => {
  const { normal } = random(4)
  const rows = Array.from({ length: 40 }, () => [normal() / 100, normal()] as const)
  await writeFile(at('s.csv'), ['small,large,y', ...rows.map(([a, b]) => `${a},${b},${20 * a + 2 * b}`)].join('\n'))
  const { text } = await pareText(['fit', at('s.csv'), '--target', 'y', '-o', at('s.onnx')])
  expect([...text.matchAll(/^(large|small) /gm)].map((m) => m[1])).toEqual(['large', 'small'])
})

test.each([
  ['the table', ['-o', 'b.onnx', '--report', 't.csv'], 'OUTPUT_IS_INPUT'],
  ['the model', ['-o', 'b.onnx', '--report', 'b.onnx'], 'OUTPUT_TWICE'],
  ['a file below a file', ['-o', 'b.onnx', '--report', 't.csv/r.html'], 'FILE_UNWRITABLE'],
])('the report in place of %s is refused before anything is fitted', async (_, args, code) => {
  const table = await readFile(at('t.csv'), 'utf8')
  expect(await fitted('t.csv', ...args)).toMatchObject({ code })
  expect(await readFile(at('t.csv'), 'utf8')).toBe(table)
  expect(existsSync(at('b.onnx'))).toBe(false)
})
