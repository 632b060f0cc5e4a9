/** Repeating an edit, as one application can make room for another. */

/** What is left when an edit finds nothing more: it then returns the object that it was given. */
export function settle<T>(start: T, edit: (current: T) => T): T {
  let current = start
  for (;;) {
    const next = edit(current)
    if (next === current) return current
    current = next
  }
}
