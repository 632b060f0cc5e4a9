/** Scales: from data to pixels, with round tick values. */

export interface Scale {
  readonly ticks: readonly number[]
  /** Position in pixels. */
  at(value: number): number
}

export type Range = readonly [number, number]

/** Round values of step 1, 2 or 5 times a power of ten, about `wanted` of them, covering [low, high]. */
export function niceTicks(low: number, high: number, wanted: number): readonly number[] {
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1
  const span = high - low > 1e-9 * size ? high - low : size
  const rough = span / Math.max(1, wanted)
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((f) => rough <= f * power * (1 + 1e-9)) ?? 10
  const step = factor * power
  const first = Math.floor(low / step + 1e-9)
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9))
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** A linear scale whose domain is widened to its ticks. */
export function linearScale([low, high]: Range, pixels: Range, wanted = 5): Scale {
  const ticks = niceTicks(low, high, wanted)
  return { ticks, at: between(ticks[0]!, ticks.at(-1)!, pixels) }
}

/** A linear scale of this domain and a little more to each side, with ticks inside it. */
export function paddedScale([low, high]: Range, pixels: Range, wanted = 5): Scale {
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1
  const pad = high - low > 1e-9 * size ? (high - low) / 25 : size / 2
  const [from, to] = [low - pad, high + pad]
  return { ticks: niceTicks(from, to, wanted).filter((t) => t >= from && t <= to), at: between(from, to, pixels) }
}

/** A logarithmic scale with ticks at 1, 2 and 5 (or at powers of ten alone, over many decades). Values must be positive. */
export function logScale([low, high]: Range, pixels: Range, wanted = 6): Scale {
  const from = Math.floor(Math.log10(low) + 1e-9)
  const to = Math.ceil(Math.log10(high) - 1e-9)
  const decades = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const fine = decades.flatMap((d) => [1, 2, 5].map((m) => Number(`${m}e${d}`)))
  const start = Math.max(
    0,
    fine.findLastIndex((t) => t <= low * (1 + 1e-9)),
  )
  const last = fine.findIndex((t) => t >= high * (1 - 1e-9))
  const covering = fine.slice(start, last < 0 ? undefined : last + 1)
  const few = covering.length <= wanted + 2
  const coarse = decades.map((d) => Number(`1e${d}`))
  const every = Math.ceil(coarse.length / wanted)
  const ticks =
    few && covering.length > 1 ? covering : coarse.filter((_, i) => i % every === 0 || i === coarse.length - 1)
  const [first, end] = ticks.length > 1 ? [ticks[0]!, ticks.at(-1)!] : [ticks[0]! / 2, ticks[0]! * 2]
  const position = between(Math.log10(first), Math.log10(end), pixels)
  return { ticks, at: (value) => position(Math.log10(value)) }
}

/** A logarithmic scale of just this domain, with ticks inside it at powers of ten, or at 1, 2 and 5. Values must be positive. */
export function innerLogScale([low, high]: Range, pixels: Range, wanted = 6): Scale {
  const isPoint = !(high > low * (1 + 1e-9))
  const [from, to] = isPoint ? [low / 2, low * 2] : [low, high]
  const position = between(Math.log10(from), Math.log10(to), pixels)
  return { ticks: isPoint ? [low] : innerTicks(from, to, wanted), at: (value) => position(Math.log10(value)) }
}

function innerTicks(low: number, high: number, wanted: number): readonly number[] {
  const isInside = (t: number): boolean => t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9)
  const first = Math.floor(Math.log10(low))
  const decades = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => first + i)
  const coarse = decades.map((d) => Number(`1e${d}`)).filter(isInside)
  const fine = decades.flatMap((d) => [1, 2, 5].map((m) => Number(`${m}e${d}`))).filter(isInside)
  if (fine.length < 2) return niceTicks(low, high, wanted).filter(isInside)
  if (fine.length <= wanted + 2) return fine
  const every = Math.ceil(coarse.length / wanted)
  return coarse.filter((_, i) => i % every === 0)
}

function between(low: number, high: number, [start, end]: Range): (value: number) => number {
  return (value) => start + ((value - low) / (high - low)) * (end - start)
}
