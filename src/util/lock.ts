/** A folder that one process at a time works in: a file there says which. Node only. */

import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PareError } from './errors.js'
import { guarded } from './files.js'
import { sha256 } from './hash.js'

/** Who holds a folder: a process number means little without the time that the process began. */
interface Holder {
  readonly pid: number
  readonly began: number
}

const LOCK = 'lock'

/**
 * Does work in a folder that nobody else may work in meanwhile. What a process left that is no more does not count.
 * Throws `FOLDER_BUSY`, `FILE_UNWRITABLE`, `DISK_FULL`.
 */
export async function inLockedFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK)
  // No two locks are equal, so that nobody takes another's for his own.
  const own = JSON.stringify({ pid: process.pid, began: began(), token: randomBytes(8).toString('hex') })
  const other = await take(path, own)
  if (other !== null) {
    throw new PareError('FOLDER_BUSY', `another search works in this folder, in process ${other.pid}`, {
      where: folder,
      remedy: `Wait for it or choose another folder (--run-folder); if there is no such search, remove ${path}.`,
    })
  }
  try {
    return await work()
  } finally {
    await release(path, own)
  }
}

/**
 * Null once `own` is the content of the lock, or who holds it. A lock that was left behind is replaced only by who
 * holds a second one, named after its content; so, of many that find it, one replaces it, and nobody a newer one.
 */
async function take(path: string, own: string): Promise<Holder | null> {
  for (;;) {
    if (await created(path, own)) return null
    const text = await textOf(path)
    if (text === null) continue
    const holder = holderIn(text)
    if (holder !== null && isAlive(holder)) return holder
    const heir = `${path}.${(await sha256(text)).slice(0, 16)}`
    const other = await take(heir, own)
    if (other !== null) return other
    try {
      if ((await textOf(path)) !== text) continue
      await staged(path, own, (file) => rename(file, path))
      return null
    } finally {
      await release(heir, own)
    }
  }
}

/** False where the file is there already. Nobody sees it without its content. */
async function created(path: string, own: string): Promise<boolean> {
  try {
    await staged(path, own, (file) =>
      link(file, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw error
        // A disk without hard links.
        return writeFile(path, own, { flag: 'wx' })
      }),
    )
    return true
  } catch (error) {
    if (error instanceof PareError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EEXIST')
      return false
    throw error
  }
}

async function staged(path: string, own: string, use: (file: string) => Promise<void>): Promise<void> {
  const file = `${path}.${randomBytes(8).toString('hex')}.tmp`
  await guarded(path, async () => {
    try {
      await writeFile(file, own, { flag: 'wx' })
      await use(file)
    } finally {
      await rm(file, { force: true })
    }
  })
}

/** Removes a lock unless it has become another's. */
async function release(path: string, own: string): Promise<void> {
  if ((await textOf(path)) === own) await rm(path, { force: true })
}

/** Null where there is no such file. */
const textOf = (path: string): Promise<string | null> =>
  guarded(path, () =>
    readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    }),
  )

function holderIn(text: string): Holder | null {
  try {
    const { pid, began } = JSON.parse(text) as Partial<Holder>
    return typeof pid === 'number' && typeof began === 'number' ? { pid, began } : null
  } catch {
    return null
  }
}

/** Start of this process, in milliseconds since 1970. */
const began = (): number => Date.now() - 1000 * process.uptime()

/** Clocks are put right by less, in the life of a process. */
const SAME_MS = 60_000

/** A number may have gone to another process since; of our own, which restarts in containers give again, we know. */
function isAlive({ pid, began: theirs }: Holder): boolean {
  if (pid === process.pid) return Math.abs(theirs - began()) < SAME_MS
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
