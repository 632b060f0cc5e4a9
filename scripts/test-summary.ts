/**
 * Reads vitest's JSON result and prints `N passed, N failed`. Exits with 1 where a test failed, where a file could not
 * be run, or where no test ran at all.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface VitestResult {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
  readonly success: boolean
}

export function summarize(result: VitestResult): { readonly line: string; readonly ok: boolean } {
  const { numPassedTests: passed, numFailedTests, numFailedTestSuites: suites, success } = result
  // A file that fails to load has no failed test; it must show all the same.
  const failed = numFailedTests === 0 && (suites > 0 || !success) ? Math.max(1, suites) : numFailedTests
  return { line: `${passed} passed, ${failed} failed`, ok: failed === 0 && passed > 0 }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? 'vitest-result.json'
  const { line, ok } = summarize(JSON.parse(readFileSync(path, 'utf8')) as VitestResult)
  console.log(line)
  process.exitCode = ok ? 0 : 1
}
