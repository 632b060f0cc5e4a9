/** Fresh names for values that a pass adds. */

import { allNames } from '../ir/graphs.js'
import type { Model } from '../ir/types.js'

/** Gives names that no graph of the model has yet, nor this function before; looks at the model when first called. */
export function freshNames(model: Model): (hint: string) => string {
  let used: Set<string> | undefined
  return (hint) => {
    used ??= allNames(model.graph)
    let name = hint
    for (let i = 1; name === '' || used.has(name); i++) name = `${hint}_${i}`
    used.add(name)
    return name
  }
}
