// Prints what an evaluation costs: medians of a few repetitions. Decides nothing. `node tests/harness.bench.ts`
import { evaluate } from '../src/harness/evaluate.ts';
import type { Options } from '../src/harness/evaluate.ts';
import { subkey, uniforms, words } from '../src/harness/random.ts';

function report(what: string, run: () => unknown, repeats = 7): void {
  const times = Array.from({ length: repeats }, () => {
    const began = performance.now();
    run();
    return performance.now() - began;
  }).sort((a, b) => a - b);
  console.log(`${what.padEnd(58)} ${times[repeats >> 1]!.toFixed(0).padStart(6)} ms   first ones included, slowest ${times[repeats - 1]!.toFixed(0)} ms`);
}

function binary(n: number, digits: number, more: Partial<Options> = {}): Options {
  const u = uniforms(subkey(1, 99), 2 * n);
  const predictions = u.slice(0, n).map(v => Math.round(v * 10 ** digits) / 10 ** digits);
  return { task_type: 'classification', predictions, labels: predictions.map((p, i) => (u[n + i]! < p ? 1 : 0)), classes: [0, 1], ...more };
}

function multiclass(n: number, k: number): Options {
  const u = uniforms(subkey(2, 99), n * (k + 1)), values = new Float64Array(n * k), labels = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0, at = 0;
    for (let c = 0; c < k; c++) sum += u[i * (k + 1) + c]!;
    for (let c = 0, reached = 0; c < k; c++) {
      values[i * k + c] = u[i * (k + 1) + c]! / sum;
      reached += values[i * k + c]!;
      if (u[i * (k + 1) + k]! > reached) at = Math.min(k - 1, c + 1);
    }
    labels[i] = at;
  }
  return { task_type: 'classification', labels, predictions: { values, columns: k }, classes: Array.from({ length: k }, (_, c) => c) };
}

function regression(n: number): Options {
  const u = uniforms(subkey(3, 99), 2 * n), labels = u.slice(0, n);
  return { task_type: 'regression', labels, predictions: labels.map((y, i) => y + u[n + i]! - 0.5) };
}

const raw = new Uint32Array(10_000);
report('10 M words of the generator', () => { for (let row = 0; row < 1000; row++) words([1, 2], row, raw); });
for (const [n, digits] of [[1000, 9], [10_000, 9], [10_000, 2]] as const) {
  const options = binary(n, digits);
  report(`binary, ${n} rows x 1,000 resamples${digits < 9 ? ', scores in ties' : ''}`, () => evaluate(options));
}
const weighted = binary(10_000, 9, { sample_weight: uniforms(subkey(4, 99), 10_000) });
report('binary, 10000 rows x 1,000 resamples, weighted', () => evaluate(weighted));
const one = binary(10_000, 9, { config: { compute_cis: false } });
report('binary, 10000 rows, estimates alone', () => evaluate(one));
for (const k of [3, 10]) {
  const options = multiclass(10_000, k);
  report(`${k} classes, 10000 rows x 1,000 resamples`, () => evaluate(options), 3);
}
const real = regression(10_000);
report('regression, 10000 rows x 1,000 resamples', () => evaluate(real));
for (const n of [100_000, 1_000_000]) {
  const options = binary(n, 4);
  report(`binary, ${n} rows x 1,000 resamples, by cells`, () => evaluate(options), 1);
}
const large = regression(100_000);
report('regression, 100000 rows x 1,000 resamples, by cells', () => evaluate(large), 1);
const u = uniforms(subkey(5, 99), 100_000);
const data = Object.fromEntries(Array.from({ length: 10 }, (_, c) => [`x${c}`, u.subarray(10_000 * c, 10_000 * (c + 1)).map(v => (c % 2 ? v : Math.floor(8 * v)))]));
const sliced = binary(10_000, 4, { data, config: { compute_cis: false } }), weightedSlices = { ...sliced, sample_weight: u.subarray(0, 10_000) };
report('slices of 10000 rows, 10 columns and their pairs', () => evaluate(sliced), 3);
report('slices of 10000 rows, 10 columns and their pairs, weighted', () => evaluate(weightedSlices), 3);
