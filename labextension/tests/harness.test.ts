// Laws of the harness in TypeScript; that its numbers are those of Python is shown by the golden files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIZES } from '../src/harness/cells.ts';
import { compare, evidence } from '../src/harness/compare.ts';
import { Thresholds } from '../src/harness/curves.ts';
import { sha256 } from '../src/harness/digests.ts';
import { evaluate } from '../src/harness/evaluate.ts';
import type { Options, Report } from '../src/harness/evaluate.ts';
import { ofCounts } from '../src/harness/metrics.ts';
import { subkey, uniforms } from '../src/harness/random.ts';
import { Draws } from '../src/harness/resample.ts';
import type { Plan } from '../src/harness/resample.ts';
import { chiSquaredTail, erfc, normalCdf, normalQuantile } from '../src/harness/special.ts';
import { fixed, general, real as written } from '../src/harness/wording.ts';
import { crc32, encoded, json, zip } from '../src/harness/writer.ts';

const N = 90;
const u = uniforms(subkey(7, 999), 3 * N);
const scores = u.slice(0, N).map(v => Math.round(v * 20) / 20);
const labels = Int32Array.from(scores, (p, i) => (u[N + i]! < p ? 1 : 0));
const binary: Options = { task_type: 'classification', labels, predictions: scores, config: { n_resamples: 100 } };
const real: Options = { task_type: 'regression', labels: u.slice(0, N), predictions: u.slice(N, 2 * N), config: { n_resamples: 100 } };

function near(a: number | null, b: number | null, what: string): void {
  if (a === null || b === null) assert.equal(a, b, what);
  else assert.ok(Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(a)), `${what}: ${a} and ${b}`);
}

function alike(a: Record<string, number | null>, b: Record<string, number | null>, but: readonly string[] = []): void {
  for (const name of Object.keys(a)) if (!but.includes(name)) near(a[name]!, b[name]!, name);
}

test('published values of the functions', () => {
  // Abramowitz & Stegun 1964, tables 7.1, 26.1 and 26.8, with as many digits as they print
  assert.ok(Math.abs(erfc(0.5) - (1 - 0.5204998778)) < 1e-10);
  assert.ok(Math.abs(normalCdf(1) - 0.841344746068543) < 1e-15);
  assert.ok(Math.abs(chiSquaredTail(1, 3.84146) - 0.05) < 1e-6);
  assert.ok(Math.abs(chiSquaredTail(10, 18.307) - 0.05) < 1e-6);
  // Wichura 1988, the check values of PPND16
  for (const [share, value] of [[0.25, -0.674489750196082], [0.001, -3.09023230616781], [1e-20, -9.26234008979841]] as const) {
    assert.ok(Math.abs(normalQuantile(share) / value - 1) < 2e-15);
  }
});

test('published values of the digests: FIPS 180-4 examples, and the check value of CRC-32', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  assert.equal(sha256(bytes('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(
    sha256(bytes('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  );
  assert.equal(crc32(bytes('123456789')), 0xcbf43926);
});

test('a resample depends on its number alone', () => {
  const plan: Plan = { n: 50, n_resamples: 9, seed: 3, groups: null, strata: null };
  const forwards = new Draws(plan), other = new Draws(plan);
  const inOrder = Array.from({ length: 9 }, (_, r) => [...forwards.draw(r)]);

  assert.deepEqual([8, 2, 5].map(r => [...other.draw(r)]), [8, 2, 5].map(r => inOrder[r]));
  assert.ok(inOrder.every(row => row.reduce((a, b) => a + b) === 50));
});

test('what is given is never changed, and the report can be posted from a worker', () => {
  const given = structuredClone({ ...binary, sample_weight: u.slice(0, N) }), kept = structuredClone(given);
  const report = evaluate(given);

  assert.deepEqual(given, kept);
  assert.deepEqual(structuredClone(report), report);
});

test('equal input gives equal bytes', () => {
  const [a, b] = [zip(encoded(evaluate(binary))), zip(encoded(evaluate(structuredClone(binary))))];

  assert.deepEqual(a, b);
});

test('a threshold gives the metrics of an evaluation at that threshold', () => {
  for (const weight of [null, u.slice(2 * N)]) {
    const options = { ...binary, sample_weight: weight, config: { compute_cis: false } };
    const thresholds = Thresholds.of(evaluate(options).sample);
    assert.equal(thresholds.scores.length, new Set(scores).size);
    for (const threshold of [0.001, 0.5, 0.52, 0.999, ...thresholds.scores].filter(t => t > 0 && t < 1)) {
      const { metrics, tp, fp, fn, tn } = thresholds.at(threshold), whole = evaluate({ ...options, threshold });
      alike(metrics, whole.metrics);
      assert.deepEqual(Object.keys(metrics).sort(), Object.keys(ofCounts({ tp: 1, fp: 1, fn: 1, tn: 1 })).sort());
      [tn, fp, fn, tp].forEach((count, i) => near(count, whole.confusion![i]!, `cell ${i} at ${threshold}`));
    }
  }
});

test('the cheapest threshold costs no more than any other', () => {
  const thresholds = Thresholds.of(evaluate(binary).sample), found = thresholds.cheapest(1, 4);
  for (const threshold of thresholds.scores) {
    const { fp, fn } = thresholds.counts(threshold);
    assert.ok(found.cost <= fp + 4 * fn);
  }
  const { fp, fn } = thresholds.counts(found.threshold);
  assert.equal(found.cost, fp + 4 * fn);
});

test('the order of rows does not matter', () => {
  const back = (column: ArrayLike<number>): number[] => Array.from(column).reverse();
  for (const options of [binary, real]) {
    const turned = { ...options, labels: back(options.labels as Float64Array), predictions: back(options.predictions as Float64Array) };
    alike(evaluate(options).metrics, evaluate(turned).metrics);
  }
});

test('weights count as repetition, and only their ratios matter', () => {
  const times = Array.from(u.slice(2 * N), v => Math.floor(3 * v)), rows = times.flatMap((count, i) => Array<number>(count).fill(i));
  for (const options of [binary, real]) {
    const pick = (column: unknown): number[] => rows.map(row => (column as Float64Array)[row]!);
    const whole = evaluate({ ...options, labels: pick(options.labels), predictions: pick(options.predictions) });
    const weighted = evaluate({ ...options, sample_weight: times }), scaled = evaluate({ ...options, sample_weight: times.map(t => t * 7) });
    // bins are cut by rows, and the noise of a bin is counted by rows
    alike(weighted.metrics, whole.metrics, ['debiased_calibration_error', 'expected_calibration_error_equal_mass']);
    alike(weighted.metrics, scaled.metrics);
    for (const [name, interval] of Object.entries(weighted.intervals)) near(interval.low, scaled.intervals[name]!.low, name);
  }
});

test('a rising transform of the scores keeps the ranking', () => {
  const rising = evaluate({ ...binary, predictions: scores.map(p => p ** 3) });
  const before = evaluate(binary);
  for (const name of ['roc_auc', 'average_precision']) {
    assert.equal(rising.metrics[name], before.metrics[name]);
    assert.deepEqual(rising.intervals[name], before.intervals[name]);
  }
});

test('every metric has an interval or a reason, and an undefined one says why', () => {
  const samples = [binary, real, { ...binary, predictions: labels }, { ...binary, labels: new Int32Array(N), classes: [0, 1] }];
  for (const options of [...samples, { ...real, labels: new Float64Array(N) }]) {
    const report = evaluate(options);
    for (const [name, value] of Object.entries(report.metrics)) {
      const { low, high, reason } = report.intervals[name]!;
      assert.ok(low === null ? reason && high === null : high !== null && low <= high && reason === null, name);
      assert.equal(value === null, name in report.undefined, name);
    }
  }
});

const town = Array.from({ length: 3 * N }, (_, i) => ['Oslo', 'Bergen', 'Troms\u00f8'][i % 3]!);
const wide = uniforms(subkey(8, 999), 9 * N), judged = wide.slice(0, 3 * N), truth = Int32Array.from(judged, (p, i) => (wide[3 * N + i]! < 0.1 === p >= 0.5 ? 0 : 1));
const planted = truth.map((y, i) => (town[i] === 'Bergen' && wide[6 * N + i]! < 0.5 ? 1 - y : y));
const sliced: Options = {
  task_type: 'classification', labels: planted, predictions: judged, config: { n_resamples: 100 },
  data: { town, age: Array.from(wide.subarray(6 * N), v => Math.round(80 * v)), when: { times: town.map((_, i) => 86_400_000 * i) } },
};

test('a slice in which the model is worse is found, told, and its estimate corrected towards the rest', () => {
  const { slices, claims, metrics } = evaluate(sliced), [first] = slices.rows;

  assert.equal(first!.slice, "town = 'Bergen'");
  assert.ok(first!.significant && first!.estimate < metrics.accuracy!);
  assert.ok(first!.adjusted_low! <= first!.adjusted_estimate! && first!.adjusted_estimate! <= first!.adjusted_high!);
  assert.ok(first!.adjusted_estimate! >= first!.estimate - 0.02 && first!.adjusted_estimate! < metrics.accuracy!);
  assert.equal(claims[3]!.names.slice, "town = 'Bergen'");
});

test('slices of one feature part the rows, and q-values are no smaller than p-values', () => {
  const { rows, tested } = evaluate({ ...sliced, config: { ...sliced.config, max_slice_features: 1, min_support: 2 } }).slices;

  for (const feature of ['town', 'age', 'when (weekday)']) {
    const mine = rows.filter(row => row.feature === feature);
    assert.equal(mine.reduce((sum, row) => sum + row.support, 0), 3 * N, feature);
  }
  assert.equal(rows.length, tested);
  assert.ok(rows.every(row => row.q_value >= row.p_value - 1e-15 && row.significant === row.q_value <= 0.05));
});

test('categories of failures are exclusive: errors and rows add up', () => {
  for (const options of [sliced, binary, real]) {
    const { failures, sample } = evaluate(options);
    assert.equal(failures.categories.length, 6);
    assert.equal(failures.categories.reduce((sum, c) => sum + c.count, 0), failures.errors);
    if (sample.task !== 'regression') assert.equal(failures.categories.reduce((sum, c) => sum + c.rows, 0), sample.n);
    for (const c of failures.categories) assert.equal(c.examples.length, Math.min(c.count, 10));
  }
});

test('the takeaway has five sentences, and every number in them is kept as printed', () => {
  for (const options of [sliced, binary, real]) {
    const report = evaluate(options);
    assert.equal(report.claims.length, 5);
    for (const { sentence, numbers, names } of report.claims) {
      const printed = sentence.match(/-?\d+(?:\.\d+)?(?:e[-+]\d+)?/gu) ?? [], quoted = Object.values(names);
      for (const number of printed) assert.ok(Object.values(numbers).includes(Number(number)) || quoted.includes(number), `${number} in: ${sentence}`);
    }
  }
});

test('a comparison turned round has the signs turned, and a model does not differ from itself', () => {
  const [one, other] = [sliced, { ...sliced, predictions: wide.slice(6 * N) }].map(options => evaluate(options)) as [Report, Report];
  const there = compare(one, other), back = compare(other, one);

  there.rows.forEach((row, i) => {
    const turned = back.rows[i]!;
    near(row.difference, turned.difference === null ? null : -turned.difference, row.metric);
    near(row.p_value, turned.p_value, `p-value of ${row.metric}`);
    near(row.low, turned.high === null ? null : -turned.high, `interval of ${row.metric}`);
  });
  assert.equal(evidence(there, 'accuracy'), 'better');
  assert.ok(compare(one, one).rows.every(row => row.p_value === null || row.p_value === 1));
});

test('cells give the intervals of rows', () => {
  const n = 4000, many = uniforms(subkey(9, 999), 2 * n), predictions = many.slice(0, n);
  const options: Options = { task_type: 'classification', predictions, labels: predictions.map((p, i) => (many[n + i]! < p ? 1 : 0)) };
  const usual = { ...SIZES }, rows = evaluate(options);
  try {
    SIZES.LARGE = 0;
    const cells = evaluate(options);
    for (const name of ['roc_auc', 'average_precision', 'log_loss', 'brier_score', 'f1']) {
      const [a, b] = [rows.intervals[name]!, cells.intervals[name]!], width = a.high! - a.low!;
      assert.ok(Math.abs(a.low! - b.low!) < 0.15 * width && Math.abs(a.high! - b.high!) < 0.15 * width, name);
    }
  } finally {
    Object.assign(SIZES, usual);
  }
});

test('the folder has the files of the standard artifact folder', () => {
  const files = encoded(evaluate({ ...sliced, config: { ...sliced.config, run_stress_tests: true } }));
  const names = ['metrics.json', 'confidence_intervals.json', 'slices.json', 'failure_examples.json', 'stress.json', 'takeaway.txt'];

  assert.deepEqual([...files.keys()], names);
  assert.ok(!encoded(evaluate(sliced)).has('stress.json'));
});

test('numbers are written as Python writes them, halves to the even neighbour', () => {
  assert.deepEqual([fixed(0.0625, 3), fixed(0.1875, 3), fixed(2.5, 0), fixed(0.05, 1)], ['0.062', '0.188', '2', '0.1']);
  assert.deepEqual([general(100000.5), general(100001.5), general(1e6), general(0.00001)], ['100000', '100002', '1e+06', '1e-05']);
  assert.deepEqual([written(1), written(1e16), written(1e-5), written(0.5)], ['1.0', '1e+16', '1e-05', '0.5']);
});

test('JSON is strict', () => {
  assert.equal(json({ a: [1, 'x"', null, true], b: {}, c: [], seed: 2n ** 62n }), JSON.stringify({ a: [1, 'x"', null, true], b: {}, c: [], seed: '#' }, null, 1).replace('"#"', '4611686018427387904'));
  assert.throws(() => json({ a: NaN }), /JSON has no NaN/u);
});
