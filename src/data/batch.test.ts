import { expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import { elements, f32, numbers } from '../ir/tensor.js'
import { batches } from './batch.js'
import { stringTensor } from './convert.js'
import type { Sample, Samples } from './samples.js'
import { take } from './split.js'

const list = (items: readonly Sample[], counted = true): Samples => ({
  name: 'list',
  count: counted ? items.length : null,
  async *read() {
    yield* items
  },
})
const scalars = (n: number, counted = true) =>
  list(
    Array.from({ length: n }, (_, i) => ({ feeds: { x: f32([1, 2], [i, -i]) }, label: i, name: `${i}` })),
    counted,
  )
const free = [{ name: 'x', dtype: 'float32', shape: ['N', 2] }]
const indices = async (samples: Samples) => (await collect(samples.read())).map((s) => s.label as number)

test('samples are stacked along the first axis and the last batch is kept', async () => {
  const out = await collect(batches(scalars(5), 2, free))
  expect(out.map((b) => b.feeds.x!.shape)).toEqual([
    [2, 2],
    [2, 2],
    [1, 2],
  ])
  expect([...elements(out[1]!.feeds.x!)]).toEqual([2, -2, 3, -3])
  expect(out.flatMap((b) => b.items.map((item) => item.label))).toEqual([0, 1, 2, 3, 4])
  expect(out[0]!.items[0]).not.toHaveProperty('feeds')
})

test('a fixed first dimension means one sample a run', async () => {
  const out = await collect(batches(scalars(3), 8, [{ name: 'x', dtype: 'float32', shape: [1, 2] }]))
  expect(out.map((b) => b.items.length)).toEqual([1, 1, 1])
})

test('samples of differing lengths are not stacked, text is', async () => {
  const sequence = (n: number) => ({ feeds: { x: f32([1, n], new Float32Array(n)) }, name: `${n}` })
  const out = await collect(batches(list([3, 3, 4, 3].map(sequence)), 8, free))
  expect(out.map((b) => b.feeds.x!.shape)).toEqual([
    [2, 3],
    [1, 4],
    [1, 3],
  ])
  const words = list(['a', 'b'].map((w) => ({ feeds: { x: stringTensor([1, 1], [w]) }, name: w })))
  const [pair] = await collect(batches(words, 2, free))
  expect(pair!.feeds.x!.shape).toEqual([2, 1])
  expect(pair!.feeds.x!.strings!().map((s) => String.fromCharCode(...s))).toEqual(['a', 'b'])
})

test('a batch of no samples is refused', async () => {
  await expect(collect(batches(scalars(1), 0, free))).rejects.toMatchObject({ code: 'BATCH_SIZE' })
})

test('taking the first few stops reading', async () => {
  let read = 0
  const source: Samples = {
    name: 'counted',
    count: null,
    async *read() {
      for (;;) yield { feeds: { x: f32([1], [read++]) }, name: '' }
    },
  }
  expect((await collect(take(source, 3).read())).map((s) => numbers(s.feeds.x!)[0])).toEqual([0, 1, 2])
  expect(read).toBe(3)
  expect(await indices(take(scalars(2), 5))).toEqual([0, 1])
  expect(take(scalars(9), 5).count).toBe(5)
})
