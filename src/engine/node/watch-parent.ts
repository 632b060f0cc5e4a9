/**
 * Runs beside an engine in a process of its own: a run blocks that process's main thread, which then does not notice
 * that the process that started it is gone.
 */

const EVERY_MS = 500

const parent = process.ppid
setInterval(() => {
  if (process.ppid !== parent || !isRunning(parent)) process.kill(process.pid, 'SIGKILL')
}, EVERY_MS)

/** Where nobody adopts orphans their parent's number stays. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
