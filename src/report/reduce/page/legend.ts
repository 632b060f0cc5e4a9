/** The legend in the page: classes that are switched on and off, or the scale. */

import { significant } from '../../../util/format.js'
import type { Grouping } from '../colours.js'

/** Fills `place`; `toggle` is told of a group that was clicked, `only` of one that is to stand alone. */
export function showLegend(
  place: HTMLElement,
  { kind, groups, ends }: Grouping,
  colours: readonly string[],
  isHidden: readonly boolean[],
  on: { toggle(group: number): void; only(group: number): void },
): void {
  if (kind === 'none') place.replaceChildren()
  else if (kind === 'scale') place.replaceChildren(scale(colours, groups.at(-1)!.count, ends!))
  else place.replaceChildren(...classes(groups, colours, isHidden, on))
}

const classes = (
  groups: Grouping['groups'],
  colours: readonly string[],
  isHidden: readonly boolean[],
  on: { toggle(group: number): void; only(group: number): void },
): readonly HTMLElement[] =>
  groups.map(({ name, count }, group) => {
    const button = element(
      'button',
      'map-class',
      swatch(colours[group]!),
      text('map-name', name),
      text('map-n', number(count)),
    )
    button.type = 'button'
    button.title = 'Click: show or hide. Double click: this one alone.'
    button.setAttribute('aria-pressed', String(!isHidden[group]))
    button.addEventListener('click', () => on.toggle(group))
    button.addEventListener('dblclick', () => on.only(group))
    return button
  })

function scale(colours: readonly string[], missing: number, [low, high]: readonly [number, number]): HTMLElement {
  const steps = colours.slice(0, -1)
  const bar = element('div', 'map-scale')
  bar.style.background = `linear-gradient(to right, ${steps.join(', ')})`
  const ends = element(
    'div',
    'map-ends',
    text('', `≤ ${significant(low, 4)}`),
    text('', significant((low + high) / 2, 4)),
    text('', `≥ ${significant(high, 4)}`),
  )
  return element(
    'div',
    '',
    bar,
    ends,
    ...(missing > 0 ? [text('map-n', `${number(missing)} without a value are grey`)] : []),
  )
}

function swatch(colour: string): HTMLElement {
  const span = element('span', 'map-swatch')
  span.style.background = colour
  return span
}

export const number = (n: number): string => n.toLocaleString('en')

export function text(className: string, content: string): HTMLElement {
  const span = element('span', className)
  span.textContent = content
  return span
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: readonly Node[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}
