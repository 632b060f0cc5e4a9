/** All passes, and the lists of them that commands run. */

import { compact } from './compact.js'
import { foldBatchNorm } from './fold-batch-norm.js'
import { foldConstants } from './fold-constants.js'
import { freezeDefaults } from './freeze-defaults.js'
import { fuseGemm } from './fuse-gemm.js'
import { inferShapesPass } from './infer-shapes.js'
import { mergeConstants } from './merge-constants.js'
import { mergeNodes } from './merge-nodes.js'
import type { Pass } from './pass.js'
import { removeDead } from './remove-dead.js'
import { removeNoOps } from './remove-no-ops.js'
import { unfuseConv } from './unfuse-conv.js'
import { upgradeOpset } from './upgrade-opset.js'

/** What `cleanModel` runs, in order. */
export const CLEANING: readonly Pass[] = [
  freezeDefaults,
  removeDead,
  foldConstants,
  removeNoOps,
  foldBatchNorm,
  mergeNodes,
  mergeConstants,
]

/** Every pass, by name. */
export const PASSES: ReadonlyMap<string, Pass> = new Map(
  [...CLEANING, compact, fuseGemm, inferShapesPass, unfuseConv, upgradeOpset()].map((pass) => [pass.name, pass]),
)
