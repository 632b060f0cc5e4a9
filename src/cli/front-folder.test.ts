/** One front replaces another, and nothing else. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recipeText } from '../search/recipe-file.js'
import { openFront, writeFront } from './front-folder.js'

let base: string
let folder: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pare-front-'))
  folder = join(base, 'front')
})
afterEach(() => rm(base, { recursive: true }))

const recipe = (seed: number): string => recipeText({ version: 1, steps: [], seed })

test('recipes of an older front are gone, other files stay', async () => {
  await openFront(folder)
  await writeFront(folder, new Map([1, 3].map((n) => [n, recipe(n)])))
  await writeFile(join(folder, 'notes.json'), '[]')
  const paths = await writeFront(folder, new Map([2, 3, 1000].map((n) => [n, recipe(n + 10)])))
  expect(paths).toEqual(['002.json', '003.json', '1000.json'].map((name) => join(folder, name)))
  expect((await readdir(folder)).toSorted()).toEqual(['002.json', '003.json', '1000.json', 'notes.json'])
  expect(await readFile(join(folder, '003.json'), 'utf8')).toBe(recipe(13))
})

test('a numbered file that is no recipe is never written over', async () => {
  await openFront(folder)
  const path = join(folder, '007.json')
  await writeFile(path, '{}')
  await expect(openFront(folder)).rejects.toMatchObject({ code: 'FRONT_OTHER', detail: { where: path } })
  await expect(writeFront(folder, new Map([[1, recipe(1)]]))).rejects.toMatchObject({ code: 'FRONT_OTHER' })
  expect(await readdir(folder)).toEqual(['007.json'])
})

test('a folder that cannot be is refused', async () => {
  await writeFile(folder, '')
  await expect(openFront(folder)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
})
