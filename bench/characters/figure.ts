/** Nats a character against bytes, as an SVG that stands alone. */

import { scatter } from '../../src/report/svg/scatter.js'
import { significant } from '../../src/util/format.js'
import { standalone } from '../standalone.js'

export interface Characters {
  readonly name: string
  readonly bytes: number
  /** A character. */
  readonly nats: number
  /** Of one run, the median. */
  readonly milliseconds: number
  /** The original's time over this one's. */
  readonly speed: { readonly ratio: number; readonly low: number; readonly high: number }
  readonly seconds: number
}

/** Nats above which a model is drawn as one that lost too much. */
const LOST = 0.02

export function charactersFigure(all: readonly Characters[]): string {
  const [whole] = all as readonly [Characters, ...Characters[]]
  const chart = scatter({
    id: 'characters',
    width: 900,
    height: 520,
    title: 'Bytes and nats a character of a transformer under int4 and with heads cut',
    description: `${all.length} models; filled ones lose at most ${LOST} nats a character.`,
    x: { title: 'kB', format: (v) => significant(v, 3) },
    y: { title: 'nats a character', format: (v) => significant(v, 4) },
    points: all.map((m, i) => ({
      x: m.bytes / 1000,
      y: m.nats,
      kind: i === 0 ? 'original' : m.nats - whole.nats <= LOST ? 'good' : 'over',
      title: `${m.name}: ${m.nats.toFixed(3)} nats, ${m.milliseconds.toFixed(2)} ms`,
      labels: [`${m.name}, ${m.nats.toFixed(3)}`, m.name],
    })),
  })
  return standalone(chart)
}
