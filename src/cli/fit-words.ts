/** Models of `pare fit` in words, for the terminal and the report. */

import type { LinearFit } from '../linear/fit.js'
import type { GlmFit } from '../linear/fit-glm.js'
import type { ModelName } from './fit-options.js'

const WORDS: Readonly<Record<ModelName, string>> = {
  lasso: 'lasso',
  ridge: 'ridge',
  'elastic-net': 'elastic net',
  'adaptive-lasso': 'adaptive lasso',
  mcp: 'MCP regression',
  scad: 'SCAD regression',
  'group-lasso': 'group lasso',
}

/** `elastic net (0.5 lasso)`: with the share of the lasso where there is a choice of it. */
export function modelWords(model: ModelName, { l1Ratio, ratios }: LinearFit | GlmFit): string {
  const isShared = model === 'elastic-net' || ratios.length > 1 || (l1Ratio < 1 && model !== 'ridge')
  return isShared ? `${WORDS[model]} (${l1Ratio} lasso)` : WORDS[model]
}
