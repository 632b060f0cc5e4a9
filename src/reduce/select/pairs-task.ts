/** The pairs that a thread measures beside others. */

import { measuring, type PairsInput } from './pairs.js'
import { type Done, type Turns, taken } from './share-out.js'

export const run = (input: PairsInput & Turns): readonly Done<number>[] => [...taken(input, measuring(input))]
