/** All scores, by id. A new one is a file of its own and a line here. */

import { activation } from './activation.js'
import { bnScale } from './bn-scale.js'
import { entropy } from './entropy.js'
import { fisher } from './fisher.js'
import { geometricMedian } from './geometric-median.js'
import { l1 } from './l1.js'
import { l2 } from './l2.js'
import { mrmr } from './mrmr.js'
import { mutualInformation } from './mutual-information.js'
import { random } from './random.js'
import type { Score } from './score.js'
import { taylor } from './taylor.js'

export const SCORES: readonly Score[] = [
  l2,
  l1,
  bnScale,
  geometricMedian,
  taylor,
  fisher,
  activation,
  entropy,
  mutualInformation,
  mrmr,
  random,
]
