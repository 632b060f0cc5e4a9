/** What is known of the place that output goes to, and text made safe for it. */

export interface Terminal {
  /** Columns of text; infinite where the output is not a terminal and nothing else is asked for. */
  readonly columns: number
  readonly colour: boolean
}

interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** COLUMNS and NO_COLOR are honoured; what is piped is plain and as wide as it needs. */
export function terminalOf(stream: Stream, env: Readonly<Record<string, string | undefined>>): Terminal {
  const asked = Number(env.COLUMNS)
  const tty = stream.isTTY === true
  return {
    columns: asked >= 40 ? Math.floor(asked) : tty ? Math.max(40, stream.columns ?? 80) : Number.POSITIVE_INFINITY,
    colour: tty && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
  }
}

/** Names come from strangers: no escape sequence, control character or reordering mark of theirs reaches the terminal. */
export function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** `safe`, on one line. */
export function safeLine(text: string): string {
  return safe(text).replaceAll('\n', '\ufffd')
}

export type Style = 'bold' | 'dim' | 'good' | 'bad'

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  good: [32, 39],
  bad: [31, 39],
}

export function styled(terminal: Terminal, style: Style, text: string): string {
  const [on, off] = CODES[style]
  return terminal.colour ? `\u001b[${on}m${text}\u001b[${off}m` : text
}

/** Columns that a text takes in a terminal: marks take none, East Asian wide characters and pictographs two. */
export function textWidth(text: string): number {
  let width = 0
  for (const { segment } of SEGMENTS.segment(text)) width += WIDE.test(segment) ? 2 : ZERO.test(segment) ? 0 : 1
  return width
}

const SEGMENTS = new Intl.Segmenter('en', { granularity: 'grapheme' })
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u

/** Cuts the middle out of a text wider than `columns`. */
export function fitWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  const letters = [...SEGMENTS.segment(text)].map(({ segment }) => segment)
  const head = take(letters, Math.ceil((columns - 1) / 2))
  const tail = take([...letters].reverse(), Math.floor((columns - 1) / 2))
  return `${head.join('')}…${tail.reverse().join('')}`
}

function take(letters: readonly string[], columns: number): string[] {
  const taken: string[] = []
  let left = columns
  for (const letter of letters) {
    left -= textWidth(letter)
    if (left < 0) break
    taken.push(letter)
  }
  return taken
}

/** Breaks text at spaces into lines of at most `columns`; the first begins with `first`, the others with `indent`. */
export function wrap(text: string, columns: number, indent = '', first = ''): string {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && textWidth(line) + 1 + textWidth(word) > columns) {
      lines.push(line)
      line = indent
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line].join('\n')
}
