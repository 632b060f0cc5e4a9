/** `pare fit` and `pare predict` of tables that are not held in memory, and of databases. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pare } from '../../../test/pare.js'

let folder: string
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pare-stream-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** y = 2a + 1, with an error of mean 0 that a says nothing of. */
const FEW = [-1, 1].flatMap((e) => [1, 2, 3, 4].map((a) => `${a},${2 * a + 1 + e}`))

test('more than 8 million cells are a stream: the report shows rows that were drawn', async () => {
  const rows = 2 ** 18 + 8
  const names = Array.from({ length: 30 }, (_, j) => `c${j}`)
  const zeros = ',0'.repeat(names.length)
  const block = FEW.map((row) => `${row}${zeros}\n`).join('')
  await writeFile(at('many.csv'), `a,y,${names}\n${block.repeat(rows / 8)}`)
  const args = ['fit', at('many.csv'), '--target', 'y', '--folds', '3', '-o', at('m.onnx'), '--report', at('m.html')]
  const { status, answer } = await pare(...args)
  expect(status).toBe(0)
  expect(answer.result.coefficients.a).toBeCloseTo(2, 2)
  expect(answer.result.meanSquaredError).toBeCloseTo(1, 2)
  expect(await readFile(at('m.html'), 'utf8')).toContain(`5000 rows, drawn from all ${rows}`)
}, 60_000)

test('a table of a database; predictions of one too', async () => {
  const instance = await DuckDBInstance.create(at('t.duckdb'))
  const connection = await instance.connect()
  await connection.run('CREATE TABLE other AS SELECT 1 AS x; CREATE TABLE t (a DOUBLE, y DOUBLE)')
  await connection.run(`INSERT INTO t VALUES ${FEW.map((row) => `(${row})`).join(', ')}`)
  connection.closeSync()
  instance.closeSync()
  const fit = ['fit', at('t.duckdb'), '--target', 'y', '--folds', '2', '-o', at('t.onnx')]
  expect((await pare(...fit)).answer.error).toMatchObject({ code: 'TABLE_CHOICE' })
  expect(await pare(...fit, '--table', 't')).toMatchObject({ status: 0 })
  const query = 'SELECT a + 10 AS a FROM t ORDER BY a LIMIT 2'
  const predict = ['predict', at('t.onnx'), at('t.duckdb'), '--query', query, '-o', at('p.csv')]
  expect(await pare(...predict)).toMatchObject({ status: 0, answer: { result: { rows: 2 } } })
  const lines = (await readFile(at('p.csv'), 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(Number(lines[1])).toBeCloseTo(Number(lines[2]), 12)
})

test('predictions of many blocks are one a row, in order; a text among numbers is named with its row', async () => {
  await writeFile(at('few.csv'), ['a,y', ...FEW].join('\n'))
  await pare('fit', at('few.csv'), '--target', 'y', '--folds', '2', '-o', at('few.onnx'))
  const values = Array.from({ length: 30_000 }, (_, i) => i / 8)
  await writeFile(at('new.csv'), ['a', ...values].join('\n'))
  expect(await pare('predict', at('few.onnx'), at('new.csv'), '-o', at('p.csv'))).toMatchObject({ status: 0 })
  const [head, ...found] = (await readFile(at('p.csv'), 'utf8')).trim().split('\n')
  expect(head).toBe('prediction')
  const [first, second] = [Number(found[0]), Number(found[1])]
  for (const [i, v] of found.entries()) expect(Number(v)).toBeCloseTo(first + i * (second - first), 6)
  expect(found).toHaveLength(values.length)

  await writeFile(at('bad.csv'), ['a', ...values, 'oops'].join('\n'))
  const bad = await pare('predict', at('few.onnx'), at('bad.csv'), '-o', at('q.csv'))
  expect(bad.answer.error).toMatchObject({ code: 'TABLE_CELL', value: 'oops', where: 'bad.csv, row 30001, column a' })
})
