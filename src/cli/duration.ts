/** Lengths of time as people write them: `90s`, `30m`, `1.5h`. */

import { PareError } from '../util/errors.js'

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** Seconds. Throws `OPTION_VALUE`. */
export function secondsOf(text: string, option: string): number {
  const [, number, unit] = /^(\d+\.?\d*|\.\d+)([smh])$/.exec(text) ?? []
  const seconds = Number(number) * (SECONDS[unit ?? ''] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new PareError('OPTION_VALUE', 'a length of time is needed', {
    where: option,
    value: text,
    remedy: `Write for example ${option} 90s, ${option} 30m or ${option} 1.5h.`,
  })
}
