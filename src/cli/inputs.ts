/** Options that several commands share: samples, shapes, engine; and how they become what the library takes. */

import type { FitOptions } from '../data/fit.js'
import type { OpenOptions, SampleKind } from '../data/open.js'
import type { Samples } from '../data/samples.js'
import type { StateLink } from '../data/state.js'
import type { Device, ValueInfo } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { nearest } from '../util/nearest.js'
import { didYouMean } from './args.js'
import type { OptionSpecs } from './command.js'

type Reader = 'image' | 'wav' | 'raw' | 'table' | 'npz' | 'fit'

/** Every kind of samples, and which options speak of it beside those of fitting. The library loads only when it reads. */
const READERS: Readonly<Record<SampleKind, Reader | null>> = {
  npz: 'npz',
  npy: null,
  idx: null,
  csv: 'table',
  parquet: 'table',
  images: 'image',
  wav: 'wav',
  raw: 'raw',
  module: null,
}
const KINDS = Object.keys(READERS) as readonly SampleKind[]

export const DATA_OPTIONS = {
  data: {
    kind: 'text',
    value: 'path',
    doc: 'real inputs: a file or folder (npz, npy, idx, csv, parquet, images, wav, module)',
  },
  dataKind: { kind: 'choice', choices: KINDS, doc: 'what --data is, where the file does not tell' },
  dataOption: { kind: 'texts', value: 'name=value', doc: 'how to read it: see docs/samples.md' },
  limit: { kind: 'number', value: 'n', min: 1, max: 1e9, whole: true, doc: 'read at most so many samples' },
} as const satisfies OptionSpecs

export const SHAPE_OPTION = {
  shape: { kind: 'text', value: 'shapes', doc: 'fix open dimensions: batch=1,seq=128 or image=1x3x224x224' },
} as const satisfies OptionSpecs

export const THREADS_OPTION = {
  threads: {
    kind: 'number',
    value: 'n',
    min: 1,
    max: 1024,
    whole: true,
    doc: 'threads inside one operator (default: the physical cores)',
  },
} as const satisfies OptionSpecs

export const ENGINE_OPTIONS = {
  device: { kind: 'text', value: 'name', doc: 'where to run: cpu, wasm, webgpu, … (see pare doctor)' },
  ...THREADS_OPTION,
} as const satisfies OptionSpecs

/** Of a database: which of its tables. */
export const DATABASE_OPTIONS = {
  table: { kind: 'text', value: 'name', doc: 'the table of a database (default: its only one)' },
  query: { kind: 'text', value: 'sql', doc: 'what a database is asked for in place of a table' },
} as const satisfies OptionSpecs

export const SEED_OPTION = {
  seed: {
    kind: 'number',
    value: 'n',
    min: 0,
    max: 2 ** 53 - 1,
    whole: true,
    default: 0,
    doc: 'seed of everything random',
  },
} as const satisfies OptionSpecs

export interface DataChoice {
  readonly data: string | undefined
  readonly dataKind: SampleKind | undefined
  readonly dataOption: readonly string[]
  readonly limit: number | undefined
}

export const DEVICE_NOTE =
  'Devices are those of the installed engine; cpu is native where onnxruntime-node is installed and WebAssembly where not.'

interface Meaning {
  readonly field: string
  /** Of what stands after `name=`. */
  readonly read: (text: string, name: string) => unknown
  /** Of the reader's kinds, the one that has it. */
  readonly only?: SampleKind
}

const text = (value: string): string => value
const number = (value: string, name: string): number => {
  const found = value === '' ? Number.NaN : Number(value)
  if (Number.isFinite(found)) return found
  throw new PareError('OPTION_VALUE', `${name} needs a number`, {
    where: '--data-option',
    value,
    remedy: `Write for example ${EXAMPLES[name]}.`,
  })
}
const numbers = (value: string, name: string): number | readonly number[] =>
  value.includes(',') ? value.split(',').map((v) => number(v, name)) : number(value, name)
const size = (value: string, name: string): readonly number[] => value.split(/x/i).map((v) => number(v, name))
const list = (value: string): readonly string[] => value.split(',')
const flag = (value: string): boolean => ['true', '1'].includes(oneOf('true', 'false', '1', '0')(value))

/** `name:value`, gathered over several options. */
const pair =
  <T>(read: (value: string, name: string) => T) =>
  (value: string, name: string): Readonly<Record<string, T>> => {
    const at = value.lastIndexOf(':')
    if (at < 1) {
      throw new PareError('OPTION_VALUE', 'name:value is needed', {
        where: '--data-option',
        value,
        remedy: 'Write for example constant=sr:16000 or rename=image:input.',
      })
    }
    return { [value.slice(0, at)]: read(value.slice(at + 1), name) }
  }

/** What a name means, by the reader that the samples need. */
type Option = Readonly<Partial<Record<Reader, Meaning>>>

const oneOf =
  (...choices: readonly string[]) =>
  (value: string): string => {
    if (choices.includes(value)) return value
    throw new PareError('OPTION_VALUE', 'not one of the choices', {
      where: '--data-option',
      value,
      remedy: `${didYouMean(nearest(value, choices))}Give one of: ${choices.join(', ')}.`,
    })
  }

const to = (field: string, read: Meaning['read']): Meaning => ({ field, read })

/** What `--data-option` understands: a name, and what it means to each reader. docs/samples.md explains them. */
export const DATA_OPTION_NAMES: Readonly<Record<string, Option>> = {
  constant: { fit: to('constants', pair(numbers)) },
  carry: { fit: to('carry', list) },
  zero: { fit: to('zeroInputs', list) },
  rename: { fit: to('rename', pair(text)) },
  reshape: { fit: to('reshape', flag) },
  input: { image: to('input', text), wav: to('input', text) },
  size: { image: to('size', size) },
  resize: { image: to('resize', oneOf('stretch', 'cover', 'contain')) },
  layout: { image: to('layout', oneOf('nchw', 'nhwc')) },
  color: { image: to('color', oneOf('rgb', 'bgr')) },
  mean: { image: to('mean', numbers) },
  scale: { image: to('scale', numbers) },
  std: { image: to('std', numbers) },
  frame: { wav: to('frame', number) },
  hop: { wav: to('hop', number) },
  rate: { wav: to('rate', number) },
  resample: { wav: to('resample', flag) },
  pad: { wav: to('pad', flag), raw: to('pad', number) },
  length: { raw: to('length', number) },
  take: { raw: to('take', oneOf('first', 'last', 'ends', 'chunks')) },
  strip: { raw: to('strip', number) },
  label: { table: to('label', text), npz: to('label', text) },
  columns: { table: to('columns', list) },
  classes: { table: to('classes', list) },
  delimiter: { table: { ...to('delimiter', text), only: 'csv' } },
}

/** Of the names that take numbers. */
const EXAMPLES: Readonly<Record<string, string>> = {
  constant: 'constant=sr:16000',
  size: 'size=240x320',
  mean: 'mean=127.5',
  scale: 'scale=0.0078',
  std: 'std=58.4',
  frame: 'frame=576',
  hop: 'hop=512',
  rate: 'rate=16000',
  pad: 'pad=256',
  length: 'length=1024',
  strip: 'strip=4096',
}

/** What the names mean to samples of a kind: options of `openSamples`, but that `carry` is still text. */
type ReadOptions = Omit<OpenOptions, 'inputs' | 'fit'> & {
  readonly fit?: Omit<FitOptions, 'carry'> & { readonly carry?: readonly string[] }
}

/** `--data-option` entries for samples of a kind. Throws `OPTION_UNKNOWN`, `OPTION_UNUSED`, `OPTION_VALUE`. */
export function parseDataOptions(entries: readonly string[], kind: SampleKind): ReadOptions {
  const readers: Record<string, Record<string, unknown>> = {}
  for (const entry of entries) {
    const at = entry.indexOf('=')
    const name = at < 0 ? entry : entry.slice(0, at)
    const { reader, meaning } = meaningOf(name, kind)
    const value = meaning.read(at < 0 ? 'true' : entry.slice(at + 1), name)
    readers[reader] = { ...readers[reader], [meaning.field]: merged(readers[reader]?.[meaning.field], value) }
  }
  return readers as ReadOptions
}

interface Found {
  readonly reader: Reader
  readonly meaning: Meaning
}

function meaningOf(name: string, kind: SampleKind): Found {
  const option = Object.hasOwn(DATA_OPTION_NAMES, name) ? DATA_OPTION_NAMES[name]! : undefined
  if (!option) {
    const known = Object.keys(DATA_OPTION_NAMES)
    throw new PareError('OPTION_UNKNOWN', 'there is no such data option', {
      where: '--data-option',
      value: name,
      remedy: `${didYouMean(nearest(name, known))}There are: ${known.join(', ')}.`,
    })
  }
  const found = meaningFor(option, kind)
  if (found) return found
  const kinds = KINDS.filter((k) => meaningFor(option, k))
  throw new PareError('OPTION_UNUSED', `this says nothing of samples of kind ${kind}`, {
    where: '--data-option',
    value: name,
    remedy: `It is for ${kinds.join(', ')}. Leave it out, or say with --data-kind what the samples are.`,
  })
}

function meaningFor(option: Option, kind: SampleKind): Found | undefined {
  const reader = READERS[kind]
  const own = reader === null ? undefined : option[reader]
  if (reader !== null && own && (own.only ?? kind) === kind) return { reader, meaning: own }
  return option.fit && { reader: 'fit', meaning: option.fit }
}

/** Pairs and lists of names are gathered over several options; of anything else the last counts. */
function merged(before: unknown, value: unknown): unknown {
  if (isMap(before) && isMap(value)) return { ...before, ...value }
  return isList(before) && isList(value) ? [...before, ...value] : value
}

const isList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((v) => typeof v === 'string')

const isMap = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)

export interface Interface {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
}

export interface OpenedData {
  readonly samples: Samples
  /** States that each frame hands to the next. */
  readonly links: readonly StateLink[]
}

/** Throws `OPTION_UNUSED` where something is said of samples, and there are none. */
export function requireUnread({ dataKind, dataOption, limit }: Omit<DataChoice, 'data'>): void {
  const given = Object.entries({ '--data-kind': dataKind, '--data-option': dataOption[0], '--limit': limit })
  const name = given.find(([, value]) => value !== undefined)?.[0]
  if (name === undefined) return
  throw unused(name, 'there are no samples that this could speak of', 'Give them with --data, or leave it out.')
}

export const unused = (where: string, what: string, remedy: string): PareError =>
  new PareError('OPTION_UNUSED', what, { where, remedy })

/** The first of the samples, as many as `--limit` allows. */
export async function limited(samples: Samples, limit: number | undefined): Promise<Samples> {
  if (limit === undefined) return samples
  const { take } = await import('../data/split.js')
  return take(samples, limit)
}

/**
 * The samples of `--data`, fitted to the model; null where none were given. Throws `OPTION_UNUSED` where they are
 * spoken of and not given, and what opening samples throws.
 */
export async function openData(choice: DataChoice, model: Interface): Promise<OpenedData | null> {
  if (choice.data === undefined) {
    requireUnread(choice)
    return null
  }
  const [{ openSamples, sampleKind }, { carryLinks }] = await Promise.all([
    import('../data/open.js'),
    import('../data/state.js'),
  ])
  const kind = choice.dataKind ?? (await sampleKind(choice.data))
  const { fit, ...readers } = parseDataOptions(choice.dataOption, kind)
  const links = carryLinks(model.inputs, model.outputs, fit?.carry && explicitLinks(fit.carry, model))
  const samples = await openSamples(choice.data, {
    ...readers,
    kind,
    inputs: model.inputs,
    fit: { ...fit, carry: links },
  })
  return { samples: await limited(samples, choice.limit), links }
}

/** `input:output` as { output: input }; names may hold colons themselves. `none` alone: no output is fed back. */
function explicitLinks(texts: readonly string[], { inputs, outputs }: Interface): Readonly<Record<string, string>> {
  if (texts.length === 1 && texts[0] === 'none') return {}
  return Object.fromEntries(
    texts.map((text) => {
      const splits = [...text.matchAll(/:/g)].map(({ index }) => [text.slice(index + 1), text.slice(0, index)] as const)
      const known = splits.find(([output, input]) => isIn(outputs, output) && isIn(inputs, input)) ?? splits.at(-1)
      if (known) return known
      throw new PareError('OPTION_VALUE', 'input:output is needed', {
        where: '--data-option',
        value: text,
        remedy: 'Write for example carry=state:stateN, or carry=none.',
      })
    }),
  )
}

const isIn = (values: readonly ValueInfo[], name: string): boolean => values.some((v) => v.name === name)

export interface EngineChoice {
  readonly device: string | undefined
  readonly threads: number | undefined
}

/** Options of `openEngine`, only those that were given. */
export function engineOptions({ device, threads }: EngineChoice, onWarning: (message: string) => void) {
  return {
    onWarning,
    ...(device === undefined ? {} : { device: device as Device }),
    ...(threads === undefined ? {} : { threads }),
  }
}
