/** `pare train --penalty l1:auto`: a strength that is chosen. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pareText, pare as runPare } from '../../../test/pare.js'
import { floats } from '../../ir/tensor.js'
import { readModel } from '../../onnx/files.js'
import { random } from '../../util/random.js'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-path-'))
  const { normal } = random(3)
  const rows = Array.from({ length: 160 }, () => Array.from({ length: 10 }, () => normal()))
  const names = rows[0]!.map((_, j) => `x${j}`)
  const lines = rows.map((r) => [...r, 2 * r[0]! - r[1]! + 0.5 * normal()].join(','))
  await writeFile(at('table.csv'), [[...names, 'label'].join(','), ...lines].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))

const ARGS = ['--model', 'mlp', '--epochs', '12', '--learning-rate', '0.05', '--batch', '16', '--threads', '1'] as const
const train = (...more: readonly string[]) => ['train', '--data', at('table.csv'), ...ARGS, ...more, '-o', at('m.onnx')]

test('a table of strengths, the chosen one marked, and a model with zeros', async () => {
  const { text } = await pareText(train('--penalty', 'l1:auto', '--folds', '4'), '80')
  expect(text).toContain('loss left out')
  expect(text).toMatch(/→\s+[\d.e-]+/)
  expect(text).toContain('within one standard error')
  expect(
    Math.max(
      ...text
        .replaceAll(at(''), '')
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(80)
  const weights = [...(await readModel(at('m.onnx'))).graph.constants.values()].filter(
    (t) => t.dtype === 'float32' && t.shape.length === 2,
  )
  expect(weights.some((t) => floats(t).some((w) => w === 0))).toBe(true)
})

test('--json tells the whole path', async () => {
  const { select, chosen, path } = (await runPare(...train('--penalty', 'l1:auto', '--select', 'bic'))).result
  expect(select).toBe('bic')
  expect(path).toHaveLength(10)
  expect(path[chosen].criterion).toBe(Math.min(...path.map((p: { criterion: number }) => p.criterion)))
})

test.each([
  [['--select', 'cv'], 'OPTION_UNUSED'],
  [['--folds', '3'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--penalty', 'l2:auto'], 'OPTION_VALUE'],
  [['--penalty', 'l7:auto'], 'OPTION_VALUE'],
  [['--penalty', 'l1:auto', '--patience', '2'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--checkpoint', 'c.state'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--select', 'aic', '--folds', '3'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--round-to', 'int8'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--best-by', 'rmse'], 'OPTION_UNUSED'],
  [['--penalty', 'l1:auto', '--optimizer', 'lbfgs'], 'OPTION_VALUE'],
])('%s: %s', async (more, code) => {
  const answer = await runPare(...train(...more))
  expect(answer.status).not.toBe(0)
  expect(answer.code).toBe(code)
})
