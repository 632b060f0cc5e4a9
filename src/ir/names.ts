/** Names that nothing has yet. */

/** Gives a name that begins with a hint and is not among `used`, and adds it there. */
export const namer =
  (used: Set<string>) =>
  (hint: string): string => {
    let name = hint
    for (let i = 1; name === '' || used.has(name); i++) name = `${hint}_${i}`
    used.add(name)
    return name
  }
