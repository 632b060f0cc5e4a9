/** What is lost of nats a character against bytes, as an SVG that stands alone. */

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
/** What loses more is in the table alone. */
const MOST = 0.1

export function charactersFigure(all: readonly Characters[]): string {
  const [whole] = all as readonly [Characters, ...Characters[]]
  const near = all.filter((m) => m.nats - whole.nats <= MOST)
  const chart = scatter({
    id: 'characters',
    width: 900,
    height: 520,
    title:
      'Bytes of a transformer under int4, with heads cut and its stream sliced, and the nats a character that it loses',
    description: `${near.length} models that lose at most ${MOST} nats a character; filled ones lose at most ${LOST} nats a character.`,
    x: { title: 'kB', format: (v) => significant(v, 3) },
    y: { title: 'thousandths of a nat a character lost', format: (v) => significant(v, 3) },
    points: near.map((m, i) => ({
      x: m.bytes / 1000,
      y: 1000 * (m.nats - whole.nats),
      kind: i === 0 ? 'original' : m.nats - whole.nats <= LOST ? 'good' : 'over',
      title: `${m.name}: ${m.nats.toFixed(3)} nats, ${m.milliseconds.toFixed(2)} ms`,
      labels: [`${m.name}, ${m.speed.ratio.toFixed(2)}x the speed`, m.name],
    })),
  })
  return standalone(chart)
}
