/**
 * Makes samples fit a model's inputs: names, batch axis, shapes and element types. What cannot be fitted without
 * guessing or loss is refused, with the sample's name, what the model wants and what it got.
 */

import type { ValueInfo } from '../engine/engine.js'
import { byteSize } from '../ir/dtypes.js'
import { elementCount, tensorOfBytes } from '../ir/tensor.js'
import type { DType, Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import { alignShape, shownShape } from './align.js'
import { convert, stringTensor, tensorOf } from './convert.js'
import { readOf, type Sample, type Samples, someOf, UNNAMED } from './samples.js'
import type { StateLink } from './state.js'

export interface FitOptions {
  /** Names in the samples to names of the model's inputs. */
  readonly rename?: Readonly<Record<string, string>>
  /** Inputs that are the same for every sample: a number, a list of numbers, or a tensor. */
  readonly constants?: Readonly<Record<string, number | readonly number[] | Tensor>>
  /** Inputs that are all zeros where a sample does not give them, e.g. the state of a recurrent model. */
  readonly zeroInputs?: readonly string[]
  /** Inputs that start as zeros, and that whoever runs the samples then feeds from the outputs of the frame before. */
  readonly carry?: readonly StateLink[]
  /** Lengths of symbolic dimensions. Those not given are free, but the same within a sample. */
  readonly dims?: Readonly<Record<string, number>>
  /** Allow any row-major reshape that keeps the number of elements, e.g. [28, 28] to [784]. */
  readonly reshape?: boolean
}

/**
 * A function that fits one sample, of `count` where that is known. Throws `SAMPLE_NAME` (an input is missing, or there is none of that name),
 * `SAMPLE_SHAPE`, `SAMPLE_DTYPE`, `SAMPLE_RANGE`; when made, `SAMPLE_NAME` for options that name no input.
 */
export function fitter(
  inputs: readonly ValueInfo[],
  options: FitOptions = {},
  count: number | null = null,
): (sample: Sample) => Sample {
  const { rename = {}, constants = {}, zeroInputs = [], carry = [], dims = {}, reshape = false } = options
  const byName = new Map(inputs.map((input) => [input.name, input]))
  const zeros = new Set([...zeroInputs, ...carry.map(({ input }) => input)])
  for (const name of [...Object.keys(constants), ...zeros, ...Object.values(rename)]) {
    if (!byName.has(name)) throw unknownName(name, inputs, 'the options')
  }
  const fixed = new Map(
    Object.entries(constants).map(([name, value]) => [name, constantTensor(byName.get(name)!, value)] as const),
  )
  const optional = new Set([...zeros, ...fixed.keys()])
  const isSpread = ({ name }: ValueInfo): boolean => typeof constants[name] === 'number'

  return (sample) => {
    const given = named(sample, inputs, byName, rename, optional)
    const feeds: Record<string, Tensor> = {}
    const bound = new Map(Object.entries(dims))
    for (const input of inputs) {
      const t = given.get(input.name) ?? (isSpread(input) ? undefined : fixed.get(input.name))
      if (t) feeds[input.name] = fitTensor(t, input, { bound, dims, reshape, sample: sample.name, count })
    }
    for (const input of inputs) {
      if (feeds[input.name]) continue
      if (isSpread(input)) {
        feeds[input.name] = spread(fixed.get(input.name)!, shapeWithin(input, bound))
        continue
      }
      if (!zeros.has(input.name)) throw missingInput(input, given, inputs, sample)
      feeds[input.name] = zerosLike(input, bound, sample.name)
    }
    return { ...sample, feeds }
  }
}

/** Samples fitted one by one as they are read; see `fitter`. */
export function fitSamples(samples: Samples, inputs: readonly ValueInfo[], options: FitOptions = {}): Samples {
  const fitted = fitter(inputs, options, samples.count)
  const { carry = [] } = options
  return {
    ...samples,
    ...(carry.length > 0 && { carry }),
    read: readOf(async function* (isWanted, readOptions) {
      for await (const sample of someOf(samples, isWanted, readOptions)) yield fitted(sample)
    }),
  }
}

/** The sample's arrays by the model's names; an array without a name goes to the one input that nothing else provides. */
function named(
  sample: Sample,
  inputs: readonly ValueInfo[],
  byName: ReadonlyMap<string, ValueInfo>,
  rename: Readonly<Record<string, string>>,
  optional: ReadonlySet<string>,
): Map<string, Tensor> {
  const given = new Map<string, Tensor>()
  const unnamed: Tensor[] = []
  for (const [own, t] of Object.entries(sample.feeds)) {
    const name = Object.hasOwn(rename, own) ? rename[own]! : own
    if (byName.has(name)) given.set(name, t)
    else if (name === UNNAMED || name === NUMPY_UNNAMED) unnamed.push(t)
    else throw unknownName(name, inputs, sample.name)
  }
  if (unnamed.length === 0) return given
  const free = inputs.filter(({ name }) => !given.has(name) && !optional.has(name))
  if (unnamed.length > 1 || free.length !== 1) {
    throw new PareError(
      'SAMPLE_NAME',
      `an array without a name could be for ${free.length === 0 ? 'no input' : free.map((i) => i.name).join(' or ')}`,
      {
        where: sample.name,
        value: `shape ${shownShape(unnamed[0]!.shape)}`,
        remedy: `Give every array the name of an input (.npz), or say what the others are: ${asOptions(free)}. The model wants ${wanted(inputs)}.`,
      },
    )
  }
  given.set(free[0]!.name, unnamed[0]!)
  return given
}

/** How `np.savez` calls an array that it was given without a name. */
const NUMPY_UNNAMED = 'arr_0'

interface FitContext {
  readonly bound: Map<string, number>
  readonly dims: Readonly<Record<string, number>>
  readonly reshape: boolean
  readonly sample: string
  readonly count: number | null
}

function fitTensor(t: Tensor, input: ValueInfo, { bound, dims, reshape, sample, count }: FitContext): Tensor {
  const where = `${sample}, input ${input.name}`
  const converted = convert(t, input.dtype as DType, where)
  if (!input.shape) return converted
  const want = input.shape.map((d) => (typeof d === 'string' ? (dims[d] ?? d) : d))
  // The engine reports an unknown rank as rank 0.
  const anyRank = want.length === 0 ? t.shape : null
  const shape = alignShape(t.shape, want) ?? anyRank ?? (reshape ? reshaped(t.shape, want) : null)
  if (!shape) throw shapeError(input, t.shape, where, count)
  input.shape.forEach((d, axis) => {
    if (typeof d !== 'string' || d === '') return
    const other = bound.get(d)
    if (other !== undefined && other !== shape[axis]) {
      throw new PareError('SAMPLE_SHAPE', `dimension ${d} is ${other} elsewhere in the sample or the options`, {
        where,
        value: shownShape(shape),
        remedy: `Make every input agree on ${d}.`,
      })
    }
    bound.set(d, shape[axis]!)
  })
  return withShape(converted, shape)
}

const withShape = (t: Tensor, shape: readonly number[]): Tensor => (shape === t.shape ? t : { ...t, shape })

/** All symbolic lengths 1 but the last, which takes the rest; only where the counts agree. */
function reshaped(have: readonly number[], want: readonly (number | string)[]): readonly number[] | null {
  const last = want.findLastIndex((d) => typeof d === 'string')
  const known = want.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1)
  const count = elementCount(have)
  if (known === 0 || count % known !== 0 || (last < 1 && count !== known)) return null
  return want.map((d, i) => (typeof d === 'number' ? d : i === last ? count / known : 1))
}

function constantTensor(input: ValueInfo, value: number | readonly number[] | Tensor): Tensor {
  if (typeof value === 'object' && 'dtype' in value) return value
  const values = typeof value === 'number' ? [value] : value
  const shape = typeof value === 'number' ? [] : [values.length]
  return tensorOf(input.dtype as DType, shape, values, `constant ${input.name}`)
}

/** The shape that an input has in a sample: lengths that nothing else decides are 1. */
const shapeWithin = ({ shape = [] }: ValueInfo, bound: ReadonlyMap<string, number>): readonly number[] =>
  shape.map((d) => (typeof d === 'number' ? d : (bound.get(d) ?? 1)))

/** One element, as often as the shape holds. */
function spread(one: Tensor, shape: readonly number[]): Tensor {
  const count = elementCount(shape)
  if (one.dtype === 'string') return stringTensor(shape, new Array(count).fill(one.strings!()[0]!))
  const [element, bytes] = [one.bytes(), new Uint8Array(count * one.byteLength)]
  for (let at = 0; at < bytes.byteLength; at += element.byteLength) bytes.set(element, at)
  return tensorOfBytes(one.dtype, shape, bytes)
}

function zerosLike(input: ValueInfo, bound: ReadonlyMap<string, number>, sample: string): Tensor {
  const shape = shapeWithin(input, bound)
  const count = elementCount(shape)
  if (input.dtype === 'string') return stringTensor(shape, new Array<string>(count).fill(''))
  const bytes = byteSize(input.dtype as DType, count)
  if (bytes === undefined) {
    throw new PareError('SAMPLE_DTYPE', 'there are no zeros of this type', {
      where: `${sample}, input ${input.name}`,
      value: input.dtype,
      remedy: 'Give this input in the samples.',
    })
  }
  return tensorOfBytes(input.dtype as DType, shape, new Uint8Array(bytes))
}

/** A model's inputs as messages show them. */
const wanted = (inputs: readonly ValueInfo[]): string =>
  inputs.map(({ name, dtype, shape }) => `${name} (${dtype}${shape ? ` ${shownShape(shape)}` : ''})`).join(', ')

/** How to say of an input that no sample gives it: of the one that is a number, where there is one. */
function asOptions(inputs: readonly ValueInfo[]): string {
  const name = (inputs.find(({ shape }) => shape?.every((d) => d === 1)) ?? inputs.at(-1))?.name ?? 'NAME'
  return `--data-option constant=${name}:VALUE or zero=${name}`
}

const unknownName = (name: string, inputs: readonly ValueInfo[], where: string): PareError =>
  new PareError('SAMPLE_NAME', 'the model has no input of this name', {
    where,
    value: name,
    remedy: `The model wants ${wanted(inputs)}. Rename the array (--data-option rename=NAME:INPUT).`,
  })

const missingInput = (
  input: ValueInfo,
  given: ReadonlyMap<string, Tensor>,
  inputs: readonly ValueInfo[],
  sample: Sample,
): PareError =>
  new PareError('SAMPLE_NAME', `the sample gives nothing for input ${input.name}`, {
    where: sample.name,
    value: [...given.keys()].join(', ') || 'nothing',
    remedy: `The model wants ${wanted(inputs)}. If ${input.name} is a constant, or a state that starts as zeros, say so: ${asOptions([input])}.`,
  })

function shapeError(input: ValueInfo, have: readonly number[], where: string, count: number | null): PareError {
  const want = input.shape!
  return new PareError('SAMPLE_SHAPE', `the model wants ${shownShape(want)}`, {
    where,
    value: shownShape(have),
    remedy: shapeRemedy(have, want, count),
  })
}

function shapeRemedy(have: readonly number[], want: readonly (number | string)[], count: number | null): string {
  const [batch, ...rest] = want
  if (typeof batch === 'number' && batch > 1 && alignShape(have, [1, ...rest])) {
    return `The model's batch is fixed at ${batch}, and a sample is read as one: leave the batch open or fix it at 1 (--shape), or give whole batches, an array of ${shownShape(['samples', ...want])}.`
  }
  if (count !== null && count > 1 && alignShape([count, ...have], want)) {
    return `The first axis of an array counts the samples, so these are ${count}. If they are one, save it as x[None].`
  }
  const known = want.map((d) => (typeof d === 'string' ? 1 : d))
  if (elementCount(known) !== elementCount(have)) return 'Resize or cut the samples to this shape.'
  const lengths = known.filter((d, i) => i > 0 || d !== 1)
  return [...have].sort().join() === lengths.sort().join()
    ? 'The axes are in another order; transpose the sample (images: check the layout).'
    : 'The number of elements is right; if their order is too, allow reshaping: --data-option reshape.'
}
