/** Real models and samples for the larger tests. They are not part of the repository: a test that needs one skips without it. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the checkout. */
export const repositoryRoot = join(import.meta.dirname, '..')

const root = process.env.PARE_DATA ?? join(repositoryRoot, '../shared/data')

/** The path of a file or folder of the shared data, e.g. `models/gtcrn.onnx`; null where it is missing. */
export function dataPath(path: string): string | null {
  const full = join(root, path)
  return existsSync(full) ? full : null
}
