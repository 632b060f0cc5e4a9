/** A folder that one process at a time works in: a file there says which. Node only. */

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PareError } from './errors.js'
import { guarded } from './files.js'

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
  if (!(await taken(path))) {
    const holder = await holderOf(path)
    if (holder !== null && isAlive(holder)) {
      throw new PareError('FOLDER_BUSY', `another search works in this folder, in process ${holder.pid}`, {
        where: folder,
        remedy: `Wait for it or choose another folder (--run-folder); if there is no such search, remove ${path}.`,
      })
    }
    await rm(path, { force: true })
    if (!(await taken(path))) return inLockedFolder(folder, work)
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

/** False where the file is there already. */
async function taken(path: string): Promise<boolean> {
  const own: Holder = { pid: process.pid, began: began() }
  return guarded(path, () =>
    writeFile(path, JSON.stringify(own), { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw error
      },
    ),
  )
}

async function holderOf(path: string): Promise<Holder | null> {
  try {
    const { pid, began } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>
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
