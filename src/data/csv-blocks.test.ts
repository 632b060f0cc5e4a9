/** CSV from bytes: the records of another reader, and the numbers of JavaScript, whatever the pieces that bytes come in. */

import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvInPieces } from '../../test/pieces.js'
import { csvRecords } from './csv.js'
import { cellNumber, csvBlocks } from './csv-blocks.js'
import type { Source } from './source.js'
import { parseNumber } from './table.js'

async function records(text: string, delimiter: string, size: number): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = []
  for await (const record of csvRecords(csvInPieces(text, size), { delimiter, hasHeader: false })) found.push(record)
  return found
}

const cell = fc.string({
  unit: fc.constantFrom('a', '1', '.', ' ', '"', ',', ';', '\t', '\n', '\r\n', 'é', '漢', '-'),
  maxLength: 6,
})

const written = (text: string, delimiter: string, isQuoted: boolean): string =>
  isQuoted || /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text

const table = fc.record({
  width: fc.integer({ min: 1, max: 4 }),
  cells: fc.array(fc.tuple(cell, fc.boolean()), { maxLength: 24 }),
  delimiter: fc.constantFrom(',', ';', '\t'),
  line: fc.constantFrom('\n', '\r\n', '\r'),
  endsOpen: fc.boolean(),
  hasMark: fc.boolean(),
  size: fc.integer({ min: 1, max: 40 }),
})

test('records are those that csv-parse finds', async () => {
  await fc.assert(
    fc.asyncProperty(table, async ({ width, cells, delimiter, line, endsOpen, hasMark, size }) => {
      const rows = Array.from({ length: Math.floor(cells.length / width) }, (_, i) =>
        cells.slice(i * width, (i + 1) * width),
      )
      const lines = rows.map((row) => row.map(([text, quoted]) => written(text, delimiter, quoted)).join(delimiter))
      const text = `${hasMark ? '\ufeff' : ''}${lines.join(line)}${endsOpen ? '' : line}`
      const wanted = parse(text, { bom: true, skip_empty_lines: true, delimiter, record_delimiter: line })
      expect(await records(text, delimiter, size)).toEqual(wanted)
    }),
    { numRuns: 300 },
  )
})

test('numbers are those of JavaScript to the last bit', async () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 19 })
  const decimal = fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      digits,
      fc.constantFrom('', '.'),
      digits,
      fc.constantFrom('', 'e', 'E-', 'e+'),
      fc.nat(330),
    )
    .map(([sign, whole, point, part, e, power]) => `${sign}${whole}${point}${part}${e}${e === '' ? '' : power}`)
  const odd = fc.string({
    unit: fc.constantFrom('1', '0', '.', '-', '+', 'e', 'E', 'x', '_'),
    minLength: 1,
    maxLength: 7,
  })
  const text = fc.oneof(decimal, odd, fc.double().map(String)).filter((t) => t !== '')
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
      const found: number[] = []
      for await (const block of csvBlocks(csvInPieces(texts.join('\n'), 1000), ','))
        for (let i = 0; i < block.rows; i++) found.push(cellNumber(block, i))
      const isPlain = (t: string): boolean => !/n/i.test(t)
      expect(found).toEqual(texts.map((t) => (isPlain(t) ? (parseNumber(t) ?? Number.NaN) : Number.NaN)))
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['a row with too many cells', 'a,b\n1,2\n3,4,5\n', 't.csv, row 2'],
  ['a row with too few', 'a,b\n1\n', 't.csv, row 1'],
  ['a quote inside a cell', 'a,b\n1,x"y\n', 't.csv, row 1'],
  ['text after a quote', 'a,b\n1,"x"y\n', 't.csv, row 1'],
  ['an open quote', 'a,b\n1,2\n3,"x\n4,5\n', 't.csv, row 2'],
])('%s is an error that names the row', async (_, text, where) => {
  for (const size of [1, 5, 100]) {
    const read = async () => {
      for await (const block of csvBlocks(csvInPieces(text, size), ',', true)) void block
    }
    await expect(read()).rejects.toMatchObject({ code: 'CSV_FORMAT', detail: { where } })
  }
})

test.each([';;', 'é', '"', '\n', ''])('cells are not parted by %j', async (delimiter) => {
  await expect(csvBlocks(csvInPieces('a', 9), delimiter).next()).rejects.toMatchObject({ code: 'CSV_DELIMITER' })
})

const inBytes = (bytes: Uint8Array): Source => ({
  name: 't.csv',
  size: bytes.byteLength,
  slice: async (start, end) => bytes.subarray(start, end),
  async *stream() {
    for (let at = 0; at < bytes.byteLength; at += 7) yield bytes.subarray(at, at + 7)
  },
})

const read = async (bytes: Uint8Array): Promise<void> => {
  for await (const _ of csvBlocks(inBytes(bytes), ',', true));
}

test('text that is not UTF-8 is an error that names the row, as levels would become one', async () => {
  const table = 'name,y\nNürnberg,1\nKöln,2\n'
  await read(Buffer.from(table))
  await expect(read(Buffer.from(table, 'latin1'))).rejects.toMatchObject({
    code: 'CSV_ENCODING',
    message: expect.stringContaining('t.csv, row 1: the text is not in UTF-8 (got "N\ufffdrnberg")'),
  })
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(table, 'utf16le')])
  await expect(read(utf16)).rejects.toMatchObject({
    code: 'CSV_ENCODING',
    message: expect.stringContaining('(got "UTF-16")'),
  })
})
