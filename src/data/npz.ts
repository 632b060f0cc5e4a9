/**
 * NumPy's `.npz` archives as samples: each member is an input of its name, row i of every member is sample i.
 * Members are read together, in pieces, whatever their size. A scalar member goes to every sample.
 */

import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { ArrayStream } from './array.js'
import { isLabelName, labelOf } from './labels.js'
import { openNpy } from './npy.js'
import type { Samples } from './samples.js'
import { byteReader, type Source } from './source.js'
import { readEntry, type ZipEntry, zipEntries } from './zip.js'

export interface NpzOptions {
  /** Names of the model's inputs: a member so called is never taken for labels. */
  readonly inputs?: readonly string[]
  /** Member that holds labels. Default: one called `label`, `labels`, `target`, `targets` or `y`, where there is one. */
  readonly label?: string
}

/** Throws `NPZ_HEADER`, `NPZ_EMPTY`, `NPZ_MEMBER`, `NPZ_COUNT`, and what zip and npy throw. */
export async function npzSamples(source: Source, { inputs = [], label }: NpzOptions = {}): Promise<Samples> {
  // Every part of a zip archive begins with these two letters.
  if (!'PK'.startsWith(new TextDecoder().decode(await source.slice(0, 2)))) {
    throw new PareError('NPZ_HEADER', 'this is not an .npz archive', {
      where: source.name,
      remedy: 'Write it with np.savez(file, input_name=array), or say with --data-kind what it is.',
    })
  }
  const entries = (await zipEntries(source)).filter(({ name }) => name.endsWith('.npy'))
  if (entries.length === 0) {
    throw new PareError('NPZ_EMPTY', 'the archive holds no arrays', {
      where: source.name,
      remedy: 'Write it with np.savez(file, input_name=array).',
    })
  }
  const names = entries.map(memberName)
  if (label !== undefined && !names.includes(label)) {
    throw new PareError('NPZ_MEMBER', `there is no such member for labels; there are ${names.join(', ')}`, {
      where: source.name,
      value: label,
      remedy: 'Name one of these.',
    })
  }
  const labelMember = label ?? names.find((name) => isLabelName(name) && !inputs.includes(name))
  const open = (entry: ZipEntry) => openNpy(byteReader(readEntry(source, entry)), `${source.name}/${memberName(entry)}`)

  const counts = new Map<string, number>()
  for (const entry of entries) {
    const { count, close } = await open(entry)
    await close()
    if (count !== null) counts.set(memberName(entry), count)
  }
  const count = commonCount(counts, source.name)

  return {
    name: source.name,
    count,
    async *read({ signal } = {}) {
      const members: { name: string; array: ArrayStream }[] = []
      try {
        for (const entry of entries) members.push({ name: memberName(entry), array: await open(entry) })
        for (let i = 0; i < count; i++) {
          signal?.throwIfAborted()
          const rows: [string, Tensor][] = []
          for (const { name, array } of members) rows.push([name, (await array.next())!])
          const target = rows.find(([name]) => name === labelMember)?.[1]
          const name = `${source.name}[${i}]`
          yield {
            feeds: Object.fromEntries(rows.filter(([key]) => key !== labelMember)),
            name,
            ...(target && { label: labelOf(target, name) }),
          }
        }
      } finally {
        for (const { array } of members) await array.close()
      }
    },
  }
}

const memberName = ({ name }: ZipEntry): string => name.slice(0, -'.npy'.length)

function commonCount(counts: ReadonlyMap<string, number>, where: string): number {
  const [first] = counts.values()
  if (first === undefined || [...counts.values()].some((n) => n !== first)) {
    const shown = [...counts].map(([name, n]) => `${name}: ${n}`).join(', ')
    throw new PareError('NPZ_COUNT', 'the arrays do not hold the same number of samples along their first axis', {
      where,
      value: shown || 'only scalars',
      remedy: 'Save arrays of shape [samples, …], all with the same number of samples; a scalar goes to every sample.',
    })
  }
  return first
}
