import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import type { DenseMatrix } from '../../linear/design.js'
import { random } from '../../util/random.js'
import { type TsneOptions, tsne } from './tsne.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 2 })
})
afterAll(() => engine.close())

const CLUSTERS = 4
const dense = (rows: number, columns: number, data: Float64Array): DenseMatrix => ({
  rows,
  columns,
  data,
  order: 'row-major',
})

/** Row i is of cluster i mod 4. */
function clusters(rows: number, columns = 10): DenseMatrix {
  const { normal } = random(8)
  const centres = Float64Array.from({ length: CLUSTERS * columns }, () => normal(0, 4))
  return dense(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, (_, at) => {
      const [i, j] = [Math.floor(at / columns), at % columns]
      return centres[(i % CLUSTERS) * columns + j]! + normal()
    }),
  )
}

/** Of points of the map, the share whose nearest other point is of their cluster. */
function purity(points: Float32Array, dims: number): number {
  const count = points.length / dims
  let right = 0
  for (let i = 0; i < count; i++) {
    let [best, least] = [-1, Number.POSITIVE_INFINITY]
    for (let j = 0; j < count; j++) {
      let square = 0
      for (let d = 0; d < dims; d++) square += (points[i * dims + d]! - points[j * dims + d]!) ** 2
      if (j !== i && square < least) [best, least] = [j, square]
    }
    right += Number(best % CLUSTERS === i % CLUSTERS)
  }
  return right / count
}

describe('clusters of the data are clusters of the map', () => {
  test.each<TsneOptions>([
    { method: 'grid' },
    { method: 'barnes-hut' },
    { method: 'exact', init: 'random', seed: 4 },
    { nComponents: 3 },
  ])('%j', async (options) => {
    const x = clusters(500)
    const { embedding, klDivergence, method } = await tsne(x, {
      engine,
      ...options,
      iterations: 150,
      earlyIterations: 100,
    })
    expect(embedding.length).toBe(500 * (options.nComponents ?? 2))
    expect(purity(embedding, options.nComponents ?? 2)).toBeGreaterThan(0.98)
    expect(klDivergence).toBeGreaterThan(0)
    expect(klDivergence).toBeLessThan(1.2)
    expect(method).toBe(options.method ?? 'barnes-hut')
  })

  test('without an engine too', async () => {
    const { embedding } = await tsne(clusters(200), { iterations: 100, earlyIterations: 100 })
    expect(purity(embedding, 2)).toBeGreaterThan(0.98)
  })
})

test('the same seed gives the same map, another one another', async () => {
  const x = clusters(450)
  const map = async (seed: number) => (await tsne(x, { engine, seed, iterations: 60, earlyIterations: 40 })).embedding
  const first = await map(1)
  expect(await map(1)).toEqual(first)
  expect(await map(2)).not.toEqual(first)
})

test('rows of the map come back to their places, and new ones to their cluster', async () => {
  const all = clusters(800)
  const known = dense(600, 10, all.data.slice(0, 6000) as Float64Array)
  const map = await tsne(known, { engine, iterations: 200 })
  const again = await map.transform(known)
  const apart = Array.from({ length: 600 }, (_, i) =>
    Math.hypot(again[2 * i]! - map.embedding[2 * i]!, again[2 * i + 1]! - map.embedding[2 * i + 1]!),
  )
  const span = Math.max(...map.embedding) - Math.min(...map.embedding)
  expect(apart.toSorted((a, b) => a - b)[540]).toBeLessThan(span / 10)
  const fresh = await map.transform(dense(200, 10, all.data.slice(6000) as Float64Array))
  const joined = Float32Array.from([...map.embedding, ...fresh])
  expect(purity(joined, 2)).toBeGreaterThan(0.97)
  await expect(map.transform(dense(0, 10, new Float64Array(0)))).rejects.toMatchObject({ code: 'DESIGN_EMPTY' })
})

test('each iteration is told of, and may be drawn', async () => {
  const seen: number[] = []
  let last: Float32Array = new Float32Array(0)
  const onIteration: TsneOptions['onIteration'] = ({ iteration, total, embedding }) => {
    seen.push(iteration)
    expect(total).toBe(30)
    last = embedding()
  }
  const { embedding } = await tsne(clusters(100), { onIteration, iterations: 20, earlyIterations: 10 })
  expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
  expect(last).toEqual(embedding)
})

test('progress names the divergence, and a cancellation is heard in the middle', async () => {
  const cancel = new AbortController()
  const details: string[] = []
  const onProgress: TsneOptions['onProgress'] = ({ task, detail }) => {
    if (task !== 't-SNE') return
    details.push(detail!)
    if (details.length === 2) cancel.abort()
  }
  await expect(
    tsne(clusters(300), { engine, onProgress, signal: cancel.signal, perplexity: 10 }),
  ).rejects.toMatchObject({
    code: 'ABORTED',
  })
  expect(details).toHaveLength(2)
  expect(details[0]).toMatch(/^divergence \d+\.\d{3}$/)
})

describe('odd data', () => {
  test('ten thousand equal rows', async () => {
    const x = dense(10_000, 3, new Float64Array(30_000).fill(2))
    const { embedding, klDivergence } = await tsne(x, { engine, iterations: 10, earlyIterations: 10 })
    expect(embedding.every(Number.isFinite)).toBe(true)
    expect(Number.isFinite(klDivergence)).toBe(true)
  })

  test('constant columns change nothing', async () => {
    const x = clusters(200, 4)
    const wider = dense(
      200,
      5,
      Float64Array.from({ length: 1000 }, (_, at) => (at % 5 === 4 ? 1e6 : x.data[Math.floor(at / 5) * 4 + (at % 5)]!)),
    )
    const few = { iterations: 20, earlyIterations: 20, perplexity: 10 }
    const [a, b] = [await tsne(x, few), await tsne(wider, few)]
    expect(b.klDivergence).toBeCloseTo(a.klDivergence, 2)
  })

  test('fewer columns than dimensions', async () => {
    const x = dense(
      100,
      1,
      Float64Array.from({ length: 100 }, (_, i) => i),
    )
    const { embedding } = await tsne(x, { nComponents: 3, perplexity: 5, iterations: 50, earlyIterations: 50 })
    expect(embedding.every(Number.isFinite)).toBe(true)
  })

  test('a given start', async () => {
    const x = clusters(100)
    const init = Array.from({ length: 200 }, (_, at) => Math.sin(at))
    const { embedding } = await tsne(x, { init, perplexity: 10, iterations: 0, earlyIterations: 0 })
    expect([...embedding]).toEqual(init.map(Math.fround))
  })
})

describe('what cannot be is refused', () => {
  test.each<[string, TsneOptions]>([
    ['perplexity', { perplexity: 34 }],
    ['perplexity', { perplexity: 0.5 }],
    ['perplexity', { perplexity: Number.NaN }],
    ['nComponents', { nComponents: 1 as 2 }],
    ['iterations', { iterations: 1.5 }],
    ['earlyIterations', { earlyIterations: -1 }],
    ['exaggeration', { exaggeration: 0 }],
    ['earlyExaggeration', { earlyExaggeration: Number.POSITIVE_INFINITY }],
    ['learningRate', { learningRate: -1 }],
    ['momentum', { momentum: 1 }],
    ['theta', { theta: 0 }],
    ['method', { method: 'fft' as 'grid' }],
    ['method', { method: 'grid', nComponents: 3 }],
    ['init', { init: 'spectral' as 'pca' }],
    ['init', { init: [1, 2, 3] }],
    ['init', { init: new Float64Array(200).fill(Number.NaN) }],
  ])('%s of %j', async (where, options) => {
    await expect(tsne(clusters(100), { perplexity: 10, ...options })).rejects.toMatchObject({
      code: 'TSNE_OPTION',
      detail: { where },
    })
  })

  test.each([
    ['NaN', dense(10, 1, new Float64Array(10).fill(Number.NaN)), 'DESIGN_FINITE'],
    ['infinities', dense(10, 1, new Float64Array(10).fill(Number.POSITIVE_INFINITY)), 'DESIGN_FINITE'],
    ['one row', dense(1, 2, new Float64Array(2)), 'TSNE_OPTION'],
    ['no rows', dense(0, 2, new Float64Array(0)), 'DESIGN_EMPTY'],
    ['cells that do not fill it', dense(10, 2, new Float64Array(19)), 'DESIGN_SHAPE'],
  ])('%s', async (_, x, code) => {
    await expect(tsne(x, { perplexity: 2 })).rejects.toMatchObject({ code })
  })

  test('new rows of another width', async () => {
    const map = await tsne(clusters(100), { perplexity: 10, iterations: 0, earlyIterations: 0 })
    await expect(map.transform(clusters(5, 3))).rejects.toMatchObject({
      code: 'TSNE_OPTION',
      detail: { where: 'columns' },
    })
    await expect(map.transform(clusters(5), { perplexity: 60 })).rejects.toMatchObject({ code: 'TSNE_OPTION' })
  })
})
