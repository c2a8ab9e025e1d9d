import assert from 'node:assert/strict';
import { test } from 'node:test';
import { date, periods, shares } from '../src/core/bars.ts';
import * as format from '../src/core/format.ts';

const DAY = 86_400_000;
const day = (text: string, runs = 1, failed = 0): { start: number; runs: number; failed: number } => ({ start: Date.parse(`${text}T00:00Z`), runs, failed });

test('shares are numbers from 0 to 1, at most as many as a small picture holds; anything else is nothing', () => {
  assert.deepEqual(shares(['0.25', '1', '0']), [0.25, 1, 0]);
  assert.deepEqual(shares(['-3', '7', 'x', '', '1e999', '__proto__']), [0, 1, 0, 0, 0, 0]);
  assert.equal(shares(Array<string>(10_000).fill('0.1')).length, 64);
  for (const odd of [null, 'x', 3, true]) assert.deepEqual(shares(odd), []);
});

test('a short past is shown by days, with those between where nothing was', () => {
  const { unit, bars } = periods([day('2026-11-03', 2, 1), day('2026-11-01', 5)]);

  assert.equal(unit, 'day');
  assert.deepEqual(bars.map(b => [date(b.start), b.runs, b.failed]), [['2026-11-01', 5, 0], ['2026-11-02', 0, 0], ['2026-11-03', 2, 1]]);
});

test('a longer one by weeks from Monday, a long one by months; no run is lost', () => {
  const weeks = periods([day('2026-07-01', 3), day('2026-07-05', 4), day('2026-07-06'), day('2026-11-28', 2, 2)]);
  const months = periods([day('2020-01-31', 1), day('2020-02-29', 1), day('2026-11-28', 5)]);

  assert.equal(weeks.unit, 'week');
  assert.deepEqual(weeks.bars.slice(0, 2).map(b => [date(b.start), b.runs]), [['2026-06-29', 7], ['2026-07-06', 1]]);
  assert.equal(weeks.bars.reduce((n, b) => n + b.runs, 0), 10);
  assert.equal(months.unit, 'month');
  assert.deepEqual(months.bars.slice(0, 3).map(b => [date(b.start), b.runs]), [['2020-01-01', 1], ['2020-02-01', 1], ['2020-03-01', 0]]);
  assert.equal(months.bars.length, 83);
});

test('whatever times a stranger saved, there are few bars', () => {
  const odd = [NaN, Infinity, -8.64e15, 8.64e15, 0, 1e300].map(start => ({ start, runs: 1, failed: 0 }));

  assert.deepEqual(periods([]).bars, []);
  assert.deepEqual(periods([{ start: NaN, runs: 1, failed: 0 }]).bars, []);
  assert.ok(periods(odd).bars.length <= 420);
  assert.equal(periods([day('2026-11-28')]).bars.length, 1);
  assert.equal(periods([{ start: Date.parse('2026-11-28T23:59Z'), runs: 1, failed: 0 }]).bars[0]!.start % DAY, 0);
});

test('shares, sizes, values and times of the data are written as people read them', () => {
  assert.deepEqual([0, 0.0004, 0.123, 0.9995, 1, null].map(format.share), ['0 %', '< 0.1 %', '12.3 %', '> 99.9 %', '100 %', '–']);
  assert.deepEqual([0, 999, 1000, 930_127, 999_600, 2_180_000, 5e12, null].map(format.bytes), ['0 B', '999 B', '1 kB', '930 kB', '1 MB', '2.18 MB', '5 TB', '–']);
  assert.deepEqual([1970, 0.1 + 0.2, -1234.56789, NaN, null].map(v => format.value(v)), ['1970', '0.3', '-1234.568', '–', '–']);
  assert.equal(format.utc(Date.UTC(1983, 0, 1)), '1983-01-01');
  assert.equal(format.utc(Date.UTC(1983, 0, 1, 7, 5)), '1983-01-01 07:05');
  for (const odd of [null, NaN, 1e300]) assert.equal(format.utc(odd), '–');
});
