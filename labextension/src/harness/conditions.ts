// Columns into conditions: each feature parts the rows by a bin, a category, a part of the calendar or absence, by the rules
// of the Python package's module of the same name.
import { searchsorted } from './columns.ts';
import type { Feature, Sample } from './schemas.ts';
import { ascending, general, grouped, literal, real } from './wording.ts';

const MAX_CATEGORIES = 20, FEW_NUMBERS = 10;
const QUARTILES = [0.25, 0.5, 0.75], DECILES = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(i => i / 10);
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const DAY_PARTS = ['00:00 to 05:59', '06:00 to 11:59', '12:00 to 17:59', '18:00 to 23:59'];
const QUARTERS = ['January to March', 'April to June', 'July to September', 'October to December'];
const IDENTIFIER = /(^|[_ .-])(id|uuid|guid|key|index|idx|row|rownum)s?$|Id$|ID$|^Unnamed: [0-9]+$/;

/** Conditions on one feature, of which every row meets at most one. */
export interface Condition {
  readonly name: string;
  /** The column it is made from; -1 where it is the model's own answer. */
  readonly source: number;
  /** What each condition says, as "<= 3" or "= 'Oslo'". */
  readonly texts: readonly string[];
  /** The condition each row meets; the number of texts where it meets none. */
  readonly codes: Uint8Array;
}

export interface Skipped {
  readonly feature: string;
  readonly reason: string;
}

/** A cell as Python would print it. */
export function shown({ kind, values }: Feature, row: number): string {
  const value = values[row]!;
  if (kind === 'time') return moment(value as number, ' ', true);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return kind === 'float' ? real(value as number) : String(value);
}

/** A point in time as text. */
function moment(microseconds: number, separator: string, fraction: boolean): string {
  const seconds = Math.floor(microseconds / 1e6), beyond = microseconds - seconds * 1e6;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', separator);
  return fraction && beyond > 0 ? `${text}.${String(beyond).padStart(6, '0')}` : text;
}

/** The features of a table; columns that cannot be sliced go to `skipped` with the reason. */
export function ofTable(data: readonly Feature[], skipped: Skipped[]): Condition[] {
  return data.flatMap((column, source) => {
    const { name, kind, values, missing } = column, skip = (reason: string): [] => {
      skipped.push({ feature: name, reason });
      return [];
    };
    const rows = Array.from(missing.keys()).filter(row => !missing[row]);
    if (rows.length === 0) return skip('all values are missing');
    if (kind === 'time') return ofTimes(column, source, rows, skipped);
    if (kind === 'int' || kind === 'float') {
      const numbers = Float64Array.from(rows, row => values[row] as number);
      if (new Set(numbers).size > FEW_NUMBERS) {
        if (identifies(name, numbers)) return skip('identifier-like: every row has its own whole number');
        return [binned(name, source, values as ArrayLike<number>, missing, QUARTILES, short)];
      }
    }
    return byValue(column, source, rows, skipped);
  });
}

/** Deciles of the probability of the predicted class, or of the prediction for regression. */
export function ofModel(s: Sample): Condition | null {
  if (s.task !== 'regression' && !s.probabilities) return null;
  const values = s.task === 'regression' ? s.predictions : confidence(s);
  if (values.every(v => v === values[0])) return null;
  const name = s.task === 'regression' ? 'the prediction' : "the model's confidence";
  return binned(name, -1, values, new Uint8Array(s.n), DECILES, short);
}

/** The probability of the predicted class, in each row. */
export function confidence(s: Sample): Float64Array {
  return s.predictions.map((guess, i) => s.probabilities![i * s.classes.length + guess]!);
}

function short(value: number): string {
  return general(value + 0); // 0, not -0
}

function identifies(name: string, values: Float64Array): boolean {
  if (values.length <= MAX_CATEGORIES || !values.every(Number.isInteger)) return false;
  if (values.every((v, i) => i === 0 || v - values[i - 1]! === 1)) return true;
  return IDENTIFIER.test(name) && new Set(values).size === values.length;
}

function ofTimes(column: Feature, source: number, rows: readonly number[], skipped: Skipped[]): Condition[] {
  const { name, missing } = column, values = column.values as ArrayLike<number>;
  const found = new Set(rows.map(row => values[row])).size > FEW_NUMBERS
    ? [binned(name, source, values, missing, QUARTILES, v => moment(v, 'T', false))]
    : byValue(column, source, rows, skipped);
  const day = 86_400_000_000, clock = (v: number): number => Math.floor((v - Math.floor(v / day) * day) / 1e6);
  for (const [part, texts, of] of [
    ['weekday', WEEKDAYS, (v: number): number => (((Math.floor(v / day) + 3) % 7) + 7) % 7], // 1970 began on a Thursday
    ['time of day', DAY_PARTS, (v: number): number => Math.floor(clock(v) / 21600)],
    ['quarter of the year', QUARTERS, (v: number): number => Math.floor(new Date(Math.floor(v / 1000)).getUTCMonth() / 3)],
  ] as const) {
    const codes = Uint8Array.from(missing, (gone, row) => (gone ? texts.length : of(values[row]!)));
    if (rows.every(row => codes[row] === codes[rows[0]!])) continue;
    if (part === 'time of day' && rows.every(row => clock(values[row]!) === 0)) continue;
    found.push({ name: `${name} (${part})`, source, texts: texts.map(text => `= ${text}`), codes });
  }
  return found;
}

function byValue(column: Feature, source: number, rows: readonly number[], skipped: Skipped[]): Condition[] {
  const { name, values, missing } = column, seen = new Map<unknown, number>(), texts: string[] = [], words: string[] = [], counts: number[] = [];
  const codes = Int32Array.from(missing, (gone, row) => {
    if (gone) return -1;
    const value = values[row]!;
    let code = seen.get(value);
    if (code === undefined) {
      seen.set(value, (code = seen.size));
      texts.push(shown(column, row));
      words.push(typeof value === 'string' ? literal(value) : texts[code]!);
      counts.push(0);
    }
    counts[code]!++;
    return code;
  });
  const skip = (reason: string): [] => {
    skipped.push({ feature: name, reason });
    return [];
  };
  if (seen.size === 1 && rows.length === missing.length) return skip('constant');
  if (seen.size > Math.max(MAX_CATEGORIES, Math.floor(rows.length / 2))) {
    return skip(`identifier-like: ${grouped(seen.size)} different values in ${grouped(rows.length)} rows`);
  }
  const frequent = texts.map((_, c) => c).sort((a, b) => counts[b]! - counts[a]! || ascending(texts[a]!, texts[b]!) || a - b).slice(0, MAX_CATEGORIES);
  const listed = frequent.sort((a, b) => ascending(texts[a]!, texts[b]!));
  const place = new Uint8Array(seen.size).fill(listed.length);
  listed.forEach((c, at) => { place[c] = at; });
  return [withMissing(name, source, listed.map(c => `= ${words[c]!}`), Uint8Array.from(codes, c => (c < 0 ? listed.length : place[c]!)), missing)];
}

/** Quantile that is a value of the column (Hyndman & Fan 1996, definition 1). */
export function observedQuantile(sorted: Float64Array, share: number): number {
  const at = sorted.length * share - 1, low = Math.floor(at);
  return sorted[Math.max(0, at === low ? low : low + 1)]!;
}

function binned(
  name: string, source: number, values: ArrayLike<number>, missing: Uint8Array, shares: readonly number[], show: (value: number) => string,
): Condition {
  const present = Float64Array.from(values).filter((_, row) => !missing[row]).sort();
  const cuts = [...new Set(shares.map(share => observedQuantile(present, share)))].filter(cut => cut < present[present.length - 1]!);
  const texts = cuts.length > 0 ? [`<= ${show(cuts[0]!)}`] : [];
  for (let i = 1; i < cuts.length; i++) texts.push(`in (${show(cuts[i - 1]!)}, ${show(cuts[i]!)}]`);
  texts.push(cuts.length > 0 ? `> ${show(cuts[cuts.length - 1]!)}` : '= any');
  return withMissing(name, source, texts, Uint8Array.from(missing, (_, row) => searchsorted(cuts, values[row]!)), missing);
}

function withMissing(name: string, source: number, texts: string[], codes: Uint8Array, missing: Uint8Array): Condition {
  if (!missing.includes(1)) return { name, source, texts, codes };
  const held = codes.map((code, row) => (missing[row] ? texts.length : code >= texts.length ? code + 1 : code));
  return { name, source, texts: [...texts, 'is missing'], codes: held };
}
