/** Labels: what the model should answer for each sample, in the order of the samples. */

import { numbers } from '../ir/tensor.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { type ReadOptions, readOf, type Samples, someOf } from './samples.js'

/** Class index, or target values. */
export type Label = number | readonly number[]

export interface Labels {
  readonly name: string
  /** Null until read, where the file does not state its length. */
  readonly count: number | null
  /** What the class indices stand for, where labels were given as text. */
  readonly classes?: readonly string[]
  read(options?: ReadOptions): AsyncIterable<Label>
}

const LABEL_NAMES = ['label', 'labels', 'target', 'targets', 'y']

/** Whether a column or array of this name holds labels unless the model has an input of the name. */
export const isLabelName = (name: string): boolean => LABEL_NAMES.includes(name.toLowerCase())

/** A tensor as a label: one element is a class index or value, several are a vector. Throws `LABEL_TEXT`. */
export function labelOf(t: Tensor, where: string): Label {
  if (t.dtype === 'string') {
    throw new PareError('LABEL_TEXT', 'labels must be numbers here', {
      where,
      value: new TextDecoder().decode(t.strings?.()[0]),
      remedy: 'Save class indices, in the order of the classes that the model outputs.',
    })
  }
  const values = numbers(t)
  return values.length === 1 ? values[0]! : Array.from(values)
}

/**
 * Samples with the labels of another file, aligned by order. Throws `LABEL_COUNT` where there are more of one than of
 * the other: at once where both counts are known, else at the end of the shorter.
 */
export function withLabels(samples: Samples, labels: Labels): Samples {
  if (samples.count !== null && labels.count !== null && samples.count !== labels.count) {
    throw countError(samples, labels, `${samples.count} samples, ${labels.count} labels`)
  }
  return {
    name: samples.name,
    count: samples.count ?? labels.count,
    ...(labels.classes && { classes: labels.classes }),
    labels,
    ...(samples.carry && { carry: samples.carry }),
    read: readOf(async function* (isWanted, options) {
      const iterator = labels.read(options)[Symbol.asyncIterator]()
      const few = (some: number) => countError(samples, labels, `only ${some} labels`)
      let read = 0
      /** The label at an index; those of samples that were left out are passed over. */
      const labelAt = async (index: number): Promise<IteratorResult<Label>> => {
        for (; read < index; read++) if ((await iterator.next()).done) throw few(read)
        read++
        return iterator.next()
      }
      const wanted: number[] = []
      let count = 0
      const ask = (index: number): boolean => {
        count = index + 1
        const isIn = isWanted(index)
        if (isIn) wanted.push(index)
        return isIn
      }
      try {
        for await (const sample of someOf(samples, ask, options)) {
          const index = wanted.shift()!
          const label = await labelAt(index)
          if (label.done) throw few(index)
          yield { ...sample, label: label.value }
        }
        if (!(await labelAt(count)).done) throw countError(samples, labels, `only ${count} samples`)
      } finally {
        await iterator.return?.()
      }
    }),
  }
}

const countError = (samples: Samples, labels: Labels, value: string): PareError =>
  new PareError('LABEL_COUNT', 'there must be one label for each sample, in the same order', {
    where: `${samples.name}, ${labels.name}`,
    value,
    remedy: 'Give the label file that belongs to these samples.',
  })
