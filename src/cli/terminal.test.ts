import { expect, test } from 'vitest'
import { editDistance, nearest } from '../util/nearest.js'
import { progressView, sparkline } from './progress.js'
import { table } from './table.js'
import { fitWidth, safe, styled, terminalOf, textWidth, wrap } from './terminal.js'

const plain = (columns: number) => ({ columns, colour: false })

test('what is piped is plain and unbounded; COLUMNS and NO_COLOR rule terminals', () => {
  expect(terminalOf({}, {})).toEqual({ columns: Number.POSITIVE_INFINITY, colour: false })
  expect(terminalOf({}, { COLUMNS: '80' })).toEqual({ columns: 80, colour: false })
  expect(terminalOf({ isTTY: true, columns: 120 }, {})).toEqual({ columns: 120, colour: true })
  expect(terminalOf({ isTTY: true, columns: 120 }, { NO_COLOR: '1' }).colour).toBe(false)
  expect(terminalOf({ isTTY: true, columns: 120 }, { TERM: 'dumb' }).colour).toBe(false)
  expect(styled({ columns: 80, colour: true }, 'bold', 'x')).toBe('\u001b[1mx\u001b[22m')
})

test('widths of wide, combining and plain characters', () => {
  expect([textWidth('abc'), textWidth('模型'), textWidth('e\u0301'), textWidth('👩‍👧'), textWidth('─')]).toEqual([
    3, 4, 1, 2, 1,
  ])
  expect(fitWidth('abcdefghij', 5)).toBe('ab…ij')
  expect(textWidth(fitWidth('模型模型模型', 7))).toBeLessThanOrEqual(7)
  expect(wrap('one two three', 9, '  ')).toBe('one two\n  three')
})

test('names cannot steer the terminal', () => {
  expect(safe('a\u001b[2Jb\rc\u202ed\u0007')).toBe('a\ufffd[2Jb\ufffdc\ufffdd\ufffd')
})

test('tables align, and shrink only where they may', () => {
  const columns = [
    { title: 'name', shrinkTo: 8 },
    { title: 'n', align: 'right' },
  ] as const
  const rows = [
    ['a_very_long_name_indeed', '1'],
    ['模型', '12345'],
  ]
  expect(table(columns, rows, plain(80))).toBe(
    'name                         n\na_very_long_name_indeed      1\n模型                     12345',
  )
  const narrow = table(columns, rows, plain(20)).split('\n')
  expect(Math.max(...narrow.map(textWidth))).toBeLessThanOrEqual(20)
  expect(narrow[1]).toMatch(/^a_very…indeed +1$/)
  expect(table(columns, [['x\ny', '1']], plain(80))).not.toContain('x\ny')
})

test('suggestions', () => {
  expect(editDistance('inspcet', 'inspect')).toBe(1)
  expect(nearest('quantise', ['inspect', 'quantize'])).toBe('quantize')
  expect(nearest('comp', ['compress', 'inspect'])).toBe('compress')
  expect(nearest('xyz', ['compress', 'inspect'])).toBeNull()
})

test('a curve is a row of bars', () => {
  expect(sparkline([3, 2, 1])).toBe('█▅▁')
  expect(sparkline([5, 5])).toBe('▁▁')
  expect(sparkline([])).toBe('')
  expect(
    sparkline(
      Array.from({ length: 100 }, (_, i) => i),
      4,
    ),
  ).toBe('▁▃▆█')
})

test('progress rewrites one line in a terminal and writes few plain lines elsewhere', () => {
  let time = 0
  const capture = (isTTY: boolean) => {
    const written: string[] = []
    time = 0
    const view = progressView({ isTTY, columns: 60, write: (t) => written.push(t) }, () => time)
    return { view, written }
  }
  const terminal = capture(true)
  for (time = 0; time <= 20_000; time += 10) terminal.view.show({ task: 'calibrating', done: time / 10, total: 4000 })
  const last = terminal.written.at(-1)!
  expect(last).toMatch(/^\r.\[2K━+─+ +\d+% {2}calibrating {2}0:2\d left$/)
  expect(terminal.written.length).toBeLessThan(20_000 / 75)
  terminal.view.clear()
  expect(terminal.written.at(-1)).toBe('\r\u001b[2K')

  const piped = capture(false)
  for (time = 0; time <= 20_000; time += 10) piped.view.show({ task: 'calibrating', done: time / 10, total: 4000 })
  expect(piped.written.length).toBeLessThanOrEqual(3)
  expect(piped.written.join('')).not.toContain('\u001b')

  const brief = capture(true)
  brief.view.show({ task: 'reading', done: 0 })
  time = 100
  brief.view.show({ task: 'reading', done: 1, total: 1 })
  brief.view.clear()
  expect(brief.written).toEqual([])
})
