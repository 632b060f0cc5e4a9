/** Whether a page is well-formed. */

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
