/** The report's style sheet: light and dark, wide and narrow, screen and paper. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #16191d; --soft: #59626e; --line: #dfe3e8; --grid: #eceff2;
  --good: #0b6bcb; --chosen: #0a7f5a; --over: #b4540a; --original: #16191d; --beyond: #b4540a14; --bar: #7fb2e5;
  --warn-paper: #fff7ea; --warn-line: #e5b567; --halo: #ffffff;
  --hue0: #0b6bcb; --hue1: #b4540a; --hue2: #7a3fb8; --hue3: #0a7f5a; --hue4: #bd2560; --hue5: #6b6a00; --minus: #e3a878;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --panel: #1d2125; --ink: #e8eaed; --soft: #a2abb5; --line: #343a41; --grid: #262b30;
    --good: #6cb4ff; --chosen: #46d19b; --over: #f0a052; --original: #e8eaed; --beyond: #f0a05218; --bar: #2f6299;
    --warn-paper: #2b2414; --warn-line: #7d6127; --halo: #14171a;
    --hue0: #6cb4ff; --hue1: #f0a052; --hue2: #c6a0ff; --hue3: #46d19b; --hue4: #ff8cb0; --hue5: #d3cf5e; --minus: #8a5a2b;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.15; letter-spacing: -0.015em; margin: 0.25rem 0 0.75rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 3rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 44rem; }
.eyebrow, .note, caption, dt, figcaption { color: var(--soft); font-size: 0.875rem; }
h1, p, figcaption { overflow-wrap: anywhere; }
.eyebrow { margin: 0; }
.verdict { font-size: 1.0625rem; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.8125rem; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.75rem 0; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.75rem; margin: 1.5rem 0 0; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 0.875rem 1rem; margin: 0; }
.card dt { margin: 0; }
.card dd { margin: 0; }
.card .big { font-size: 1.625rem; font-weight: 650; line-height: 1.25; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.card .change { display: inline-block; white-space: nowrap; font-variant-numeric: tabular-nums; }
.card .note { display: block; margin-top: 0.125rem; }

figure { margin: 1.5rem 0 0; min-width: 0; }
figcaption { margin-top: 0.5rem; max-width: 44rem; }
svg { display: block; width: 100%; height: auto; }
svg.symbol { display: inline-block; width: 14px; height: 14px; vertical-align: -2px; }
.narrow { display: none; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.5rem; }
@media (max-width: 780px) { .pair { grid-template-columns: 1fr; } .pair figure { max-width: 36rem; } }
@media (max-width: 560px) { main { padding: 1.5rem 1rem 3rem; } .wide { display: none; } .narrow { display: block; } .coefficients tbody th { min-width: 5.5rem; } .coefficients .track { min-width: 3.5rem; } }
@media print { .wide { display: block; } .narrow { display: none; } }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .axis { fill: var(--soft); }
svg .grid { stroke: var(--grid); }
svg .front { fill: none; stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 4 3; opacity: 0.75; }
svg .beyond { fill: var(--beyond); }
svg .limit { stroke: var(--over); stroke-width: 1.5; }
svg .limit-label { fill: var(--over); }
svg .interval { stroke-width: 1.5; opacity: 0.5; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .line.good { stroke: var(--good); } svg .line.chosen { fill: none; stroke: var(--chosen); stroke-dasharray: 6 3; }
svg .line.good { fill: none; }
svg .curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
svg .curve.dashed { stroke-dasharray: 6 3; }
svg .curve.rest { stroke: var(--soft); stroke-width: 1; opacity: 0.3; }
svg .curve.good { fill: none; stroke: var(--good); } svg .curve.chosen { fill: none; stroke: var(--chosen); stroke-width: 2.25; }
${[0, 1, 2, 3, 4, 5].map((i) => `svg .curve.hue${i} { stroke: var(--hue${i}); } svg .line.hue${i} { stroke: var(--hue${i}); } svg .dot.hue${i}, svg .point.hue${i}, svg .label.hue${i} { fill: var(--hue${i}); }`).join('\n')}
svg .faint { opacity: 0.45; }
svg .leader { fill: none; stroke: var(--soft); opacity: 0.6; }
svg .zero { stroke: var(--soft); opacity: 0.7; }
svg line.mark { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 1 4; stroke-linecap: round; }
svg line.mark.chosen { stroke: var(--chosen); stroke-width: 2; }
svg text.mark { fill: var(--soft); } svg text.mark.chosen { fill: var(--chosen); font-weight: 650; }
svg .dots { fill: none; stroke: var(--good); stroke-linecap: round; }
svg .dots.large { stroke-width: 6; opacity: 0.5; } svg .dots.small { stroke-width: 4; opacity: 0.35; }
svg .cell { fill: var(--good); }
${[0.26, 0.42, 0.6, 0.8, 1].map((opacity, i) => `svg .cell${i} { fill-opacity: ${opacity}; }`).join(' ')}
svg .reference { fill: none; stroke: var(--ink); stroke-width: 1.25; stroke-dasharray: 5 4; }
svg .trend { fill: none; stroke: var(--over); stroke-width: 2; stroke-linejoin: round; }
svg .label { paint-order: stroke; stroke: var(--halo); stroke-width: 3px; stroke-linejoin: round; }
svg .label.chosen { font-weight: 650; fill: var(--chosen); }
svg .label.original { font-weight: 650; }
svg .label.over { fill: var(--over); }
svg .good { fill: var(--good); } svg .interval.good { stroke: var(--good); }
svg .chosen { fill: var(--chosen); } svg .interval.chosen { stroke: var(--chosen); }
svg .ring { fill: none; stroke: var(--chosen); stroke-width: 2; }
svg .original { fill: var(--original); }
svg .label.good, svg .label.unknown { fill: var(--ink); }
svg .point.over { fill: none; stroke: var(--over); stroke-width: 2; } svg .interval.over { stroke: var(--over); }
svg .point.unknown { fill: var(--paper); stroke: var(--soft); stroke-width: 2; } svg .interval.unknown { stroke: var(--soft); }

.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; padding: 0; margin: 0.75rem 0 0.25rem; list-style: none; font-size: 0.875rem; color: var(--soft); }
.scroll { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.5rem; }
th, td { text-align: left; vertical-align: baseline; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { color: inherit; font-weight: 500; white-space: normal; min-width: 10rem; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
td.name { overflow-wrap: anywhere; min-width: 9rem; }
tr.chosen th, tr.chosen td { color: var(--chosen); font-weight: 650; }
tr.failed td, tr.failed th { color: var(--soft); }
.tag { display: inline-block; font-size: 0.75rem; font-weight: 500; border: 1px solid currentColor; border-radius: 99px; padding: 0 0.5rem; margin-left: 0.25rem; white-space: nowrap; color: var(--soft); }
.tag.chosen { color: var(--chosen); } .tag.over { color: var(--over); } .tag.front { color: var(--good); }
.track { min-width: 5rem; width: 22%; }
tbody th.mono { min-width: 15rem; }
.bar { display: block; height: 0.75rem; min-width: 1px; background: var(--bar); border-radius: 2px; }
.bar.minus { background: var(--minus); }
.scroll.tall { max-height: 36rem; overflow-y: auto; border: 1px solid var(--line); border-radius: 8px; padding: 0.5rem 0.75rem; }
.tall thead th { position: sticky; top: -0.5rem; background: var(--paper); }
.warnings { background: var(--warn-paper); border: 1px solid var(--warn-line); border-radius: 10px; padding: 0.75rem 1rem; margin: 1.25rem 0 0; }
.warnings h2 { font-size: 1rem; margin: 0; }
.warnings ul { margin: 0.25rem 0 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.25rem; margin: 0.75rem 0; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 0.5rem 0; } summary { cursor: pointer; color: var(--soft); font-size: 0.875rem; }
@media (max-width: 560px) { .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 0.5rem; } }
@media print {
  :root { color-scheme: light; } body { font-size: 11pt; } main { max-width: none; padding: 0; }
  .bar, .card, .warnings, pre, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, tr, .card { break-inside: avoid; } h2 { break-after: avoid; } .scroll, .scroll.tall { overflow: visible; max-height: none; }
}
`
