/**
 * The journal of a search: one JSON line an event, appended and flushed as it happens. A search that was killed
 * reads it back and goes on; a line cut short by the kill is dropped.
 */

import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf, PareError } from '../util/errors.js'
import { guarded, makeFolder } from '../util/files.js'

export interface Journal {
  /** The value recorded under this key by an earlier run, or undefined. */
  recall<T>(key: string): T | undefined
  record(key: string, value: unknown): Promise<void>
  /** Seconds until now, in all runs together. */
  spent(): number
  /** Whether the search came to its end, and nothing was recorded since. */
  isFinished(): boolean
  /** The end of the search: recorded now, or by an earlier run where nothing was measured since. */
  finish(): Promise<Finish>
}

export interface Finish {
  /** ISO 8601. */
  readonly date: string
  /** Spent on measuring, in all runs together. */
  readonly seconds: number
}

/** The key of the last line of a search that came to its end. */
const FINISHED = 'finished'

/** What a search is about, one entry an aspect, plain JSON. */
export type Identity = Readonly<Record<string, unknown>>

/** The recorded value, or a new one that is made and recorded. */
export async function remember<T>(journal: Journal, key: string, make: () => Promise<T>): Promise<T> {
  const known = journal.recall<T>(key)
  if (known !== undefined) return known
  const value = await make()
  await journal.record(key, value)
  return value
}

interface Line {
  readonly key: string
  readonly value: unknown
  /** Seconds spent until then, in all runs together: a kill may come after any line. */
  readonly at?: number
}

/**
 * Opens a journal. `identity` says what the search is about (model, data, options, engine): with `resume`, a journal
 * about something else is refused (`JOURNAL_OTHER`); without, a new one replaces the old. `elapsed` gives the seconds of
 * this run.
 */
export async function openJournal(
  path: string,
  identity: unknown,
  resume: boolean,
  elapsed: () => number = stopwatch(),
): Promise<Journal> {
  await makeFolder(dirname(path))
  const lines = resume ? await readLines(path) : []
  const first = lines[0]
  if (first !== undefined && !(first.key === 'identity' && sameJson(first.value, identity))) {
    throw otherSearch(path, aspectsApart(first, identity))
  }
  const before = lines.at(-1)?.at ?? 0
  const spent = (): number => Number((before + elapsed()).toFixed(3))
  const line = (key: string, value: unknown): string =>
    `${JSON.stringify({ key, value, at: spent() } satisfies Line)}\n`
  if (first === undefined) await guarded(path, () => writeFile(path, line('identity', identity)))
  const known = new Map(lines.map(({ key, value }) => [key, value]))
  let isFinished = lines.at(-1)?.key === FINISHED
  const record = async (key: string, value: unknown): Promise<void> => {
    known.set(key, value)
    isFinished = key === FINISHED
    await guarded(path, () => appendFile(path, line(key, value), { flush: true }))
  }
  return {
    recall: <T>(key: string) => known.get(key) as T | undefined,
    record,
    spent,
    isFinished: () => isFinished,
    async finish() {
      if (!isFinished) {
        await record(FINISHED, { date: new Date().toISOString(), seconds: spent() } satisfies Finish)
      }
      return known.get(FINISHED) as Finish
    },
  }
}

function stopwatch(): () => number {
  const start = performance.now()
  return () => (performance.now() - start) / 1000
}

/** Throws `JOURNAL_UNFINISHED` where a search measured something and came to no end, `JOURNAL_BROKEN`. */
export async function refuseUnfinished(path: string): Promise<void> {
  const lines = await readLines(path)
  if (lines.length < 2 || lines.at(-1)!.key === FINISHED) return
  throw new PareError('JOURNAL_UNFINISHED', 'an interrupted search left its measurements here', {
    where: path,
    remedy: 'Go on with --resume, lose them with --restart, or search in another --run-folder.',
  })
}

/**
 * Refuses a journal about something else by that part of the identity which is known before anything is measured;
 * `openJournal` sees to the rest. False where there is no journal. Throws `JOURNAL_OTHER`, `JOURNAL_BROKEN`.
 */
export async function checkJournal(path: string, part: Identity): Promise<boolean> {
  const [first] = await readLines(path)
  if (first === undefined) return false
  const apart = aspectsApart(first, part)
  if (apart.length > 0) throw otherSearch(path, apart)
  return true
}

/** Values that a journal holds under keys of this beginning; none where it cannot be read. */
export async function valuesIn(path: string, beginning: string): Promise<readonly unknown[]> {
  const lines = await readLines(path).catch(() => [])
  return lines.filter(({ key }) => key.startsWith(beginning)).map(({ value }) => value)
}

/** As JSON sees them: NaN was written as null. */
const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Aspects of an identity of which the first line says something else, or nothing. */
function aspectsApart({ key, value }: Line, identity: unknown): readonly string[] {
  const recorded = key === 'identity' ? (Object(value) as Identity) : {}
  return Object.entries(Object(identity) as Identity).flatMap(([k, v]) => (sameJson(recorded[k], v) ? [] : [k]))
}

const otherSearch = (where: string, apart: readonly string[]): PareError =>
  new PareError(
    'JOURNAL_OTHER',
    'the journal belongs to a search with another model, data, options, engine or machine',
    {
      where,
      ...(apart.length > 0 && { value: `other: ${apart.join(', ')}` }),
      remedy: 'Run again with what the earlier run was given, or with --restart instead of --resume to start over.',
    },
  )

/** Whole lines only: what a kill cut off is removed from the file too, so that appending stays sound. */
async function readLines(path: string): Promise<readonly Line[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const end = text.lastIndexOf('\n') + 1
  if (end < text.length) await truncate(path, Buffer.byteLength(text.slice(0, end)))
  return text
    .slice(0, end)
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i) => {
      try {
        return JSON.parse(line) as Line
      } catch (cause) {
        throw new PareError('JOURNAL_BROKEN', `line ${i + 1} is not JSON: ${messageOf(cause)}`, {
          where: path,
          remedy: 'Start over with --restart, or search in another --run-folder.',
          cause,
        })
      }
    })
}
