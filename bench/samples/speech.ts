/**
 * The two speech recordings (16 kHz, mono) and their short-time spectra. A minute of clean speech and ten seconds of
 * noisy speech are each cut once: calibration reads what lies before the cut, held-out samples what lies after it.
 */

import { readFileSync } from 'node:fs'
import { PareError } from '../../src/util/errors.js'
import { requiredPath } from './types.js'

export const SAMPLE_RATE = 16000

/** A stretch of audio in [-1, 1) and what to call it. */
export interface Clip {
  readonly name: string
  readonly audio: Float32Array
}

/** Calibration: 38 s of speech and 6.5 s of noisy speech. Held out: the rest, 22 s and 3.3 s. */
export function clips(part: 'calibration' | 'heldout'): readonly Clip[] {
  return [cut('speech-16k', 38, part), cut('noisy-16k', 6.5, part)]
}

/** The whole of one recording: `speech-16k` or `noisy-16k`. */
export function recording(name: string): Float32Array {
  const bytes = readFileSync(requiredPath(`samples/speech/${name}.wav`))
  const at = bytes.indexOf('data', 12, 'latin1')
  const isExpected = at > 0 && bytes.readUInt16LE(22) === 1 && bytes.readUInt32LE(24) === SAMPLE_RATE
  if (!isExpected || bytes.readUInt16LE(34) !== 16) {
    throw new PareError('WAV_FORMAT', 'not 16-bit mono at 16 kHz', { where: name, remedy: 'Restore the data folder.' })
  }
  const count = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8) >> 1
  return Float32Array.from({ length: count }, (_, i) => bytes.readInt16LE(at + 8 + 2 * i) / 32768)
}

function cut(name: string, seconds: number, part: 'calibration' | 'heldout'): Clip {
  const audio = recording(name)
  const at = Math.round(seconds * SAMPLE_RATE)
  return { name, audio: part === 'calibration' ? audio.subarray(0, at) : audio.subarray(at) }
}

/** Real and imaginary parts of bins 0 … size/2 of X_k = sum_n w_n x_n exp(-2 pi i k n / size). */
export interface Spectrum {
  readonly real: Float32Array
  readonly imaginary: Float32Array
}

/** Spectra of frames of `window.length` samples every `hop` samples, in order, without padding. */
export function* spectra(audio: Float32Array, window: Float64Array, hop: number): Generator<Spectrum> {
  const size = window.length
  const bins = size / 2 + 1
  const cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size))
  const sin = Float64Array.from({ length: size }, (_, i) => Math.sin((2 * Math.PI * i) / size))
  for (let start = 0; start + size <= audio.length; start += hop) {
    const real = new Float32Array(bins)
    const imaginary = new Float32Array(bins)
    for (let k = 0; k < bins; k++) {
      let re = 0
      let im = 0
      for (let n = 0; n < size; n++) {
        const x = window[n]! * audio[start + n]!
        const phase = (k * n) & (size - 1)
        re += x * cos[phase]!
        im -= x * sin[phase]!
      }
      real[k] = re
      imaginary[k] = im
    }
    yield { real, imaginary }
  }
}
