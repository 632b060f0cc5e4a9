/** All penalties, by name too. */

import { elasticNet } from './elastic-net.js'
import { groupLasso } from './group-lasso.js'
import { l1 } from './l1.js'
import { l2 } from './l2.js'
import { mcp } from './mcp.js'
import type { Penalty } from './penalty.js'
import { scad } from './scad.js'

export { elasticNet, groupLasso, l1, l2, mcp, scad }

export const PENALTIES = {
  l1: (lambda: number) => l1(lambda),
  l2,
  'elastic-net': (lambda: number) => elasticNet(lambda),
  'group-lasso': groupLasso,
  mcp: (lambda: number) => mcp(lambda),
  scad: (lambda: number) => scad(lambda),
} as const satisfies Readonly<Record<string, (lambda: number) => Penalty>>
