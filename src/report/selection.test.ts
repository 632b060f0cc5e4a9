import { expect, test } from 'vitest'
import { fitTableOf } from '../../test/fit-tables.js'
import { expectWhole } from '../../test/report/markup.js'
import { type SelectOptions, selectColumns } from '../reduce/select/table.js'
import { renderSelection } from './selection.js'

async function pageOf(options: Partial<SelectOptions>, rename = (name: string) => name) {
  const made = fitTableOf('price')
  const table = { ...made, columns: made.columns.map((column) => ({ ...column, name: rename(column.name) })) }
  const given = { method: 'mutual-information', target: rename('price'), missing: 'mean', ...options } as const
  const selection = await selectColumns(table, given)
  return { selection, page: renderSelection({ table: 'made.csv', selection, commandLine: 'pare select made.csv' }) }
}

const rowsOf = (page: string): readonly string[] =>
  [...page.matchAll(/<tr><th scope="row">([^<]*)/g)].map(([, name]) => name!)

test.each(['mutual-information', 'mrmr', 'lasso', 'correlation', 'variance'] as const)(
  '%s: all columns, the best first, and which are kept',
  async (method) => {
    const { selection, page } = await pageOf({ method, keep: 2 })
    expectWhole(page)
    expect(rowsOf(page)).toEqual(selection.order.map((j) => selection.names[j]))
    expect([...page.matchAll(/<td>kept<\/td>/g)]).toHaveLength(2)
    expect(/<h1>([^<]*)/.exec(page)![1]).toBe('2 of 6 columns kept for price')
    expect(page).toContain('pare select made.csv')
    expect(page.includes('Redundancy')).toBe(method === 'mrmr')
  },
)

test('a column that was passed over says for which', async () => {
  const { page } = await pageOf({ method: 'spearman', maxCorrelation: 0.8, keep: 0.9 })
  expectWhole(page)
  expect(page).toMatch(/passed over for (size|twin)/)
})

test('names are text', async () => {
  const { page } = await pageOf({ method: 'mrmr' }, (name) => `<b>&"${name}`)
  expectWhole(page)
  expect(page).toContain('&lt;b&gt;&amp;&quot;price')
})
