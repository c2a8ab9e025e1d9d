// Small bars as numbers: shares from a table's list, and days put together to what a line can show. Pure; Python's
// modellab_jupyter/widgets/bars.py puts days together by the same rule.
import type { Value } from './table.ts';

/** Bars of one small picture; a saved table may be a stranger's. */
const MOST_BARS = 64;
const DAY = 86_400_000;
/** Longest spans in days that are shown by days and by weeks; longer ones by months, at most so many. */
const DAYS = 92;
const WEEKS = 160;
const MOST = 400;

/** The shares that a list of texts holds, each between 0 and 1. */
export function shares(list: Value): number[] {
  if (!Array.isArray(list)) return [];
  return list.slice(0, MOST_BARS).map(text => {
    const part = Number(text);
    return Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0;
  });
}

export interface Period {
  /** Milliseconds of its first day, UTC. */
  start: number;
  runs: number;
  failed: number;
}

export type Unit = 'day' | 'week' | 'month';

function startOf(day: number, unit: Unit): number {
  const date = new Date(day);
  if (unit === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  const whole = Math.floor(day / DAY) * DAY;
  return unit === 'day' ? whole : whole - ((date.getUTCDay() + 6) % 7) * DAY;
}

/** Days put together to days, weeks or months, with those between where nothing was; of more than `MOST` the last. `byDay` is the longest span by days. */
export function periods(days: readonly Period[], byDay = DAYS): { unit: Unit; bars: Period[] } {
  const known = days.filter(d => Number.isFinite(startOf(d.start, 'month')));
  if (known.length === 0) return { unit: 'day', bars: [] };
  const last = known.reduce((top, d) => Math.max(top, d.start), -Infinity);
  const first = Math.max(last - 31 * MOST * DAY, known.reduce((low, d) => Math.min(low, d.start), Infinity));
  const span = Math.floor((last - first) / DAY) + 1;
  const unit: Unit = span <= byDay ? 'day' : span <= 7 * WEEKS ? 'week' : 'month';
  const step = { day: 1, week: 7, month: 32 }[unit] * DAY;
  const found = new Map<number, Period>();
  for (let at = startOf(first, unit); at <= last; at = startOf(at + step, unit)) found.set(at, { start: at, runs: 0, failed: 0 });
  for (const day of known) {
    const bar = found.get(startOf(day.start, unit));
    if (!bar) continue;
    bar.runs += day.runs;
    bar.failed += day.failed;
  }
  return { unit, bars: [...found.values()] };
}

/** The date of a day, UTC. */
export function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
