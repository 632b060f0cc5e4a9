/** All losses, by name too. */

import { absoluteError, huber } from './absolute.js'
import { binaryCrossEntropy, hinge } from './binary-cross-entropy.js'
import { crossEntropy } from './cross-entropy.js'
import { cosineLoss, kullbackLeibler, softCrossEntropy } from './distribution.js'
import { givenLoss } from './given.js'
import type { Loss } from './loss.js'
import { squaredError } from './squared.js'

export {
  absoluteError,
  binaryCrossEntropy,
  cosineLoss,
  crossEntropy,
  givenLoss,
  hinge,
  huber,
  kullbackLeibler,
  softCrossEntropy,
  squaredError,
}

export const LOSSES = {
  'cross-entropy': () => crossEntropy(),
  'soft-cross-entropy': softCrossEntropy,
  'binary-cross-entropy': binaryCrossEntropy,
  squared: squaredError,
  absolute: absoluteError,
  huber: () => huber(),
  hinge,
  'kullback-leibler': () => kullbackLeibler(),
  cosine: cosineLoss,
  given: givenLoss,
} as const satisfies Readonly<Record<string, () => Loss>>
