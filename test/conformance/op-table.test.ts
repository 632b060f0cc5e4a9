import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OP_TABLE_PATH, opTable } from '../../scripts/op-table.js'

test('docs/ops.md is what the records say (npx tsx scripts/op-table.ts writes it)', () => {
  expect(readFileSync(OP_TABLE_PATH, 'utf8')).toBe(opTable())
})
