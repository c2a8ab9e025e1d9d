import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calibrationFigure, prFigure, rocFigure } from '../src/core/judged.ts';
import { readOperating, stops } from '../src/core/operating.ts';
import type { Json, JsonObject } from '../src/core/protocol.ts';
import { Unreadable, safeFigure } from '../src/core/safe.ts';
import { visible } from '../src/widgets/diff.ts';

const CLASS: JsonObject = {
  name: '<b>yes</b>', chosen: 0.55, score: [0.9, 0.6, 0.2], tp: [1, 2, 2], fp: [0, 1, 2], sum: [0.9, 2.1, 2.5],
  bands: { roc: { x: [0, 1], low: [0, 0.5], high: [0.5, 1] } },
  calibration: { predicted: [0.2, 0.8], observed: [0.1, 0.9], n: [2, 2], low: [0, 0.5], high: [0.5, 1] },
};
const section = (...classes: Json[]): JsonObject => ({ kind: 'thresholds', level: 0.95, counted: true, classes });

test('every stop of a slider parts the rows in its own way, and one is the threshold of the evaluation', () => {
  const scores = Float64Array.from([0.987654, 0.9, 0.6, 0.2, 0.200001 - 1e-6, 0.0012]);
  const found = stops(scores, 0.55);
  const said = Array.from(found, t => scores.filter(s => s >= t).length);

  assert.deepEqual(said, [...said].sort((a, b) => b - a));
  assert.equal(new Set(said).size, said.length);
  assert.ok(said.includes(0) && said.includes(scores.length));
  assert.ok(found.includes(0.55));
  assert.deepEqual(Array.from(found), [...found].sort((a, b) => a - b));
  assert.deepEqual(Array.from(stops(Float64Array.from([1]), 0.5)), [0.5]);
});

test('the cheapest stop costs no more than any other', () => {
  const [one] = readOperating(section(CLASS));
  const cost = (t: number): number => one!.at(t).fp * 3 + one!.at(t).fn;
  const best = cost(one!.cheapest(3, 1));

  for (const stop of one!.stops) assert.ok(best <= cost(stop));
});

test('the point of a threshold lies on its curves, and figures pass the door to Plotly whole', () => {
  const [one] = readOperating(section(CLASS));
  for (const stop of one!.stops) {
    const at = one!.at(stop);
    for (const [figure, line] of [[rocFigure(one!, at), one!.roc()], [prFigure(one!, at), one!.pr()]] as const) {
      const { x, y } = figure.data.at(-1)! as { x: number[]; y: (number | null)[] };
      const on = y[0] === null || line.x.some((v, i) => Math.abs(v! - x[0]!) < 1e-12 && Math.abs(line.y[i]! - y[0]!) < 1e-12);
      assert.ok(on, `${stop}`);
      assert.equal(safeFigure(figure).data.length, figure.data.length);
    }
    assert.deepEqual(safeFigure(calibrationFigure(one!.bins, at)).data.length, 4);
  }
});

test('damaged thresholds are a sentence, whatever they hold', () => {
  const odd: Json[] = [
    {}, { ...CLASS, score: [0.2, 0.9, 1] }, { ...CLASS, tp: [2, 1, 2] }, { ...CLASS, tp: [1, 2] }, { ...CLASS, fp: [0, -1, 2] },
    { ...CLASS, sum: ['x', 1, 2] }, { ...CLASS, score: Array(6000).fill(0.5) }, { ...CLASS, tp: [0, 0, 0], fp: [0, 0, 0] },
  ];
  for (const one of odd) assert.throws(() => readOperating(section(one)), Unreadable);
  assert.throws(() => readOperating({ kind: 'thresholds' }), Unreadable);
  assert.throws(() => readOperating(section(3, null, 'x')), Unreadable);
});

test('damaged bands and bins are left out, and the slider stays', () => {
  const [one] = readOperating(section({ ...CLASS, bands: { roc: { x: [1], low: 3, high: [] }, pr: [] }, calibration: { predicted: [1, 2], observed: [1] }, chosen: { a: 1 } }));

  assert.deepEqual([one!.bands.roc, one!.bands.pr, one!.bins, one!.chosen], [null, null, null, 0.5]);
});

test('letters that hide or turn code around are written out', () => {
  assert.equal(visible('if a:\u202e }\u200b\t# ok\u0007'), 'if a:\\u202e }\\u200b\t# ok\\u0007');
  assert.equal(visible('naïve = "漢字"'), 'naïve = "漢字"');
});
