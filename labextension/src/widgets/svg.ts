// Small pictures: how values are spread, how two versions of them differ, what happened when, who used which version.
// Colours come from the style sheet, so that they follow the theme; shapes and patterns say the same without colour.
import { date, periods } from '../core/bars.ts';
import type { Period } from '../core/bars.ts';
import * as format from '../core/format.ts';
import { h, uniqueId } from './dom.ts';

/** Bars of a line in a table: more would be thinner than a pixel. */
const SPARKS = 100;
const SPACE = 'http://www.w3.org/2000/svg';
type Props = Record<string, string | number | null>;

/** Make an SVG element; strings only ever become text. */
export function s(tag: string, props: Props = {}, ...children: (Node | string | null)[]): SVGElement {
  const el = document.createElementNS(SPACE, tag);
  for (const [key, value] of Object.entries(props)) if (value !== null) el.setAttribute(key, String(value));
  el.append(...children.filter(child => child !== null));
  return el;
}

function picture(width: number, height: number, label: string, props: Props, ...children: (Node | string | null)[]): SVGElement {
  return s('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label, ...props }, ...children);
}

/** Bars from left to right as one path; whatever is there is at least a pixel high. */
function bars(shares: readonly number[], width: number, base: number, tall: number, down = false): string {
  const each = width / Math.max(1, shares.length);
  const bar = Math.max(0.75, each - 1);
  return shares.map((part, i) => (part > 0 ? `M${(i * each).toFixed(1)} ${base}v${((down ? 1 : -1) * Math.max(1, tall * part)).toFixed(1)}h${bar.toFixed(1)}V${base}z` : '')).join('');
}

const scaled = (shares: readonly number[], top: number): number[] => (top > 0 ? shares.map(part => part / top) : [...shares]);

/** How the values of a column are spread. */
export function histogram(shares: readonly number[], label: string): SVGElement {
  const top = Math.max(0, ...shares);
  return picture(116, 22, label, { class: 'ml-spark', width: 116, height: 22 }, s('path', { class: 'ml-base', d: 'M0 21.5H116' }), s('path', { class: 'ml-bars', d: bars(scaled(shares, top), 116, 21, 19) }));
}

/** The same of two versions: the old above the line, grey, the new below it. */
export function mirrored(old: readonly number[], fresh: readonly number[], label: string): SVGElement {
  const top = Math.max(0, ...old, ...fresh);
  return picture(116, 26, label, { class: 'ml-spark', width: 116, height: 26 },
    s('path', { class: 'ml-was', d: bars(scaled(old, top), 116, 12.5, 11.5) }),
    s('path', { class: 'ml-base', d: 'M0 13H116' }),
    s('path', { class: 'ml-bars', d: bars(scaled(fresh, top), 116, 13.5, 11.5, true) }),
  );
}

/** A share as a short bar beside its number. */
export function meter(part: number | null): HTMLElement | null {
  if (part === null || !(part > 0)) return null;
  const fill = h('span', { class: 'ml-meter-fill' });
  fill.style.width = `${Math.max(3, Math.min(100, part * 100))}%`;
  return h('span', { class: 'ml-meter', 'aria-hidden': 'true' }, fill);
}

/** Runs over time in one line, for a row of a table; `first` and `last` are days that all rows begin and end with. */
export function sparkline(days: readonly Period[], first: number, last: number): SVGElement {
  const { unit, bars: all } = periods([{ start: first, runs: 0, failed: 0 }, ...days, { start: last, runs: 0, failed: 0 }], 38);
  const shown = all.slice(-SPARKS);
  const total = shown.reduce((sum, bar) => sum + bar.runs, 0);
  const top = Math.max(1, ...shown.map(bar => bar.runs));
  const each = Math.min(14, 116 / shown.length);
  const path = shown.map((bar, i) => {
    const x = i * each;
    return bar.runs > 0 ? `M${x.toFixed(1)} 21v${(-Math.max(1.5, (19 * bar.runs) / top)).toFixed(1)}h${Math.max(0.8, each - 0.7).toFixed(1)}V21z` : '';
  }).join('');
  return picture(116, 22, `${format.count(total, 'run')} in the last ${format.count(shown.length, unit)}`, { class: 'ml-spark', width: 116, height: 22 }, s('path', { class: 'ml-base', d: 'M0 21.5H116' }), s('path', { class: 'ml-bars', d: path }));
}

/** A picture as wide as there is room: places along it are percent, so that letters and shapes keep their size. */
function wide(height: number, label: string, ...children: (Node | string | null)[]): SVGElement {
  return s('svg', { class: 'ml-time', width: '100%', height, role: 'img', 'aria-label': label }, ...children);
}

const percent = (part: number): string => `${(100 * part).toFixed(2)}%`;

/** Runs over time, those that did not come to their end hatched and on top; with words for who does not see it. */
export function activity(days: readonly Period[]): HTMLElement {
  const { unit, bars: all } = periods(days);
  if (all.length === 0) return h('p', { class: 'ml-quiet' }, 'No runs yet.');
  const [base, room] = [74, 68];
  const top = Math.max(1, ...all.map(bar => bar.runs));
  const slots = Math.max(all.length, 24);
  const hatch = uniqueId('hatch');
  const total = all.reduce((sum, bar) => sum + bar.runs, 0);
  const failed = all.reduce((sum, bar) => sum + bar.failed, 0);
  const busiest = all.reduce((most, bar) => (bar.runs > most.runs ? bar : most));
  const name = (bar: Period): string => (unit === 'day' ? date(bar.start) : unit === 'week' ? `week of ${date(bar.start)}` : date(bar.start).slice(0, 7));
  const drawn = all.flatMap((bar, i) => {
    if (bar.runs === 0) return [];
    const place = { x: percent((i + 0.08) / slots), width: percent(0.84 / slots) };
    const bad = Math.min(bar.failed, bar.runs);
    const [good, over] = [(room * (bar.runs - bad)) / top, (room * bad) / top];
    return [s('g', {},
      s('title', {}, `${name(bar)}: ${format.count(bar.runs, 'run')}${bad > 0 ? `, ${bad} failed, interrupted or stale` : ''}`),
      s('rect', { x: percent(i / slots), y: base - room - 4, width: percent(1 / slots), height: room + 4, fill: 'transparent' }),
      good > 0 ? s('rect', { class: 'ml-bars', ...place, y: (base - Math.max(1, good)).toFixed(1), height: Math.max(1, good).toFixed(1) }) : null,
      over > 0 ? s('rect', { class: 'ml-failed', ...place, y: (base - good - over).toFixed(1), height: Math.max(1.5, over).toFixed(1), fill: `url(#${hatch})` }) : null,
    )];
  });
  const few = all.length < slots / 2;
  const label = `Runs by ${unit} from ${date(all[0]!.start)} to ${date(all.at(-1)!.start)}: ${format.count(total, 'run')}, most ${name(busiest)} with ${busiest.runs}; ${failed} failed, interrupted or stale`;
  const said = (bar: Period): string => name(bar).replace('week of ', '');
  return h('figure', { class: 'ml-activity' },
    h('figcaption', {}, h('strong', {}, `Runs by ${unit}`), h('span', { class: 'ml-quiet' }, `most ${format.number(busiest.runs)} (${name(busiest)}), UTC`),
      failed > 0 ? h('span', { class: 'ml-key' }, swatch(''), 'finished or running', swatch(hatch), 'failed, interrupted or stale') : null),
    wide(96, label,
      s('defs', {}, s('pattern', { id: hatch, width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, s('rect', { class: 'ml-hatch', width: 5, height: 5 }), s('path', { class: 'ml-hatching', d: 'M0 0v5' }))),
      s('line', { class: 'ml-base', x1: 0, x2: percent(all.length / slots), y1: base + 0.5, y2: base + 0.5 }),
      ...drawn,
      s('text', { x: 0, y: base + 17 }, all.length === 1 || !few ? said(all[0]!) : `${said(all[0]!)} to ${said(all.at(-1)!)}`),
      few ? null : s('text', { x: percent(all.length / slots), y: base + 17, 'text-anchor': 'end' }, said(all.at(-1)!)),
    ));
}

function swatch(hatch: string): SVGElement {
  return s('svg', { viewBox: '0 0 12 12', width: 12, height: 12, 'aria-hidden': 'true' }, s('rect', { class: hatch ? 'ml-failed' : 'ml-bars', width: 12, height: 12, ...(hatch ? { fill: `url(#${hatch})` } : {}) }));
}

export interface Lane {
  version: number;
  registered: number | null;
  uses: readonly { at: number; name: string; failed: boolean }[];
}

/** Which runs used which version: a lane for each, from when it was registered. */
export function lanes(all: readonly Lane[], label: string): SVGElement | null {
  const times = all.flatMap(lane => [...(lane.registered === null ? [] : [lane.registered]), ...lane.uses.map(use => use.at)]);
  if (times.length === 0) return null;
  const [first, last] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
  const [left, row] = [0.1, 24];
  const place = (at: number): number => left + 0.02 + (last > first ? ((at - first) / (last - first)) * (0.96 - left) : 0);
  const height = all.length * row + 22;
  const [from, until] = last - first < 2 * 86_400_000 ? [format.time(first), format.time(last)] : [format.time(first).slice(0, 10), format.time(last).slice(0, 10)];
  /** A shape that keeps its size at a place along the lane. */
  const mark = (at: number, y: number, title: string, shape: SVGElement): SVGElement => s('svg', { x: percent(place(at)), y, overflow: 'visible' }, s('title', {}, title), shape);
  return wide(height, label,
    ...all.flatMap((lane, i) => {
      const y = i * row + row / 2;
      const start = lane.registered ?? first;
      const end = lane.uses.reduce((most, use) => Math.max(most, use.at), start);
      return [
        s('text', { x: 0, y: y + 4, class: 'ml-strong' }, `v${lane.version}`),
        s('line', { class: 'ml-base', x1: percent(place(start)), x2: percent(place(end)), y1: y, y2: y }),
        lane.registered === null ? null : mark(lane.registered, y, `version ${lane.version} registered ${format.time(lane.registered)}`, s('path', { class: 'ml-was', d: 'M-6 0l6 -6l6 6l-6 6z' })),
        ...lane.uses.map(use => mark(use.at, y, `${format.named(use.name, 100)}, ${format.time(use.at)}`, use.failed ? s('path', { class: 'ml-cross', d: 'M-4 -4l8 8m0 -8l-8 8' }) : s('circle', { class: 'ml-bars', r: 4.5 }))),
      ];
    }),
    s('text', { x: percent(left), y: height - 4 }, from!),
    last > first ? s('text', { x: '100%', y: height - 4, 'text-anchor': 'end' }, until!) : null,
  );
}
