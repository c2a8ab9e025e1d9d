// How runs are looked at and how far they are: what is read from a kernel, a browser or a stranger's page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST, chosenColumns, hiddenOf, readLook, writeLook } from '../src/widgets/look.ts';
import { readProgress, remaining } from '../src/widgets/progress.ts';

test('a look comes back as it was written', () => {
  const look = { ...FIRST, filter: 'accuracy > 0.9', sort: { name: 'metrics.a', descending: false }, hidden: ['note'], selected: ['run_1'], tab: 'scatter' as const, metric: 'metrics.a', x: 'params.b', y: 'metrics.c' };
  assert.deepEqual(readLook(writeLook(look)), look);
});

test('what is no look is as at first', () => {
  for (const odd of [undefined, null, 3, 'x', [], { tab: 'constructor', hidden: 'name', selected: {}, sort: [], filter: { toString: 1 } }]) {
    assert.deepEqual(readLook(odd as never), FIRST);
  }
});

test('a look has bounds', () => {
  const read = readLook({ filter: 'x'.repeat(1e6), hidden: Array.from({ length: 1e5 }, (_, i) => `c${i}`) });
  assert.equal(read.filter.length, 10_000);
  assert.equal(read.hidden!.length, 5000);
});

test('a choice of columns is kept in as few names as it takes, and comes back', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `params.a column with a name of usual length ${i}`);
  for (const hidden of [new Set(names.slice(8)), new Set(names.slice(0, 3)), new Set<string>(), new Set(names)]) {
    const look = { ...FIRST, ...chosenColumns(hidden, names) };
    assert.ok((look.hidden ?? look.shown)!.length <= 8);
    assert.deepEqual(hiddenOf(readLook(writeLook(look)), names), hidden);
  }
  assert.equal(hiddenOf(FIRST, names), null);
});

test('what a kernel would not keep is left out', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `params.a column with a name of usual length ${i}`);
  const written = writeLook({ ...FIRST, filter: 'x', ...chosenColumns(new Set(names.slice(2500)), names) });
  assert.ok(JSON.stringify(written).length < 100_000);
  assert.equal(readLook(written).filter, 'x');
});

test('the end is estimated from the steps that were done', () => {
  const run = { id: 'a', name: 'a', step: 24, total: 100, first: 0, started: 0, told: 10_000 };
  assert.equal(remaining(run, 10_000), 30);
  // What was heard since is nothing: the time goes on and the steps that were done meanwhile are not known.
  assert.equal(remaining(run, 15_000), 25);
  assert.equal(remaining(run, 90_000), 0);
  assert.equal(remaining({ ...run, step: 99 }, 10_000), 0);
  assert.equal(remaining({ ...run, step: 500 }, 10_000), 0);
  assert.equal(remaining({ ...run, step: null }, 10_000), null);
  assert.equal(remaining({ ...run, total: null }, 10_000), null);
  // Resumed at step 20, it did five steps in ten seconds.
  assert.equal(remaining({ ...run, first: 20 }, 10_000), 150);
});

test('progress without a start is none', () => {
  assert.deepEqual(readProgress([{ run_id: 'a', elapsed: 'soon' }, 3, null, { run_id: 'b', elapsed: 5, step: NaN, total: 2 }] as never, 7000), [
    { id: 'b', name: '', step: null, total: 2, first: 0, started: 2000, told: 7000 },
  ]);
  assert.deepEqual(readProgress(undefined, 0), []);
});
