/** The columns that a thread prepares beside others. */

import { type PrepareInput, preparing } from './prepare.js'
import { type Done, type Turns, taken } from './share-out.js'
import type { Variable } from './variables.js'

export const run = (input: PrepareInput & Turns): readonly Done<Variable>[] => [...taken(input, preparing(input))]
