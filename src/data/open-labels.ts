/** Label files: CSV, npy, idx, a text file with a label a line, or the class folders of pictures. Node only. */

import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { messageOf, PareError } from '../util/errors.js'
import { csvRecords, firstRecord } from './csv.js'
import { fileSource } from './files.js'
import { folderFiles } from './folder.js'
import { idxArray, isIdx } from './idx.js'
import { contentHead } from './inflate.js'
import { isLabelName, type Label, type Labels, labelOf } from './labels.js'
import { isNpy, npySamples } from './npy.js'
import type { Source } from './source.js'
import { parseNumber, textLabel } from './table.js'

export interface LabelOptions {
  /** Column of a CSV file. Default: the only one, or one called `label`, `labels`, `target`, `targets` or `y`. */
  readonly column?: string
  /**
   * Class names in the order of the model's scores, for labels that are text. Default: the names that occur, in
   * code-unit order, as most training tools number class folders.
   */
  readonly classes?: readonly string[]
}

type Read = () => AsyncIterable<Label | string>

/**
 * Opens labels, aligned with samples by order (`withLabels`). A folder gives the name of the class folder that each of
 * its sample files lies in. Throws `LABELS_MISSING`, `LABELS_KIND`, `LABEL_TEXT`, `TABLE_COLUMN`, and what the formats throw.
 */
export async function openLabels(path: string, options: LabelOptions = {}): Promise<Labels> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new PareError('LABELS_MISSING', 'there is no file or folder to read labels from', {
      where: path,
      value: messageOf(cause),
      remedy: 'Check the path.',
      cause,
    })
  })
  if (info.isDirectory()) return folderLabels(path, options)
  const source = await fileSource(path)
  const head = await contentHead(source)
  if (isNpy(head)) {
    const samples = await npySamples(source)
    return labelsOf(source.name, samples.count, npyRead(samples), options)
  }
  if (isIdx(head)) return labelsOf(source.name, null, idxRead(source), options)
  const kind = extname(path).toLowerCase()
  if (kind === '.csv' || kind === '.tsv') return labelsOf(source.name, null, await csvRead(source, options), options)
  if (kind === '.txt') return labelsOf(source.name, null, lineRead(source), options)
  throw new PareError('LABELS_KIND', 'labels cannot be read from this file', {
    where: path,
    value: kind || 'no extension',
    remedy: 'Give a .csv, .txt (a label a line), .npy or idx file, or a folder with a folder for each class.',
  })
}

async function folderLabels(path: string, options: LabelOptions): Promise<Labels> {
  const { files } = await folderFiles(path).catch((cause: unknown) => {
    if (!(cause instanceof PareError && cause.code === 'FOLDER_EMPTY')) throw cause
    throw new PareError('LABELS_KIND', 'the folder holds no class folders with pictures or .wav files', {
      where: path,
      value: cause.detail.value,
      remedy: 'Give the folder that holds one folder for each class, or a label file: .csv, .txt, .npy or idx.',
      cause,
    })
  })
  const loose = files.find((file) => !file.includes('/'))
  if (loose !== undefined) {
    throw new PareError('LABELS_KIND', 'files that lie in no class folder have no label', {
      where: path,
      value: loose,
      remedy: 'Give the folder that holds one folder for each class, or a label file.',
    })
  }
  return labelsOf(
    basename(path),
    files.length,
    async function* () {
      for (const file of files) yield file.slice(0, file.indexOf('/'))
    },
    { ...options, classes: options.classes ?? distinct(files.map((file) => file.slice(0, file.indexOf('/')))) },
  )
}

const distinct = (names: Iterable<string>): readonly string[] => [...new Set(names)].sort()

/** More different texts than this are no classes. */
const MOST_CLASSES = 100_000

/** Turns texts into class indices; where no classes are given, a first reading collects them. */
async function labelsOf(name: string, count: number | null, read: Read, options: LabelOptions): Promise<Labels> {
  const classes = options.classes ?? (await classesIn(read, name))
  return {
    name,
    count,
    ...(classes && { classes }),
    async *read({ signal } = {}) {
      let i = 0
      for await (const label of read()) {
        signal?.throwIfAborted()
        i++
        yield typeof label === 'string' ? textLabel(label, classes, `${name}, label ${i}`) : label
      }
    },
  }
}

/** The texts among the labels; undefined where the first one is a number. */
async function classesIn(read: Read, name: string): Promise<readonly string[] | undefined> {
  const seen = new Set<string>()
  for await (const label of read()) {
    if (typeof label !== 'string' || (seen.size === 0 && parseNumber(label) !== undefined)) return undefined
    seen.add(label.trim())
    if (seen.size > MOST_CLASSES) {
      throw new PareError('LABEL_TEXT', `there are more than ${MOST_CLASSES} different labels`, {
        where: name,
        value: label,
        remedy: 'Give class indices or numbers.',
      })
    }
  }
  return distinct(seen)
}

const npyRead = (samples: Awaited<ReturnType<typeof npySamples>>): Read =>
  async function* () {
    for await (const { feeds, name } of samples.read()) {
      const t = feeds['']!
      yield t.dtype === 'string' && t.strings ? new TextDecoder().decode(t.strings()[0]) : labelOf(t, name)
    }
  }

const idxRead = (source: Source): Read =>
  async function* () {
    const array = await idxArray(source)
    try {
      for (let t = await array.next(); t !== null; t = await array.next()) yield labelOf(t, source.name)
    } finally {
      await array.close()
    }
  }

async function csvRead(source: Source, { column }: LabelOptions): Promise<Read> {
  const first = await firstRecord(source, {})
  const { columns } = first
  const chosen = column ?? (columns.length === 1 ? columns[0] : columns.find(isLabelName))
  const at = chosen === undefined ? -1 : columns.indexOf(chosen)
  if (at < 0) {
    throw new PareError(
      'TABLE_COLUMN',
      `it is not clear which column holds the labels; there are ${columns.join(', ')}`,
      {
        where: source.name,
        ...(column !== undefined && { value: column }),
        remedy: 'Name one of these.',
      },
    )
  }
  return async function* () {
    let isHeader = first.hasHeader
    for await (const record of csvRecords(source, first)) {
      if (!isHeader) yield record[at]!
      isHeader = false
    }
  }
}

/** Empty lines at the end of the file are no labels. */
const lineRead = (source: Source): Read =>
  async function* () {
    const decoder = new TextDecoder()
    let rest = ''
    let empty = 0
    const lines = function* (text: string): Generator<string> {
      for (const line of text.split('\n')) {
        if (line.trim() === '') {
          empty++
          continue
        }
        for (; empty > 0; empty--) yield ''
        yield line.trim()
      }
    }
    for await (const chunk of source.stream()) {
      const text = rest + decoder.decode(chunk, { stream: true })
      const cut = text.lastIndexOf('\n')
      rest = text.slice(cut + 1)
      if (cut >= 0) yield* lines(text.slice(0, cut))
    }
    yield* lines(rest + decoder.decode())
  }
