/**
 * Makes constants of inputs that have a default. Older exporters list every weight as an input, and a weight that the
 * caller may replace can be neither folded nor quantized. What is lost is the right to replace it: pass lists that
 * must keep it leave this pass out.
 */

import type { Pass } from './pass.js'
import { unlistConstants, withoutDefaults } from './scope.js'

export const freezeDefaults: Pass = {
  name: 'freeze-defaults',
  run: async (model) => {
    const { graph, ...rest } = unlistConstants(model)
    const frozen = withoutDefaults(graph)
    return frozen === model.graph ? model : { ...rest, graph: frozen }
  },
}
