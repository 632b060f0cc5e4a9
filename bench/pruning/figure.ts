/** Accuracy against products, a curve a score, as an SVG that stands alone. */

import { curves } from '../../src/report/svg/curves.js'
import { standalone } from '../standalone.js'

export interface ScoreCurve {
  readonly score: string
  readonly points: readonly { readonly macs: number; readonly accuracy: number }[]
}

/** Random has the hue that is left. */
const HUES = ['hue0', 'hue1', 'hue2', 'hue4', 'hue5']
const TONES = [...HUES, ...HUES.map((hue) => `${hue} dashed`)]

export function accuracyFigure(all: readonly ScoreCurve[], network: string): string {
  const others = all.filter(({ score }) => score !== 'random')
  const toneOf = (score: string): string =>
    score === 'random' ? 'chosen' : TONES[others.findIndex((c) => c.score === score)]!
  const xs = [...new Set(all.flatMap(({ points }) => points.map((p) => p.macs / 1e6)))].sort((a, b) => b - a)
  const chart = curves({
    id: 'pruning',
    width: 900,
    height: 520,
    title: `Accuracy of ${network} after pruning, without recovery`,
    description: `One curve for each of ${all.length} scores, over millions of products in one run.`,
    xTitle: 'millions of products in one run',
    yTitle: '% of test images right, without recovery',
    curves: all.map(({ score, points }) => ({
      name: toneOf(score).endsWith('dashed') ? `${score} (dashed)` : score,
      tone: toneOf(score),
      points: points.map((p) => ({ x: p.macs / 1e6, y: 100 * p.accuracy })),
    })),
    marks: [],
    xs,
    margin: 250,
  })
  return standalone(chart)
}
