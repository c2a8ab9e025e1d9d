// A figure as a table of its values, for those who do not see it: of lines their ends and extremes, of few points each.
import type { Figure, Trace } from './figures.ts';
import { MISSING, clip, number } from './format.ts';
import { own, words } from './safe.ts';

export interface Spoken {
  heads: string[];
  rows: string[][];
  /** How many more rows there would be. */
  left: number;
}

const MOST = 30;

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const said = (value: unknown): string => (typeof value === 'number' ? number(value) : words(value) === '' ? MISSING : plain(words(value)));
/** Letters again of what was escaped for Plotly. */
const plain = (text: string): string => clip(text.replaceAll('<br>', ' ').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').trim(), 80);

/** The name that an axis gives to a place on it. */
function tick(axis: unknown, value: unknown): string {
  const at = list(own(axis, 'tickvals')).indexOf(value);
  return at < 0 ? said(value) : said(list(own(axis, 'ticktext'))[at]);
}

/** Places of the known numbers of a column. */
function known(values: unknown[]): number[] {
  return values.flatMap((value, i) => (typeof value === 'number' ? [i] : []));
}

function line(trace: Trace, name: string, axis: unknown): string[] {
  const [x, y] = [list(trace.x), list(trace.y)];
  const places = known(y);
  const at = (i: number | undefined): string => (i === undefined ? MISSING : `${said(y[i])} at ${tick(axis, x[i])}`);
  const pick = (better: (a: number, b: number) => boolean): number | undefined => places.reduce<number | undefined>((best, i) => (best === undefined || better(y[i] as number, y[best] as number) ? i : best), undefined);
  return [name, String(places.length), at(places[0]), at(places.at(-1)), at(pick((a, b) => a < b)), at(pick((a, b) => a > b))];
}

/** The ends of the error bar around a value; nothing where it has none. */
function ends(bars: unknown, value: unknown, i: number): string {
  const [up, down] = [list(own(bars, 'array'))[i], list(own(bars, 'arrayminus'))[i]];
  return typeof value === 'number' && typeof up === 'number' && typeof down === 'number' && (up > 0 || down > 0) ? `${number(value - down)} to ${number(value + up)}` : '';
}

/** What a figure shows; null where nothing of it can be said in a table. */
export function spoken({ data, layout }: Figure): Spoken | null {
  const seen = data.filter(trace => trace.hoverinfo !== 'skip' && trace.visible !== false);
  const parallel = seen.find(trace => trace.type === 'parcoords');
  if (parallel) {
    const rows = list(parallel.dimensions).map(axis => {
      const values = list(own(axis, 'values')).filter((v): v is number => typeof v === 'number');
      const span = (pick: (a: number, b: number) => number): string => (values.length > 0 ? tick(axis, values.reduce(pick)) : MISSING);
      return [said(own(axis, 'label')), String(values.length), span((a, b) => Math.min(a, b)), span((a, b) => Math.max(a, b))];
    });
    return limited(['axis', 'runs', 'lowest', 'highest'], rows);
  }
  const traces = seen.filter(trace => trace.type === 'scatter' && list(trace.x).length > 0);
  const lines = traces.filter(trace => words(trace.mode).includes('lines'));
  if (lines.length > 0) {
    return limited(['line', 'points', 'first', 'last', 'lowest', 'highest'], lines.map((trace, i) => line(trace, said(trace.name) === MISSING ? `line ${i + 1}` : said(trace.name), layout.xaxis)));
  }
  const points = traces.flatMap(trace => {
    const [x, y, text] = [list(trace.x), list(trace.y), list(trace.text)];
    return x.map((value, i) => [said(text[i]) === MISSING ? said(trace.name) : said(text[i]), tick(layout.xaxis, value), ends(trace.error_x, value, i), tick(layout.yaxis, y[i]), ends(trace.error_y, y[i], i)]);
  });
  if (points.length === 0) return null;
  const title = (axis: unknown, otherwise: string): string => plain(words(own(own(axis, 'title'), 'text'))) || otherwise;
  const heads = ['point', title(layout.xaxis, 'across'), 'its interval', title(layout.yaxis, 'up'), 'its interval'];
  // Columns that say nothing, or again what the first says, are left out.
  const wanted = heads.map((_, c) => c === 0 || points.some(row => row[c] !== '' && row[c] !== MISSING && row[c] !== row[0]));
  const chosen = (row: string[]): string[] => row.filter((_, c) => wanted[c]);
  return limited(chosen(heads), points.map(chosen));
}

function limited(heads: string[], rows: string[][]): Spoken | null {
  return rows.length === 0 ? null : { heads, rows: rows.slice(0, MOST), left: Math.max(0, rows.length - MOST) };
}
