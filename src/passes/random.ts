/** Which nodes may give another answer the second time. */

import { intAttr } from '../ir/attrs.js'
import type { Node } from '../ir/types.js'
import { findOp } from '../ops/index.js'

/** True where two runs of a node on the same inputs may differ, or the node trains as it runs. */
export function isRandom(node: Node): boolean {
  if (node.op === 'Dropout') return node.domain !== '' || Boolean(node.inputs[2])
  if (node.op === 'BatchNormalization') return intAttr(node, 'training_mode', 0) !== 0
  return findOp(node.domain, node.op)?.random === true || /^(Random|Multinomial|Bernoulli)/.test(node.op)
}
