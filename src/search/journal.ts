/**
 * The journal of a search: one JSON line an event, appended and flushed as it happens. A search that was killed
 * reads it back and goes on; a line cut short by the kill is dropped.
 */

import { appendFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf, PareError } from '../util/errors.js'

export interface Journal {
  /** The value recorded under this key by an earlier run, or undefined. */
  recall<T>(key: string): T | undefined
  record(key: string, value: unknown): Promise<void>
}

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
}

/**
 * Opens a journal. `identity` says what the search is about (model, data, options, engine): with `resume`, a journal
 * about something else is refused (`JOURNAL_OTHER`); without, a new one replaces the old.
 */
export async function openJournal(path: string, identity: unknown, resume: boolean): Promise<Journal> {
  await mkdir(dirname(path), { recursive: true })
  const lines = resume ? await readLines(path) : []
  const first = lines[0]
  const same = first?.key === 'identity' && JSON.stringify(first.value) === JSON.stringify(identity)
  if (first !== undefined && !same) {
    throw new PareError(
      'JOURNAL_OTHER',
      'the journal belongs to a search with another model, data, options or engine',
      {
        where: path,
        remedy: 'Run again without --resume to start over, or with the options of the earlier run.',
      },
    )
  }
  if (first === undefined) await writeFile(path, `${JSON.stringify({ key: 'identity', value: identity })}\n`)
  const known = new Map(lines.map(({ key, value }) => [key, value]))
  return {
    recall: <T>(key: string) => known.get(key) as T | undefined,
    async record(key, value) {
      known.set(key, value)
      await appendFile(path, `${JSON.stringify({ key, value })}\n`, { flush: true })
    },
  }
}

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
          remedy: 'Remove the run folder and start over.',
          cause,
        })
      }
    })
}
