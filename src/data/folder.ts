/** Which files of a folder are samples. Node only. */

import { PareError } from '../util/errors.js'
import { listFiles } from './files.js'
import { IMAGE_EXTENSIONS } from './images.js'

export interface FolderFiles {
  readonly kind: 'images' | 'wav' | 'raw'
  /** Relative to the folder, with `/`, in code-unit order. */
  readonly files: readonly string[]
}

const extensionOf = (file: string): string => file.slice(file.lastIndexOf('.') + 1).toLowerCase()

/**
 * The pictures or the WAV files below a folder; others beside them (notes, label files) are left out. With `kind` `raw`,
 * every file. Throws `FOLDER_EMPTY`, `FOLDER_MIXED`.
 */
export async function folderFiles(path: string, kind?: FolderFiles['kind']): Promise<FolderFiles> {
  const all = await listFiles(path)
  if (kind === 'raw' && all.length > 0) return { kind, files: all }
  const images = all.filter((file) => IMAGE_EXTENSIONS.includes(extensionOf(file)))
  const wavs = all.filter((file) => extensionOf(file) === 'wav')
  if (kind === undefined && images.length > 0 && wavs.length > 0) {
    throw new PareError('FOLDER_MIXED', 'the folder holds pictures and sounds', {
      where: path,
      value: `${images[0]}, ${wavs[0]}`,
      remedy: 'Say which kind is meant: --data-kind images or wav.',
    })
  }
  const chosen = kind ?? (wavs.length > 0 ? 'wav' : 'images')
  const files = chosen === 'wav' ? wavs : images
  if (files.length === 0) {
    throw new PareError('FOLDER_EMPTY', 'the folder holds no samples', {
      where: path,
      value: `${all.length} other files`,
      remedy: 'Give a folder of pictures or .wav files; with --data-kind raw, every file is taken as bytes.',
    })
  }
  return { kind: chosen, files }
}
