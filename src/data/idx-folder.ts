/** A folder of idx files as data sets come: pictures and labels, for training and for testing. Node only. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface IdxSet {
  readonly data: string
  readonly labels: string
}

export interface IdxFolder {
  readonly train: IdxSet
  readonly test: IdxSet | null
}

/** Files such as `train-images-idx3-ubyte.gz` beside `train-labels-idx1-ubyte.gz`; null where the folder holds none. */
export async function idxFolder(path: string): Promise<IdxFolder | null> {
  const files = await readdir(path).catch(() => [])
  const sets = new Map(
    files.flatMap((data) => {
      const parts = /^(.*)images(?:[.-]idx\d-\w+)?(\.gz)?$/.exec(data)
      const labels = parts && files.find((file) => file.startsWith(`${parts[1]}labels`))
      return labels ? [[parts[1]!, { data: join(path, data), labels: join(path, labels) }] as const] : []
    }),
  )
  const names = [...sets.keys()]
  const test = names.find((name) => /^(t10k|test)/.test(name))
  const train = names.find((name) => /^train/.test(name)) ?? names.find((name) => name !== test)
  return train === undefined ? null : { train: sets.get(train)!, test: test === undefined ? null : sets.get(test)! }
}
