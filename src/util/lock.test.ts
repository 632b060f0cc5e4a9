import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from './hash.js'
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

test('of many that find a lock left behind, one takes it', async () => {
  for (let trial = 0; trial < 60; trial++) {
    await left({ pid: 2 ** 30, began: 0 })
    let holders = 0
    let answered = 0
    let open = () => {}
    const all = new Promise<void>((resolve) => {
      open = resolve
    })
    const answer = () => ++answered === 4 && open()
    const one = () =>
      inLockedFolder(folder, async () => {
        holders++
        answer()
        await all
      }).catch((error) => {
        answer()
        return error.code
      })
    expect((await Promise.all([one(), one(), one(), one()])).filter((code) => code === 'FOLDER_BUSY').length).toBe(3)
    expect(holders).toBe(1)
    expect(await readdir(folder)).toEqual([])
  }
})

test('one that was left behind while another was taking it over is taken over too', async () => {
  await left({ pid: 2 ** 30, began: 0 })
  const name = (await sha256(await readFile(lock(), 'utf8'))).slice(0, 16)
  await writeFile(`${lock()}.${name}`, JSON.stringify({ pid: 2 ** 30, began: 1 }))
  expect(await inLockedFolder(folder, async () => 'mine')).toBe('mine')
  expect(await readdir(folder)).toEqual([])
})

test("a lock that became another's is not removed", async () => {
  await inLockedFolder(folder, () => left({ pid: process.pid, began: 0 }))
  expect(await readdir(folder)).toEqual(['lock'])
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
