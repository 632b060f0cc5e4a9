/**
 * Bytes of real files for the file-type model: files of the installed packages (pinned by package-lock.json) and of the
 * data folder, spread over many extensions. A package's files all go to one side, so near copies do not straddle it.
 */

import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import type { Sample } from '../../src/data/samples.js'
import { tensor } from '../../src/ir/tensor.js'
import { repositoryRoot } from '../../test/data.js'
import { type ModelSamples, requiredPath, samplesOf } from './types.js'

const BEGIN = 1024
const END = 1024
const BLOCK = 4096
const PADDING = 256
const FILES_PER_EXTENSION = 12
type Side = 'calibration' | 'heldout'
const COUNT = { calibration: 100, heldout: 120 }

export const magika: ModelSamples = {
  model: 'magika-v3.3',
  about: 'the first and last 1024 bytes of files of many types; packages whose files calibrate are not held out',
  calibration: part('calibration'),
  many: (count) => part('calibration', { count, each: count }),
  heldout: part('heldout'),
}

interface Amount {
  readonly count: number
  /** Files of one extension, at most. */
  readonly each: number
}

function part(which: Side, amount: Amount = { count: COUNT[which], each: FILES_PER_EXTENSION }) {
  return samplesOf(`magika ${which} files`, null, async function* (): AsyncGenerator<Sample> {
    for (const path of chosen(which, amount)) {
      yield { feeds: { bytes: tensor('int32', [1, 2048], features(path)) }, name: relative(repositoryRoot, path) }
    }
  })
}

/**
 * The model's input: the first block without leading white space, cut or padded behind to 1024 values, then the last
 * block without trailing white space, cut or padded in front to 1024.
 */
function features(path: string): Int32Array {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const length = Math.min(BLOCK, size)
    const first = new Uint8Array(length)
    const last = new Uint8Array(length)
    readSync(file, first, 0, length, 0)
    readSync(file, last, 0, length, size - length)
    let start = 0
    while (start < length && isSpace(first[start]!)) start++
    let stop = length
    while (stop > 0 && isSpace(last[stop - 1]!)) stop--
    const out = new Int32Array(BEGIN + END).fill(PADDING)
    out.set(first.subarray(start, start + BEGIN))
    const tail = last.subarray(Math.max(0, stop - END), stop)
    out.set(tail, BEGIN + END - tail.length)
    return out
  } finally {
    closeSync(file)
  }
}

const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13)

/** A round robin over extensions, so that rare types come as often as common ones, until the set is full. */
function chosen(which: Side, { count, each }: Amount): string[] {
  const byExtension = new Map<string, string[]>()
  for (const path of candidates()) {
    if (sideOf(path) !== which) continue
    const extension = extname(path).toLowerCase()
    const list = byExtension.get(extension) ?? []
    byExtension.set(extension, [...list, path])
  }
  const spread = [...byExtension.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, paths]) => {
      const step = Math.max(1, Math.floor(paths.length / each))
      return paths.filter((_, i) => i % step === 0).slice(0, each)
    })
  const rounds = Array.from({ length: each }, (_, i) => spread.flatMap((paths) => paths.slice(i, i + 1)))
  return rounds.flat().slice(0, count)
}

function candidates(): string[] {
  const data = requiredPath('README.md').slice(0, -'/README.md'.length)
  return [...files(join(repositoryRoot, 'node_modules')), ...files(data)]
}

/** Files with an extension, sorted; hidden folders, where tools keep their caches, are left out. */
function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) !== '')
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !relative(folder, path)
          .split(sep)
          .some((part) => part.startsWith('.')),
    )
    .sort((a, b) => (a < b ? -1 : 1))
}

/** The side of the package (or, in the data folder, of the file) by the parity of a hash of its name. */
function sideOf(path: string): Side {
  const inside = path.split(`${sep}node_modules${sep}`).at(-1)!
  const parts = inside.split(sep)
  const isPackage = inside !== path
  const unit = isPackage ? parts.slice(0, parts[0]!.startsWith('@') ? 2 : 1).join('/') : parts.at(-1)!
  let hash = 0
  for (const char of unit) hash = (Math.imul(hash, 31) + char.codePointAt(0)!) | 0
  return ((hash ^ (hash >>> 16)) & 1) === 0 ? 'calibration' : 'heldout'
}
