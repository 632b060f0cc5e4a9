/** Numbers as people read them: bytes, times, counts, ratios. Decimal units (1 kB = 1000 B), as file managers use. */

/** `digits` significant digits without an exponent where that stays short: 12345 -> 12300 at 3 digits, 0.0001234 -> 0.000123. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞'
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size < 1e-4 || size >= 1e9)
    return value
      .toExponential(digits - 1)
      .replaceAll('-', '−')
      .replace('e+', 'e')
  const rounded = Number(value.toPrecision(digits))
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded))))
  return minus(rounded.toFixed(decimals))
}

/** A metric of a training; empty where there is none. */
export const metricText = (value: number | undefined): string => (value === undefined ? '' : significant(value, 4))

/** 369123 -> `369 kB`. */
export function bytes(value: number): string {
  return scaled(value, ['B', 'kB', 'MB', 'GB', 'TB'])
}

/** 1234567 -> `1.23 M`. */
export function count(value: number): string {
  return scaled(value, ['', 'k', 'M', 'G', 'T'])
}

function scaled(value: number, units: readonly string[]): string {
  let unit = 0
  let rest = value
  while (unit < units.length - 1 && Math.abs(Number(rest.toPrecision(3))) >= 1000) {
    rest /= 1000
    unit++
  }
  const digits = unit === 0 && Number.isInteger(rest) ? minus(String(rest)) : significant(rest)
  return units[unit] === '' ? digits : `${digits} ${units[unit]}`
}

/** Milliseconds: `0.042 ms`, `4.31 ms`, `1.2 s`. */
export function milliseconds(value: number): string {
  return value >= 1000 ? `${significant(value / 1000)} s` : `${significant(value)} ms`
}

/** Seconds as a duration: `4 s`, `3 min 20 s`, `1 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return join(Math.floor(s / 60), 'min', s % 60, 's')
  return join(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min')
}

function join(major: number, majorUnit: string, minor: number, minorUnit: string): string {
  return minor === 0 ? `${major} ${majorUnit}` : `${major} ${majorUnit} ${minor} ${minorUnit}`
}

/** A fraction as percent: 0.9921 -> `99.21 %`. */
export function percent(fraction: number, decimals = 2): string {
  return `${minus((fraction * 100).toFixed(decimals))} %`
}

/** How many times smaller or faster; three digits at most: `2.84×`, `11.2×`. */
export function times(factor: number): string {
  return `${significant(factor, factor < 1 ? 2 : 3)}×`
}

/** A typographic minus, and none before a zero. */
function minus(digits: string): string {
  return /^-0\.?0*$/.test(digits) ? digits.slice(1) : digits.replace(/^-/, '−')
}

/** Cuts the middle out of a text longer than `length`; beginnings and ends of node names both tell something. */
export function shorten(text: string, length: number): string {
  const letters = [...text]
  if (letters.length <= length) return text
  const head = Math.ceil((length - 1) / 2)
  const tail = length - 1 - head
  return `${letters.slice(0, head).join('')}…${tail === 0 ? '' : letters.slice(-tail).join('')}`
}

/** `1 sample`, `2 samples`. */
export const counted = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`

/**
 * Of a float32: as few digits as tell it from its neighbours. They give it back once they are rounded to float32, and not
 * before: of a float64 that happens to be one, `String` gives the digits.
 */
export function shortestFloat(value: number): string {
  // Nine digits tell all float32 apart, six often do.
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}
