/** A temporary folder for work that leaves nothing behind. Node only. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, PareError } from './errors.js'

/** Makes a folder called after `what`, hands it to `use`, and removes it with its content. Throws `TEMP_UNWRITABLE`. */
export async function inTempFolder<T>(what: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `pare-${what}-`)).catch((cause: unknown) => {
    throw new PareError('TEMP_UNWRITABLE', `no temporary folder can be made: ${messageOf(cause)}`, {
      where: tmpdir(),
      remedy: 'Make room there, or name another folder in the environment variable TMPDIR (TEMP on Windows).',
      cause,
    })
  })
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
