/** What every report keeps to. */

import { expect } from 'vitest'

/** Opening and closing tags pair up, and attributes are quoted: enough for a browser and an XML reader to agree. */
export function unbalanced(page: string): readonly string[] {
  const open: string[] = []
  const wrong: string[] = []
  const body = page.replace(/<style>[\s\S]*?<\/style>/, '').replace('<!doctype html>', '')
  for (const [, close, name, , self] of body.matchAll(/<(\/?)([a-z0-9]+)((?:\s+[\w-]+="[^"<>]*")*)\s*(\/?)>/g)) {
    if (self === '/' || name === 'meta') continue
    if (close === '') open.push(name!)
    else if (open.pop() !== name) wrong.push(name!)
  }
  const leftover = body.replace(/<\/?[a-z0-9]+(?:\s+[\w-]+="[^"<>]*")*\s*\/?>/g, '')
  return [...open, ...wrong, ...(/[<>]/.test(leftover) ? ['stray bracket'] : [])]
}

/** One file without scripts or requests, no holes in its numbers, no id twice, every reference answered. */
export function expectWhole(page: string): void {
  expect(unbalanced(page)).toEqual([])
  expect(page).not.toMatch(/<script|<link|<iframe|\ssrc=|\shref=|url\(|@import|https?:/i)
  expect(page).not.toMatch(/NaN|undefined|\[object/)
  for (const [, d] of page.matchAll(/\s(?:x|y|x1|x2|y1|y2|cx|cy|d|width)="([^"]*)"/g)) expect(d).not.toMatch(/Inf|∞/)
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id!)
  expect(new Set(ids).size).toBe(ids.length)
  for (const [, refs] of page.matchAll(/aria-labelledby="([^"]*)"/g)) {
    for (const ref of refs!.split(' ')) expect(ids).toContain(ref)
  }
}

/** A drawing of a page, by its id. */
export function drawingOf(page: string, id: string): string {
  const at = page.indexOf(`id="${id}"`)
  expect(at).toBeGreaterThan(0)
  return page.slice(at, page.indexOf('</svg>', at))
}
