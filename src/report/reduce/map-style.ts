/** Style of the page of a map: beside the legend on wide screens, above it on narrow ones. */

export const MAP_STYLE = `
main { max-width: none; padding-left: clamp(0.75rem, 2vw, 2.5rem); padding-right: clamp(0.75rem, 2vw, 2.5rem); }
main > header { max-width: max(60rem, 150vh); margin: 0 auto; }
main > section { max-width: 60rem; margin-left: auto; margin-right: auto; }
main { padding-top: 1rem; }
h1 { font-size: clamp(1.2rem, 3vw, 1.6rem); margin: 0; }
.map { display: grid; grid-template-columns: minmax(0, 1fr) minmax(13rem, 17rem); gap: 0.75rem 1.25rem; margin: 0.75rem auto 0; max-width: max(60rem, 150vh); }
.map-tools { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0.5rem; }
.map-group { display: flex; }
.map-group button + button { border-left-width: 0; border-top-left-radius: 0; border-bottom-left-radius: 0; }
.map-group button:not(:last-child) { border-top-right-radius: 0; border-bottom-right-radius: 0; }
.map button, .map select { font: inherit; font-size: 0.875rem; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.35rem 0.7rem; min-height: 2.25rem; }
.map button { cursor: pointer; }
.map button:hover { border-color: var(--soft); }
.map button:disabled { opacity: 0.5; cursor: default; }
.map-tools button[aria-pressed="true"] { background: var(--good); color: var(--paper); border-color: var(--good); }
.map :focus-visible { outline: 2px solid var(--good); outline-offset: 2px; }
.map-stage { position: relative; height: clamp(20rem, 78vh, 120rem); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; touch-action: none; user-select: none; -webkit-user-select: none; cursor: grab; }
.map-stage:active { cursor: grabbing; }
.map-stage[data-tool="lasso"], .map-stage[data-tool="rectangle"] { cursor: crosshair; }
.map-stage canvas, .map-stage svg { position: absolute; inset: 0; width: 100%; height: 100%; display: block; pointer-events: none; }
#map-outline { fill: var(--good); fill-opacity: 0.12; stroke: var(--good); stroke-width: 1.5; }
#map-ring { fill: none; stroke: var(--ink); stroke-width: 2; }
#map-ring[hidden] { display: none; }
.map-tip { position: absolute; pointer-events: none; background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 0.4rem 0.6rem; font-size: 0.8125rem; line-height: 1.35; max-width: min(18rem, 70%); overflow-wrap: anywhere; box-shadow: 0 2px 8px #0003; font-variant-numeric: tabular-nums; }
.map-tip .map-row { font-weight: 650; }
.map-key { color: var(--soft); margin-right: 0.5em; }
.map-side { min-width: 0; font-size: 0.875rem; }
.map-side h2 { font-size: 1rem; margin: 0 0 0.5rem; }
.map-side h2:not(:first-of-type) { margin-top: 1.5rem; }
.map-side select { width: 100%; margin-bottom: 0.5rem; }
.map-legend { max-height: 46vh; overflow-y: auto; }
.map-side .map-class { display: flex; align-items: center; gap: 0.5rem; width: 100%; text-align: left; background: none; border-color: transparent; padding: 0.15rem 0.4rem; min-height: 1.75rem; }
.map-class[aria-pressed="false"] { opacity: 0.45; text-decoration: line-through; }
.map-swatch { flex: none; width: 0.8rem; height: 0.8rem; border-radius: 50%; }
.map-name { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.map-n { color: var(--soft); font-variant-numeric: tabular-nums; }
.map-scale { height: 0.9rem; border-radius: 4px; }
.map-ends { display: flex; justify-content: space-between; color: var(--soft); font-variant-numeric: tabular-nums; }
.map-buttons { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.5rem; }
.map-status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 860px) { .map { grid-template-columns: minmax(0, 1fr); } .map-stage { height: clamp(18rem, 64vh, 60rem); } .map-legend { max-height: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); } .map-legend > div { grid-column: 1 / -1; } }
@media (pointer: coarse) { .map-side .map-class { min-height: 2.5rem; } }
@media print { .map-tools, .map-buttons { display: none; } }
`
