/** A figure of a report: drawn twice, for wide and for narrow pages, with a caption. */

import { html, type Markup } from './html.js'

export interface Size {
  readonly name: 'wide' | 'narrow'
  readonly width: number
  readonly height: number
}

/** `heights`: in pixels, of the wide and of the narrow drawing. `width`: of the wide one. */
export function figure(
  [wide, narrow]: readonly [number, number],
  draw: (size: Size) => Markup,
  caption: string,
  width = 912,
): Markup {
  const sizes: readonly Size[] = [
    { name: 'wide', width, height: wide },
    { name: 'narrow', width: 360, height: narrow },
  ]
  return html`<figure>${sizes.map((size) => html`<div class="${size.name}">${draw(size)}</div>`)}<figcaption>${caption}</figcaption></figure>`
}
