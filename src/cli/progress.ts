/** Progress for people: one line that rewrites itself in a terminal, a few plain lines elsewhere. */

import type { Progress } from '../util/env.js'
import { fitWidth, safeLine } from './terminal.js'

export interface ProgressView {
  show(progress: Progress): void
  /** Takes the line away, so that other text can be written. */
  clear(): void
}

export interface ProgressSink {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const REDRAW_MS = 80
/** Between plain lines: of one task, and where a new one begins. */
const PLAIN_MS = 10_000
const PLAIN_FRESH_MS = 2000
/** Nothing is shown of work that is over before anyone wonders. */
const PATIENCE_MS = 400
const BAR = 16

export const SILENT: ProgressView = { show() {}, clear() {} }

/** `now` in milliseconds; tests give their own clock. */
export function progressView(sink: ProgressSink, now: () => number = () => performance.now()): ProgressView {
  const begin = now()
  let task = ''
  let since = begin
  let from = 0
  let last = Number.NEGATIVE_INFINITY
  let drawn = false

  const clear = (): void => {
    if (drawn) sink.write('\r\u001b[2K')
    drawn = false
  }
  return {
    clear,
    show(progress) {
      const time = now()
      const fresh = progress.task !== task || progress.done < from
      if (fresh) {
        task = progress.task
        since = time
        from = progress.done
      }
      if (time - begin < PATIENCE_MS) return
      const left = timeLeft(progress, from, time - since)
      if (sink.isTTY) {
        if (time - last < REDRAW_MS && !isDone(progress)) return
        sink.write(`\r\u001b[2K${fitWidth(lineOf(progress, left), (sink.columns || 80) - 1)}`)
        drawn = true
      } else {
        if (time - Math.max(last, begin) < (fresh ? PLAIN_FRESH_MS : PLAIN_MS)) return
        sink.write(`${plainLine(progress, left)}\n`)
      }
      last = time
    },
  }
}

const isDone = ({ done, total }: Progress): boolean => total !== undefined && done >= total

/** Milliseconds, from the rate since the task began; null while that says little. */
function timeLeft({ done, total }: Progress, from: number, elapsed: number): number | null {
  if (total === undefined || done <= from || elapsed < 500) return null
  return (elapsed / (done - from)) * Math.max(0, total - done)
}

function lineOf(progress: Progress, left: number | null): string {
  const { done, total } = progress
  const task = taskText(progress)
  if (total === undefined) return `${safeLine(task)}${done > 0 ? ` ${done}` : ''}`
  const share = total > 0 ? Math.min(1, done / total) : 1
  const full = Math.round(share * BAR)
  const bar = '━'.repeat(full) + '─'.repeat(BAR - full)
  const curve = progress.curve === undefined ? '' : ` ${sparkline(progress.curve)}`
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)}%  ${safeLine(task)}${curve}${left === null ? '' : `  ${clock(left)} left`}`
}

const HEIGHTS = '▁▂▃▄▅▆▇█'
const SPARKS = 12

/** Values as a row of bars, from the least to the largest; many are averaged in groups. */
export function sparkline(values: readonly number[], width = SPARKS): string {
  const columns = Math.min(width, values.length)
  const means = Array.from({ length: columns }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / columns),
      Math.floor(((i + 1) * values.length) / columns),
    )
    return part.reduce((a, v) => a + v, 0) / part.length
  })
  const low = Math.min(...means)
  const span = Math.max(...means) - low || 1
  return means.map((v) => HEIGHTS[Math.round(((v - low) / span) * (HEIGHTS.length - 1))]).join('')
}

/** `training, epoch 2 of 5, loss 0.31` */
const taskText = ({ task, detail }: Progress): string => (detail === undefined ? task : `${task}, ${detail}`)

function plainLine(progress: Progress, left: number | null): string {
  const { done, total } = progress
  const task = taskText(progress)
  // Of work without a known end, how far it is.
  if (total === undefined) return `${safeLine(task)}${done > 0 ? ` ${done}` : ''}`
  const share = total === 0 ? '' : ` ${Math.floor((100 * Math.min(done, total)) / total)}%`
  return `${safeLine(task)}${share}${left === null ? '' : `, ${clock(left)} left`}`
}

/** 75,000 ms -> 1:15 */
function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  const two = (n: number): string => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}
