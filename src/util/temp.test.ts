import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { inTempFolder } from './temp.js'

const before = process.env.TMPDIR
afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
})

test('the folder is there for the work, and gone after it, also where the work fails', async () => {
  const folders: string[] = []
  const use = async (folder: string) => {
    folders.push(folder)
    await writeFile(join(folder, 'a'), 'b')
    return existsSync(folder)
  }
  expect(await inTempFolder('test', use)).toBe(true)
  await expect(
    inTempFolder('test', async (folder) => use(folder).then(() => Promise.reject(new Error('no')))),
  ).rejects.toThrow('no')
  expect(folders.map((folder) => existsSync(folder))).toEqual([false, false])
})

test.skipIf(process.platform === 'win32')('without a place for it, an error says which and what helps', async () => {
  process.env.TMPDIR = '/nowhere/at/all'
  await expect(inTempFolder('test', async () => {})).rejects.toMatchObject({
    code: 'TEMP_UNWRITABLE',
    message: expect.stringContaining('TMPDIR'),
  })
})
