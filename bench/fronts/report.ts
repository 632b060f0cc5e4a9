/** The tables of `bench/fronts.md`. */

import { ratio } from '../../src/engine/timing.js'
import { significant } from '../../src/util/format.js'
import { table } from '../markdown.js'
import type { Made } from '../models/make.js'
import type { Judged, Timed } from '../models/measure.js'

export interface FrontResults {
  readonly model: string
  /** Bytes. */
  readonly original: number
  /** Quantization alone for size, mixed precision for size, quantization alone for latency, all levers for size and for latency. */
  readonly made: readonly Made[]
  readonly judged: readonly Judged[]
  readonly timed: readonly Timed[]
}

/** A gain that counts. */
const GAIN = 1.3

interface Gains {
  readonly bytes: number
  readonly time: number
  /** In bytes, over mixed precision. */
  readonly mixed: number
}

/** What was not made is the original. */
const bytesOf = ({ original, made }: FrontResults, ...at: readonly number[]): number =>
  Math.min(...at.map((i) => made[i]!.file?.bytes ?? original))

/** The original's time over that of the fastest of these. */
const fastest = (r: FrontResults, ...at: readonly number[]): number =>
  Math.max(1, ...at.flatMap((i) => speedOf(r, r.made[i]!.name) ?? []))

function speedOf({ timed }: FrontResults, id: string): number | null {
  const runsOf = (of: string): readonly number[] | undefined => timed.find((t) => t.id === of)?.runs
  const [own, original] = [runsOf(id), runsOf('original')]
  return own === undefined || original === undefined ? null : ratio(own, original).ratio
}

/** The best of all levers over the best of quantization alone. */
const gainsOf = (r: FrontResults): Gains => ({
  bytes: bytesOf(r, 0, 2) / bytesOf(r, 3, 4),
  time: fastest(r, 3, 4) / fastest(r, 0, 2),
  mixed: bytesOf(r, 1) / bytesOf(r, 3, 4),
})

export function sections(results: readonly FrontResults[]) {
  const gained = results.filter((r) => {
    const { bytes, time } = gainsOf(r)
    return Math.max(bytes, time) >= GAIN
  })
  return [
    {
      heading: 'Gains over quantization alone',
      text: `The best file of all levers beside the best of quantization alone. ${gained.length} of ${results.length} models gain ${GAIN}x or more in bytes or in time.`,
      table: table(
        ['model', 'bytes', 'time', 'bytes, over mixed precision'],
        results.map((r) => {
          const { bytes, time, mixed } = gainsOf(r)
          return [r.model, ...[bytes, time, mixed].map((gain) => `${gain.toFixed(2)}x`)]
        }),
      ),
    },
    {
      heading: 'Files',
      table: table(
        ['model', 'file', 'kB', 'smaller', 'faster', 'loss on samples of neither half', 'made by'],
        results.flatMap((r) => r.made.map((made) => row(r, made))),
      ),
    },
  ]
}

function row(r: FrontResults, { name, file, note }: Made): readonly string[] {
  if (file === null) return [r.model, name, '', '', '', '', note]
  const agreement = r.judged.find((j) => j.id === name)?.agreement
  const speed = speedOf(r, name)
  return [
    r.model,
    name,
    significant(file.bytes / 1000, 3),
    `${(r.original / file.bytes).toFixed(2)}x`,
    speed === null ? '' : `${speed.toFixed(2)}x`,
    agreement == null ? '' : `${(100 * agreement.drop).toPrecision(2)} %`,
    note,
  ]
}
