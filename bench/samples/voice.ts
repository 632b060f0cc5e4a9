/**
 * Frame-by-frame samples for the streaming speech models. Each model's own state is carried over every frame of a
 * recording by running the original; every n-th frame, with the state that precedes it, becomes a sample.
 */

import type { Sample } from '../../src/data/samples.js'
import { take } from '../../src/data/split.js'
import type { Feeds } from '../../src/engine/engine.js'
import { elementCount, f32, floats, i64 } from '../../src/ir/tensor.js'
import type { Tensor } from '../../src/ir/types.js'
import { type Random, random } from '../../src/util/random.js'
import { original } from './original.js'
import { type Clip, clips, SAMPLE_RATE, spectra } from './speech.js'
import { type ModelSamples, samplesOf } from './types.js'

interface Streaming {
  readonly model: string
  /** Every frame of a clip, in order. */
  readonly frames: (audio: Float32Array) => Iterable<Feeds>
  /** State inputs: the shape of the first (zeros) and the output that holds the next. */
  readonly state: Readonly<Record<string, { readonly shape: readonly number[]; readonly next: string }>>
  /** One of so many frames is kept: for calibration, held out. */
  readonly every: readonly [number, number]
}

/** Frames of a stretch. */
const TOGETHER = 25

const ABOUT =
  'clean and noisy speech, frame by frame with state carried by the original; the end of each recording is held out'

export const dtln = streamingSamples({
  model: 'dtln-1',
  frames: function* (audio) {
    for (const { real, imaginary } of spectra(audio, new Float64Array(512).fill(1), 128)) {
      const magnitude = real.map((re, k) => Math.hypot(re, imaginary[k]!))
      yield { input_2: f32([1, 1, 257], magnitude) }
    }
  },
  state: { input_3: { shape: [1, 2, 128, 2], next: 'tf_op_layer_stack_2' } },
  every: [28, 15],
})

export const gtcrn = streamingSamples({
  model: 'gtcrn',
  frames: function* (audio) {
    // The square root of a periodic Hann window: sqrt(0.5 - 0.5 cos(2 pi n / N)) = sin(pi n / N).
    const window = Float64Array.from({ length: 512 }, (_, n) => Math.sin((Math.PI * n) / 512))
    for (const { real, imaginary } of spectra(audio, window, 256)) {
      const mix = Float32Array.from({ length: 514 }, (_, i) => (i % 2 === 0 ? real : imaginary)[i >> 1]!)
      yield { mix: f32([1, 257, 1, 2], mix) }
    }
  },
  state: {
    conv_cache: { shape: [2, 1, 16, 16, 33], next: 'conv_cache_out' },
    tra_cache: { shape: [2, 3, 1, 1, 16], next: 'tra_cache_out' },
    inter_cache: { shape: [2, 1, 33, 16], next: 'inter_cache_out' },
  },
  every: [28, 15],
})

export const silero = streamingSamples({
  model: 'silero-vad',
  frames: function* (audio) {
    // 512 new samples behind the last 64 of the chunk before.
    const padded = new Float32Array(64 + audio.length)
    padded.set(audio, 64)
    for (let start = 0; start + 576 <= padded.length; start += 512) {
      yield { input: f32([1, 576], padded.slice(start, start + 576)), sr: i64([], [SAMPLE_RATE]) }
    }
  },
  state: { state: { shape: [2, 1, 128], next: 'stateN' } },
  every: [13, 5],
})

function streamingSamples(source: Streaming): ModelSamples {
  const part = (which: 'calibration' | 'heldout', every: number) =>
    samplesOf(`${source.model} ${which} frames`, null, async function* () {
      for (const clip of clips(which)) yield* carried(source, clip, every)
    })
  /**
   * Every second frame as it is, followed by the same with each value jittered, which speaks of more than recordings do.
   * Frames near each other stay together where samples are split.
   */
  const many = (count: number) =>
    samplesOf(`${source.model} frames, as they are and jittered`, count, async function* () {
      const frames: Sample[] = []
      for await (const sample of take(part('calibration', 2), count).read()) frames.push(sample)
      const generator = random(7)
      for (let i = 0; i < count; i++) {
        const at = Math.floor((i * frames.length) / count)
        const isFirst = i === 0 || at !== Math.floor(((i - 1) * frames.length) / count)
        const frame = isFirst ? frames[at]! : jittered(frames[at]!, generator, `jittered ${i}`)
        yield { ...frame, sequence: `stretch ${Math.floor(at / TOGETHER)}` }
      }
    })
  return {
    model: source.model,
    about: ABOUT,
    calibration: part('calibration', source.every[0]),
    many,
    heldout: part('heldout', source.every[1]),
  }
}

async function* carried(source: Streaming, clip: Clip, every: number): AsyncGenerator<Sample> {
  const run = await original(source.model)
  const states = Object.entries(source.state)
  let state: Record<string, Tensor> = Object.fromEntries(
    states.map(([input, { shape }]) => [input, f32(shape, new Float32Array(elementCount(shape)))]),
  )
  let index = 0
  for (const frame of source.frames(clip.audio)) {
    const feeds = { ...frame, ...state }
    if (index % every === every - 1) yield { feeds, name: `${clip.name} frame ${index}` }
    const outputs = await run(feeds)
    state = Object.fromEntries(states.map(([input, { next }]) => [input, outputs[next]!]))
    index++
  }
}

/** Each float times a log-normal number. */
function jittered({ feeds }: Sample, { normal }: Random, name: string): Sample {
  const changed = Object.entries(feeds).map(([input, t]) => [
    input,
    t.dtype === 'float32'
      ? f32(
          t.shape,
          floats(t).map((v) => v * Math.exp(0.7 * normal())),
        )
      : t,
  ])
  return { feeds: Object.fromEntries(changed), name }
}
