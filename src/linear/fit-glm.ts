/** From a table to a generalized linear model: columns encoded, a path fitted, a strength chosen, a graph. */

import type { Table } from '../data/columns.js'
import type { Model } from '../ir/types.js'
import type { RunOptions } from '../util/env.js'
import { glmCriteria, type InformationCriteria } from './criteria.js'
import type { Family } from './datafits/index.js'
import { type EncodeOptions, encode } from './encode.js'
import { leastOf, type Selection } from './fit.js'
import type { FoldOptions } from './folds.js'
import { type GlmCrossValidation, glmCrossValidate, type Measure } from './glm-cross-validate.js'
import { type GlmModel, type GlmOptions, type GlmPath, glmPath } from './glm-path.js'
import { cellsOf, targetColumn } from './target.js'
import { glmGraph } from './to-onnx.js'

export interface GlmFitOptions
  extends Omit<GlmOptions, 'family' | 'offset'>,
    FoldOptions,
    EncodeOptions,
    Omit<RunOptions, 'seed'> {
  readonly target: string
  /** Default: that of the target, see `familyOf`. */
  readonly family?: Family
  /** Default `cv`. */
  readonly select?: Selection
  /** What cross-validation counts. Default `deviance`. */
  readonly measure?: Measure
}

export interface GlmFit {
  readonly target: string
  readonly rows: number
  readonly names: readonly string[]
  readonly path: GlmPath
  /** Index into the path. */
  readonly chosen: number
  readonly glm: GlmModel
  readonly crossValidation: GlmCrossValidation | null
  readonly criteria: Omit<InformationCriteria, 'noise'> | null
  readonly model: Model
}

/** Numbers are `gaussian`, text of two levels `binomial`, of more `multinomial`. Throws `TABLE_COLUMN`, `TABLE_MISSING`. */
export function familyOf(table: Table, target: string): Family {
  const column = targetColumn(table, target)
  if (column.kind === 'number') return 'gaussian'
  return column.levels.length > 2 ? 'multinomial' : 'binomial'
}

/** Throws `TABLE_COLUMN`, `TABLE_MISSING`, `DESIGN_…`, `PATH_OPTION`, `FOLDS`, `RESPONSE`, `MEASURE`. */
export function fitGlm(table: Table, given: GlmFitOptions): GlmFit {
  const { select = 'cv', family = familyOf(table, given.target) } = given
  const options = { ...given, family }
  const target = targetColumn(table, given.target)
  const { x, features, names } = encode(
    table.columns.filter((c) => c !== target),
    table.rows,
    options,
  )
  const y = cellsOf(target)
  const crossValidation = select === 'cv' || select === 'cv-1se' ? glmCrossValidate(x, y, options) : null
  const path = crossValidation?.path ?? glmPath(x, y, options)
  const criteria = crossValidation ? null : glmCriteria(path, { count: table.rows })
  const chosen = {
    cv: () => crossValidation!.least,
    'cv-1se': () => crossValidation!.oneStandardError,
    aic: () => leastOf(criteria!.aic),
    bic: () => leastOf(criteria!.bic),
    ebic: () => leastOf(criteria!.ebic),
  }[select]()
  const glm = path.models[chosen]!
  for (const warning of path.warnings) options.onWarning?.(warning)
  return {
    target: target.name,
    rows: table.rows,
    names,
    path,
    chosen,
    glm,
    crossValidation,
    criteria,
    model: glmGraph(features, glm, path),
  }
}
