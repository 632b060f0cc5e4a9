import { expect, test } from 'vitest'
import { drawingOf, expectWhole } from '../../../test/report/markup.js'
import { pca } from '../../reduce/pca.js'
import { random } from '../../util/random.js'
import { type PcaReport, renderPca } from './pca-page.js'

const EVIL = '</style><script>alert(1)</script>'

/** Rows of three classes along a line, with two columns of noise beside it. */
async function reportOf(
  rows = 90,
  nComponents?: number,
  colour: 'class' | 'number' | 'none' = 'class',
): Promise<PcaReport> {
  const { normal } = random(8)
  const data = new Float64Array(rows * 5)
  for (let i = 0; i < rows; i++) {
    const t = (i % 3) * 4 + normal()
    data.set([2 * t + normal(0, 0.1), -t + normal(0, 0.1), normal(), normal(0, 0.5), 7], 5 * i)
  }
  const x = { rows, columns: 5, data }
  const found = await pca(x, nComponents === undefined ? {} : { nComponents })
  const { data: scores } = await found.transform(x)
  const k = found.nComponents
  return {
    ...found,
    table: 'made.csv',
    rows,
    names: ['long', 'short', EVIL, 'noise', 'constant'],
    isStandardized: false,
    isWhitened: false,
    scores: Array.from({ length: k }, (_, j) => ({
      kind: 'number',
      name: `pca${j + 1}`,
      values: Float64Array.from({ length: rows }, (_, i) => scores[i * k + j]!),
    })),
    colour:
      colour === 'none'
        ? null
        : colour === 'class'
          ? {
              kind: 'category',
              name: 'kind',
              codes: Int32Array.from({ length: rows }, (_, i) => i % 3),
              levels: ['a', 'b', 'c'],
            }
          : { kind: 'number', name: 'size', values: Float64Array.from({ length: rows }, (_, i) => i) },
    commandLine: 'pare reduce made.csv --method pca -o scores.csv',
  }
}

test.each(['class', 'number', 'none'] as const)('the report is one whole page, coloured by %s', async (colour) => {
  const report = await reportOf(90, undefined, colour)
  const page = renderPca(report)
  expectWhole(page)
  expect(page).not.toContain('<script')
  expect(renderPca(report)).toBe(page)
  expect(page.includes('class="legend"')).toBe(colour !== 'none')
})

test('the headline tells how many components hold most, and loadings are sorted by size', async () => {
  const report = await reportOf()
  const page = renderPca(report)
  const shares = Array.from(report.explainedVarianceRatio)
  expect(shares[0]).toBeGreaterThan(0.95)
  expect(page).toContain(
    `<h1>1 of 5 components holds ${(100 * shares[0]!).toFixed(1)} % of the variance of 5 columns</h1>`,
  )
  const first = /Component 1: [\s\S]*?<tbody>([\s\S]*?)<\/tbody>/.exec(page)![1]!
  const shown = [...first.matchAll(/<th scope="row">(.*?)<\/th><td class="number">(.*?)<\/td>/g)].map(([, name, v]) => [
    name,
    v,
  ])
  expect(shown.map(([name]) => name).slice(0, 2)).toEqual(['long', 'short'])
  const sizes = shown.map(([, v]) => Math.abs(Number(v!.replace('−', '-').replace(/e−/, 'e-'))))
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
  // Twice as steep along one as along the other.
  expect(sizes[0]! / sizes[1]!).toBeCloseTo(2, 1)
})

test('fewer components than there are: where they end is marked, and what is left out is told', async () => {
  const report = await reportOf(90, 2)
  const page = renderPca(report)
  expectWhole(page)
  expect(drawingOf(page, 'scree-wide')).toContain('2 kept')
  const left = (1 - report.explainedVarianceRatio.reduce((a, v) => a + v, 0)) / 3
  expect(page).toContain(`The 3 left out hold ${(100 * left).toFixed(2)} % each in the mean.`)
})

test('each row is a dot in each square; of many rows 4000 are drawn', async () => {
  const count = (page: string, id: string): number => [...drawingOf(page, id).matchAll(/m-?\d+[ -]\d+h0/g)].length
  const few = renderPca(await reportOf(90))
  expect(count(few, 'pairs-wide')).toBe(6 * 90)
  expect(count(few, 'pairs-narrow')).toBe(3 * 90)
  const many = renderPca(await reportOf(9000))
  expect(many).toContain('4000 rows, drawn from all 9000')
  expect(count(many, 'pairs-wide')).toBeGreaterThan(6 * 3500)
  expect(count(many, 'pairs-wide')).toBeLessThanOrEqual(6 * 4000)
  expect(many.length).toBeLessThan(1e6)
})

test('one component has neither curve nor pairs, and where nothing varies that is said', async () => {
  const one = renderPca(await reportOf(90, 1))
  expectWhole(one)
  expect(one).not.toContain('scree-wide')
  expect(one).not.toContain('pairs-wide')
  const report = await reportOf()
  const nothing = renderPca({
    ...report,
    explainedVariance: new Float64Array(5),
    explainedVarianceRatio: new Float64Array(5),
    scores: report.scores.map((s) => ({ ...s, values: new Float64Array(90) })),
  })
  expectWhole(nothing)
  expect(nothing).toContain('<h1>No column varies</h1>')
})
