import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inLockedFolder } from './lock.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

const busy = { code: 'FOLDER_BUSY', message: expect.stringContaining(String(process.pid)) }
const lock = () => join(folder, 'lock')
const left = (holder: unknown) => writeFile(lock(), JSON.stringify(holder))

test('one at a time, and the next one after it', async () => {
  const inner = async () => {
    await expect(inLockedFolder(folder, async () => 'second')).rejects.toMatchObject(busy)
    expect(existsSync(lock())).toBe(true)
    return 'first'
  }
  expect(await inLockedFolder(folder, inner)).toBe('first')
  expect(await readdir(folder)).toEqual([])
  expect(await inLockedFolder(folder, async () => 'third')).toBe('third')
})

test('work that fails gives the folder back', async () => {
  await expect(inLockedFolder(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await readdir(folder)).toEqual([])
})

test('a process that is alive holds its folder', async () => {
  const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  const ended = new Promise((done) => child.once('exit', done))
  await left({ pid: child.pid, began: Date.now() })
  await expect(inLockedFolder(folder, async () => {})).rejects.toMatchObject({ code: 'FOLDER_BUSY' })
  child.kill('SIGKILL')
  await ended
  expect(await inLockedFolder(folder, async () => 'mine')).toBe('mine')
})

test('a process of our number that began at another time was another one', async () => {
  await left({ pid: process.pid, began: Date.now() - 1000 * process.uptime() - 3_600_000 })
  expect(await inLockedFolder(folder, async () => 'mine')).toBe('mine')
})

test('what says nothing of a process holds nothing', async () => {
  for (const text of ['', '{"pid":', '{}']) {
    await writeFile(lock(), text)
    expect(await inLockedFolder(folder, async () => 'mine')).toBe('mine')
  }
})

test('a folder that is not there is said', async () => {
  const nowhere = inLockedFolder(join(folder, 'not', 'there'), async () => {})
  await expect(nowhere).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
})
