/** Opens samples of any supported kind, told by content, extension or by the caller. Node only. */

import { stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { ValueInfo } from '../engine/engine.js'
import { PareError } from '../util/errors.js'
import { type CsvOptions, csvSamples } from './csv.js'
import { fileSource, missing } from './files.js'
import { type FitOptions, fitSamples } from './fit.js'
import { folderFiles } from './folder.js'
import { idxSamples, isIdx } from './idx.js'
import { IMAGE_EXTENSIONS, type ImageOptions, imageSamples } from './images.js'
import { contentHead, isGzip } from './inflate.js'
import { moduleSamples } from './module.js'
import { isNpy, npySamples } from './npy.js'
import { npzSamples } from './npz.js'
import { isParquet, parquetSamples } from './parquet.js'
import { type RawOptions, rawSamples } from './raw.js'
import type { Samples } from './samples.js'
import type { Source } from './source.js'
import { isWav, type WavOptions, wavSamples } from './wav.js'
import { isZip } from './zip.js'

export type SampleKind = 'npz' | 'npy' | 'idx' | 'csv' | 'parquet' | 'images' | 'wav' | 'raw' | 'module'

export interface OpenOptions {
  /** The model's inputs. */
  readonly inputs: readonly ValueInfo[]
  /** Default: told by the content, then the extension. Bytes (`raw`) are never guessed. */
  readonly kind?: SampleKind
  /** How the samples are made to fit the inputs. */
  readonly fit?: FitOptions
  readonly image?: ImageOptions
  readonly wav?: Omit<WavOptions, 'inputs'>
  readonly raw?: Omit<RawOptions, 'inputs'>
  /** CSV and Parquet. */
  readonly table?: Omit<CsvOptions, 'inputs'>
  readonly npz?: { readonly label?: string }
}

/**
 * Samples from a file or folder, fitted to the model's inputs (`fitSamples`). Throws `SAMPLES_MISSING`, `SAMPLES_KIND`,
 * and what the kinds throw; errors of a sample's content come when it is read.
 */
export async function openSamples(path: string, options: OpenOptions): Promise<Samples> {
  const { inputs, fit = {} } = options
  const provided = new Set([
    ...Object.keys(fit.constants ?? {}),
    ...(fit.zeroInputs ?? []),
    ...(fit.carry ?? []).map(({ input }) => input),
  ])
  const free = inputs.filter(({ name }) => !provided.has(name))
  const samples = await openKind(path, free, options)
  return { ...fitSamples(samples, inputs, fit), name: path }
}

/** The kind of a file or folder, told by the content, then the extension. Throws `SAMPLES_MISSING`, `SAMPLES_KIND`, `FOLDER_…`. */
export async function sampleKind(path: string): Promise<SampleKind> {
  const info = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause)
  })
  return info.isDirectory() ? (await folderFiles(path)).kind : kindOf(path, await fileSource(path))
}

async function openKind(path: string, inputs: readonly ValueInfo[], options: OpenOptions): Promise<Samples> {
  const info = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause)
  })
  if (info.isDirectory()) return openFolder(path, inputs, options)
  const source = await fileSource(path)
  const kind = options.kind ?? (await kindOf(path, source))
  switch (kind) {
    case 'npy':
      return npySamples(source)
    case 'npz':
      return npzSamples(source, { ...options.npz, inputs: options.inputs.map(({ name }) => name) })
    case 'idx':
      return idxSamples(source)
    case 'csv':
      return csvSamples(source, { ...options.table, inputs })
    case 'parquet':
      return parquetSamples(source, { ...options.table, inputs })
    case 'wav':
      return wavSamples(source, { ...options.wav, inputs })
    case 'raw':
      return rawSamples(source, { ...options.raw, inputs })
    case 'images':
      return imageSamples(path, [path], inputs, options.image)
    case 'module':
      return moduleSamples(path, options.inputs)
  }
}

async function openFolder(path: string, inputs: readonly ValueInfo[], options: OpenOptions): Promise<Samples> {
  const wanted = options.kind
  if (wanted !== undefined && wanted !== 'images' && wanted !== 'wav' && wanted !== 'raw') {
    throw new PareError('SAMPLES_KIND', `samples of kind ${wanted} are one file, and this is a folder`, {
      where: path,
      remedy: 'Give the file.',
    })
  }
  const { kind, files } = await folderFiles(path, wanted)
  const paths = files.map((file) => join(path, file))
  if (kind === 'images') return imageSamples(path, paths, inputs, options.image, files)
  const open = async (file: string): Promise<Samples> => {
    const source = { ...(await fileSource(join(path, file))), name: file }
    return kind === 'wav'
      ? wavSamples(source, { ...options.wav, inputs })
      : rawSamples(source, { ...options.raw, inputs })
  }
  await open(files[0]!)
  const single = kind === 'raw' && options.raw?.take !== 'chunks'
  return {
    name: path,
    count: single ? files.length : null,
    async *read(readOptions) {
      for (const file of files) yield* (await open(file)).read(readOptions)
    },
  }
}

async function kindOf(path: string, source: Source): Promise<SampleKind> {
  const head = await source.slice(0, 16)
  if (isNpy(head)) return 'npy'
  if (isZip(head)) return 'npz'
  if (isIdx(head)) return 'idx'
  if (isParquet(head)) return 'parquet'
  if (isWav(head)) return 'wav'
  if (isGzip(head) && isIdx(await contentHead(source))) return 'idx'
  const extension = extname(path).slice(1).toLowerCase()
  if (extension === 'csv' || extension === 'tsv') return 'csv'
  if (extension === 'mjs' || extension === 'js') return 'module'
  if (IMAGE_EXTENSIONS.includes(extension)) return 'images'
  // A file of a known extension whose content is not of it is damaged: its reader says how.
  if (extension === 'npy' || extension === 'npz' || extension === 'wav' || extension === 'parquet') return extension
  throw new PareError('SAMPLES_KIND', 'samples cannot be read from this file', {
    where: path,
    value: extension === '' ? 'no extension' : `.${extension}`,
    remedy:
      'Give .npz, .npy, idx (also .gz), .csv, .tsv, .parquet, .wav, a picture or a folder of pictures or .wav files, ' +
      'or a module (.mjs) that yields samples; with --data-kind raw, any file is taken as bytes.',
  })
}
