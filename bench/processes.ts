/** Programs as a user starts them: in a process of their own, with its time and the most memory it took. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The built program: `npm run build` makes it. */
export const PROGRAM = `${ROOT}dist/cli/main.js`

export interface Ran {
  readonly stdout: string
  /** From the start of the process to its end. */
  readonly seconds: number
  /** Most resident memory in bytes, looked at every 10 ms; null where there is no /proc. */
  readonly peakBytes: number | null
}

/** Runs to the end, with variables added to the environment; throws where the process fails. */
export async function run(
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const begin = performance.now()
  const env = { ...process.env, ...variables }
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
  })
  let peakBytes: number | null = null
  const watch = setInterval(() => {
    peakBytes = peakOf(child.pid!) ?? peakBytes
  }, 10)
  const ended = new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done))
  const status = await ended.finally(() => clearInterval(watch))
  const seconds = (performance.now() - begin) / 1000
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2000)}`)
  return { stdout, seconds, peakBytes }
}

/** The kernel's own mark of the largest size. */
function peakOf(pid: number): number | null {
  try {
    const mark = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return mark === undefined ? null : 1024 * Number(mark)
  } catch {
    return null
  }
}

/** Runs JavaScript against the built package in a process of its own. `flags`: of Node. */
export const runScript = (script: string, args: readonly string[], flags: readonly string[] = []): Promise<Ran> =>
  run(process.execPath, [...flags, '--input-type=module', '--eval', script, ...args])

export const megabytes = (bytes: number | null): string => (bytes === null ? 'unknown' : (bytes / 2 ** 20).toFixed(0))
