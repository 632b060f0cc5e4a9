import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { weights } from '../../../test/compress-models.js'
import { samplesOf } from '../../../test/samples-of.js'
import { value } from '../../../test/small-models.js'
import type { Engine, Feeds } from '../../engine/engine.js'
import { openEngine } from '../../engine/node/open.js'
import { int } from '../../ir/attrs.js'
import { builder, modelOf } from '../../ir/builder.js'
import { f32, floats } from '../../ir/tensor.js'
import type { Model } from '../../ir/types.js'
import { random } from '../../util/random.js'
import { changeOf, reconstructionError } from '../layers/error.js'
import { findLayers, weightMatrix } from '../layers/layer.js'
import { inputMoments } from '../layers/moments.js'
import { applySteps } from '../recipes.js'
import { checkParams } from '../transform.js'
import { markLeast, markNeighbours, PATTERNS, withZeros } from './pattern.js'
import { solveSparse } from './sparsegpt-solver.js'
import { sparsifyWanda, wandaScores } from './wanda.js'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** Two products, of what enters which neighbouring inputs are much alike. */
function model(): Model {
  const b = builder()
  b.input('x', value('float32', ['n', 24]))
  const hidden = b.op('MatMul', ['x', b.constant(weights([24, 20], 1), 'first')], { name: 'one' })
  b.output(b.op('MatMul', [b.op('Relu', [hidden]), b.constant(weights([20, 16], 2), 'second')], { name: 'two' }))
  return modelOf(b.graph())
}

function smooth(seed: number, rows = 32, columns = 24): Feeds {
  const r = random(seed)
  const x = new Float32Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    let level = 0
    for (let j = 0; j < columns; j++) {
      level = 0.9 * level + r.normal(0, 1 + j / columns)
      x[i * columns + j] = level
    }
  }
  return { x: f32([rows, columns], x) }
}

const seen = [1, 2, 3, 4, 5, 6].map((seed) => smooth(seed))
const zeros = (data: ArrayLike<number>): number => Array.from(data).filter((w) => w === 0).length

async function sparsified(id: string, params: Readonly<Record<string, unknown>>, feeds: readonly Feeds[] = seen) {
  const told: string[] = []
  const env = {
    engine: async () => engine,
    samples: samplesOf(feeds),
    report: (message: string) => {
      told.push(message)
    },
  }
  const result = await applySteps(model(), [{ transform: id, params }], env)
  return { result, told: told.join(' '), of: (name: string) => floats(result.graph.constants.get(name)!) }
}

describe('marks', () => {
  const scores = fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 })
    .map((list) => Float64Array.from(list))

  test('are as many as asked for, and on no greater score than one that has none', () => {
    fc.assert(
      fc.property(scores, fc.double({ min: 0, max: 1, noNaN: true }), (s, share) => {
        const marks = new Uint8Array(s.length)
        const count = Math.round(share * s.length)
        markLeast(s, count, marks)
        const [on, off] = [1, 0].map((side) => [...s].filter((_, i) => marks[i] === side))
        expect(on!.length).toBe(count)
        expect(Math.max(...on!)).toBeLessThanOrEqual(Math.min(...off!))
      }),
    )
  })

  test('leave the greatest of all neighbours, in whole rows and a rest', () => {
    fc.assert(
      fc.property(scores, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), (row, of, less) => {
        const keep = Math.max(1, of - less)
        const both = Float64Array.from([...row, ...row.toReversed()])
        const marks = markNeighbours(both, row.length, keep, of)
        for (let r = 0; r < both.length; r += row.length)
          for (let j = 0; j < row.length; j += of) {
            const own = [...marks.subarray(r + j, r + Math.min(row.length, j + of))]
            expect(own.filter((m) => m === 0).length).toBe(Math.min(keep, own.length))
          }
      }),
    )
  })
})

describe.each(['sparsify/magnitude', 'sparsify/wanda', 'sparsify/sparsegpt'])('%s', (id) => {
  test.each([0, 0.3, 0.5, 0.9])('makes the share %d of each weight exactly zero', async (ratio) => {
    const { of } = await sparsified(id, { ratio })
    for (const [name, size] of [
      ['first', 480],
      ['second', 320],
    ] as const)
      expect(zeros(of(name))).toBe(ratio * size)
  })

  test.each(PATTERNS.filter((p) => p !== 'free'))('keeps to the pattern %s along the inputs', async (pattern) => {
    const { result } = await sparsified(id, { pattern })
    const [keep, m] = pattern.split(':').map(Number) as [number, number]
    for (const layer of findLayers(result.graph)) {
      const rows = weightMatrix(layer, result.graph)
      for (let r = 0; r < rows.length; r += layer.depth)
        for (let j = 0; j < layer.depth; j += m) {
          const own = rows.subarray(r + j, r + Math.min(layer.depth, j + m))
          expect(own.length - zeros(own)).toBeLessThanOrEqual(keep)
        }
    }
  })

  test('leaves excluded nodes and small weights alone', async () => {
    const { of } = await sparsified(id, { exclude: ['one'], minElements: 400 })
    expect([zeros(of('first')), zeros(of('second'))]).toEqual([0, 0])
  })
})

test.each(['sparsify/wanda', 'sparsify/sparsegpt'])('%s takes the share of all groups together', async (id) => {
  const b = builder()
  b.input('x', value('float32', [1, 16, 8, 8]))
  const w = b.constant(weights([16, 1, 3, 3], 1), 'w')
  b.output(b.op('Conv', ['x', w], { attrs: { group: int(16) } }), value('float32', null))
  const r = random(1)
  const feeds = [1, 2, 3].map(() => ({
    x: f32(
      [1, 16, 8, 8],
      Array.from({ length: 1024 }, () => r.normal()),
    ),
  }))
  const env = { engine: async () => engine, samples: samplesOf(feeds) }
  const { graph } = await applySteps(modelOf(b.graph()), [{ transform: id, params: {} }], env)
  expect(zeros(floats(graph.constants.get('w')!))).toBe(72)
})

test('the smallest weights of the whole model are those of no layer in particular', async () => {
  const { of } = await sparsified('sparsify/magnitude', { ratio: 0.5, scope: 'global' })
  expect(zeros(of('first')) + zeros(of('second'))).toBe(400)
  const original = model().graph.constants
  const [kept, gone] = [true, false].map((isKept) =>
    ['first', 'second'].flatMap((name) =>
      [...floats(original.get(name)!)].filter((_, i) => (of(name)[i] !== 0) === isKept).map(Math.abs),
    ),
  )
  expect(Math.max(...gone!)).toBeLessThanOrEqual(Math.min(...kept!))
})

test('Wanda scores a weight by its magnitude and the norm of its input over all columns', async () => {
  const [layer] = findLayers(model().graph)
  const { h, count } = (
    await inputMoments(model(), [layer!], { engine: async () => engine, samples: samplesOf(seen) })
  ).of.get(layer!)!
  const matrix = weightMatrix(layer!, model().graph)
  wandaScores(matrix, 24, h).forEach((score, i) => {
    let squares = 0
    for (const { x } of seen) for (let n = 0; n < 32; n++) squares += floats(x!)[n * 24 + (i % 24)]! ** 2
    expect(score * Math.sqrt(count)).toBeCloseTo(Math.abs(matrix[i]!) * Math.sqrt(squares), 3)
  })
})

/** A random symmetric matrix of positive eigenvalues, far from diagonal. */
function moments(n: number, seed: number): Float64Array {
  const r = random(seed)
  const x = Float64Array.from({ length: n * 3 * n }, () => r.normal())
  const h = new Float64Array(n * n)
  for (let k = 0; k < 3 * n; k++) {
    for (let i = 1; i < n; i++) x[k * n + i]! += 0.8 * x[k * n + i - 1]!
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) h[i * n + j]! += (x[k * n + i]! * x[k * n + j]!) / (3 * n)
  }
  return h
}

/** A⁻¹ by elimination. */
function inverse(a: Float64Array, n: number): Float64Array {
  const m = Float64Array.from({ length: 2 * n * n }, (_, i) => {
    const [row, column] = [Math.floor(i / (2 * n)), i % (2 * n)]
    return column < n ? a[row * n + column]! : column - n === row ? 1 : 0
  })
  for (let p = 0; p < n; p++) {
    const pivot = m[p * 2 * n + p]!
    for (let j = 0; j < 2 * n; j++) m[p * 2 * n + j]! /= pivot
    for (let i = 0; i < n; i++) {
      const share = m[i * 2 * n + p]!
      if (i !== p) for (let j = 0; j < 2 * n; j++) m[i * 2 * n + j]! -= share * m[p * 2 * n + j]!
    }
  }
  return Float64Array.from({ length: n * n }, (_, i) => m[Math.floor(i / n) * 2 * n + n + (i % n)]!)
}

/** H's part from input `from` on, with damping of a hundredth. */
function trailing(h: Float64Array, n: number, from: number): Float64Array {
  let trace = 0
  for (let i = 0; i < n; i++) trace += h[i * n + i]!
  const left = n - from
  return Float64Array.from({ length: left * left }, (_, k) => {
    const [i, j] = [from + Math.floor(k / left), from + (k % left)]
    return h[i * n + j]! + (i === j ? (0.01 * trace) / n : 0)
  })
}

describe('SparseGPT', () => {
  test('is the Optimal Brain Surgeon, one input after the other', () => {
    const [rows, n] = [5, 8]
    const h = moments(n, 3)
    const original = floats(weights([rows, n], 4))
    const solved = solveSparse(original, rows, n, h, { ratio: 0, pattern: '2:4' })!
    const work = Float64Array.from(original)
    for (let block = 0; block < n; block += 4) {
      const costs = Float64Array.from({ length: rows * 4 }, (_, k) => {
        const [r, j] = [Math.floor(k / 4), block + (k % 4)]
        return work[r * n + j]! ** 2 / inverse(trailing(h, n, j), n - j)[0]!
      })
      const marks = markNeighbours(costs, 4, 2, 4)
      for (let j = block; j < block + 4; j++) {
        const own = inverse(trailing(h, n, j), n - j)
        for (let r = 0; r < rows; r++) {
          if (marks[r * 4 + j - block] === 0) continue
          const share = work[r * n + j]! / own[0]!
          for (let k = j; k < n; k++) work[r * n + k]! -= share * own[k - j]!
          work[r * n + j] = 0
        }
      }
    }
    solved.forEach((w, i) => {
      expect(w).toBeCloseTo(work[i]!, 6)
    })
  })

  test('finds the best of all sparse weights where those that go come first', () => {
    const n = 6
    for (const seed of [1, 2, 3]) {
      const h = moments(n, seed)
      const w = floats(weights([n], seed)).map((v, j) => (j < 3 ? 0.01 * v : v + Math.sign(v)))
      const solved = solveSparse(w, 1, n, h, { ratio: 0.5, pattern: 'free' })!
      const damped = trailing(h, n, 0)
      const form = { groups: 1, rows: 1, depth: n }
      const error = reconstructionError(changeOf(solved, w), damped, form)
      expect([...solved].map((v) => v === 0)).toEqual([true, true, true, false, false, false])
      // The least of δᵀHδ with δ_P = −w_P is w_Pᵀ ((H⁻¹)_PP)⁻¹ w_P.
      const all = inverse(damped, n)
      for (let mask = 0; mask < 2 ** n; mask++) {
        const gone = [...w.keys()].filter((j) => (mask >> j) & 1)
        if (gone.length !== 3) continue
        const part = inverse(Float64Array.from(gone.flatMap((i) => gone.map((j) => all[i * n + j]!))), 3)
        const least = gone.reduce((s, i, a) => s + gone.reduce((t, j, b) => t + w[i]! * part[a * 3 + b]! * w[j]!, 0), 0)
        expect(error).toBeLessThanOrEqual(least * (1 + 1e-5))
      }
    }
  })

  test('leaves outputs nearer than magnitudes and Wanda do, on what it saw', () => {
    const [rows, n] = [12, 40]
    for (const seed of [1, 2, 3, 4]) {
      const h = moments(n, seed)
      const w = floats(weights([rows, n], seed))
      const errorOf = (sparse: Float32Array): number =>
        reconstructionError(changeOf(sparse, w), h, { groups: 1, rows, depth: n })
      const byScore = (scores: Float64Array): number => {
        const marks = new Uint8Array(w.length)
        markLeast(scores, w.length / 2, marks)
        return errorOf(withZeros(w, marks))
      }
      const solved = errorOf(solveSparse(w, rows, n, h, { ratio: 0.5, pattern: 'free' })!)
      expect(solved).toBeLessThan(byScore(Float64Array.from(w, Math.abs)))
      expect(solved).toBeLessThan(byScore(wandaScores(w, n, h)))
    }
  })
})

describe('on samples that were kept aside', () => {
  test('the better of method and magnitude stands, and how often is told', async () => {
    const { told, of } = await sparsified('sparsify/sparsegpt', {})
    expect(told).toBe('sparsify/sparsegpt: SparseGPT for 2 of 2 weights.')
    expect([...of('first')].some((w) => w !== 0 && !floats(model().graph.constants.get('first')!).includes(w))).toBe(
      true,
    )
  })

  test('magnitudes stand where what was seen misleads', async () => {
    // Each sample has inputs that are silent in the other.
    const half = (from: number): Feeds => {
      const x = floats(smooth(1).x!).map((v, i) => (i % 24 >= from && i % 24 < from + 12 ? v : 0))
      return { x: f32([32, 24], x) }
    }
    const misled = await sparsified('sparsify/wanda', {}, [half(0), half(12)])
    const plain = await sparsified('sparsify/magnitude', {})
    expect(misled.told).toContain('magnitude, which is no worse on held-out samples, for one')
    expect(misled.of('first')).toEqual(plain.of('first'))
  })

  test('there have to be some', async () => {
    const env = { engine: async () => engine }
    expect(sparsifyWanda.refuses(model(), {})).toBe('sparsify/wanda needs samples')
    await expect(sparsifyWanda.apply(model(), checkParams(sparsifyWanda, {}), env)).rejects.toThrow(
      expect.objectContaining({ code: 'CALIBRATION_MISSING', message: expect.stringContaining('sparsify/wanda') }),
    )
  })
})
