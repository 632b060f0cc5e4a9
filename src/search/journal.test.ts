import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../test/data.js'
import { type Finish, openJournal, refuseUnfinished, remember } from './journal.js'

const IDENTITY = { model: 'abc', seed: 0, options: { maxDrop: 0.01 } }
let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-journal-'))
  path = join(folder, 'run', 'journal.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

/** A journal with three entries, closed. */
async function written(): Promise<void> {
  const journal = await openJournal(path, IDENTITY, false)
  await journal.record('baseline', { p50: 1.5, interval: [1, 2] })
  await journal.record('trial a', null)
  await journal.record('trial ü', 0.1 + 0.2)
}

describe('going on', () => {
  test('recalls what was recorded, to the last bit', async () => {
    await written()
    const journal = await openJournal(path, IDENTITY, true)
    expect(journal.recall('baseline')).toEqual({ p50: 1.5, interval: [1, 2] })
    expect(journal.recall('trial a')).toBe(null)
    expect(journal.recall('trial ü')).toBe(0.1 + 0.2)
    expect(journal.recall('trial b')).toBe(undefined)
  })

  test('adds to what is there', async () => {
    await written()
    const journal = await openJournal(path, IDENTITY, true)
    await journal.record('trial b', 'x')
    await journal.record('trial a', 'again')
    expect(journal.recall('trial b')).toBe('x')
    const third = await openJournal(path, IDENTITY, true)
    expect(third.recall('trial ü')).toBe(0.1 + 0.2)
    expect(third.recall('trial b')).toBe('x')
    expect(third.recall('trial a')).toBe('again')
  })

  test('without a journal starts one', async () => {
    const journal = await openJournal(path, IDENTITY, true)
    expect(journal.recall('baseline')).toBe(undefined)
    await journal.record('baseline', 1)
    expect((await openJournal(path, IDENTITY, true)).recall('baseline')).toBe(1)
  })

  test('without resume the old one is replaced', async () => {
    await written()
    const journal = await openJournal(path, IDENTITY, false)
    expect(journal.recall('baseline')).toBe(undefined)
    expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(1)
  })

  test.each([
    ['another model', { ...IDENTITY, model: 'abd' }],
    ['another option', { ...IDENTITY, options: { maxDrop: 0.02 } }],
    ['something more', { ...IDENTITY, portable: true }],
  ])('with %s is refused, and the journal stays as it was', async (_, other) => {
    await written()
    const before = await readFile(path, 'utf8')
    await expect(openJournal(path, other, true)).rejects.toMatchObject({
      code: 'JOURNAL_OTHER',
      message: expect.stringContaining('--resume'),
    })
    expect(await readFile(path, 'utf8')).toBe(before)
  })

  test('with a file that is no journal is refused', async () => {
    await openJournal(path, IDENTITY, false)
    await writeFile(path, '{"key":"baseline","value":1}\n')
    await expect(openJournal(path, IDENTITY, true)).rejects.toMatchObject({ code: 'JOURNAL_OTHER' })
  })
})

describe('a line that a kill cut short', () => {
  test('is dropped from memory and from the file, wherever the cut is', async () => {
    await written()
    const whole = await readFile(path)
    const lastLine = whole.lastIndexOf(10, whole.length - 2) + 1
    for (let length = lastLine; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length))
      const journal = await openJournal(path, IDENTITY, true)
      expect(journal.recall('trial a')).toBe(null)
      expect(journal.recall('trial ü')).toBe(undefined)
      expect((await stat(path)).size).toBe(lastLine)
      await journal.record('trial ü', 7)
      expect((await openJournal(path, IDENTITY, true)).recall('trial ü')).toBe(7)
    }
  })

  test('that was the very first one leaves a journal that starts afresh', async () => {
    await written()
    const first = (await readFile(path)).subarray(0, 10)
    await writeFile(path, first)
    const journal = await openJournal(path, { other: true }, true)
    await journal.record('a', 1)
    expect((await openJournal(path, { other: true }, true)).recall('a')).toBe(1)
  })
})

test('a damaged line in the middle is an error that says which', async () => {
  await written()
  await appendFile(path, '{"key":\n{"key":"later","value":1}\n')
  await expect(openJournal(path, IDENTITY, true)).rejects.toMatchObject({
    code: 'JOURNAL_BROKEN',
    message: expect.stringContaining('line 5'),
  })
})

test('what was recorded is in the file before the call returns: a process killed at once loses nothing', async () => {
  const script = `
    import { openJournal } from './src/search/journal.ts'
    const journal = await openJournal(${JSON.stringify(path)}, ${JSON.stringify(IDENTITY)}, false)
    await journal.record('first', 1)
    await journal.record('second', { long: 'x'.repeat(100000) })
    process.kill(process.pid, 'SIGKILL')
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const signal = await new Promise((done) => {
    execFile(process.execPath, args, { cwd: repositoryRoot }, (error) => done(error?.signal))
  })
  expect(signal).toBe('SIGKILL')
  const journal = await openJournal(path, IDENTITY, true)
  expect(journal.recall('first')).toBe(1)
  expect(journal.recall<{ long: string }>('second')?.long).toHaveLength(100000)
})

test('remember makes a value once, also where it is null', async () => {
  let made = 0
  const make = async () => {
    made++
    return null
  }
  const journal = await openJournal(path, IDENTITY, false)
  expect(await remember(journal, 'k', make)).toBe(null)
  expect(await remember(journal, 'k', make)).toBe(null)
  expect(await remember(await openJournal(path, IDENTITY, true), 'k', make)).toBe(null)
  expect(made).toBe(1)
})

describe('the end of a search', () => {
  /** A journal of a run whose clock stands where it is put. */
  async function run(seconds: { now: number }) {
    return openJournal(path, IDENTITY, true, () => seconds.now)
  }

  test('keeps its date and its seconds, whenever it is asked for again', async () => {
    const seconds = { now: 0 }
    const journal = await run(seconds)
    seconds.now = 7
    await journal.record('baseline', 1)
    seconds.now = 9
    const end = await journal.finish()
    expect(end.seconds).toBe(9)
    expect(new Date(end.date).toISOString()).toBe(end.date)
    const text = await readFile(path, 'utf8')
    seconds.now = 0.5
    expect(await (await run(seconds)).finish()).toEqual(end)
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  test('counts the seconds of all runs, of a killed one up to its last line', async () => {
    const seconds = { now: 3 }
    await (await run(seconds)).record('baseline', 1)
    seconds.now = 4
    const second = await run(seconds)
    await second.record('trial a', 1)
    const third = await run({ now: 2.5 })
    expect((await third.finish()).seconds).toBe(9.5)
  })

  test('is put off where something is measured after it', async () => {
    const first = await (await run({ now: 1 })).finish()
    const seconds = { now: 2 }
    const later = await run(seconds)
    await later.record('memory', 1)
    const end: Finish = await later.finish()
    expect([first.seconds, end.seconds]).toEqual([1, 3])
    expect(await (await run({ now: 50 })).finish()).toEqual(end)
  })

  test('is what makes a journal free to be replaced', async () => {
    await refuseUnfinished(path)
    const journal = await run({ now: 0 })
    // Nothing is lost yet.
    await refuseUnfinished(path)
    await journal.record('baseline', 1)
    await expect(refuseUnfinished(path)).rejects.toMatchObject({ code: 'JOURNAL_UNFINISHED' })
    await journal.finish()
    await refuseUnfinished(path)
    await journal.record('memory', 1)
    await expect(refuseUnfinished(path)).rejects.toMatchObject({ code: 'JOURNAL_UNFINISHED' })
  })

  test('is not seen in a damaged journal, which is not replaced either', async () => {
    await written()
    await appendFile(path, '{"key":\n')
    await expect(refuseUnfinished(path)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' })
  })
})
