/** Fresh names for values that a pass adds. */

import { allNames } from '../ir/graphs.js'
import { namer } from '../ir/names.js'
import type { Model } from '../ir/types.js'

/** Gives names that no graph of the model has yet, nor this function before; looks at the model when first called. */
export function freshNames(model: Model): (hint: string) => string {
  let fresh: ((hint: string) => string) | undefined
  return (hint) => {
    fresh ??= namer(allNames(model.graph))
    return fresh(hint)
  }
}
