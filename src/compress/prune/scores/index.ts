/** All scores, by id. A new one is a file of its own and a line here. */

import { l2 } from './l2.js'
import type { Score } from './score.js'

export const SCORES: readonly Score[] = [l2]
