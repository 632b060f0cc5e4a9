import { describe, expect, test } from 'vitest'
import { type Label, type Labels, withLabels } from '../data/labels.js'
import type { Samples } from '../data/samples.js'
import { f32 } from '../ir/tensor.js'
import { countClasses, dataFacts } from './data-facts.js'

const rows = (labels: readonly (Label | undefined)[]): Samples => ({
  name: 'rows',
  count: labels.length,
  async *read() {
    for (const [i, label] of labels.entries())
      yield { feeds: { x: f32([1, 2], [i, 5]) }, name: `row ${i}`, ...(label !== undefined && { label }) }
  },
})

const file = (labels: readonly Label[]): Labels => ({
  name: 'labels',
  count: labels.length,
  async *read() {
    yield* labels
  },
})

/** Samples whose inputs nobody may read, with labels beside them. */
const unread = (labels: readonly Label[]): Samples =>
  withLabels(
    {
      name: 'inputs',
      count: labels.length,
      // biome-ignore lint/correctness/useYield: it must not be read
      async *read() {
        throw new Error('the inputs were read')
      },
    },
    file(labels),
  )

describe('classes', () => {
  test.each([
    ['few whole numbers are classes', [0, 1, 2, 1, 0], 3],
    ['whole numbers of which few occur are amounts', [100, 250, 90, 0], null],
    ['fractions are amounts', [0, 1, 0.5], null],
    [
      'several values are no class',
      [
        [0, 1],
        [1, 0],
      ],
      null,
    ],
    ['a negative number is no class', [-1, 1], null],
  ] satisfies [string, Label[], number | null][])('%s', async (_, labels, classes) => {
    expect(await countClasses(rows(labels))).toBe(classes)
    expect((await dataFacts(rows(labels))).classes).toBe(classes)
    expect(await countClasses(unread(labels))).toBe(classes)
  })

  test('of the first labels alone, where there is a limit', async () => {
    expect(await countClasses(unread([0, 1, 0, 1, 0.5]), { limit: 4 })).toBe(2)
  })

  test('a sample without a label, and none at all, are errors', async () => {
    await expect(countClasses(rows([1, undefined]))).rejects.toMatchObject({ code: 'TRAIN_LABELS' })
    await expect(countClasses(rows([]))).rejects.toMatchObject({ code: 'TRAIN_EMPTY' })
    await expect(countClasses(unread([]))).rejects.toMatchObject({ code: 'TRAIN_EMPTY' })
  })
})

test('mean and deviation of each value; a value that never changes is on a scale of 1', async () => {
  const { input, target } = await dataFacts(rows([4, 8, 6]))
  expect(input.mean).toEqual([1, 5])
  expect(input.deviation[0]).toBeCloseTo(Math.sqrt(2 / 3), 12)
  expect(input.deviation[1]).toBe(1)
  expect(target.mean).toEqual([6])
})
