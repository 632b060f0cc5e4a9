/** The test of a new user's installation has a command of its own: it takes minutes and needs the npm registry. */

import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['test/install/*.test.ts'] } })
