/** Every model of a table: proofs from X, and graphs that answer as the library does. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { standardizedData } from '../../test/awkward-design.js'
import { cellOf, fitTableOf } from '../../test/fit-tables.js'
import type { Table } from '../data/columns.js'
import type { Engine } from '../engine/engine.js'
import { openEngine } from '../engine/node/open.js'
import { floatTensor, numbers, stringTensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { mcpSlope } from '../penalties/mcp.js'
import { scadSlope } from '../penalties/scad.js'
import { random } from '../util/random.js'
import type { AdaptivePath } from './adaptive.js'
import { type FitOptions, fitTable } from './fit.js'
import { fitGlm, type GlmFitOptions } from './fit-glm.js'

const TABLE = fitTableOf('price')
const GIVEN = { target: 'price', weights: 'w', without: ['exposure'], missing: 'mean', folds: 5 } as const
const weights = valuesOf(TABLE, 'w')

function valuesOf({ columns }: Table, name: string): Float64Array {
  const column = columns.find((c) => c.name === name)!
  if (column.kind === 'number') return column.values
  throw new Error(`${name} holds text`)
}

/** The weighted mean of what is known. */
const fillOf = (column: string): number => {
  let [sum, total] = [0, 0]
  for (const [i, v] of valuesOf(TABLE, column).entries()) {
    if (Number.isNaN(v)) continue
    sum += weights[i]! * v
    total += weights[i]!
  }
  return sum / total
}

const rowsOf = (table: Table, names: readonly string[]) => ({
  rows: table.rows,
  columns: names.length,
  data: Float64Array.from({ length: table.rows * names.length }, (_, at) =>
    cellOf(table, names[at % names.length]!, Math.floor(at / names.length), fillOf),
  ),
})

describe('each model fulfils the conditions of its penalty, recomputed from the cells of the table', () => {
  test.each<[string, Partial<FitOptions>]>([
    ['lasso', {}],
    ['ridge', { l1Ratio: 0, select: 'bic' }],
    ['elastic net', { l1Ratio: 0.5, penaltyFactors: { size: 2, 'city=Oslo': 0.5 } }],
    ['adaptive lasso', { model: 'adaptive-lasso' }],
    ['adaptive lasso', { model: 'adaptive-lasso', gamma: 2, first: 'lasso', select: 'ebic' }],
    ['MCP', { model: 'mcp', select: 'cv-1se' }],
    ['SCAD', { model: 'scad', gamma: 5, select: 'aic' }],
    ['group lasso', { model: 'group-lasso', columnGroups: [['size', 'twin']] }],
    ['group lasso', { model: 'group-lasso', penaltyFactors: { city: 2 }, select: 'bic' }],
  ])('%s: %j', async (_, options) => {
    const fit = await fitTable(TABLE, { ...GIVEN, tolerance: 1e-14, nLambdas: 30, ...options })
    const { names, linear, groups, path } = fit
    const { model, gamma = model === 'mcp' ? 3 : 3.7 } = options
    const penaltyFactors: Readonly<Record<string, number>> = options.penaltyFactors ?? {}
    const { l1Ratio } = fit
    expect(names).toEqual(['size', 'city=Bonn', 'city=Oslo', 'city=Rome', 'twin', 'age'])
    const { shares, columns, y } = standardizedData(rowsOf(TABLE, names), valuesOf(TABLE, 'price'), weights)
    const beta = linear.coefficients.map((b, j) => b * columns[j]!.scale)
    expect(beta.some((b) => b !== 0)).toBe(true)
    const left = y.map((v, i) => columns.reduce((s, { z }, j) => s - beta[j]! * z[i]!, v))
    const pull = columns.map(({ z }) => shares.reduce((s, w, i) => s + w * left[i]! * z[i]!, 0))
    const given = names.map((name) => penaltyFactors[name] ?? penaltyFactors[name.split('=')[0]!] ?? 1)
    const factors = model === 'adaptive-lasso' ? [...(path as AdaptivePath).penaltyFactors] : given
    const mean = model === 'adaptive-lasso' ? 1 : given.reduce((a, b) => a + b) / given.length
    const sets = names.map((name, j) => groups?.[j] ?? name)
    for (const set of new Set(sets)) {
      const own = [...names.keys()].filter((j) => sets[j] === set)
      const norm = Math.hypot(...own.map((j) => beta[j]!))
      const plain = groups
        ? linear.lambda * factors[own[0]!]! * Math.sqrt(own.length)
        : (linear.lambda * factors[own[0]!]!) / mean
      const strength =
        model === 'mcp' ? mcpSlope(norm, plain, gamma) : model === 'scad' ? scadSlope(norm, plain, gamma) : plain
      const missed =
        norm === 0
          ? Math.max(0, Math.hypot(...own.map((j) => pull[j]!)) - l1Ratio * strength)
          : Math.hypot(
              ...own.map(
                (j) => pull[j]! - l1Ratio * strength * (beta[j]! / norm) - (1 - l1Ratio) * strength * beta[j]!,
              ),
            )
      expect(missed).toBeLessThan(1e-4)
    }
    if (model !== 'mcp' && model !== 'scad') expect(path.dualGap[fit.chosen]).toBeLessThanOrEqual(1e-14)
  })

  test('groups come and go together; those that are not named are a table column each', async () => {
    const { groups, path } = await fitTable(TABLE, { ...GIVEN, model: 'group-lasso', columnGroups: [['twin', 'age']] })
    expect(groups).toEqual(['size', 'city', 'city', 'city', 'twin + age', 'twin + age'])
    for (const { coefficients: c } of path.models) {
      expect(new Set([c[1], c[2], c[3]].map((v) => v === 0)).size).toBe(1)
      expect(c[4] === 0).toBe(c[5] === 0)
    }
  })
})

test('more columns than moments are good for go by their rows, with the same choices', async () => {
  const { normal } = random(5)
  const values = Array.from({ length: 320 }, () => Float64Array.from({ length: 40 }, () => normal()))
  const y = Float64Array.from({ length: 40 }, (_, i) => 3 * values[0]![i]! - 2 * values[1]![i]! + normal(0, 0.3))
  const columns = [...values, y].map(
    (v, j) => ({ kind: 'number', name: j === 320 ? 'y' : `c${j}`, values: v }) as const,
  )
  const wide: Table = { name: 'wide.csv', rows: 40, columns }
  const given = { target: 'y', folds: 4, nLambdas: 12 } as const
  const lasso = await fitTable(wide, { ...given, l1Ratio: [0.5, 1] })
  expect(lasso.l1Ratio).toBe(1)
  expect(Math.max(...lasso.path.dualGap)).toBeLessThanOrEqual(1e-7)
  const mean = y.reduce((a, b) => a + b) / 40
  expect(lasso.variance).toBeCloseTo(y.reduce((s, v) => s + (v - mean) ** 2, 0) / 40, 10)
  const [c0, c1] = (await fitTable(wide, { ...given, model: 'mcp' })).linear.coefficients
  expect([c0! - 3, c1! + 2].every((miss) => Math.abs(miss) < 0.3)).toBe(true)
})

describe('several ratios', () => {
  test('are tried over the same folds, and the best one is taken', async () => {
    const all = await fitTable(TABLE, { ...GIVEN, l1Ratio: [0.2, 0.7, 1] })
    const alone = []
    for (const l1Ratio of [0.2, 0.7, 1]) alone.push(await fitTable(TABLE, { ...GIVEN, l1Ratio }))
    const errors = alone.map(({ crossValidation: crossed }) => crossed!.error[crossed!.least]!)
    expect(all.ratios.map(({ score }) => score)).toEqual(errors)
    const best = alone[errors.indexOf(Math.min(...errors))]!
    expect([all.l1Ratio, all.linear]).toEqual([best.l1Ratio, best.linear])
  })

  test('of a criterion share one variance of the noise', async () => {
    const all = await fitTable(TABLE, { ...GIVEN, select: 'bic', l1Ratio: [1, 0] })
    const first = await fitTable(TABLE, { ...GIVEN, select: 'bic', l1Ratio: 1 })
    expect(all.ratios).toHaveLength(2)
    expect(all.criteria!.noise).toBe(first.criteria!.noise)
  })

  test('of classes too; progress runs through once', async () => {
    const seen: number[] = []
    const fit = await fitGlm(fitTableOf('flag'), {
      target: 'flag',
      missing: 'mean',
      folds: 3,
      nLambdas: 5,
      l1Ratio: [0, 1],
      onProgress: ({ done, total }) => seen.push(done / total!),
    })
    expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((k) => k / 6))
    const scores = fit.ratios.map(({ score }) => score)
    expect(fit.crossValidation!.error[fit.crossValidation!.least]).toBe(Math.min(...scores))
  })
})

test('without a penalty a column is always in; with bounds no coefficient is below 0', async () => {
  const { path } = await fitTable(TABLE, { ...GIVEN, penaltyFactors: { age: 0 } })
  for (const { coefficients } of path.models) expect(coefficients[5]).not.toBe(0)
  for (const model of ['elastic-net', 'adaptive-lasso', 'mcp', 'scad'] as const) {
    const { path } = await fitTable(TABLE, { ...GIVEN, model, isPositive: true, nLambdas: 20 })
    for (const { coefficients } of path.models) expect(Math.min(...coefficients)).toBeGreaterThanOrEqual(0)
  }
})

describe('graphs', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await openEngine({ threads: 1 })
  })
  afterAll(() => engine.close())

  const answers = async (model: Model, table: Table) => {
    const utf8 = new TextEncoder()
    const session = await engine.load(encodeModel(model).bytes)
    const wanted = table.columns.filter(({ name }) => model.graph.inputs.includes(name))
    const outputs = await session.run(
      Object.fromEntries(
        wanted.map((c) => {
          const shape = [table.rows, 1]
          if (c.kind === 'number') return [c.name, floatTensor('float64', shape, c.values)]
          const texts = Array.from(c.codes, (code) => utf8.encode(c.levels[code] ?? ''))
          return [c.name, stringTensor(shape, texts)]
        }),
      ),
    )
    await session.close()
    return outputs
  }

  test.each(['elastic-net', 'adaptive-lasso', 'mcp', 'scad', 'group-lasso'] as const)('of %s', async (model) => {
    const { linear, names, fitted, sampled, model: graph } = await fitTable(TABLE, { ...GIVEN, model, select: 'aic' })
    expect(graph.graph.inputs).toEqual(['size', 'city', 'twin', 'age'])
    const { prediction } = await answers(graph, TABLE)
    for (const [i, v] of numbers(prediction!).entries()) {
      const wanted = names.reduce(
        (s, name, j) => s + linear.coefficients[j]! * cellOf(TABLE, name, i, fillOf),
        linear.intercept,
      )
      expect(Math.abs(v - wanted)).toBeLessThan(1e-9)
      const shown = sampled!.indexOf(i)
      expect(shown < 0).toBe(weights[i] === 0)
      if (shown >= 0) expect(Math.abs(v - fitted[shown]!)).toBeLessThan(1e-9)
    }
  })

  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))

  test.each<['count' | 'flag' | 'level', Partial<GlmFitOptions>]>([
    ['count', { family: 'poisson', offset: 'exposure' }],
    ['count', { family: 'poisson', offset: 'exposure', model: 'adaptive-lasso' }],
    ['flag', { offset: 'exposure', l1Ratio: 0.5 }],
    ['flag', { model: 'adaptive-lasso', without: ['exposure'] }],
    ['level', { without: ['exposure'] }],
  ])('of %s, %j', async (target, options) => {
    const table = fitTableOf(target)
    const given = { target, weights: 'w', missing: 'mean', select: 'aic', nLambdas: 12, folds: 4 } as const
    const { glm, names, path, means, model } = await fitGlm(table, { ...given, ...options })
    expect(path.dualGap.every((gap) => gap <= 1e-7)).toBe(true)
    expect(model.graph.inputs.includes('exposure')).toBe('offset' in options)
    expect(names.includes('exposure')).toBe(false)
    const { prediction, probability } = await answers(model, table)
    const offset = 'offset' in options ? valuesOf(table, 'exposure') : new Float64Array(table.rows)
    const p = numbers(probability ?? prediction!)
    for (let i = 0; i < table.rows; i++) {
      const eta = glm.coefficients.map((c, k) =>
        names.reduce((s, name, j) => s + c[j]! * cellOf(table, name, i, fillOf), glm.intercepts[k]! + offset[i]!),
      )
      const total = eta.reduce((s, v) => s + Math.exp(v), 0)
      const wanted =
        path.family === 'poisson'
          ? [Math.exp(eta[0]!)]
          : path.family === 'binomial'
            ? [sigmoid(-eta[0]!), sigmoid(eta[0]!)]
            : eta.map((v) => Math.exp(v) / total)
      for (const [k, v] of wanted.entries()) expect(p[i * wanted.length + k]! / v).toBeCloseTo(1, 9)
      const at = means?.sampled?.indexOf(i) ?? -1
      if (at >= 0) expect(means!.fitted[at]! / wanted[0]!).toBeCloseTo(1, 9)
    }
  })
})

describe('a weight is a row that stands there so many times', () => {
  const rows = Array.from({ length: TABLE.rows }, (_, i) => i).flatMap((i) => new Array<number>(weights[i]!).fill(i))
  const repeated = (table: Table): Table => ({
    ...table,
    rows: rows.length,
    columns: table.columns.map((c) =>
      c.kind === 'number'
        ? { ...c, values: Float64Array.from(rows, (i) => c.values[i]!) }
        : { ...c, codes: Int32Array.from(rows, (i) => c.codes[i]!) },
    ),
  })

  test('of numbers, means for missing cells and criteria apart from the count of rows', async () => {
    const options = { ...GIVEN, select: 'bic', lambdas: [3, 1, 0.3], tolerance: 1e-13 } as const
    const { weights: _, ...plain } = options
    const one = await fitTable(TABLE, options)
    const many = await fitTable(repeated(TABLE), { ...plain, without: ['exposure', 'w'] })
    expect(one.variance / many.variance).toBeCloseTo(1, 10)
    for (const [l, { coefficients }] of one.path.models.entries())
      for (const [j, b] of coefficients.entries()) expect(b).toBeCloseTo(many.path.models[l]!.coefficients[j]!, 6)
  })

  test('of counts', async () => {
    const table = fitTableOf('count')
    const options = { target: 'count', family: 'poisson', offset: 'exposure', missing: 'mean', select: 'bic' } as const
    const more = { lambdas: [0.3, 0.1, 0.03], tolerance: 1e-12 }
    const one = await fitGlm(table, { ...options, ...more, weights: 'w' })
    const many = await fitGlm(repeated(table), { ...options, ...more, without: ['w'] })
    for (const [l, { coefficients }] of one.path.models.entries())
      for (const [j, b] of coefficients[0]!.entries())
        expect(b).toBeCloseTo(many.path.models[l]!.coefficients[0]![j]!, 5)
  })
})

describe('errors name what is wrong', () => {
  const changed = (name: string, row: number, value: number): Table => ({
    ...TABLE,
    columns: TABLE.columns.map((c) =>
      c.name === name && c.kind === 'number' ? { ...c, values: c.values.with(row, value) } : c,
    ),
  })

  test.each<[string, Table, Partial<FitOptions>, string, string]>([
    ['a weight below 0', changed('w', 4, -1), {}, 'DESIGN_WEIGHT', 'row 5, column w'],
    ['a missing weight', changed('w', 4, Number.NaN), {}, 'TABLE_MISSING', 'row 5, column w'],
    ['weights of text', TABLE, { weights: 'city' }, 'TABLE_CELL', 'column city'],
    ['weights that are no column', TABLE, { weights: 'weight' }, 'TABLE_COLUMN', 'size, city'],
    ['the target as weights', TABLE, { weights: 'price' }, 'TABLE_COLUMN', 'price'],
    ['an offset', TABLE, { offset: 'age' }, 'FAMILY', 'age'],
    ['a factor of no column', TABLE, { penaltyFactors: { aeg: 1 } }, 'TABLE_COLUMN', 'aeg'],
    ['a factor of the weights', TABLE, { penaltyFactors: { w: 1 } }, 'TABLE_COLUMN', 'w'],
    ['a factor below 0', TABLE, { penaltyFactors: { age: -1 } }, 'PATH_OPTION', 'penaltyFactors'],
    ['no column to leave out', TABLE, { without: ['exposre'] }, 'TABLE_COLUMN', 'exposre'],
    ['a group of no column', TABLE, { model: 'group-lasso', columnGroups: [['x', 'age']] }, 'TABLE_COLUMN', 'x'],
    [
      'a column in two groups',
      TABLE,
      { model: 'group-lasso', columnGroups: [['age', 'size'], ['age']] },
      'PATH_OPTION',
      'age',
    ],
    ['bounds of groups', TABLE, { model: 'group-lasso', isPositive: true }, 'PATH_OPTION', 'lowerBounds'],
    [
      'one factor for half a group',
      TABLE,
      { model: 'group-lasso', penaltyFactors: { 'city=Oslo': 2 } },
      'PATH_OPTION',
      'city',
    ],
  ])('%s', async (_, table, options, code, what) => {
    const error = await fitTable(table, { ...GIVEN, ...options }).then(
      () => null,
      (e: Error) => e,
    )
    expect(error).toMatchObject({ code })
    expect(error!.message).toContain(what)
  })

  test.each<[string, 'count' | 'flag' | 'level', Partial<GlmFitOptions>, string]>([
    ['MCP of classes', 'flag', { model: 'mcp' }, 'there is no mcp of the family binomial'],
    ['groups of counts', 'count', { family: 'poisson', model: 'group-lasso' }, 'there is no group-lasso'],
    ['one offset of several classes', 'level', { offset: 'exposure' }, 'one offset for all classes'],
  ])('%s', async (_, target, options, message) => {
    await expect(fitGlm(fitTableOf(target), { target, missing: 'mean', ...options })).rejects.toThrow(message)
  })
})
