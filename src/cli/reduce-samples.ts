/** The samples of an npy or idx file as rows for `pare reduce`: all numbers of one after the other. */

import type { Sample, Samples } from '../data/samples.js'
import { numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { unused } from './inputs.js'
import { blockRows, roomOf, TOGETHER } from './reduce-blocks.js'
import type { RowChoice, Rows, RowsWorld } from './reduce-rows.js'

/** Throws `REDUCE_TEXT`, `OPTION_UNUSED`, and what the reader throws, as the blocks do. */
export async function sampleRows(samples: Samples, choice: RowChoice, world: RowsWorld): Promise<Rows> {
  checkUnused(choice)
  const { signal, onProgress } = world
  const first = await firstOf(samples, world)
  const { shape, dtype } = first ?? { shape: [0], dtype: 'float32' }
  const total = Math.min(samples.count!, choice.limit ?? Number.POSITIVE_INFINITY)
  const columns = shape.reduce((product, length) => product * length, 1)
  const x = { rows: total, columns, precision: isShort(dtype) ? 'float32' : 'float64' } as const

  async function* blocks(together = TOGETHER) {
    const most = blockRows(x, together)
    const data = roomOf(x, most * columns)
    let [filled, done] = [0, 0]
    for await (const sample of samples.read({ signal })) {
      const values = numbers(tensorOf(sample))
      for (let k = 0, to = filled * columns; k < columns; k++, to++) data[to] = Number(values[k])
      filled++
      done++
      if (filled < most && done < total) continue
      onProgress({ task: 'reading rows', done, total })
      yield { rows: filled, columns, data: data.subarray(0, filled * columns) }
      filled = 0
      if (done === total) return
    }
  }

  const names = namesOf(shape, columns)
  return { name: samples.name, kind: 'samples', x: { ...x, blocks }, names, colours: [], close() {} }
}

function checkUnused(choice: RowChoice): void {
  for (const [name, value] of Object.entries({
    columns: choice.columns[0],
    without: choice.without[0],
    color: choice.color[0],
    table: choice.table,
    query: choice.query,
  }))
    if (value !== undefined)
      throw unused(`--${name}`, 'samples have no columns with names', 'Leave it out; --labels colours them.')
  if (choice.missing === 'mean')
    throw unused('--missing mean', 'of samples nothing is filled in', 'Leave it out, or give a table.')
}

const tensorOf = ({ feeds }: Sample): Tensor => Object.values(feeds)[0] as Tensor

async function firstOf(samples: Samples, { signal }: RowsWorld): Promise<Tensor | null> {
  for await (const sample of samples.read({ signal })) {
    const tensor = tensorOf(sample)
    if (tensor.dtype === 'string') throw textSamples(sample.name)
    return tensor
  }
  return null
}

/** Whether float32 holds the numbers. */
const isShort = (dtype: string): boolean => !/64$|^u?int32$/.test(dtype)

/** `14,3`: the place in a sample, from 1. */
function namesOf(shape: readonly number[], columns: number): readonly string[] {
  return Array.from({ length: columns }, (_, at) => {
    let rest = at
    const places = shape.toReversed().map((length) => {
      const place = (rest % length) + 1
      rest = Math.floor(rest / length)
      return place
    })
    return places.reverse().join(',') || String(at + 1)
  })
}

const textSamples = (where: string): PareError =>
  new PareError('REDUCE_TEXT', 'samples of text have no place among numbers', {
    where,
    remedy: 'Give an array of numbers.',
  })
