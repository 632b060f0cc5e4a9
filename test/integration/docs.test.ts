/** Every `$ pare …` line in docs/commands runs and prints what the page says. */

import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documentationPages, examplesIn, matches, runExample } from '../../scripts/console-blocks.js'
import { COMMANDS } from '../../src/cli/commands.js'
import { dataPath, repositoryRoot } from '../data.js'

const FILES = {
  'model.onnx': dataPath('models/mnist-cntk.onnx'),
  'digits.idx.gz': dataPath('mnist/t10k-images-idx3-ubyte.gz'),
  'digits-labels.idx.gz': dataPath('mnist/t10k-labels-idx1-ubyte.gz'),
  'houses.csv': dataPath('tabular/california-housing.csv'),
  'iris.csv': join(repositoryRoot, 'test/data/iris.csv'),
  'visits.csv': join(repositoryRoot, 'test/data/visits.csv'),
}
const complete = Object.values(FILES).every((path) => path !== null)
const folder = mkdtempSync(join(tmpdir(), 'pare-docs-'))

beforeAll(() => {
  for (const [name, path] of Object.entries(FILES)) if (path !== null) copyFileSync(path, join(folder, name))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('every command has a page, and every page a command', () => {
  const pages = readdirSync(join(repositoryRoot, 'docs/commands')).sort()
  expect(pages).toEqual(COMMANDS.map(({ name }) => `${name}.md`).sort())
})

for (const path of documentationPages()) {
  describe(basename(path), () => {
    for (const { command, output } of examplesIn(readFileSync(path, 'utf8'))) {
      const needsData = /\.onnx|houses\.csv|digits/.test(command)
      test.skipIf(needsData && !complete)(command, { timeout: 240_000 }, () => {
        const ran = runExample(command, folder)
        expect(ran, ran.stderr).toMatchObject({ status: 0 })
        if (output !== '' && !matches(ran.stdout, output)) expect(ran.stdout).toBe(output)
      })
    }
  })
}

test('expected output matches with … for what varies, and only there', () => {
  expect(matches('a\nb\nc', 'a\n…\nc')).toBe(true)
  expect(matches('a\nc', 'a\n…\nc')).toBe(true)
  expect(matches('took 5 ms (1.2x)', 'took … ms (1.2x)')).toBe(true)
  expect(matches('a\nb', 'a')).toBe(false)
  expect(matches('abc', 'a.c')).toBe(false)
  expect(examplesIn('x\n```console\n$ pare a b\nout\n$ pare c\n```\n')).toEqual([
    { command: 'pare a b', output: 'out' },
    { command: 'pare c', output: '' },
  ])
})
