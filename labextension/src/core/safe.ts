// Figures and words from outside: a saved notebook may be a stranger's, and is drawn before anyone trusts it.
//
// Nothing is passed on because it looks harmless: a figure is built anew from the keys that our own figures use, each
// with its own kind of value. So there are no images, links, addresses, templates, maps or buttons to think of.
import type { Figure, Trace } from './figures.ts';
import { clip, plotlyText } from './format.ts';

/** Raised for what a page cannot show; the message is the sentence to show instead. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** Values in one figure; more would freeze the page. */
const MOST_VALUES = 400_000;
/** Points that are an element of the page each; lines and cells are not. */
const MOST_MARKS = 20_000;
const MOST_TICKS = 2000;
const MOST_TRACES = 100;
const LONGEST = 200;
/** Beyond this Plotly's own sums are no longer finite. */
const LARGEST = 1e300;

/** Words of a JSON value: a text as it is, numbers and truths as text, nothing for the rest. */
export function words(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** A finite number, or null. */
export function finite(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** What an object holds under a name by itself, and not by inheritance. */
export function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** Text for Plotly, which reads markup: letters only, whether it was escaped before or not. */
export function safeText(text: string, length = LONGEST): string {
  // Cut first: what is far too long is not read at all.
  const plain = clip(text, 8 * length).replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return plotlyText(plain, length);
}

/** As `safeText`, and a line break may stay one. */
function lines(text: string): string {
  return clip(text, 8 * LONGEST).split('<br>', 4).map(line => safeText(line)).join('<br>');
}

const TEMPLATE = /(<br>|<extra><\/extra>|%\{(?:x|y|z|text|fullData\.name)(?::[,.0-9a-z%+~-]{0,8})?\})/u;

/** A hover text: our own pieces stay, everything between them becomes letters. */
function template(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > 1000) return undefined;
  // What looks like a piece but is none would be read as one by Plotly.
  return value.split(TEMPLATE).map((part, i) => (i % 2 === 1 ? part : safeText(part.replaceAll('%{', '% {')))).join('');
}

class Budget {
  #left = MOST_VALUES;

  take(n: number): void {
    this.#left -= n;
    if (this.#left < 0) throw new Unreadable(`This figure has more than ${MOST_VALUES.toLocaleString('en-US')} values; it is not drawn.`);
  }
}

/** Gives back what may be drawn, or undefined for what may not. */
type Rule = (value: unknown, budget: Budget) => unknown;

const within = (low: number, high: number): Rule => value => (typeof value === 'number' && value >= low && value <= high ? value : undefined);
const number: Rule = within(-LARGEST, LARGEST);
const flag: Rule = value => (typeof value === 'boolean' ? value : undefined);
const oneOf = (...allowed: (string | boolean)[]): Rule => value => (allowed.includes(value as string) ? value : undefined);
const letters: Rule = value => (typeof value === 'string' ? lines(value) : undefined);
/** One of many texts: where there is none the place stays empty. */
const letter: Rule = value => lines(words(value));
const color: Rule = value => (typeof value === 'string' && value.length < 64 && /^(?:#[0-9a-f]{3,8}|rgba?\([\d.,%\s]+\)|[a-z]{3,24})$/iu.test(value) ? value : undefined);
const either = (...rules: Rule[]): Rule => (value, budget) => {
  for (const rule of rules) {
    const kept = rule(value, budget);
    if (kept !== undefined) return kept;
  }
  return undefined;
};
/** Every place is kept, so that columns of one figure stay beside each other; what may not be drawn is missing. */
const list = (rule: Rule, most = MOST_VALUES): Rule => (value, budget) => {
  if (!Array.isArray(value)) return undefined;
  budget.take(value.length);
  return value.slice(0, most).map(item => rule(item, budget) ?? null);
};
const object = (rules: Record<string, Rule>): Rule => {
  const known = Object.entries(rules);
  return (value, budget) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const kept: Record<string, unknown> = {};
    for (const [key, rule] of known) {
      const made = rule(own(value, key), budget);
      if (made !== undefined) kept[key] = made;
    }
    return kept;
  };
};
/** The first of a list of objects; what is no object is left out. */
const objects = (rules: Record<string, Rule>, most: number): Rule => {
  const rule = object(rules);
  return (value, budget) => (Array.isArray(value) ? value.slice(0, most).map(item => rule(item, budget)).filter(item => item !== undefined) : undefined);
};

const numbers = list(number);
const places = list(either(number, letters));
const share = within(0, 1);
const size = within(0, 100);
const dash = oneOf('solid', 'dash', 'dot', 'dashdot', 'longdash');
const colorscale = list(list(either(share, color), 2), 32);
const symbol = oneOf('circle', 'circle-open', 'diamond', 'square', 'x', 'cross', 'triangle-up', 'triangle-down');
const font = object({ size: within(4, 40), color });
const title = object({ text: letters, font });
const line = object({ color, width: size, dash, shape: oneOf('linear', 'hv', 'vh', 'spline') });
const marker = object({
  color: either(color, list(either(number, color))),
  size: either(size, list(size)),
  symbol: either(symbol, list(symbol)),
  opacity: either(share, list(share)),
  line,
  colorscale,
  cmin: number,
  cmax: number,
  showscale: flag,
});
const bars = object({ type: oneOf('data'), symmetric: flag, array: numbers, arrayminus: numbers, color, thickness: size, width: size, visible: flag });
const common: Record<string, Rule> = {
  name: letters,
  visible: oneOf(true, false, 'legendonly'),
  showlegend: flag,
  opacity: share,
  hoverinfo: oneOf('skip', 'none', 'all', 'x', 'y', 'x+y', 'text', 'name'),
  hovertemplate: template,
};
const points: Record<string, Rule> = { ...common, x: places, y: places, text: either(list(letter), letters), marker, orientation: oneOf('h', 'v') };

/** Every kind of trace that is drawn, with all that it may hold. */
const TRACES: ReadonlyMap<string, Rule> = new Map([
  ['scatter', object({ ...points, mode: oneOf('lines', 'markers', 'lines+markers', 'text', 'markers+text', 'lines+text', 'lines+markers+text', 'none'), line, error_x: bars, error_y: bars, fill: oneOf('none', 'tozeroy', 'tozerox', 'tonexty', 'tonextx', 'toself'), fillcolor: color, connectgaps: flag })],
  ['bar', object({ ...points, base: either(number, numbers), width: either(size, list(size)), error_x: bars, error_y: bars, textposition: oneOf('none', 'inside', 'outside', 'auto') })],
  ['histogram', object({ ...points, nbinsx: within(1, 1000), nbinsy: within(1, 1000), histnorm: oneOf('', 'percent', 'probability', 'density', 'probability density') })],
  ['box', object({ ...points, line, fillcolor: color, boxpoints: oneOf(false, 'all', 'outliers'), q1: numbers, median: numbers, q3: numbers, lowerfence: numbers, upperfence: numbers, mean: numbers })],
  ['heatmap', object({ ...common, x: places, y: places, z: list(numbers), zmin: number, zmax: number, colorscale, showscale: flag, reversescale: flag, xgap: size, ygap: size })],
  ['parcoords', object({
    name: letters,
    dimensions: objects({ label: letters, values: numbers, range: list(number, 2), tickvals: list(number, MOST_TICKS), ticktext: list(letter, MOST_TICKS), visible: flag }, 60),
    line: object({ color: either(color, numbers), colorscale, cmin: number, cmax: number, showscale: flag }),
    labelangle: within(-90, 90),
  })],
]);

/** Ends of a logarithmic axis are powers of ten, those of dates milliseconds: both have limits of their own. */
const LIMITS = new Map<unknown, number>([['log', 300], ['date', 8e15]]);
const anyAxis = object({
  title: either(title, letters),
  type: oneOf('-', 'linear', 'log', 'date', 'category'),
  range: list(either(number, letters), 2),
  autorange: oneOf(true, false, 'reversed'),
  tickvals: list(either(number, letters), MOST_TICKS),
  ticktext: list(letter, MOST_TICKS),
  tickangle: within(-90, 90),
  zeroline: flag,
  showgrid: flag,
  automargin: flag,
});
const axis: Rule = (value, budget) => {
  const kept = anyAxis(value, budget) as Record<string, unknown> | undefined;
  const limit = LIMITS.get(kept?.type);
  if (kept && limit !== undefined && Array.isArray(kept.range) && kept.range.some(end => typeof end === 'number' && Math.abs(end) > limit)) delete kept.range;
  return kept;
};
const margin = within(0, 400);
const LAYOUT = object({
  title,
  xaxis: axis,
  yaxis: axis,
  showlegend: flag,
  hovermode: oneOf('closest', 'x', 'y', 'x unified', 'y unified', false),
  barmode: oneOf('group', 'stack', 'overlay', 'relative'),
  bargap: share,
  margin: object({ t: margin, r: margin, b: margin, l: margin }),
  legend: object({ orientation: oneOf('h', 'v'), x: within(-2, 3), y: within(-2, 3) }),
  annotations: objects({ text: letters, x: either(number, letters), y: either(number, letters), xref: oneOf('x', 'paper'), yref: oneOf('y', 'paper'), showarrow: flag, font }, 50),
});

/** How many elements of the page a trace becomes. */
function marks(trace: Trace): number {
  if (trace.type === 'heatmap' || trace.type === 'histogram' || trace.type === 'parcoords') return 0;
  const bare = trace.type === 'scatter' && (trace.mode === 'lines' || trace.mode === 'none') && trace.error_x === undefined && trace.error_y === undefined;
  return bare ? 0 : Math.max(0, ...[trace.x, trace.y, trace.median].map(values => (Array.isArray(values) ? values.length : 0)));
}

/**
 * The figure that may be drawn: traces, layout keys and values that are known, every text escaped.
 * Throws Unreadable, with the sentence to show, where nothing can be.
 */
export function safeFigure(figure: unknown): Figure {
  const [data, layout] = [own(figure, 'data'), own(figure, 'layout')];
  if (!Array.isArray(data)) throw new Unreadable('This figure is damaged; run the cell again.');
  if (data.length > MOST_TRACES) throw new Unreadable(`This figure has more than ${MOST_TRACES} parts; it is not drawn.`);
  const budget = new Budget();
  const traces: Trace[] = [];
  for (const trace of data) {
    const type = own(trace, 'type');
    const made = typeof type === 'string' ? TRACES.get(type)?.(trace, budget) : undefined;
    if (made !== undefined) traces.push({ type, ...(made as Trace) });
  }
  if (traces.length === 0) throw new Unreadable('This figure holds nothing that can be drawn; run the cell again.');
  if (traces.reduce((sum, trace) => sum + marks(trace), 0) > MOST_MARKS) {
    throw new Unreadable(`This figure has more than ${MOST_MARKS.toLocaleString('en-US')} points; it is not drawn.`);
  }
  const kept = (LAYOUT(layout, budget) ?? {}) as Record<string, unknown>;
  return { data: traces, layout: kept };
}
