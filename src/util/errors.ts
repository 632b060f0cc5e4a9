/**
 * The one error type of the project. Every error says where it happened, what is wrong,
 * the offending value and what to do about it, and carries a stable code for programs.
 */

export interface ErrorDetail {
  /** File, node, column, option: the place to look at. */
  readonly where?: string
  /** The offending value, printed as given. */
  readonly value?: unknown
  /** What the reader can do about it. */
  readonly remedy: string
  readonly cause?: unknown
}

export class PareError extends Error {
  override readonly name = 'PareError'
  /** Stable, upper-case, for programs: `MODEL_TRUNCATED`, `SAMPLE_SHAPE`, … */
  readonly code: string
  /** The bare fact, without place, value and remedy. */
  readonly what: string
  readonly detail: ErrorDetail

  constructor(code: string, what: string, detail: ErrorDetail) {
    super(format(what, detail), detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.what = what
    this.detail = detail
  }
}

function format(what: string, { where, value, remedy }: ErrorDetail): string {
  const place = where === undefined ? '' : `${where}: `
  const shown = value === undefined ? '' : ` (got ${show(value)})`
  return `${place}${what}${shown}. ${remedy}`
}

function show(value: unknown): string {
  const text = textOf(value)
  return text.length > 200 ? `${text.slice(0, 197)}...` : text
}

function textOf(value: unknown): string {
  try {
    if (typeof value === 'string') return JSON.stringify(value)
    return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
  } catch {
    // Of an object without a prototype, or whose own method throws.
    return Object.prototype.toString.call(value)
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
