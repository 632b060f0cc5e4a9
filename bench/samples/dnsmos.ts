/** Clips of 9.01 s for the speech-quality model: overlapping stretches, quieter copies and copies with white noise. */

import type { Sample } from '../../src/data/samples.js'
import { f32 } from '../../src/ir/tensor.js'
import { random } from '../../src/util/random.js'
import { clips, recording, SAMPLE_RATE } from './speech.js'
import { type ModelSamples, samplesOf } from './types.js'

const LENGTH = 144160

interface Excerpt {
  readonly seconds: number
  readonly gain?: number
  /** Signal-to-noise ratio of added white noise in dB; none where absent. */
  readonly snr?: number
}

const CALIBRATION: readonly Excerpt[] = [
  { seconds: 0 },
  { seconds: 9.5 },
  { seconds: 19 },
  { seconds: 28.5 },
  { seconds: 4.5, snr: 20 },
  { seconds: 14, snr: 5 },
  { seconds: 23.5, gain: 0.3 },
]
const HELDOUT: readonly Excerpt[] = [
  { seconds: 0 },
  { seconds: 12.5 },
  { seconds: 3, snr: 10 },
  { seconds: 8, snr: 0 },
  { seconds: 6, gain: 0.2 },
]

export const dnsmos: ModelSamples = {
  model: 'dnsmos-sig-bak-ovr',
  about: 'clips of 9.01 s: speech, quieter, with white noise added, and noisy speech; the last 22 s are held out',
  calibration: samplesOf('dnsmos calibration clips', CALIBRATION.length + 1, async function* () {
    yield* excerpts('calibration', CALIBRATION)
    yield { feeds: { input_1: f32([1, LENGTH], recording('noisy-16k').slice(0, LENGTH)) }, name: 'noisy-16k' }
  }),
  many: (count) => samplesOf('dnsmos clips, many', count, () => drawn(count)),
  heldout: samplesOf('dnsmos held-out clips', HELDOUT.length, async function* () {
    yield* excerpts('heldout', HELDOUT)
  }),
}

/** Clips from anywhere in the speech that calibrates, with a loudness and a noise that are drawn. */
async function* drawn(count: number): AsyncGenerator<Sample> {
  const generator = random(11)
  const seconds = clips('calibration')[0]!.audio.length / SAMPLE_RATE - LENGTH / SAMPLE_RATE
  const list = Array.from({ length: count }, (): Excerpt => {
    const gain = Math.exp(generator.uniform(Math.log(0.2), 0))
    return { seconds: generator.uniform(0, seconds), gain, snr: generator.uniform(0, 40) }
  })
  yield* excerpts('calibration', list)
}

function* excerpts(part: 'calibration' | 'heldout', list: readonly Excerpt[]): Generator<Sample> {
  const speech = clips(part)[0]!
  for (const [i, { seconds, gain = 1, snr }] of list.entries()) {
    const start = Math.round(seconds * SAMPLE_RATE)
    const audio = speech.audio.slice(start, start + LENGTH).map((x) => x * gain)
    if (snr !== undefined) addNoise(audio, snr, i)
    const change = `${gain === 1 ? '' : `, gain ${gain}`}${snr === undefined ? '' : `, white noise at ${snr} dB`}`
    yield { feeds: { input_1: f32([1, LENGTH], audio) }, name: `${speech.name} ${part} + ${seconds} s${change}` }
  }
}

/** Adds white noise in place so that 10 log10(signal power / noise power) is `snr`. */
function addNoise(audio: Float32Array, snr: number, seed: number): void {
  const power = audio.reduce((sum, x) => sum + x * x, 0) / audio.length
  const deviation = Math.sqrt(power / 10 ** (snr / 10))
  const noise = random(seed)
  for (let i = 0; i < audio.length; i++) audio[i] = audio[i]! + noise.normal(0, deviation)
}
