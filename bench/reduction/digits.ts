/** MNIST as rows of pixels from 0 to 1, and its classes. */

import { fileSource } from '../../src/data/files.js'
import { idxArray } from '../../src/data/idx.js'
import { requiredPath } from '../samples/types.js'

export interface Digits {
  readonly rows: number
  readonly columns: number
  /** [rows, columns] */
  readonly data: Float32Array
  readonly classes: Uint8Array
}

const COLUMNS = 784

/** The first rows of a set. */
export async function readDigits(set: 't10k' | 'train', rows: number): Promise<Digits> {
  const open = async (what: string) => idxArray(await fileSource(requiredPath(`mnist/${set}-${what}-ubyte.gz`)))
  const [images, labels] = await Promise.all([open('images-idx3'), open('labels-idx1')])
  const data = new Float32Array(rows * COLUMNS)
  const classes = new Uint8Array(rows)
  for (let i = 0; i < rows; i++) {
    const pixels = (await images.next())!.bytes()
    for (let j = 0; j < COLUMNS; j++) data[i * COLUMNS + j] = pixels[j]! / 255
    classes[i] = (await labels.next())!.bytes()[0]!
  }
  await Promise.all([images.close(), labels.close()])
  return { rows, columns: COLUMNS, data, classes }
}
