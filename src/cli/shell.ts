/** Command lines as a shell takes them. */

/** `pare` with these arguments, quoted where a shell would read them otherwise. */
export function shellLine(args: readonly string[]): string {
  return ['pare', ...args].map(quoted).join(' ')
}

const quoted = (arg: string): string => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)
