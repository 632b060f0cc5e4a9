/**
 * HTML and SVG text with escaping by default: what a template interpolates is escaped unless it is markup itself.
 * Names of models, nodes and files come from strangers.
 */

/** Text that is markup already. Only `html` and `join` make it. */
export interface Markup {
  readonly markup: string
}

type Part = Markup | readonly Markup[] | string | number | null | undefined | false

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Safe in element content and in quoted attributes. What XML forbids, lone halves of surrogate pairs included, and
 * the controls that reorder text become the replacement character.
 */
export function escapeText(text: string): string {
  return text
    .replace(/[&<>"']/g, (c) => ENTITIES[c]!)
    .replace(
      /[^\t\n\r\u0020-\u007e\u00a0-\u061b\u061d-\u200d\u2010-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu,
      '\ufffd',
    )
}

/** Markup from a template; null, undefined and false leave nothing. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const markup = literals.map((literal, i) => literal + (i < parts.length ? text(parts[i]) : '')).join('')
  return { markup }
}

function text(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (typeof part === 'number' || typeof part === 'string') return escapeText(String(part))
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('')
}
