/** MNIST as rows of pixels, and its classes. */

import { fileSource } from '../../src/data/files.js'
import { idxArray } from '../../src/data/idx.js'
import { requiredPath } from './types.js'

export interface Digits {
  readonly rows: number
  readonly columns: number
  /** From 0 to 255: [rows, columns]. */
  readonly pixels: Uint8Array
  readonly classes: Uint8Array
}

const COLUMNS = 784

/** The first rows of a set. */
export async function readDigits(set: 't10k' | 'train', rows: number): Promise<Digits> {
  const open = async (what: string) => idxArray(await fileSource(requiredPath(`mnist/${set}-${what}-ubyte.gz`)))
  const [images, labels] = await Promise.all([open('images-idx3'), open('labels-idx1')])
  const pixels = new Uint8Array(rows * COLUMNS)
  const classes = new Uint8Array(rows)
  for (let i = 0; i < rows; i++) {
    pixels.set((await images.next())!.bytes(), i * COLUMNS)
    classes[i] = (await labels.next())!.bytes()[0]!
  }
  await Promise.all([images.close(), labels.close()])
  return { rows, columns: COLUMNS, pixels, classes }
}

/** From 0 to 1. */
export const brightness = ({ pixels }: Digits): Float32Array => Float32Array.from(pixels, (v) => v / 255)
