/** What `pare compress` refuses before it searches. docs/commands/compress.md runs the searches themselves. */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fragileModel } from '../../../test/search-models.js'
import { writeModel } from '../../onnx/files.js'
import { run } from '../run.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-compress-command-'))
  await writeModel(fragileModel(), join(folder, 'model.onnx'))
  await mkdir(join(folder, 'folder'))
  await writeFile(join(folder, 'file'), '')
})
afterAll(() => rm(folder, { recursive: true }))

const at = (...parts: readonly string[]): string => join(folder, ...parts)

async function compress(...args: readonly string[]) {
  let text = ''
  const out = {
    write(chunk: string) {
      text += chunk
    },
  }
  const argv = ['compress', at('model.onnx'), '--run-folder', at('run'), '--json', ...args]
  const status = await run(argv, { stdout: out, stderr: out, env: {}, signal: new AbortController().signal })
  return { status, answer: JSON.parse(text) }
}

test.each([
  ['a model in a folder that is not there', ['-o', 'no/folder/out.onnx']],
  ['a model in place of a folder', ['-o', 'folder']],
  ['a report below a file', ['-o', 'out.onnx', '--report', 'file/report.html']],
  ['a front in place of a file', ['-o', 'out.onnx', '--front', 'file']],
])('%s is refused before the search', async (_, args) => {
  const { status, answer } = await compress(...args.map((a) => (a.startsWith('-') ? a : at(...a.split('/')))))
  expect(status).toBe(4)
  expect(answer.error.code).toBe('FILE_UNWRITABLE')
  expect(existsSync(at('run'))).toBe(false)
  expect(existsSync(at('out.onnx'))).toBe(false)
})

test('what is only planned writes nothing, and is not refused', async () => {
  const { status, answer } = await compress('--dry-run', '-o', at('no', 'folder', 'out.onnx'))
  expect(status).toBe(0)
  expect(answer.result.recipes.length).toBeGreaterThan(1)
  expect(answer.result.seconds).toBeGreaterThan(0)
})

test.each([
  ['a report in place of the model', ['-o', 'out.onnx', '--report', 'model.onnx'], 'OUTPUT_IS_INPUT'],
  ['a report in place of the result', ['-o', 'out.onnx', '--report', 'out.onnx'], 'OUTPUT_TWICE'],
  ['a result in place of the model', ['-o', 'model.onnx'], 'OUTPUT_IS_INPUT'],
  ['a result in place of the samples', ['-o', 'file', '--data', 'file', '--force'], 'OUTPUT_IS_INPUT'],
])('%s is refused before the search', async (_, args, code) => {
  const { answer } = await compress(...args.map((a) => (a.startsWith('-') ? a : at(a))))
  expect(answer.error.code).toBe(code)
  expect(existsSync(at('run'))).toBe(false)
})

test.each(['--labels', '--metric', '--scores'])(
  '%s without samples is refused: quality is never claimed from random inputs',
  async (option) => {
    const { status, answer } = await compress('-o', at('out.onnx'), option, 'anything')
    expect([status, answer.error.code]).toEqual([2, 'OPTION_MISSING'])
  },
)

test('an interrupted search is refused, gone on with, or thrown away, as the options say', async () => {
  const journal = at('run', 'journal.jsonl')
  const lost = '{"key":"identity","value":{}}\n{"key":"baseline","value":1}\n'
  await mkdir(at('run'), { recursive: true })
  await writeFile(journal, lost)
  const common = ['-o', at('out.onnx'), '--threads', '1']
  const refused = await compress(...common)
  expect([refused.status, refused.answer.error.code]).toEqual([2, 'JOURNAL_UNFINISHED'])
  expect(await readFile(journal, 'utf8')).toBe(lost)
  expect((await compress(...common, '--resume')).answer.error.code).toBe('JOURNAL_OTHER')
  const anew = await compress(...common, '--restart')
  expect(anew.answer).toMatchObject({ ok: true, warnings: [expect.stringContaining('No samples')] })
  await rm(journal)
  const begun = await compress(...common, '--resume')
  expect(begun.answer.warnings[0]).toContain('There is no journal')
  expect(begun.answer.ok).toBe(true)
})

test.each([
  ['--minutes without samples', ['--minutes', '1'], 'OPTION_MISSING'],
  ['--trials without samples', ['--trials', '3'], 'OPTION_MISSING'],
  ['a plan of what is drawn on the way', ['--dry-run', '--trials', '3'], 'OPTION_UNUSED'],
  ['more of no length', ['--more', '10'], 'OPTION_VALUE'],
  ['a recovery of no length', ['--trials', '3', '--recover', '0s'], 'OPTION_VALUE'],
  ['a recovery where none is tried', ['--recover', '5s'], 'OPTION_UNUSED'],
  ['a recipe in place of the model', ['--recipe', 'model'], 'OUTPUT_IS_INPUT'],
])('%s is refused', async (_, args, code) => {
  const { answer } = await compress('-o', at('out.onnx'), ...args.map((a) => (a === 'model' ? at('model.onnx') : a)))
  expect(answer.error?.code).toBe(code)
})
