import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeText, html } from './html.js'

test('interpolated text is escaped, markup is not, absent parts vanish', () => {
  const evil = '</script><img src=x onerror="alert(1)">'
  expect(html`<p title="${evil}">${html`<b>${evil}</b>`}${null}${false}${undefined}${0}</p>`.markup).toBe(
    '<p title="&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;"><b>&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;</b>0</p>',
  )
})

test('controls, lone surrogates and reordering marks are replaced, letters of any script stay', () => {
  expect(escapeText('a\u0000b\u202ec\ud800d\uffff')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd')
  for (const mark of '\u061c\u200e\u200f\u202a\u202d\u2066\u2069') expect(escapeText(mark)).toBe('\ufffd')
  expect(escapeText('؛ ؝')).toBe('؛ ؝')
  expect(escapeText('Größe 模型 😀\n')).toBe('Größe 模型 😀\n')
})

test('no text can open a tag or leave an attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escapeText(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/)
    }),
  )
})
