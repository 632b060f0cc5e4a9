/** Bytes against time of the models that levers made, as an SVG that stands alone. */

import { scatter } from '../../src/report/svg/scatter.js'
import { significant } from '../../src/util/format.js'
import { standalone } from '../standalone.js'

export interface Measured {
  readonly name: string
  readonly steps: string
  readonly seconds: number
  /** In bytes. */
  readonly size: number
  readonly accuracy: number
  /** Of one run, the median. */
  readonly milliseconds: number
  /** The original's time over this one's. */
  readonly speed: { readonly ratio: number; readonly low: number; readonly high: number }
}

/** Points of accuracy below which a model is drawn as one that lost too much. */
const LOST = 0.003

export function leversFigure(all: readonly Measured[]): string {
  const [whole] = all as readonly [Measured, ...Measured[]]
  const chart = scatter({
    id: 'levers',
    width: 900,
    height: 520,
    title: 'Bytes and time of one network under every lever',
    description: `${all.length} models; filled ones lose at most ${100 * LOST} points of accuracy.`,
    x: { title: 'kB', format: (v) => significant(v, 3) },
    y: { title: 'ms a picture, one thread', format: (v) => significant(v, 3) },
    points: all.map((m, i) => ({
      x: m.size / 1000,
      y: m.milliseconds,
      kind: i === 0 ? 'original' : whole.accuracy - m.accuracy <= LOST ? 'good' : 'over',
      title: `${m.name}: ${(100 * m.accuracy).toFixed(2)} % right`,
      labels: [`${m.name}, ${(100 * m.accuracy).toFixed(2)} %`, m.name],
    })),
  })
  return standalone(chart)
}
