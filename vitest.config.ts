import { defineConfig } from 'vitest/config'

/** Tests that replace modules, or leave a process that others trip over: each file in a process of its own. */
const APART = [
  'src/**/web.test.ts',
  'src/engine/node/process.test.ts',
  'src/report/reduce/map-page.test.ts',
  'src/search/**/*.test.ts',
]

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts'],
    testTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: [...APART, 'test/install/**'],
          isolate: false,
        },
      },
      { extends: true, test: { name: 'apart', include: APART } },
    ],
  },
})
