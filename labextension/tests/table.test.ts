import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../src/core/protocol.ts';
import { Column, Table, readTable } from '../src/core/table.ts';

const payload: JsonObject = {
  rows: 4,
  greater_is_better: { accuracy: true, loss: false, other: null },
  columns: [
    { name: 'run_id', kind: 'text', values: ['a', 'b', 'c', 'd'] },
    { name: 'name', kind: 'text', levels: ['run 10', 'run 9'], codes: [0, 1, -1, 0] },
    { name: 'tags', kind: 'list', values: [['x', 'y'], [], null, ['z']] },
    { name: 'baseline', kind: 'bool', values: [true, false, false, null] },
    { name: 'started_at', kind: 'time', values: ['2026-11-02T09:00:00.000Z', null, '2026-11-02T08:00:00.000Z', null] },
    { name: 'metrics.accuracy', kind: 'number', values: [0.5, 0.9, null, 0.7] },
    { name: 'metrics.accuracy.low', kind: 'number', values: [0.4, 0.8, null, null] },
    { name: 'metrics.accuracy.high', kind: 'number', values: [0.6, 0.95, null, 0.8] },
    { name: 'metrics.accuracy.n', kind: 'number', values: [10, 20, null, 30] },
    { name: 'metrics.shift.low', kind: 'number', values: [1, 2, 3, 4] },
  ],
};

test('a saved table reads back its values, missing ones as null', () => {
  const t = readTable(payload);

  assert.equal(t.rows, 4);
  assert.deepEqual([0, 1, 2, 3].map(i => t.column('name')!.get(i)), ['run 10', 'run 9', null, 'run 10']);
  assert.deepEqual(t.column('tags')!.get(0), ['x', 'y']);
  assert.equal(t.column('started_at')!.get(0), Date.UTC(2026, 10, 2, 9));
  assert.equal(t.column('started_at')!.get(1), null);
});

test('ends of intervals and supports are no metrics of their own; a lone name that looks like one is', () => {
  const t = readTable(payload);

  assert.deepEqual(t.keys('metrics.'), ['metrics.accuracy', 'metrics.shift.low']);
  assert.deepEqual(t.interval('metrics.accuracy', 0), [0.4, 0.6]);
  assert.equal(t.interval('metrics.accuracy', 3), null);
  assert.equal(t.support('metrics.accuracy', 1), 20);
});

test('missing values sort last in both directions, equal ones stay in order', () => {
  const t = readTable(payload);
  const all = Int32Array.of(0, 1, 2, 3);

  assert.deepEqual([...t.sorted(all, 'metrics.accuracy', false)], [0, 3, 1, 2]);
  assert.deepEqual([...t.sorted(all, 'metrics.accuracy', true)], [1, 3, 0, 2]);
  assert.deepEqual([...t.sorted(all, 'name', false)], [1, 0, 3, 2]);
  assert.deepEqual([...t.sorted(all, 'name', true)], [0, 3, 1, 2]);
});

test('a column of numbers and texts has its numbers first, by value, also those with a point', () => {
  const values = ['auto', '0.2', '0.15', '10', '1e-3', null, '-2', 'run 10', 'run 9', ''];
  const t = new Table(values.length, [new Column('params.lr', 'text', values.length, i => values[i]!)]);
  const all = Int32Array.from(values, (_, i) => i);

  assert.deepEqual([...t.sorted(all, 'params.lr', false)].map(i => values[i]), ['-2', '1e-3', '0.15', '0.2', '10', 'auto', 'run 9', 'run 10', null, '']);
});

test('directions of metrics are known only where Python knew them', () => {
  const t = readTable(payload);

  assert.deepEqual([...t.greaterIsBetter], [['accuracy', true], ['loss', false]]);
  assert.equal(t.column('metrics.accuracy')!.extreme(true), 1);
  assert.equal(t.column('metrics.accuracy')!.extreme(false), 0);
});

test('binary columns are read from a buffer that starts anywhere', () => {
  const text = new TextEncoder().encode('rfé');
  const block = new Uint8Array(64);
  new Float64Array(block.buffer, 0, 2).set([1.5, NaN]);
  new Int32Array(block.buffer, 16, 3).set([0, 2, 4]);
  block.set(text, 32);
  block.set([1, 1], 40);
  block.set([1, 2], 48);
  const shifted = new Uint8Array(67);
  shifted.set(block, 3);
  const spec = {
    rows: 2,
    columns: [
      { name: 'm', kind: 'number', at: [0] },
      { name: 's', kind: 'text', at: [16, 32, 40] },
      { name: 'b', kind: 'bool', at: [48] },
    ],
  };

  const t = readTable(spec, [new DataView(shifted.buffer, 3, 64)]);

  assert.deepEqual([t.column('m')!.get(0), t.column('m')!.get(1)], [1.5, null]);
  assert.deepEqual([t.column('s')!.get(0), t.column('s')!.get(1)], ['rf', 'é']);
  assert.deepEqual([t.column('b')!.get(0), t.column('b')!.get(1)], [true, null]);
});

test('20,000 rows sort and rank within a frame or two', () => {
  const n = 20_000;
  const t = new Table(n, [
    new Column('metrics.a', 'number', n, i => (i * 7919) % n),
    new Column('name', 'text', n, i => `run ${(i * 7919) % n}`),
  ]);
  const all = Int32Array.from({ length: n }, (_, i) => i);
  t.sorted(all, 'name', false);
  t.sorted(all, 'metrics.a', false);

  const began = performance.now();
  t.sorted(all, 'name', true);
  t.sorted(all, 'metrics.a', true);

  assert.ok(performance.now() - began < 250, 'two sorts of 20,000 rows took over 250 ms');
});
