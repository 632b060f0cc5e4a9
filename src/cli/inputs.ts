/** Options that several commands share: samples, shapes, engine; and how they become what the library takes. */

import type { OpenOptions, SampleKind } from '../data/open.js'
import type { Samples } from '../data/samples.js'
import type { StateLink } from '../data/state.js'
import type { Device, ValueInfo } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { didYouMean } from './args.js'
import type { OptionSpecs } from './command.js'
import { nearest } from './suggest.js'

const KINDS = ['npz', 'npy', 'idx', 'csv', 'parquet', 'images', 'wav', 'raw', 'module'] as const satisfies SampleKind[]

export const DATA_OPTIONS = {
  data: {
    kind: 'text',
    value: 'path',
    doc: 'real inputs: a file or folder (npz, npy, idx, csv, parquet, images, wav, module)',
  },
  dataKind: { kind: 'choice', choices: KINDS, doc: 'what --data is, where the file does not tell' },
  dataOption: { kind: 'texts', value: 'name=value', doc: 'how to read it: see docs/samples.md' },
} as const satisfies OptionSpecs

export const SHAPE_OPTION = {
  shape: { kind: 'text', value: 'shapes', doc: 'fix open dimensions: batch=1,seq=128 or image=1x3x224x224' },
} as const satisfies OptionSpecs

export const ENGINE_OPTIONS = {
  device: { kind: 'text', value: 'name', doc: 'where to run: cpu, wasm, webgpu, … (see pare doctor)' },
  threads: {
    kind: 'number',
    value: 'n',
    min: 1,
    max: 1024,
    whole: true,
    doc: 'threads inside one operator (default: the physical cores)',
  },
} as const satisfies OptionSpecs

export interface DataChoice {
  readonly data: string | undefined
  readonly dataKind: SampleKind | undefined
  readonly dataOption: readonly string[]
}

export const DEVICE_NOTE =
  'Devices are those of the installed engine; cpu is native where onnxruntime-node is installed and WebAssembly where not.'

interface DataOption {
  readonly reader: 'image' | 'wav' | 'raw' | 'table' | 'fit'
  readonly field: string
  readonly read: (text: string) => unknown
}

const text = (value: string): string => value
const number = (value: string): number => checked(value === '' ? Number.NaN : Number(value), value)
const numbers = (value: string): number | readonly number[] =>
  value.includes(',') ? value.split(',').map((v) => checked(Number(v), v)) : number(value)
const size = (value: string): readonly number[] => value.split(/x/i).map((v) => checked(Number(v), v))
const list = (value: string): readonly string[] => value.split(',')
const flag = (value: string): boolean => value !== 'false' && value !== '0'

/** `name:value`, gathered over several options. */
const pair =
  <T>(read: (value: string) => T) =>
  (value: string): Readonly<Record<string, T>> => {
    const at = value.lastIndexOf(':')
    if (at < 1) {
      throw new PareError('OPTION_VALUE', 'name:value is needed', {
        where: '--data-option',
        value,
        remedy: 'Write for example constant=sr:16000 or rename=image:input.',
      })
    }
    return { [value.slice(0, at)]: read(value.slice(at + 1)) }
  }

/** What `--data-option` understands. docs/samples.md explains them. */
const DATA_OPTION_NAMES: Readonly<Record<string, DataOption>> = {
  size: { reader: 'image', field: 'size', read: size },
  resize: { reader: 'image', field: 'resize', read: text },
  layout: { reader: 'image', field: 'layout', read: text },
  color: { reader: 'image', field: 'color', read: text },
  mean: { reader: 'image', field: 'mean', read: numbers },
  scale: { reader: 'image', field: 'scale', read: numbers },
  std: { reader: 'image', field: 'std', read: numbers },
  frame: { reader: 'wav', field: 'frame', read: number },
  hop: { reader: 'wav', field: 'hop', read: number },
  rate: { reader: 'wav', field: 'rate', read: number },
  resample: { reader: 'wav', field: 'resample', read: flag },
  padFrame: { reader: 'wav', field: 'pad', read: flag },
  length: { reader: 'raw', field: 'length', read: number },
  take: { reader: 'raw', field: 'take', read: text },
  pad: { reader: 'raw', field: 'pad', read: number },
  strip: { reader: 'raw', field: 'strip', read: number },
  label: { reader: 'table', field: 'label', read: text },
  delimiter: { reader: 'table', field: 'delimiter', read: text },
  columns: { reader: 'table', field: 'columns', read: list },
  classes: { reader: 'table', field: 'classes', read: list },
  constant: { reader: 'fit', field: 'constants', read: pair(numbers) },
  rename: { reader: 'fit', field: 'rename', read: pair(text) },
  reshape: { reader: 'fit', field: 'reshape', read: flag },
  zero: { reader: 'fit', field: 'zeroInputs', read: list },
}

function checked(value: number, shown: string): number {
  if (Number.isFinite(value)) return value
  throw new PareError('OPTION_VALUE', 'a number is needed', {
    where: '--data-option',
    value: shown,
    remedy: 'Write for example mean=127.5.',
  })
}

/** `--data-option` entries as options of `openSamples`. Throws `OPTION_UNKNOWN`, `OPTION_VALUE`. */
export function parseDataOptions(entries: readonly string[]): Omit<OpenOptions, 'inputs'> {
  const readers: Record<string, Record<string, unknown>> = {}
  for (const entry of entries) {
    const at = entry.indexOf('=')
    const name = at < 0 ? entry : entry.slice(0, at)
    const option = Object.hasOwn(DATA_OPTION_NAMES, name) ? DATA_OPTION_NAMES[name] : undefined
    if (!option) {
      const known = Object.keys(DATA_OPTION_NAMES)
      throw new PareError('OPTION_UNKNOWN', 'there is no such data option', {
        where: '--data-option',
        value: name,
        remedy: `${didYouMean(nearest(name, known))}There are: ${known.join(', ')}.`,
      })
    }
    const value = option.read(at < 0 ? 'true' : entry.slice(at + 1))
    const before = readers[option.reader]?.[option.field]
    const merged = isMap(before) && isMap(value) ? { ...before, ...value } : value
    readers[option.reader] = { ...readers[option.reader], [option.field]: merged }
  }
  return readers as Omit<OpenOptions, 'inputs'>
}

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

/** The samples of `--data`, fitted to the model; null where none were given. */
export async function openData(choice: DataChoice, model: Interface): Promise<OpenedData | null> {
  if (choice.data === undefined) return null
  const [{ openSamples }, { carryLinks }] = await Promise.all([import('../data/open.js'), import('../data/state.js')])
  const options = parseDataOptions(choice.dataOption)
  const links = carryLinks(model.inputs, model.outputs)
  const samples = await openSamples(choice.data, {
    ...options,
    inputs: model.inputs,
    fit: { ...options.fit, carry: links },
    ...(choice.dataKind === undefined ? {} : { kind: choice.dataKind }),
  })
  return { samples, links }
}

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
