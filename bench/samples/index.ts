/** Real samples of the eleven models that the benchmarks measure. */

import { PareError } from '../../src/util/errors.js'
import { dnsmos } from './dnsmos.js'
import { openseeface, ultrafaceRfb, ultrafaceSlim, yunet } from './images.js'
import { magika } from './magika.js'
import { mnist } from './mnist.js'
import { policy } from './policy.js'
import type { ModelSamples } from './types.js'
import { dtln, gtcrn, silero } from './voice.js'

export type { ModelSamples } from './types.js'

export const MODEL_SAMPLES: readonly ModelSamples[] = [
  ultrafaceSlim,
  ultrafaceRfb,
  yunet,
  openseeface,
  dtln,
  gtcrn,
  silero,
  dnsmos,
  magika,
  mnist,
  policy,
]

/** The samples of a model, by its file name without `.onnx`. Throws `MODEL_UNKNOWN`. */
export function samplesFor(model: string): ModelSamples {
  const found = MODEL_SAMPLES.find((entry) => entry.model === model)
  if (found !== undefined) return found
  throw new PareError('MODEL_UNKNOWN', 'there are no samples for this model', {
    value: model,
    remedy: `Known: ${MODEL_SAMPLES.map((entry) => entry.model).join(', ')}.`,
  })
}
