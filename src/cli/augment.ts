/** Random changes of samples as they are named on the command line. */

import { type Augment, cutout, inTurn, mirror, noise, shift } from '../train/augment.js'
import type { Column } from '../train/columns.js'
import type { Dataset } from '../train/dataset.js'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { didYouMean } from './args.js'

/** What a name stands for, once the samples are there. */
type Made = (data: Dataset) => Augment

interface Known {
  /** How it is written. */
  readonly example: string
  /** What the number behind the colon must be; null where there is none. */
  readonly number: { readonly doc: string; test(value: number): boolean } | null
  /** Whether it is of pictures alone. */
  readonly isOfPictures: boolean
  make(amount: number, data: Dataset): Augment
}

const PIXELS = { doc: 'a whole number of pixels', test: (v: number) => Number.isSafeInteger(v) && v > 0 }
const LEVEL = { doc: 'a number above 0', test: (v: number) => v > 0 && Number.isFinite(v) }

const AUGMENTS: Readonly<Record<string, Known>> = {
  shift: { example: 'shift:1', number: PIXELS, isOfPictures: true, make: (most) => shift(most) },
  mirror: { example: 'mirror', number: null, isOfPictures: true, make: () => mirror() },
  cutout: { example: 'cutout:8', number: PIXELS, isOfPictures: true, make: (size) => cutout(size) },
  noise: { example: 'noise:0.05', number: LEVEL, isOfPictures: false, make: (level, data) => noise(level, data) },
}

/** The changes in turn. Throws `OPTION_VALUE` at once, and `TRAIN_AUGMENT` when the samples are none that it suits. */
export function augmentsOf(texts: readonly string[]): Made | undefined {
  const changes = texts.map(parsed)
  return changes.length === 0 ? undefined : (data) => inTurn(...changes.map((make) => make(data)))
}

function parsed(text: string): Made {
  const [name = '', amount, ...rest] = text.split(':')
  const known = Object.hasOwn(AUGMENTS, name) ? AUGMENTS[name] : undefined
  if (known === undefined)
    throw badChoice('there is no such change of samples', text, nearest(name, Object.keys(AUGMENTS)))
  const value = amount === undefined || amount.trim() === '' ? Number.NaN : Number(amount)
  const fits = known.number === null ? amount === undefined : known.number.test(value)
  if (!fits || rest.length > 0)
    throw badChoice(known.number === null ? `${name} takes no number` : `${name} takes ${known.number.doc}`, text, null)
  return (data) => {
    if (![...data.inputs.values()].some((column) => suits(column, known))) throw unsuited(name, known, data)
    return known.make(value, data)
  }
}

const suits = ({ dtype, shape }: Column, { isOfPictures }: Known): boolean =>
  (dtype === 'float32' || dtype === 'float64') && (!isOfPictures || shape.length >= 2)

const badChoice = (what: string, value: string, meant: string | null): PareError =>
  new PareError('OPTION_VALUE', what, {
    where: '--augment',
    value,
    remedy: `${didYouMean(meant)}Write for example ${Object.values(AUGMENTS)
      .map(({ example }) => example)
      .join(', ')}.`,
  })

const unsuited = (name: string, { isOfPictures }: Known, { inputs }: Dataset): PareError =>
  new PareError('TRAIN_AUGMENT', `${name} is for ${isOfPictures ? 'pictures, floats of two axes or more' : 'floats'}`, {
    where: '--augment',
    value: [...inputs].map(([input, { dtype, shape }]) => `${input}: ${dtype} [${shape.join(', ')}]`),
    remedy: isOfPictures ? 'Leave it out; noise suits any floats.' : 'Leave it out.',
  })
