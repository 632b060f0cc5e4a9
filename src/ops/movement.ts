/** The family of ops that move elements: reshape, select, lay out anew, resize. */

import type { OpDef } from './def.js'
import { layouts } from './layout.js'
import { reshapes } from './reshape.js'
import { resizing } from './resize.js'
import { selections } from './select.js'

export const movement: readonly OpDef[] = [...reshapes, ...selections, ...layouts, ...resizing]
