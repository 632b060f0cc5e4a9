/** Errors about a model in memory, which has no name there, get the path that the command line gave. */

import { PareError } from '../util/errors.js'

/** Codes that speak of the model that a command is given, of its first where it is given several. */
const OF_MODEL =
  /^(?:ENGINE_(?:FEEDS|LOAD|OUTPUTS|RUN)|SHAPE_(?:EFFORT|FIXED|NAME|RANK|SIZE)|SCORES_\w+|QUANTIZE_NOTHING)$/

/** `model, node If_0` becomes `net.onnx, node If_0`; any other error stays as it is. */
export function namingModel(error: unknown, path: string | undefined): unknown {
  if (!(error instanceof PareError) || path === undefined || !OF_MODEL.test(error.code)) return error
  const { where } = error.detail
  const place = where === undefined || where === 'model' ? path : placeIn(path, where)
  if (place === where) return error
  const named = new PareError(error.code, error.what, { ...error.detail, where: place })
  if (error.stack !== undefined) named.stack = error.stack
  return named
}

function placeIn(path: string, where: string): string {
  if (where.startsWith('model, ')) return `${path}${where.slice('model'.length)}`
  return /^(?:input|output) /.test(where) ? `${path}, ${where}` : where
}
