import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as figures from '../src/core/figures.ts';
import { pValue } from '../src/core/format.ts';
import { parseFilter } from '../src/core/filter.ts';
import { readSnapshot } from '../src/core/protocol.ts';
import type { JsonObject } from '../src/core/protocol.ts';
import { Unreadable, safeFigure, safeText } from '../src/core/safe.ts';
import { SnapshotConnector } from '../src/core/snapshot.ts';
import { readTable } from '../src/core/table.ts';

const LINK = '<a href="https://evil.example/">click</a>';
const URL = 'https://evil.example/track.png';
const figure = (text: string): unknown => JSON.parse(text);

/** Every text and every key of a figure, wherever it stands. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}
function keys(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return [...(Array.isArray(value) ? [] : Object.keys(value)), ...Object.values(value).flatMap(keys)];
}

/** What may be said of every figure that goes to Plotly. */
function assertHarmless(value: unknown): void {
  for (const text of texts(value)) {
    assert.doesNotMatch(text.replaceAll('<br>', '').replaceAll('<extra></extra>', ''), /[<>]/u, text);
    assert.ok(text.length < 8000);
  }
  const names = keys(value);
  for (const key of ['images', 'source', 'href', 'url', 'template', 'updatemenus', 'sliders', 'shapes', 'geo', 'mapbox', 'map', 'transforms', 'meta', 'customdata', 'bdata', 'fillpattern', 'pattern', '__proto__', 'constructor', 'prototype']) {
    assert.ok(!names.includes(key), key);
  }
}

test('a figure with images, links, templates and buttons keeps only its own kind of thing', () => {
  const kept = safeFigure(figure(`{
    "data": [
      {"type": "scatter", "x": [1, 2, "${URL}", null, {"a": 1}], "y": [1, 2, 3, 4, 1e999], "name": ${JSON.stringify(LINK)},
       "text": [${JSON.stringify(LINK)}, 3, null], "customdata": ["${URL}"], "transforms": [{}], "xsrc": "${URL}",
       "hovertemplate": ${JSON.stringify(`%{x}<br>${LINK}%{customdata}%{fullData.name}<extra><b>x</b></extra><extra></extra>`)},
       "marker": {"color": "url(${URL})", "symbol": "javascript:1", "size": 1e9, "pattern": {"path": "${URL}"}},
       "__proto__": {"type": "image"}, "constructor": {"prototype": {"x": 1}}},
      {"type": "image", "source": "${URL}"}, {"type": "scattergeo"}, {"type": "__proto__"}, {"type": "constructor"}, null, 3, [], "x"
    ],
    "layout": {"images": [{"source": "${URL}"}], "template": {"layout": {"images": [{"source": "${URL}"}]}},
      "annotations": [{"text": ${JSON.stringify(LINK)}, "x": 0, "y": 0, "showarrow": false, "clicktoshow": "onoff", "captureevents": true}, 7, null],
      "updatemenus": [{}], "sliders": [{}], "geo": {}, "mapbox": {"style": "${URL}"}, "map": {"style": "${URL}"}, "shapes": [{"path": "M0"}],
      "title": {"text": ${JSON.stringify(LINK)}, "font": {"family": "${URL}"}}, "xaxis": {"title": ${JSON.stringify(LINK)}, "range": [0, 1e299], "type": "log"},
      "__proto__": {"images": 1}}
  }`));

  assertHarmless(kept);
  assert.equal(kept.data.length, 1);
  const [trace] = kept.data;
  assert.deepEqual(trace!.x, [1, 2, URL, null, null]);
  assert.deepEqual(trace!.y, [1, 2, 3, 4, null]);
  assert.deepEqual(trace!.marker, {});
  assert.equal(trace!.hovertemplate, '%{x}<br>&lt;a href="https://evil.example/"&gt;click&lt;/a&gt;% {customdata}%{fullData.name}&lt;extra&gt;&lt;b&gt;x&lt;/b&gt;&lt;/extra&gt;<extra></extra>');
  assert.deepEqual(Object.keys(kept.layout).sort(), ['annotations', 'title', 'xaxis']);
  assert.deepEqual(Object.keys(kept.layout.xaxis as object).sort(), ['title', 'type']);
  assert.equal(({} as Record<string, unknown>).images, undefined);
});

test('texts that Python or we escaped stay as they are, and escaping again changes nothing', () => {
  for (const text of ['a &lt;b&gt; &amp; c', '&amp;lt;', 'plain', '50 % &#60;', '$x_1$', '<br>']) assert.equal(safeText(safeText(text)), safeText(text));
  assert.equal(safeText('&lt;b&gt;'), '&lt;b&gt;');
  assert.equal(safeText('<b>'), '&lt;b&gt;');
  assert.equal(safeText('&#60;a&#62;'), '&amp;#60;a&amp;#62;');
});

test('our own figures go through unchanged', () => {
  const runs = readTable({
    rows: 3,
    columns: [
      { name: 'run_id', kind: 'text', values: ['a', 'b', 'c'] },
      { name: 'name', kind: 'text', values: [LINK, '%{x}', 'plain'] },
      { name: 'params.model', kind: 'text', values: [LINK, 'rf', 'rf'] },
      { name: 'params.rate', kind: 'number', values: [0.001, 0.1, 1] },
      { name: 'started_at', kind: 'time', values: ['2026-11-02T09:00:00.000Z', '2026-11-02T09:00:00.000Z', null] },
      { name: 'metrics.acc', kind: 'number', values: [0.5, 0.7, 0.6] },
      { name: 'metrics.acc.low', kind: 'number', values: [0.4, null, null] },
      { name: 'metrics.acc.high', kind: 'number', values: [0.65, null, null] },
    ],
  });
  const series = readTable({ rows: 2, columns: [{ name: 'run_id', kind: 'text', values: ['a', 'a'] }, { name: 'step', kind: 'number', values: [0, 1] }, { name: 'value', kind: 'number', values: [0.1, null] }] });
  const all = [
    figures.curves(series, runs, [0, 1], LINK),
    ...['params.model', 'params.rate', 'started_at'].map(x => figures.scatter(runs, [0, 1, 2], x, 'metrics.acc', new Set([1]))),
    figures.estimates(runs, [0, 1, 2], 'metrics.acc'),
    figures.parallel(runs, [0, 1, 2], ['params.model', 'params.rate', 'metrics.acc']),
  ];
  for (const made of all) {
    const kept = safeFigure(made);
    assertHarmless(kept);
    // What is left out is only what no chart of ours reads: the rows behind the points, and keys without a value.
    const plain = JSON.parse(JSON.stringify({ data: made.data.map(({ customdata: _, ...trace }) => trace), layout: made.layout })) as unknown;
    assert.deepEqual(JSON.parse(JSON.stringify(kept)), plain);
  }
});

test('arrays of any size and shape are answered at once', () => {
  const many = Array.from({ length: 500_000 }, (_, i) => i);
  const began = performance.now();
  assert.throws(() => safeFigure({ data: [{ type: 'scatter', x: many, y: many }] }), /more than 400,000 values/u);
  assert.throws(() => safeFigure({ data: many.map(() => ({ type: 'scatter' })) }), Unreadable);
  assert.throws(() => safeFigure({ data: Array.from({ length: 50 }, () => ({ type: 'heatmap', z: [many.slice(0, 20_000)] })) }), Unreadable);
  const some = many.slice(0, 30_000);
  for (const trace of [{ type: 'scatter', mode: 'markers' }, { type: 'scatter' }, { type: 'bar' }, { type: 'box' }, { type: 'scatter', mode: 'lines', error_y: {} }]) {
    assert.throws(() => safeFigure({ data: [{ ...trace, x: some, y: some }] }), /more than 20,000 points/u);
  }
  assert.equal((safeFigure({ data: [{ type: 'scatter', mode: 'lines', x: some, y: some }], layout: { xaxis: { tickvals: some } } }).layout.xaxis as { tickvals: unknown[] }).tickvals.length, 2000);
  safeFigure({ data: [{ type: 'scatter', name: '<'.repeat(5_000_000), hovertemplate: '%{'.repeat(1_000_000), x: [1], y: [1] }] });
  assert.ok(performance.now() - began < 1500);
});

// Any JSON --------------------------------------------------------------------------------------------------------

let seed = 11;
const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
const WORDS = [
  'type', 'scatter', 'bar', 'heatmap', 'histogram', 'box', 'parcoords', 'image', 'data', 'layout', 'x', 'y', 'z', 'text', 'name', 'marker', 'line', 'color', 'hovertemplate', 'dimensions', 'values',
  'xaxis', 'title', 'images', 'source', 'annotations', 'template', '__proto__', 'constructor', 'toString', 'valueOf', 'length', 'range', 'error_x', 'array', LINK, URL, '%{x}', '<br>', '#000', '',
  'rows', 'columns', 'kind', 'number', 'time', 'bool', 'list', 'levels', 'codes', 'at', 'part', 'greater_is_better', 'run_id', 'metrics.a', 'metrics.a.low',
];
const word = (): string => WORDS[random(WORDS.length)]!;

/** Some JSON, of the words that we read. */
function json(depth: number): unknown {
  const kind = random(depth > 0 ? 9 : 5);
  if (kind === 0) return null;
  if (kind === 1) return [0, -1, 3, 2.5, 1e12, 1e308, -1e308, 2 ** 31][random(8)];
  if (kind === 2) return random(2) === 1;
  if (kind <= 4) return word();
  if (kind <= 6) return Array.from({ length: random(4) }, () => json(depth - 1));
  const made: [string, unknown][] = Array.from({ length: random(6) }, () => [word(), json(depth - 1)]);
  // As JSON.parse makes it: __proto__ is a key like any other.
  return JSON.parse(`{${made.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v) ?? 'null'}`).join(',')}}`) as unknown;
}

/** Runs what reads JSON; all it may throw is a sentence. */
function sentence(read: () => void): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof Unreadable, String(error));
    assert.match(error.message, /^[A-Z].*\.$/u);
  }
}

test('any JSON is a harmless figure or a sentence', () => {
  let drawn = 0;
  for (let i = 0; i < 6000; i++) {
    const trace = { type: ['scatter', 'bar', 'heatmap', 'histogram', 'box', 'parcoords'][random(6)], ...(json(4) as object) };
    for (const key of ['x', 'y', 'z', 'text', 'marker', 'hovertemplate', 'dimensions', 'line', 'name', 'error_x']) if (random(3) === 0) Object.assign(trace, { [key]: json(3) });
    sentence(() => {
      const kept = safeFigure(i % 3 === 0 ? json(5) : { data: [trace, json(3)], layout: json(4) });
      assertHarmless(kept);
      drawn++;
    });
  }
  assert.ok(drawn > 2000);
});

test('any JSON is a table or a sentence, and what is read is of its kind', () => {
  const kinds = { number: 'number', time: 'number', bool: 'boolean', text: 'string', list: 'object' };
  let read = 0;
  for (let i = 0; i < 6000; i++) {
    const rows = random(4);
    const column = (): unknown => {
      const values = Array.from({ length: random(8) === 0 ? random(5) : rows }, () => json(2));
      const kind = ['number', 'time', 'bool', 'text', 'list', word()][random(random(9) === 0 ? 6 : 5)];
      return random(12) === 0 ? json(3) : { name: word(), kind, ...(random(4) === 0 ? { levels: json(2), codes: values } : { values }), part: json(0) };
    };
    const payload = i % 4 === 0 ? json(5) : { rows: random(9) === 0 ? json(1) : rows, columns: [column(), column()], greater_is_better: json(2) };
    sentence(() => {
      const table = readTable(typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as JsonObject) : {});
      const all = Int32Array.from({ length: table.rows }, (_, k) => k);
      for (const found of table.columns.values()) {
        table.sorted(all, found.name, true);
        for (const row of all) {
          const value = found.get(row);
          assert.ok(value === null || typeof value === kinds[found.kind], `${found.kind}: ${String(value)}`);
        }
      }
      table.keys('metrics.').forEach(name => table.interval(name, 0));
      read++;
    });
  }
  assert.ok(read > 2000);
});

test('any JSON is a snapshot or a sentence, and a saved view answers', async () => {
  for (let i = 0; i < 3000; i++) {
    const snapshot = readSnapshot(i % 2 ? json(3) : { protocol: random(5) ? 1 : json(1), view: random(5) ? 'report' : json(1), title: json(2), data: random(3) ? JSON.stringify(json(4)) : json(1) });
    if (typeof snapshot === 'string') assert.match(snapshot, /^[A-Z].*\.$/u);
    else {
      const saved = new SnapshotConnector(snapshot);
      for (const key of [word(), '__proto__', 'constructor']) await saved.call('series', { key });
    }
  }
  const deep = readSnapshot({ protocol: 1, view: 'report', data: '['.repeat(200_000) });
  assert.match(String(deep), /damaged/u);
});

test('a count of rows that no column has is refused at once', () => {
  const began = performance.now();
  for (const rows of [1e9, 2 ** 31, 1e300, -1, 1.5, '3', null, [], { a: 1 }, true]) {
    assert.throws(() => readTable({ rows, columns: [{ name: 'a', kind: 'number', values: [1] }] }), /damaged/u);
  }
  assert.throws(() => readTable({ rows: 1e9, columns: [] }), /damaged/u);
  const bytes = new DataView(new ArrayBuffer(64));
  for (const kind of ['number', 'text', 'bool', 'list']) {
    for (const at of [[0, 8, 16], [], [7], ['x'], [1e9], [-8], [{}]]) {
      assert.throws(() => readTable({ rows: 1e9, columns: [{ name: 'a', kind, at }] } as JsonObject, [bytes]), /damaged/u);
    }
  }
  assert.ok(performance.now() - began < 500);
});

test('names of what every object has are only names', () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
  const table = readTable({ rows: 1, columns: names.map(name => ({ name: `metrics.${name}`, kind: 'number', values: [1] })) });
  for (const name of names) {
    assert.equal(parseFilter(`${name} = 1`, table)(0), true);
    assert.throws(() => parseFilter(`${name} = 1`, readTable({ rows: 1, columns: [{ name: 'params.depth', kind: 'number', values: [1] }] })), /no column is named/u);
  }
});

test('a metric is told from a part of one by the mark, where there is one', () => {
  const column = (name: string, part?: boolean): JsonObject => ({ name, kind: 'number', values: [1], ...(part === undefined ? {} : { part }) });
  const ends = ['metrics.acc.low', 'metrics.acc.high', 'metrics.acc.n'];
  const named = (part?: boolean): string[] => readTable({ rows: 1, columns: [column('metrics.acc', part === undefined ? undefined : false), ...ends.map(n => column(n, part))] }).keys('metrics.');

  assert.deepEqual(named(), ['metrics.acc']);
  assert.deepEqual(named(true), ['metrics.acc']);
  assert.deepEqual(named(false), ['metrics.acc', ...ends]);
  assert.equal(readTable({ rows: 1, columns: [column('metrics.acc', false), ...ends.map(n => column(n, false))] }).interval('metrics.acc', 0), null);
});

test('a p-value is never written as zero', () => {
  assert.deepEqual([0, 1e-300, 0.00099, 0.001, 0.04321, 0.5, 1, null].map(pValue), ['< 0.001', '< 0.001', '< 0.001', '0.001', '0.0432', '0.5', '1', '–']);
});
