/** Exit codes, as docs/exit-codes.md documents them. */

import { PareError } from '../util/errors.js'

export const EXIT = {
  ok: 0,
  /** The question was answered, and the answer is no. */
  no: 1,
  usage: 2,
  input: 3,
  environment: 4,
  /** A fault in pare itself. */
  fault: 5,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const USAGE =
  /^(OPTION|ARGUMENT|COMMAND|PARAM|OUTPUT)_|^SHAPE_(SYNTAX|NAME|FIXED|RANK|SIZE)$|^(QUANTIZE_KIND|QUANTIZE_ROUNDING|ENGINE_THREADS|RANDOM_SEED|JOURNAL_OTHER|JOURNAL_UNFINISHED|PRUNE_RATIO|PRUNE_SCHEDULE)$/
const ENVIRONMENT =
  /^(FILE_UNWRITABLE|DISK_FULL|TEMP_UNWRITABLE|FOLDER_BUSY|SHARP_MISSING)$|^ENGINE_(MISSING|DEVICE|LOST|CLOSED|NOT_BUILT|NO_DUMP|PROFILE|PARITY)$/
const NO = /^(QUANTIZE|PRUNE)_NOTHING$|^PRUNE_BUDGET$/

/** The exit code for anything thrown. Errors that are not a PareError are faults of pare, but for a few of the system. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof PareError) {
    if (error.code === 'ABORTED') return EXIT.interrupted
    if (NO.test(error.code)) return EXIT.no
    if (USAGE.test(error.code)) return EXIT.usage
    return ENVIRONMENT.test(error.code) ? EXIT.environment : EXIT.input
  }
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted
  return systemCode(error) === null ? EXIT.fault : EXIT.environment
}

/** Errors of the operating system that say something about the machine, not about pare. */
export function systemCode(error: unknown): string | null {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code !== undefined && ['ENOSPC', 'EACCES', 'EPERM', 'EROFS', 'EMFILE', 'ENOMEM', 'EDQUOT'].includes(code)
    ? code
    : null
}
