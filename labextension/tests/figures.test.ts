import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curves, estimates, parallel, scatter } from '../src/core/figures.ts';
import { ago, clip, duration, interval, named, number, plotlyText, quoted } from '../src/core/format.ts';
import { safeFigure } from '../src/core/safe.ts';
import { spoken } from '../src/core/spoken.ts';
import { readTable } from '../src/core/table.ts';

const HOSTILE = '<script>alert(1)</script><a href="x">&amp;</a>';
const runs = readTable({
  rows: 3,
  columns: [
    { name: 'run_id', kind: 'text', values: ['a', 'b', 'c'] },
    { name: 'name', kind: 'text', values: [HOSTILE, 'x'.repeat(10_000), 'plain'] },
    { name: 'params.model', kind: 'text', values: [HOSTILE, 'rf', null] },
    { name: 'params.rate', kind: 'number', values: [0.001, 0.1, 1] },
    { name: 'metrics.acc', kind: 'number', values: [0.5, 0.7, null] },
    { name: 'metrics.acc.low', kind: 'number', values: [0.4, null, null] },
    { name: 'metrics.acc.high', kind: 'number', values: [0.65, null, null] },
  ],
});
const series = readTable({
  rows: 3,
  columns: [
    { name: 'run_id', kind: 'text', values: ['a', 'a', 'b'] },
    { name: 'step', kind: 'number', values: [0, 1, 0] },
    { name: 'value', kind: 'number', values: [0.1, null, 0.3] },
  ],
});

/** Every text of a figure, wherever it stands. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}

test('no figure holds markup that a name brought', () => {
  const figures = [curves(series, runs, [0, 1], HOSTILE), scatter(runs, [0, 1, 2], 'params.model', 'metrics.acc', new Set([1])), estimates(runs, [0, 1, 2], 'metrics.acc'), parallel(runs, [0, 1, 2], ['params.model', 'metrics.acc'])];
  for (const text of figures.flatMap(f => texts([f.data, f.layout]))) {
    assert.doesNotMatch(text.replaceAll('<br>', '').replaceAll('<extra></extra>', ''), /[<>]/u);
    assert.ok(text.length < 400);
  }
});

test('a curve has a gap where a value is missing, and runs without steps have no line', () => {
  const figure = curves(series, runs, [0, 2], 'metrics.acc');

  assert.equal(figure.data.length, 1);
  assert.deepEqual(figure.data[0]!.y, [0.1, null]);
});

test('a point carries its interval as distances, and nothing where none is known', () => {
  const { data } = scatter(runs, [0, 1, 2], 'params.rate', 'metrics.acc', new Set());
  const bars = data[0]!.error_y as { array: number[]; arrayminus: number[] };

  assert.deepEqual(data[0]!.y, [0.5, 0.7]);
  assert.ok(Math.abs(bars.array[0]! - 0.15) < 1e-12 && Math.abs(bars.arrayminus[0]! - 0.1) < 1e-12);
  assert.deepEqual([bars.array[1], bars.arrayminus[1]], [0, 0]);
});

test('estimates stand in the order of the rows, each with its interval, and runs without a value are left out', () => {
  const { data, layout } = estimates(runs, [1, 0, 2], 'metrics.acc');
  const bars = data[0]!.error_x as { array: number[]; arrayminus: number[] };

  assert.deepEqual(data[0]!.x, [0.7, 0.5]);
  assert.deepEqual(bars.arrayminus.map(v => Number(v.toFixed(12))), [0, 0.1]);
  assert.equal((layout.yaxis as { ticktext: string[] }).ticktext.length, 2);
  assert.deepEqual(estimates(runs, [2], 'metrics.acc').data, []);
});

test('a wide range of positive numbers gets a logarithmic axis', () => {
  const figure = scatter(runs, [0, 1, 2], 'params.rate', 'metrics.acc', new Set());

  assert.equal((figure.layout.xaxis as { type?: string }).type, 'log');
});

test('numbers are short, intervals as fine as their width asks', () => {
  assert.deepEqual([0.91234567, 1234567, 0.00001234, NaN, null, 3, -0.5].map(number), ['0.9123', '1,234,567', '1.23e-5', '–', '–', '3', '-0.5']);
  assert.equal(interval(0.8981, 0.9212), '[0.898, 0.921]');
  assert.equal(interval(0.5, 0.5), '[0.5, 0.5]');
  assert.deepEqual([0.0123, 59.2, 61, 7322, 90_000].map(duration), ['12.3 ms', '59.2 s', '1 min 1 s', '2 h 2 min', '1 d 1 h']);
  assert.deepEqual([ago(0, 5_000), ago(0, 60_000), ago(0, 7_200_000)], ['just now', '1 minute ago', '2 hours ago']);
  assert.equal(clip('abcdef', 4), 'abc…');
  assert.equal(plotlyText('a <b> & c\n'), 'a &lt;b&gt; &amp; c ');
});

test('what turns letters around is seen as an escape, and names of either direction are isolated in sentences', () => {
  assert.equal(clip('a\u202eb\u0007c\nd', 100), 'a\\u202eb\\u0007c\nd');
  assert.equal(clip('\u2068אב\u2069 of it', 100), '\u2068אב\u2069 of it');
  assert.equal(named('\u2069אב\u202e', 100), '\u2068\\u2069אב\\u202e\u2069');
  assert.equal(named('plain é 漢 🎉', 100), 'plain é 漢 🎉');
  assert.equal(named('x'.repeat(99), 9), `${'x'.repeat(8)}…`);
  assert.equal(quoted('a"\u202e\n\u{e0041}'), '"a\\"\\u202e\\n\\U000e0041"');
});

const values = (figure: unknown): string[][] => {
  const { heads, rows } = spoken(safeFigure(figure))!;
  return [heads, ...rows];
};

test('a figure of lines is said by their ends and extremes', () => {
  const steps = readTable({ rows: 4, columns: [{ name: 'run_id', kind: 'text', values: ['c', 'c', 'c', 'c'] }, { name: 'step', kind: 'number', values: [0, 1, 2, 3] }, { name: 'value', kind: 'number', values: [0.5, 0.9, null, 0.7] }] });
  assert.deepEqual(values(curves(steps, runs, [2], 'metrics.acc')), [
    ['line', 'points', 'first', 'last', 'lowest', 'highest'],
    ['plain', '3', '0.5 at 0', '0.7 at 3', '0.5 at 0', '0.9 at 1'],
  ]);
});

test('a figure of few values is said value by value, with intervals and names as they were given', () => {
  assert.deepEqual(values(estimates(runs, [0, 1, 2], 'metrics.acc')), [
    ['point', 'acc', 'its interval'],
    [HOSTILE.slice(0, 39) + '…', '0.5', '0.4 to 0.65'],
    ['x'.repeat(39) + '…', '0.7', ''],
  ]);
  assert.deepEqual(values(scatter(runs, [1], 'params.rate', 'metrics.acc', new Set()))[1], ['x'.repeat(39) + '…', '0.1', '0.7']);
});

test('parallel coordinates are said by the ends of their axes, missing values and texts by name', () => {
  assert.deepEqual(values(parallel(runs, [0, 1, 2], ['params.rate', 'metrics.acc'])), [
    ['axis', 'runs', 'lowest', 'highest'],
    ['rate', '3', '0.001', '1'],
    ['acc', '3', '–', '0.7'],
  ]);
});

test('what is said of a figure has bounds, and guides are not said', () => {
  const many = Array.from({ length: 50 }, (_, i) => ({ type: 'scatter', mode: 'lines', name: `l${i}`, x: [0, 1], y: [i, i] }));
  const found = spoken(safeFigure({ data: [{ ...many[0], name: 'guide', hoverinfo: 'skip' }, ...many], layout: {} }))!;
  assert.deepEqual([found.rows.length, found.left, found.rows[0]![0]], [30, 20, 'l0']);
  assert.equal(spoken(safeFigure({ data: [{ type: 'heatmap', z: [[1, 2]] }], layout: {} })), null);
});
