import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sourceFiles } from '../../scripts/check-layers.js'
import { documentedErrors, errorPage, errorsIn } from '../../scripts/error-codes.js'
import { summarize } from '../../scripts/test-summary.js'
import { VERSION } from '../../src/util/version.js'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test('the version in the code is that of the package', () => {
  expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version)
})

test('docs/errors.md lists every error code of the source (npm run docs renews it)', () => {
  const page = read('docs/errors.md')
  const codes = [...new Set(errorsIn(sourceFiles(join(root, 'src'))).map(({ code }) => code))].sort()
  expect(codes.length).toBeGreaterThan(50)
  expect(documentedErrors(page)).toEqual(codes)
  expect(page).toBe(errorPage(errorsIn(sourceFiles(join(root, 'src')))))
})

test('a test run without tests, or with a file that does not load, has failed', () => {
  const result = { numPassedTests: 3, numFailedTests: 0, numFailedTestSuites: 0, success: true }
  expect(summarize(result)).toEqual({ line: '3 passed, 0 failed', ok: true })
  expect(summarize({ ...result, numPassedTests: 0 }).ok).toBe(false)
  expect(summarize({ ...result, numFailedTestSuites: 1, success: false })).toEqual({
    line: '3 passed, 1 failed',
    ok: false,
  })
  expect(summarize({ ...result, numFailedTests: 2, numFailedTestSuites: 1, success: false }).line).toBe(
    '3 passed, 2 failed',
  )
})
