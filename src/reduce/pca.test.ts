/** Components against their own definition, and the numbers of scikit-learn 1.9.1. */

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromOrthonormal, type Matrix, matrixOf, normals, product, scaled, turned } from '../../test/matrices.js'
import { sparse } from '../../test/sparse.js'
import type { Table } from '../data/columns.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { numbers, tensor } from '../ir/tensor.js'
import { fitTable } from '../linear/fit.js'
import { openMoments } from '../linear/moments.js'
import { encodeModel } from '../onnx/codec.js'
import { chain } from '../passes/chain.js'
import { type Pca, type PcaOptions, pca, pcaOfBlocks, pcaOfMoments } from './pca.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

const dataFile = (name: string): URL => new URL(`../../test/data/${name}`, import.meta.url)

function iris(): Matrix {
  const [, ...lines] = readFileSync(dataFile('iris.csv'), 'utf8').trim().split('\n')
  const rows = lines.map((line) => line.split(',').slice(0, 4).map(Number))
  return matrixOf(rows.length, 4, (i, j) => rows[i]![j]!)
}

function digits(): Matrix {
  const lines = gunzipSync(readFileSync(dataFile('digits.csv.gz')))
    .toString()
    .trim()
    .split('\n')
  const rows = lines.map((line) => line.split(',').map(Number))
  return matrixOf(rows.length, 64, (i, j) => rows[i]![j]!)
}

/** Whole numbers from 0 to 30 without a pattern, which any language makes alike. */
const mixed = (rows: number, columns: number): Matrix =>
  matrixOf(rows, columns, (i, j) => (i * i * 7 + j * j * 13 + i * j * 5) % 31)

/** The covariance of columns, [p, p], from its definition. */
function covarianceOf(x: Matrix, means: Float64Array, scale: Float64Array): Matrix {
  const z = matrixOf(x.rows, x.columns, (i, j) => (x.data[i * x.columns + j]! - means[j]!) / scale[j]!)
  const { data, ...shape } = product(turned(z), z)
  return { ...shape, data: data.map((v) => v / (x.rows - 1)) }
}

/** Residuals of eigenpairs, orthonormality, total variance and signs, none of them from what the solver computed. */
function certify(x: Matrix, found: Pca, tolerance = 1e-12): void {
  const { components, explainedVariance, explainedVarianceRatio, singularValues, nComponents: k, mean, scale } = found
  const p = x.columns
  expect(components).toHaveLength(k * p)
  const c = covarianceOf(x, mean, scale)
  const rows = { rows: k, columns: p, data: components }
  expect(fromOrthonormal(turned(rows))).toBeLessThan(5e-14)
  let total = 0
  for (let j = 0; j < p; j++) total += c.data[j * p + j]!
  const image = product(rows, c)
  const size = explainedVariance[0]! || 1
  for (let i = 0; i < k; i++) {
    const row = components.subarray(i * p, (i + 1) * p)
    const away = image.data.subarray(i * p, (i + 1) * p).map((v, j) => v - explainedVariance[i]! * row[j]!)
    expect(Math.hypot(...away) / size).toBeLessThan(tolerance)
    if (i > 0) expect(explainedVariance[i]).toBeLessThanOrEqual(explainedVariance[i - 1]!)
    expect(explainedVarianceRatio[i]).toBeCloseTo(total === 0 ? 0 : explainedVariance[i]! / total, 11)
    expect(singularValues[i]! / Math.sqrt(size)).toBeCloseTo(
      Math.sqrt((explainedVariance[i]! * (x.rows - 1)) / size),
      11,
    )
    const most = Math.max(...row.map(Math.abs))
    expect(row[row.findIndex((v) => Math.abs(v) === most)]).toBeGreaterThan(0)
  }
}

interface Golden {
  readonly x: () => Matrix
  readonly options?: PcaOptions
  readonly k: number
  readonly variances: readonly number[]
  readonly ratios: readonly number[]
  readonly noise: number
  /** First entries of the first component, and scores of the eighth row. */
  readonly first: readonly number[]
  readonly scores: readonly number[]
}

const WIDE = {
  x: () => mixed(12, 40),
  variances: [595.332623936, 574.381402584, 479.24303899],
  ratios: [0.18867141009, 0.182031598468, 0.151880572821],
  first: [0.22399818334, 0.144935529405, -0.167256501823, 0.0951776731906, 0.144129372377],
  scores: [13.3163495235, -15.4396880751, -30.6298929265],
}
const IRIS = {
  x: iris,
  variances: [4.22824170603, 0.242670747929],
  ratios: [0.924618723202, 0.0530664831171],
  first: [0.361386591785, -0.0845225140646, 0.85667060595, 0.358289197152],
  scores: [-2.62614497315, 0.163384959698],
}
const DIGITS = {
  x: digits,
  variances: [179.006930098, 163.717746882, 141.788439092, 101.100375203, 69.513165591, 59.1085248863],
  ratios: [0.148905935841, 0.136187712396, 0.11794593764, 0.0840997942101, 0.0578241466401, 0.0491691031712],
  first: [0, -0.0173094651095, -0.223428834659, -0.135913304316, -0.033032309244],
  scores: [-2.95260695767, 21.0716642939, 12.2829002018, -10.4392772231],
}

const GOLDEN: readonly (readonly [string, Golden])[] = [
  ['iris', { ...IRIS, variances: [4.22824170603, 0.242670747929, 0.0782095000429, 0.0238350929734], k: 4, noise: 0 }],
  ['iris, mle', { ...IRIS, options: { nComponents: 'mle' }, k: 3, noise: 0.0238350929734 }],
  ['iris, 97 %', { ...IRIS, options: { nComponents: 0.97 }, k: 2, noise: 0.0510222965082 }],
  [
    'iris, whitened',
    {
      ...IRIS,
      options: { nComponents: 2, whiten: true },
      k: 2,
      noise: 0.0510222965082,
      scores: [-1.27714084425, 0.331667838909],
    },
  ],
  [
    'iris, standardized',
    {
      x: iris,
      options: { nComponents: 2, isStandardized: true },
      k: 2,
      variances: [2.9380850502, 0.920164904162],
      ratios: [0.729624454133, 0.228507617867],
      noise: 0.0842978416107,
      first: [0.52106591467, -0.269347442506, 0.580413095796, 0.564856535779],
      scores: [-2.23284715887, 0.22314807269],
    },
  ],
  ['digits, 95 %', { ...DIGITS, options: { nComponents: 0.95 }, k: 29, noise: 1.55260727359 }],
  ['digits, mle', { ...DIGITS, options: { nComponents: 'mle' }, k: 61, noise: 0 }],
  ['digits, 10', { ...DIGITS, options: { nComponents: 10 }, k: 10, noise: 5.82759427661 }],
  ['wide', { ...WIDE, k: 12, noise: 0 }],
  ['wide, 3', { ...WIDE, options: { nComponents: 3 }, k: 3, noise: 167.381874876 }],
  ['wide, 80 %', { ...WIDE, options: { nComponents: 0.8 }, k: 7, noise: 97.3854247124 }],
  [
    'wide, 3, whitened',
    {
      ...WIDE,
      options: { nComponents: 3, whiten: true },
      k: 3,
      noise: 167.381874876,
      scores: [0.545764577571, -0.644226131884, -1.39916061573],
    },
  ],
  [
    'tall, mle',
    {
      x: () => mixed(40, 12),
      options: { nComponents: 'mle' },
      k: 1,
      variances: [216.526892296],
      ratios: [0.216982416279],
      noise: 71.0339771572,
      first: [-0.232424617574, 0.0941676297426, 0.255685649224, 0.204505764937, 0.0971610566158],
      scores: [-16.3467273003],
    },
  ],
  [
    'rank 3',
    {
      x: () => product(mixed(30, 3), mixed(3, 10)),
      k: 10,
      variances: [608841.902238, 89092.3485785, 28794.4376896, 0, 0, 0],
      ratios: [0.837784322908, 0.122593685907, 0.0396219911846, 0, 0, 0],
      noise: 0,
      first: [0.250327512921, 0.333816566983, 0.192892466817, 0.345485243718, 0.411254416917],
      scores: [-1398.19837942, -49.2196045053, 172.565997318, 0],
    },
  ],
  [
    'rank 3, wide',
    {
      x: () => product(mixed(10, 3), mixed(3, 30)),
      k: 10,
      variances: [2082755.06162, 258013.863923, 112284.307786, 0, 0],
      ratios: [0.84904601063, 0.105180703141, 0.0457732862298, 0, 0],
      noise: 0,
      first: [0.106195389422, 0.184432824054, 0.140543646336, 0.2152108176, 0.238099659069],
      scores: [-2387.85717867, -594.617967849, -79.1628485093, 0],
    },
  ],
]

const near = (found: ArrayLike<number>, wanted: readonly number[], size: number): void => {
  const away = wanted.map((v, i) => Math.abs(found[i]! - v))
  expect(away.every((v) => v < 2e-10 * size) ? 0 : away).toBe(0)
}

async function checkGolden(
  found: Pca,
  x: Matrix,
  { k, variances, ratios, noise, first, scores }: Golden,
): Promise<void> {
  expect(found.nComponents).toBe(k)
  near(found.explainedVariance, variances, variances[0]!)
  near(found.explainedVarianceRatio, ratios, 1)
  near([found.noiseVariance], [noise], variances[0]!)
  near(found.components, first, 1)
  const { data } = await found.transform(x)
  near(data.subarray(7 * k), scores, Math.abs(scores[0]!) + 1)
}

describe.each(GOLDEN)('%s', (_, golden) => {
  const x = golden.x()
  test("scikit-learn's numbers, by both solvers, dense and sparse", async () => {
    // The products of many rows with each other are for few rows.
    for (const design of [x, sparse(x)])
      for (const solver of x.rows > 200 ? [undefined] : (['covariance', 'gram', undefined] as const)) {
        const found = await pca(design, { ...golden.options, ...(solver && { solver }) })
        certify(x, found)
        await checkGolden(found, x, golden)
      }
  })
})

test('random projections find the largest ones', async () => {
  const { x, k, ...golden } = { ...DIGITS, k: 6, noise: 0 }
  const found = await pca(x(), { solver: 'randomized', nComponents: k })
  near(found.explainedVariance, golden.variances, 1e5)
  expect(found.solver).toBe('randomized')
  expect(await pca(sparse(x()), { solver: 'randomized', nComponents: k, seed: 1 })).toMatchObject({ nComponents: k })
})

/** A factor model: few directions of their own strength, and noise. */
const factors = (rows: number, columns: number): Matrix => {
  const signal = product(
    scaled(normals(rows, 8, 2), (_, j) => 9 - j),
    normals(8, columns, 3),
  )
  const noise = normals(rows, columns, 4)
  return matrixOf(rows, columns, (i, j) => 100 + signal.data[i * columns + j]! + 0.5 * noise.data[i * columns + j]!)
}

test.each([
  ['tall', 9000, 120],
  ['wide', 130, 6300],
] as const)(
  '%s and large enough for the engine: what loops find, in any order of the data',
  async (_, rows, columns) => {
    const x = factors(rows, columns)
    const loops = await pca(x, { nComponents: 8 })
    const across = { ...x, order: 'column-major', data: turned(x).data } as const
    for (const design of [x, across]) {
      const found = await pca(design, { nComponents: 8, engine })
      expect(found.solver).toBe(loops.solver)
      near(found.explainedVariance, [...loops.explainedVariance], loops.explainedVariance[0]! * 1e-2)
      near(found.components, [...loops.components], 1)
      expect(found.noiseVariance).toBeCloseTo(loops.noiseVariance, 8)
      const [scores, own] = [await found.transform(design), await loops.transform(x)]
      near(scores.data, [...own.data], 1e3)
      expect((await pca(design, { nComponents: 8, engine })).components).toEqual(found.components)
    }
    const random = await pca(x, { nComponents: 8, engine, solver: 'randomized' })
    near(random.explainedVariance, [...loops.explainedVariance], loops.explainedVariance[0]! * 1e-1)
    const single = await pca({ ...x, data: Float32Array.from(x.data) }, { nComponents: 8, engine })
    near(single.explainedVariance, [...loops.explainedVariance], loops.explainedVariance[0]! * 1e4)
  },
)

test('a few components of very many columns by their covariance', async () => {
  const x = factors(60, 1600)
  const found = await pca(x, { nComponents: 5, solver: 'covariance', engine })
  const rows = await pca(x, { nComponents: 5, solver: 'gram' })
  near(found.components, [...rows.components], 1)
  near(found.explainedVariance, [...rows.explainedVariance], rows.explainedVariance[0]! * 1e-2)
})

test('rows in blocks: what they give together; a bad one is told by its place among all', async () => {
  const x = factors(300, 20)
  const blockOf = (from: number, to: number) => ({
    rows: to - from,
    columns: 20,
    data: x.data.subarray(from * 20, to * 20),
  })
  const held = await pca(x, { nComponents: 4 })
  async function* read() {
    for (const [from, to] of [
      [0, 1],
      [1, 120],
      [120, 300],
    ] as const)
      yield blockOf(from, to)
  }
  const seen: number[] = []
  const streamed = await pcaOfBlocks(read(), { nComponents: 4, onProgress: ({ done }) => seen.push(done) })
  near(streamed.components, [...held.components], 1)
  near(streamed.explainedVariance, [...held.explainedVariance], held.explainedVariance[0]! * 1e-2)
  expect(seen).toEqual([1, 120, 300])
  const broken = x.data.slice()
  broken[20 * 7 + 4] = Number.NaN
  await expect(pcaOfBlocks([blockOf(0, 120), { rows: 300, columns: 20, data: broken }])).rejects.toMatchObject({
    code: 'DESIGN_FINITE',
    detail: { where: 'X, row 128, column 5' },
  })
  await expect(pcaOfBlocks([blockOf(0, 9), mixed(3, 4)])).rejects.toMatchObject({ code: 'PCA_SHAPE' })
  await expect(pcaOfBlocks([])).rejects.toMatchObject({ code: 'DESIGN_EMPTY' })
  await expect(pcaOfBlocks([blockOf(0, 1)])).rejects.toMatchObject({ code: 'PCA_ROWS' })
  await expect(pcaOfBlocks([blockOf(0, 9)], { signal: AbortSignal.abort() })).rejects.toThrow()
})

test('blocks on the engine: one room for all of them, far from each other or too large to be squared', async () => {
  const [rows, columns] = [9000, 120]
  // The second block is far from the first, the third has a column of its own size, the fourth one beyond squares of float32.
  const cell = (i: number, j: number): number => {
    const v = ((i * i * 7 + j * j * 13 + i * j * 5) % 31) / 31
    if (i >= 18_000 && i < 27_000) return j === 3 ? 1e6 * v : v
    return i >= 9000 && i < 18_000 ? v + 1e4 : i >= 27_000 && j === 5 ? v * 1e25 : v
  }
  const whole = matrixOf(4 * rows, columns, cell)
  const room = new Float64Array(rows * columns)
  function* read() {
    for (let b = 0; b < 4; b++) {
      room.set(whole.data.subarray(b * rows * columns, (b + 1) * rows * columns))
      yield { rows, columns, data: room }
    }
    room.fill(Number.NaN)
  }
  const options = { nComponents: 3, isStandardized: true, engine }
  const [held, streamed] = [await pca(whole, options), await pcaOfBlocks(read(), options)]
  near(streamed.explainedVariance, [...held.explainedVariance], 1)
  near(streamed.mean, [...held.mean], 1e25)
  near(streamed.components, [...held.components], 1)
  const broken = whole.data.slice(0, 2 * rows * columns)
  broken[(rows + 7) * columns + 4] = Number.POSITIVE_INFINITY
  const half = (b: number) => ({ rows, columns, data: broken.subarray(b * rows * columns, (b + 1) * rows * columns) })
  await expect(pcaOfBlocks([half(0), half(1)], { engine })).rejects.toMatchObject({
    code: 'DESIGN_FINITE',
    detail: { where: 'X, row 9008, column 5' },
  })
})

test('blocks whose numbers are far larger or smaller than those of the block before, in float32', async () => {
  const [rows, columns] = [9000, 120]
  for (const size of [1e20, 1e-20]) {
    const cell = (i: number, j: number): number =>
      j < 2 && i >= rows
        ? (((i * i * 7 + j * 13) % 31) / 31 - 0.5) * size
        : j < 2
          ? 0
          : ((i * 7 + j * j * 13) % 31) / 31
    const whole = matrixOf(2 * rows, columns, cell)
    const block = (b: number) => ({
      rows,
      columns,
      data: Float32Array.from(whole.data.subarray(b * rows * columns, (b + 1) * rows * columns)),
    })
    const options = { nComponents: 3, isStandardized: true }
    const [held, streamed] = [
      await pca(whole, options),
      await pcaOfBlocks([block(0), block(1)], { ...options, engine }),
    ]
    near(streamed.explainedVariance, [...held.explainedVariance], 1e6)
  }
})

test('drawn rows of any rank, with zeros: both solvers find eigenpairs, of sparse rows too', async () => {
  const size = fc.integer({ min: 2, max: 25 })
  const drawn = fc.record({ rows: size, columns: size, rank: fc.integer({ min: 1, max: 25 }), seed: fc.nat() })
  await fc.assert(
    fc.asyncProperty(drawn, fc.boolean(), fc.boolean(), async ({ rows, columns, rank, seed }, isGram, isSparse) => {
      const full = product(normals(rows, rank, seed), normals(rank, columns, seed + 1))
      const x = scaled(full, (i, j) => ((i * j + seed) % 3 === 0 ? 0 : 10 ** -(j % 5)))
      const options = { solver: isGram ? 'gram' : 'covariance' } as const
      certify(x, await pca(isSparse ? sparse(x) : x, options))
      certify(x, await pca(x, { ...options, nComponents: 1, isStandardized: true }))
    }),
    { numRuns: 80 },
  )
})

test('moments of a stream: what the rows themselves give', async () => {
  const x = mixed(40, 12)
  const sums = openMoments(x.data.slice(0, 12))
  for (let i = 0; i < x.rows; i++) sums.add(x.data.subarray(i * 12, (i + 1) * 12))
  for (const options of [{}, { nComponents: 3, whiten: true, isStandardized: true }, { nComponents: 'bic' }] as const) {
    const [streamed, held] = [await pcaOfMoments(sums.end(), options), await pca(x, options)]
    expect(streamed.nComponents).toBe(held.nComponents)
    near(streamed.components, [...held.components], 1)
    near(streamed.explainedVariance, [...held.explainedVariance], 1)
    near((await streamed.transform(x)).data, [...(await held.transform(x)).data], 1)
  }
})

test('the BIC finds how many directions stand out of noise', async () => {
  expect((await pca(factors(500, 40), { nComponents: 'bic' })).nComponents).toBe(8)
  expect((await pca(factors(500, 40), { nComponents: 'mle' })).nComponents).toBe(8)
  expect((await pca(normals(500, 20), { nComponents: 'bic' })).nComponents).toBe(1)
})

test('all scores give the rows back, whitened and standardized ones too; whitened scores have a variance of 1', async () => {
  const drawn = fc.record({
    rows: fc.integer({ min: 2, max: 30 }),
    columns: fc.integer({ min: 1, max: 30 }),
    seed: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(drawn, fc.boolean(), fc.boolean(), async ({ rows, columns, seed }, whiten, isStandardized) => {
      const x = scaled(normals(rows, columns, seed), (_, j) => 1 + (j % 3))
      const found = await pca(x, { whiten, isStandardized })
      certify(x, found)
      const scores = await found.transform(x)
      const across = { ...scores, order: 'column-major', data: turned(scores as Matrix).data } as const
      for (const given of [scores, across]) near((await found.inverseTransform(given)).data, [...x.data], 100)
      if (!whiten) return
      const k = found.nComponents
      for (let c = 0; c < k; c++) {
        if (found.explainedVariance[c]! < 1e-9) continue
        let sum = 0
        for (let i = 0; i < rows; i++) sum += scores.data[i * k + c]! ** 2
        expect(sum / (rows - 1)).toBeCloseTo(1, 6)
      }
    }),
    { numRuns: 60 },
  )
})

test.each(['float32', 'float64'] as const)('the graph gives the scores, in %s', async (precision) => {
  const x = iris()
  const found = await pca(x, { nComponents: 2, whiten: true, isStandardized: true })
  const session = await engine.load(encodeModel(found.toOnnx({ precision, input: 'x', output: 'z' })).bytes)
  const array = precision === 'float32' ? Float32Array : Float64Array
  const { z } = await session.run({ x: tensor(precision, [150, 4], array.from(x.data)) })
  await session.close()
  expect(z!.shape).toEqual([150, 2])
  const { data } = await found.transform(x)
  for (const [at, v] of numbers(z!).entries())
    expect(Math.abs(v - data[at]!)).toBeLessThan(precision === 'float32' ? 1e-5 : 1e-13)
})

describe('columns without spread', () => {
  test('one of several has no part in any component that varies', async () => {
    const x = matrixOf(20, 3, (i, j) => (j === 1 ? 7 : Math.sin(i * (j + 1))))
    for (const isStandardized of [false, true]) {
      const found = await pca(x, { isStandardized })
      certify(x, found)
      expect(Math.abs(found.components[1]!)).toBeLessThan(1e-14)
      expect(found.scale[1]).toBe(1)
      expect(found.explainedVariance[2]).toBeLessThan(1e-15)
    }
  })
  test('all of them: no variance, and whitened scores of 0', async () => {
    for (const [rows, columns] of [
      [5, 3],
      [3, 5],
    ] as const) {
      const x = matrixOf(rows, columns, (_, j) => j)
      const found = await pca(x, { whiten: true })
      certify(x, found)
      expect([...found.explainedVariance, ...found.explainedVarianceRatio]).toEqual(Array(6).fill(0))
      expect([...(await found.transform(x)).data].every((v) => Math.abs(v) === 0)).toBe(true)
      expect((await pca(x, { nComponents: 0.5 })).nComponents).toBe(3)
      expect((await pca(x, { nComponents: 'bic' })).nComponents).toBe(1)
    }
  })
})

describe('bad input', () => {
  const x = mixed(6, 4)
  const refused = (given: Parameters<typeof pca>[0], options: PcaOptions, code: string) =>
    expect(pca(given, options)).rejects.toMatchObject({ code })

  test.each([0, -1, 5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 'most' as 'mle'])(
    'nComponents of %s',
    async (nComponents) => {
      await refused(x, { nComponents }, 'PCA_COMPONENTS')
      await refused(mixed(4, 6), { nComponents }, 'PCA_COMPONENTS')
    },
  )

  test('more components than rows; mle of more columns than rows', async () => {
    await refused(mixed(3, 9), { nComponents: 4 }, 'PCA_COMPONENTS')
    await refused(mixed(3, 9), { nComponents: 'mle' }, 'PCA_COMPONENTS')
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'a cell of %s, with its place',
    async (odd) => {
      const broken = { ...x, data: x.data.map((v, at) => (at === 9 ? odd : v)) }
      for (const solver of ['covariance', 'gram', 'randomized'] as const)
        await expect(pca(broken, { solver, nComponents: 2 })).rejects.toMatchObject({
          code: 'DESIGN_FINITE',
          detail: { where: 'X, row 3, column 2' },
        })
      const large = factors(9000, 110)
      large.data[110 * 5000 + 3] = odd
      await expect(pca(large, { engine })).rejects.toMatchObject({
        code: 'DESIGN_FINITE',
        detail: { where: 'X, row 5001, column 4' },
      })
      await expect((await pca(x)).transform(broken)).rejects.toMatchObject({ code: 'DESIGN_FINITE' })
      await refused(sparse(broken), {}, 'DESIGN_FINITE')
    },
  )

  test('sizes, seeds, solvers, signals', async () => {
    await refused({ rows: 0, columns: 4, data: new Float64Array(0) }, {}, 'DESIGN_EMPTY')
    await refused({ rows: 4, columns: 0, data: new Float64Array(0) }, {}, 'DESIGN_EMPTY')
    await refused({ rows: 2, columns: 4, data: new Float64Array(7) }, {}, 'DESIGN_SHAPE')
    await refused(mixed(1, 4), {}, 'PCA_ROWS')
    await refused(x, { seed: 0.5 }, 'RANDOM_SEED')
    await refused(x, { solver: 'best' as 'gram' }, 'PCA_SOLVER')
    await refused(x, { solver: 'randomized' }, 'PCA_SOLVER')
    await refused(x, { solver: 'randomized', nComponents: 0.5 }, 'PCA_SOLVER')
    await expect(pca(x, { solver: 'randomized', nComponents: 1, signal: AbortSignal.abort() })).rejects.toThrow()
    const found = await pca(x, { nComponents: 2 })
    await expect(found.transform(mixed(6, 5))).rejects.toMatchObject({ code: 'PCA_SHAPE' })
    await expect(found.inverseTransform(mixed(6, 4))).rejects.toMatchObject({ code: 'PCA_SHAPE' })
  })
})

test('columns of a table to components to a linear model, as one graph', async () => {
  const names = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width']
  const x = iris()
  const found = await pca(x, { nComponents: 2 })
  const scores = await found.transform(x)
  const y = Float64Array.from({ length: 150 }, (_, i) => Math.floor(i / 50) + 0.1 * Math.sin(i))
  const column = (name: string, j: number) =>
    ({ kind: 'number', name, values: y.map((_, i) => scores.data[i * 2 + j]!) }) as const
  const table: Table = {
    name: 'iris',
    rows: 150,
    columns: [column('PC1', 0), column('PC2', 1), { kind: 'number', name: 'y', values: y }],
  }
  const fitted = await fitTable(table, { target: 'y', model: 'elastic-net' })
  const whole = chain(found.toOnnx({ precision: 'float64', input: names, output: ['PC1', 'PC2'] }), fitted.model)
  expect(whole.graph.inputs).toEqual(names)
  const session = await engine.load(encodeModel(whole).bytes)
  const feeds = names.map(
    (name, j) =>
      [
        name,
        tensor(
          'float64',
          [150, 1],
          y.map((_, i) => x.data[i * 4 + j]!),
        ),
      ] as const,
  )
  const { prediction } = await session.run(Object.fromEntries(feeds))
  await session.close()
  for (const [i, v] of numbers(prediction!).entries()) expect(Math.abs(v - fitted.fitted[i]!)).toBeLessThan(1e-12)
  for (const names of [{ input: ['a'] }, { output: ['b'] }])
    expect(() => found.toOnnx(names)).toThrow('there are other columns than the components were found for')
})
