import { execFileSync } from 'node:child_process'
import { rmdirSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PareError } from './errors.js'
import { checkWritable, makeFolder, stageFile, writeFileAtomic } from './files.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-files-'))
})
afterAll(() => rm(folder, { recursive: true }))

const fresh = async (): Promise<string> => mkdtemp(join(folder, 'case-'))

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (e: unknown) => e,
  )
  if (error instanceof PareError) return error.code
  throw error ?? new Error('no error')
}

test('text, bytes and pieces are written', async () => {
  const at = await fresh()
  await writeFileAtomic(join(at, 'a'), 'größer')
  await writeFileAtomic(join(at, 'b'), new Uint8Array([1, 2]))
  await writeFileAtomic(join(at, 'c'), ['x', new Uint8Array([121]), 'z'])
  async function* later() {
    yield 'one '
    yield 'two'
  }
  await writeFileAtomic(join(at, 'd'), later())
  const read = (name: string) => readFile(join(at, name), 'utf8')
  expect([await read('a'), await read('b'), await read('c'), await read('d')]).toEqual([
    'größer',
    '\u0001\u0002',
    'xyz',
    'one two',
  ])
  expect((await readdir(at)).sort()).toEqual(['a', 'b', 'c', 'd'])
})

test('a failure on the way leaves the old file and nothing else', async () => {
  const at = await fresh()
  const path = join(at, 'file')
  await writeFileAtomic(path, 'old')
  function* failing() {
    yield 'new, but not all of i'
    throw new RangeError('in between')
  }
  await expect(writeFileAtomic(path, failing())).rejects.toThrow(RangeError)
  expect(await readFile(path, 'utf8')).toBe('old')
  expect(await readdir(at)).toEqual(['file'])
})

test('until it is committed, a staged file has no name of its own', async () => {
  const at = await fresh()
  const path = join(at, 'file')
  await writeFile(path, 'old')
  const staged = await stageFile(path, 'new')
  expect(await readFile(path, 'utf8')).toBe('old')
  await staged.commit()
  await staged.discard()
  expect(await readFile(path, 'utf8')).toBe('new')
  const given = await stageFile(path, 'newer')
  await given.discard()
  expect(await readFile(path, 'utf8')).toBe('new')
  expect(await readdir(at)).toEqual(['file'])
})

test('links are followed and the mode stays', async () => {
  const at = await fresh()
  await writeFile(join(at, 'real'), 'old')
  await chmod(join(at, 'real'), 0o640)
  await symlink('real', join(at, 'link'))
  await writeFileAtomic(join(at, 'link'), 'new')
  expect(await readFile(join(at, 'real'), 'utf8')).toBe('new')
  expect((await stat(join(at, 'real'))).mode & 0o777).toBe(0o640)
  expect((await readdir(at)).sort()).toEqual(['link', 'real'])
})

test('a link that leads to nothing stays a link, and the file is made where it leads', async () => {
  const at = await fresh()
  await mkdir(join(at, 'inner'))
  await symlink('inner/second', join(at, 'first'))
  await symlink('real', join(at, 'inner', 'second'))
  await writeFileAtomic(join(at, 'first'), 'new')
  expect(await readFile(join(at, 'inner', 'real'), 'utf8')).toBe('new')
  expect((await lstat(join(at, 'first'))).isSymbolicLink()).toBe(true)
  expect((await readdir(join(at, 'inner'))).sort()).toEqual(['real', 'second'])
  await symlink('circle', join(at, 'circle'))
  expect(await codeOf(writeFileAtomic(join(at, 'circle'), 'x'))).toBe('FILE_UNWRITABLE')
})

test('a folder is made with those around it; where none can be, that is said', async () => {
  const at = await fresh()
  await makeFolder(join(at, 'a', 'b', 'c'))
  await makeFolder(join(at, 'a', 'b'))
  expect((await stat(join(at, 'a', 'b', 'c'))).isDirectory()).toBe(true)
  await writeFile(join(at, 'file'), '')
  expect(await codeOf(makeFolder(join(at, 'file')))).toBe('FILE_UNWRITABLE')
  expect(await codeOf(makeFolder(join(at, 'file', 'x', 'y')))).toBe('FILE_UNWRITABLE')
})

test.skipIf(process.platform !== 'linux')('a folder that the system has no place for is no endless loop', async () => {
  expect(await codeOf(makeFolder('/proc/pare/run'))).toBe('FILE_UNWRITABLE')
})

test('a folder of this name, a missing folder and a file in place of one are refused', async () => {
  const at = await fresh()
  await mkdir(join(at, 'folder'))
  await writeFile(join(at, 'file'), '')
  expect(await codeOf(writeFileAtomic(join(at, 'folder'), 'x'))).toBe('FILE_UNWRITABLE')
  expect(await codeOf(writeFileAtomic(join(at, 'none', 'x'), 'x'))).toBe('FILE_UNWRITABLE')
  expect(await codeOf(writeFileAtomic(join(at, 'file', 'x'), 'x'))).toBe('FILE_UNWRITABLE')
  expect((await readdir(at)).sort()).toEqual(['file', 'folder'])
})

test.skipIf(process.getuid?.() === 0)('a folder without the right to write is refused (not as root)', async () => {
  const at = await fresh()
  await chmod(at, 0o500)
  expect(await codeOf(writeFileAtomic(join(at, 'x'), 'x'))).toBe('FILE_UNWRITABLE')
  await chmod(at, 0o700)
  expect(await readdir(at)).toEqual([])
})

test.skipIf(process.platform !== 'linux')('a device is written directly; a full one says so', async () => {
  await writeFileAtomic('/dev/null', 'x')
  expect((await stat('/dev/null')).isCharacterDevice()).toBe(true)
  expect(await codeOf(writeFileAtomic('/dev/full', 'x'))).toBe('DISK_FULL')
})

const system = (command: string, ...args: readonly string[]) => execFileSync(command, args, { stdio: 'ignore' })

/** A disk of 1 MiB, where this system lets us make one. */
const disk = (() => {
  const at = join(tmpdir(), `pare-disk-${process.pid}`)
  try {
    system('mkdir', '-p', at)
    system('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at)
    return at
  } catch {
    rmdirSync(at)
    return null
  }
})()
afterAll(() => {
  if (disk === null) return
  system('umount', disk)
  rmdirSync(disk)
})

test.skipIf(disk === null)('a full disk keeps the old file whole (needs the right to mount)', async () => {
  const path = join(disk!, 'file')
  await writeFileAtomic(path, 'old')
  const pieces = Array.from({ length: 64 }, () => new Uint8Array(65_536))
  expect(await codeOf(writeFileAtomic(path, pieces))).toBe('DISK_FULL')
  expect(await readFile(path, 'utf8')).toBe('old')
  expect(await readdir(disk!)).toEqual(['file'])
  system('mount', '-o', 'remount,ro', disk!)
  expect(await codeOf(writeFileAtomic(path, 'x'))).toBe('FILE_UNWRITABLE')
})

test('whether a file can be written is known before, and nothing is changed by asking', async () => {
  const at = await fresh()
  await writeFile(join(at, 'old'), 'old')
  await mkdir(join(at, 'folder'))
  await checkWritable(join(at, 'old'))
  await checkWritable(join(at, 'new'))
  if (process.platform !== 'win32') await checkWritable('/dev/null')
  for (const path of ['folder', join('not', 'there'), join('old', 'file')]) {
    expect(await codeOf(checkWritable(join(at, path)))).toBe('FILE_UNWRITABLE')
  }
  expect((await readdir(at)).sort()).toEqual(['folder', 'old'])
  expect(await readFile(join(at, 'old'), 'utf8')).toBe('old')
})

test.skipIf(process.platform === 'win32')('asking a pipe does not wait for a reader', async () => {
  const at = await fresh()
  system('mkfifo', join(at, 'pipe'))
  await checkWritable(join(at, 'pipe'))
})
