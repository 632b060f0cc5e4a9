/** Steps of a long benchmark that are done once: each leaves a JSON file, and a run that was cut off goes on from there. */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What `make` gives, plain JSON, read from `<folder>/<step>.json` where that is there already. */
export async function memo<T>(folder: string, step: string, make: () => Promise<T>): Promise<T> {
  const known = recall<T>(folder, step)
  if (known !== null) return known
  const path = join(folder, `${step}.json`)
  const start = performance.now()
  console.error(`${folder}: ${step}`)
  const made = await make()
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, `${JSON.stringify(made)}\n`)
  renameSync(`${path}.tmp`, path)
  console.error(`${folder}: ${step}, ${((performance.now() - start) / 1000).toFixed(1)} s`)
  return made
}

/** What an earlier run left of a step, or null. */
export function recall<T>(folder: string, step: string): T | null {
  const path = join(folder, `${step}.json`)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : null
}
