/** Names that nothing has yet. */

/** Gives a name that begins with a hint and is not among `used`, which only grows, and adds it there. */
export function namer(used: Set<string>): (hint: string) => string {
  /** By hint, the first number that may be free: graphs ask for thousands of names of one kind. */
  const next = new Map<string, number>()
  return (hint) => {
    let name = hint
    let i = next.get(hint) ?? 1
    for (; name === '' || used.has(name); i++) name = `${hint}_${i}`
    next.set(hint, i)
    used.add(name)
    return name
  }
}
