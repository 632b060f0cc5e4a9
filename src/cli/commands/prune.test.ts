/** What `pare prune` answers and refuses on small models. docs/commands/prune.md runs it on a real one. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pare, pareText } from '../../../test/pare.js'
import { MLP, modelOfX } from '../../../test/prune-models.js'
import { SCORES } from '../../compress/prune/scores/index.js'
import { readModel, writeModel } from '../../onnx/files.js'
import { random } from '../../util/random.js'
import { SCORE_NAMES } from './prune.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-prune-command-'))
  await writeModel(MLP, at('model.onnx'))
  await writeModel(
    modelOfX(['n', 5], (b) => b.op('Relu', ['x'])),
    at('plain.onnx'),
  )
  const { normal, integer } = random(3)
  const rows = Array.from({ length: 80 }, () => [...Array.from({ length: 5 }, () => normal().toFixed(4)), integer(3)])
  const lines = (of: readonly (readonly unknown[])[], header: string) =>
    [header, ...of.map((r) => r.join(','))].join('\n')
  await writeFile(at('rows.csv'), lines(rows, 'a,b,c,d,e,y'))
  await writeFile(
    at('bare.csv'),
    lines(
      rows.map((r) => r.slice(0, 5)),
      'a,b,c,d,e',
    ),
  )
})
afterAll(() => rm(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)
const cut = (...args: readonly string[]) => pare('prune', at('model.onnx'), '-o', at('out.onnx'), ...args)

describe('pare prune', () => {
  test('cuts and learns again in rounds, and says what came of it', async () => {
    const args = [
      '--data',
      at('rows.csv'),
      '--score',
      'taylor',
      '--ratio',
      '50%',
      '--multiple',
      '1',
      '--recover',
      '0.2s',
      '--schedule',
      'gradual',
      '--rounds',
      '2',
    ]
    const { status, result } = await cut(...args)
    expect(status).toBe(0)
    expect(result.groups.map((g: { kept: number; units: number }) => [g.kept, g.units])).toEqual([
      [4, 7],
      [3, 6],
    ])
    const model = await readModel(at('out.onnx'))
    const sizes = [...model.graph.constants.values()].map((t) => t.shape.join('x'))
    for (const size of ['5x4', '4x3', '3x3']) expect(sizes).toContain(size)
    expect(result.quality).toMatchObject({ samples: 40, measure: { kind: 'accuracy' }, cut: expect.any(Number) })
    const round = { from: 'labels', steps: expect.any(Number), batch: 32 }
    expect(result.recovery).toMatchObject([round, round])
    expect(result.latency).toMatchObject({ threads: 1, ratio: expect.any(Number) })
    expect(result.parameters.after).toBe(4 * 6 + 3 * 5 + 3 * 4)
  })

  test('a criterion chooses, on samples that did not score', async () => {
    const { status, result } = await cut(
      '--data',
      at('bare.csv'),
      '--score',
      'entropy',
      '--select',
      'bic',
      '--multiple',
      '1',
    )
    expect(status).toBe(0)
    const { path, ratio, quality } = result
    expect(path.observations).toBe(20)
    expect(path.points[path.chosen].ratio).toBe(ratio)
    expect(quality.measure.kind).toBe('top-1 agreement')
  })

  test('without samples, by the weights', async () => {
    const { text, status } = await pareText([
      'prune',
      at('model.onnx'),
      '-o',
      at('out.onnx'),
      '--macs',
      '60',
      '--multiple',
      '1',
    ])
    expect(status).toBe(0)
    expect(text).toMatch(/first +\d of 7/)
    expect(text).toMatch(/products 95 → \d\d,/)
    expect(text).toMatch(/1 layer keeps its width \(last/)
  })

  test.each([
    ['nothing that says how much', [], 'OPTION_MISSING', 2],
    ['two that say how much', ['--ratio', '0.5', '--macs', '10'], 'OPTION_UNUSED', 2],
    ['a score that is none', ['--ratio', '0.5', '--score', 'fishr'], 'OPTION_VALUE', 2],
    ['a score without samples', ['--ratio', '0.5', '--score', 'fisher'], 'PRUNE_SAMPLES', 3],
    ['a criterion without samples', ['--select', 'bic'], 'PRUNE_SAMPLES', 3],
    ['recovery without samples', ['--ratio', '0.5', '--recover', '1m'], 'OPTION_UNUSED', 2],
    ['no length of time', ['--ratio', '0.5', '--recover', 'long'], 'OPTION_VALUE', 2],
    ['labels without samples', ['--ratio', '0.5', '--labels', 'y.npy'], 'OPTION_UNUSED', 2],
    ['rounds of one shot', ['--ratio', '0.5', '--rounds', '2'], 'OPTION_UNUSED', 2],
    ['a budget that cannot be kept', ['--max-bytes', '10'], 'PRUNE_BUDGET', 1],
    ['normalizations that are not there', ['--ratio', '0.5', '--score', 'bn-scale'], 'PRUNE_SCORE', 3],
    ['a layer that is not there', ['--ratio', '0.5', '--exclude', 'frist'], 'PARAM_INVALID', 2],
  ])('%s: refused', async (_, args, code, status) => {
    expect(await cut(...args)).toMatchObject({ code, status })
  })

  test('a model without layers has nothing to cut', async () => {
    const args = [at('plain.onnx'), '-o', at('out.onnx'), '--ratio', '0.5']
    expect(await pare('prune', ...args)).toMatchObject({ code: 'PRUNE_NOTHING', status: 1 })
  })
})

test('help names every score that there is', () => {
  expect(SCORE_NAMES).toEqual(SCORES.map((score) => score.id))
})
