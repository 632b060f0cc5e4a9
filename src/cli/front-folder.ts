/** The folder of `pare compress --front`: one numbered recipe for each model on the front, and none of an older front. */

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseRecipe } from '../search/recipe-file.js'
import { PareError } from '../util/errors.js'
import { makeFolder, writeFileAtomic } from '../util/files.js'

/**
 * Makes the folder, or finds it without anything that its numbered files would take the place of, recipes aside.
 * Throws `FRONT_OTHER`, and `FILE_UNWRITABLE` where no folder can be.
 */
export async function openFront(folder: string): Promise<void> {
  await makeFolder(folder)
  for (const path of await numbered(folder)) {
    if (await isRecipe(path)) continue
    throw new PareError('FRONT_OTHER', 'a file with a number for its name is no recipe, and would be written over', {
      where: path,
      remedy: 'Give --front a folder of its own, or remove the file.',
    })
  }
}

/** Writes recipes by their numbers, in place of those of an older front, and gives their paths. */
export async function writeFront(folder: string, recipes: ReadonlyMap<number, string>): Promise<readonly string[]> {
  await openFront(folder)
  const paths = [...recipes.keys()].map((number) => join(folder, `${String(number).padStart(3, '0')}.json`))
  for (const path of await numbered(folder)) if (!paths.includes(path)) await rm(path)
  for (const [i, text] of [...recipes.values()].entries()) await writeFileAtomic(paths[i]!, text)
  return paths
}

const numbered = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => /^\d{3,}\.json$/.test(name)).map((name) => join(folder, name))

const isRecipe = async (path: string): Promise<boolean> => {
  try {
    return parseRecipe(await readFile(path, 'utf8'), path) !== null
  } catch {
    return false
  }
}
