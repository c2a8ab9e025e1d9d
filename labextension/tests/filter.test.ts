import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FilterError, Typed, filterRows, parseFilter } from '../src/core/filter.ts';
import type { Table } from '../src/core/table.ts';
import { readTable } from '../src/core/table.ts';

const runs = readTable({
  rows: 4,
  columns: [
    { name: 'run_id', kind: 'text', values: ['run_1', 'run_2', 'run_3', 'run_4'] },
    { name: 'name', kind: 'text', values: ['forest A', 'forest b', 'dummy', 'say "hi"'] },
    { name: 'status', kind: 'text', values: ['finished', 'failed', 'finished', 'running'] },
    { name: 'baseline', kind: 'bool', values: [false, false, true, false] },
    { name: 'started_at', kind: 'time', values: ['2026-11-02T12:00:00.000Z', '2026-11-03T12:00:00.000Z', null, '2026-11-04T12:00:00.000Z'] },
    { name: 'duration', kind: 'number', values: [30, 400, 4000, null] },
    { name: 'tags', kind: 'list', values: [['best', 'new'], [], null, ['new']] },
    { name: 'params.learning rate', kind: 'number', values: [0.1, 0.01, null, 0.2] },
    { name: 'params.model', kind: 'text', values: ['rf', 'RF', 'dummy', null] },
    { name: 'params.mixed', kind: 'text', values: ['0.15', '0.2', 'auto', '10'] },
    { name: 'metrics.accuracy', kind: 'number', values: [0.91, null, 0.5, 0.7] },
    { name: 'metrics.and', kind: 'number', values: [1, 2, 3, 4] },
  ],
});
const found = (text: string): number[] => [...filterRows(runs, parseFilter(text, runs))];

const CASES: [string, number[]][] = [
  ['', [0, 1, 2, 3]],
  ['  ', [0, 1, 2, 3]],
  ['forest', [0, 1]],
  ['FOREST', [0, 1]],
  ['"forest a"', [0]],
  ['"say \\"hi\\""', [3]],
  ['accuracy > 0.6', [0, 3]],
  ['metrics.accuracy>=.91', [0]],
  ['accuracy = 0.5', [2]],
  ['accuracy != 0.5', [0, 3]],
  ['not accuracy > 0.6', [2]],
  ['not (accuracy > 0.6)', [2]],
  ['accuracy is missing', [1]],
  ['accuracy is not missing', [0, 2, 3]],
  ['accuracy > 0.6 or accuracy is missing', [0, 1, 3]],
  ['status = finished and accuracy > 0.6', [0]],
  ['status = finished accuracy > 0.6', [0]],
  ['forest or dummy and status = running', [0, 1]],
  ['(forest or dummy) and status = finished', [0, 2]],
  ['model = rf', [0, 1]],
  ['model != rf', [2]],
  ['model ~ M', [2]],
  ['model !~ m', [0, 1]],
  ['tag = new', [0, 3]],
  ['tags != new', [1]],
  ['tags is missing', [1, 2]],
  ['baseline = true', [2]],
  ['baseline', [2]],
  ['"learning rate" < 0.15', [0, 1]],
  ['`learning rate` is missing', [2]],
  ['mixed > 0.15', [1, 3]],
  ['mixed < 1', [0, 1]],
  ['mixed = 0.20', [1]],
  ['mixed != 10', [0, 1, 2]],
  ['mixed = auto', [2]],
  ['not mixed > 0.15', [0]],
  ['duration > 5min', [1, 2]],
  ['duration >= 400', [1, 2]],
  ['duration < 1m', [0]],
  ['started >= 2026-11-03', [1, 3]],
  ['started = 2026-11-03', [1]],
  ['name < g', [0, 1, 2]],
  ['"and" > 2', [2, 3]],
  ['accuracy ≥ 0.7', [0, 3]],
];

for (const [text, rows] of CASES) {
  test(`filter: ${text || '(nothing)'}`, () => assert.deepEqual(found(text), rows));
}

const SLIPS: [string, RegExp][] = [
  ['acuracy > 1', /no column is named "acuracy"; did you mean "accuracy"\?/u],
  ['accuracy >', /needs a value after it/u],
  ['> 3', /needs a column before it/u],
  ['(forest', /parenthesis at position 1 is not closed/u],
  ['forest)', /"\)" at position 7 is not expected here/u],
  ['accuracy > high', /is a number, and "high" is not/u],
  ['accuracy > ""', /is a number, and "" is not/u],
  ['accuracy < " "', /is a number, and " " is not/u],
  ['accuracy is big', /after "is" comes "missing"/u],
  ['"open', /the quote at position 1 is not closed/u],
  ['forest and', /missing at the end/u],
  ['tags > 3', /can only be compared with = or !=/u],
];

for (const [text, message] of SLIPS) {
  test(`slip: ${text}`, () => assert.throws(() => parseFilter(text, runs), (e: Error) => e instanceof FilterError && message.test(e.message)));
}

test('a slip leaves the last filter that could be read, of the table that is there now', () => {
  const typed = new Typed();
  const table = (...names: string[]): Table => readTable({ rows: names.length, columns: [{ name: 'name', kind: 'text', values: names }] });
  assert.deepEqual([...typed.rows(table('a', 'b'), 'name = a').rows], [0]);
  const slipped = typed.rows(table('b', 'c', 'a'), 'nam');
  assert.deepEqual([[...slipped.rows], slipped.slip], [[], null]);
  typed.rows(table('a', 'b'), 'name = a');
  const wrong = typed.rows(table('b', 'c', 'a'), 'name =');
  assert.deepEqual([...wrong.rows], [2]);
  assert.match(wrong.slip!, /needs a value/u);
  const other = readTable({ rows: 1, columns: [{ name: 'other', kind: 'text', values: ['x'] }] });
  assert.deepEqual([...typed.rows(other, 'name =').rows], [0]);
});

test('any text either filters or says what is wrong', () => {
  const parts = ['accuracy', 'and', 'or', 'not', '(', ')', '<', '=', '"', "'", '`', '!', '~', 'is', 'missing', '0.5', '<script>', '\\', ' ', '≤'];
  let seed = 7;
  for (let i = 0; i < 3000; i++) {
    let text = '';
    for (let k = 0; k < 7; k++) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      text += parts[seed % parts.length]! + (seed % 3 ? ' ' : '');
    }
    try {
      found(text);
    } catch (e) {
      assert.ok(e instanceof FilterError, `${text}: ${String(e)}`);
    }
  }
});
