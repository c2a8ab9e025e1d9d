// What goes wrong, in six exclusive categories whose counts sum to the number of errors; rules, intervals and lift are those of
// the Python package's module of the same name.
import { median, quantile } from './columns.ts';
import { observedQuantile, shown } from './conditions.ts';
import { wilson } from './intervals.ts';
import type { Class, Config, Feature, Sample } from './schemas.ts';
import { normalQuantile } from './special.ts';
import { fixed, general, literal } from './wording.ts';

export const LIFT = 'share of the errors over share of all rows sorted by the same rules; 1 is no association';
export const LARGE = 3;
const CONFIDENT = 0.9, CLOSE = 0.1, RARE = 0.05, FENCE = 3, EXTREME = 9, TAIL = 0.05;
const MAX_COLUMNS = 50;

type Cell = string | number | boolean | null;

/** One failed row: its place in the input, label, prediction, why it is listed, and its features. */
export interface Example {
  readonly row: number;
  readonly label: Class;
  readonly prediction: Class;
  readonly probability: number | null;
  readonly reason: string;
  readonly values: Readonly<Record<string, Cell>>;
}

/** One category: its rule, its errors, how much more often errors are met there than elsewhere, and examples. */
export interface Category {
  readonly category: string;
  readonly rule: string;
  readonly count: number;
  readonly share: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly rows: number;
  readonly base_rate: number;
  readonly lift: number | null;
  readonly lift_low: number | null;
  readonly lift_high: number | null;
  readonly lift_reason: string | null;
  readonly examples: readonly Example[];
}

export interface Failures {
  readonly rule: string;
  readonly errors: number;
  readonly n: number;
  readonly categories: readonly Category[];
}

interface Rule {
  readonly name: string;
  readonly text: string;
  readonly met: (row: number) => boolean;
  readonly why: (row: number) => string;
}

interface Judged {
  readonly wrong: Uint8Array;
  readonly size: Float64Array;
  readonly rules: readonly Rule[];
  readonly rule: string;
}

/** Sort the errors of a sample into the six categories of its task. */
export function findFailures(s: Sample, config: Config): Failures {
  const { wrong, size, rules, rule } = s.task === 'regression' ? regression(s) : classification(s), level = config.confidence_level;
  const free = new Uint8Array(s.n).fill(1);
  const categories = rules.map(({ name, text, met, why }): Category => {
    const here = free.map((open, row) => (open && met(row) ? 1 : 0));
    here.forEach((taken, row) => { if (taken) free[row] = 0; });
    const mine = rowsOf(here.map((taken, row) => taken & wrong[row]!)), rows = rowsOf(here).length;
    const worst = [...mine].sort((a, b) => size[b]! - size[a]! || a - b).slice(0, config.n_failures_per_type);
    return {
      category: name, rule: text, count: mine.length, ...share(here, wrong, s, level), rows, base_rate: rows / s.n,
      ...lift(name, here, wrong, s, level), examples: worst.map(row => example(s, row, why(row))),
    };
  });
  return { rule, errors: rowsOf(wrong).length, n: s.n, categories };
}

function rowsOf(flags: Uint8Array): number[] {
  const rows: number[] = [];
  for (let row = 0; row < flags.length; row++) if (flags[row]) rows.push(row);
  return rows;
}

/** The share of the errors that are here, with its interval. */
function share(here: Uint8Array, wrong: Uint8Array, s: Sample, level: number): Pick<Category, 'share' | 'low' | 'high'> {
  const errors = rowsOf(wrong), count = errors.filter(row => here[row]).length;
  if (errors.length === 0) return { share: null, low: null, high: null };
  const found = count / errors.length;
  let size = errors.length;
  if (s.groups) {
    const variance = between(s, row => (wrong[row]! * (here[row]! - found)) / errors.length);
    if (count > 0 && count < errors.length && variance > 0) size = Math.min(size, (found * (1 - found)) / variance);
    else size = Math.min(size, new Set(errors.map(row => s.groups![row])).size);
  }
  const [low, high] = wilson(found * size, size, level);
  return { share: found, low, high };
}

/** The ratio of the error rate here to that of all rows, with an interval symmetric in the logarithm (Katz et al. 1978). */
function lift(name: string, here: Uint8Array, wrong: Uint8Array, s: Sample, level: number): Pick<Category, 'lift' | 'lift_low' | 'lift_high' | 'lift_reason'> {
  const none = (reason: string, value: number | null = null): ReturnType<typeof lift> => ({ lift: value, lift_low: null, lift_high: null, lift_reason: reason });
  const { n } = s;
  let errors = 0, rows = 0, count = 0;
  for (let row = 0; row < n; row++) [errors, rows, count] = [errors + wrong[row]!, rows + here[row]!, count + (here[row]! & wrong[row]!)];
  if (name === 'extreme') return none("its rule is part of what makes a row an error");
  if (errors === 0) return none('there are no errors');
  if (rows === 0) return none('no row meets the rule');
  if (count === 0) return none('no error is in this category, so the logarithm of the lift has no value', 0);
  const value = (count * n) / (rows * errors);
  const variance = between(s, row => 1 / n - wrong[row]! / errors - here[row]! / rows + (here[row]! & wrong[row]!) / count);
  if (variance <= 1e-12 / n) return none('every row, or every error and no other row, is in this category', value);
  const half = normalQuantile((1 + level) / 2) * Math.sqrt(variance);
  return { lift: value, lift_low: value * Math.exp(-half), lift_high: value * Math.exp(half), lift_reason: null };
}

/** The variance of a sum over rows, or over groups where rows come in groups. */
function between({ n, groups }: Sample, pull: (row: number) => number): number {
  const sums = new Float64Array(groups ? groups.reduce((a, b) => Math.max(a, b), 0) + 1 : n);
  for (let row = 0; row < n; row++) sums[groups ? groups[row]! : row]! += pull(row);
  return (sums.reduce((sum, v) => sum + v * v, 0) * sums.length) / Math.max(sums.length - 1, 1);
}

function classification(s: Sample): Judged {
  const { labels: y, predictions: guess, classes, n, probabilities: p } = s, k = classes.length;
  const at = (row: number, c: number): number => p![row * k + c]!;
  const said = (row: number): number => (p ? at(row, guess[row]!) : NaN);
  const lead = (row: number): number => {
    if (!p) return NaN;
    if (s.positive !== null) return 2 * Math.abs(at(row, s.positive) - s.threshold);
    const [second, first] = Array.from({ length: k }, (_, c) => at(row, c)).sort((a, b) => a - b).slice(-2) as [number, number];
    return first - second;
  };
  const counts = new Float64Array(k);
  for (const label of y) counts[label]!++;
  const named = (code: number): string => literal(classes[code]!), without = p ? '' : ' (probabilities were not given)', noData = s.data ? '' : ' (data was not given)';
  const close = s.positive !== null && p
    ? `the probability is less than ${general(CLOSE / 2)} from the threshold ${general(s.threshold)}`
    : `the predicted class leads the next by less than ${general(CLOSE)}`;
  const inputs = ofInput(s.data, noData);
  return {
    wrong: Uint8Array.from(y, (label, row) => (label === guess[row] ? 0 : 1)),
    size: Float64Array.from(y, (label, row) => (p ? said(row) - at(row, label) : 0)),
    rule: 'the predicted class is not the label',
    rules: [
      {
        name: 'confident', text: `the predicted class has probability ${general(CONFIDENT)} or more${without}`, met: row => said(row) >= CONFIDENT,
        why: row => `predicted ${named(guess[row]!)} with probability ${fixed(said(row), 3)}, but it is ${named(y[row]!)}`,
      },
      {
        name: 'borderline', text: close + without, met: row => lead(row) < CLOSE,
        why: row => `predicted ${named(guess[row]!)} with probability ${fixed(said(row), 3)}, a close call`,
      },
      {
        name: 'rare class', text: `the label's class has less than ${percent(RARE, 0)} of the rows`, met: row => counts[y[row]!]! / n < RARE,
        why: row => `${named(y[row]!)} has ${percent(counts[y[row]!]! / n, 1)} of the rows`,
      },
      ...inputs,
      { name: 'other', text: 'none of the above', met: () => true, why: row => `predicted ${named(guess[row]!)}, but it is ${named(y[row]!)}` },
    ],
  };
}

function regression(s: Sample): Judged {
  const { labels: y, predictions: guess } = s, error = guess.map((v, i) => v - y[i]!), size = error.map(Math.abs), middle = median(size);
  const sorted = y.slice().sort(), low = quantile(sorted, TAIL), high = quantile(sorted, 1 - TAIL), noData = s.data ? '' : ' (data was not given)';
  const off = (row: number): string => `predicted ${general(guess[row]!)} for ${general(y[row]!)}`;
  return {
    wrong: Uint8Array.from(size, v => (v > LARGE * middle ? 1 : 0)),
    size,
    rule: `the absolute error is more than ${general(LARGE)} times the median absolute error`,
    rules: [
      {
        name: 'extreme', text: `the absolute error is more than ${general(EXTREME)} times the median absolute error`, met: row => size[row]! > EXTREME * middle,
        why: row => (middle > 0 ? `${off(row)}, ${fixed(size[row]! / middle, 1)} times the median absolute error` : `${off(row)}, where most rows are exact`),
      },
      ...ofInput(s.data, noData),
      {
        name: 'rare target', text: `the label is below the ${percent(TAIL, 0)} or above the ${percent(1 - TAIL, 0)} quantile of the labels`,
        met: row => y[row]! < low || y[row]! > high,
        why: row => `${off(row)}, a label ${y[row]! < low ? `below ${general(low)}` : `above ${general(high)}`}`,
      },
      { name: 'too high', text: 'the prediction is above the label', met: row => error[row]! > 0, why: off },
      { name: 'too low', text: 'the prediction is below the label', met: row => error[row]! < 0, why: off },
    ],
  };
}

function percent(value: number, digits: number): string {
  return `${fixed(100 * value, digits)}%`;
}

/** The two rules about features. */
function ofInput(data: readonly Feature[] | null, noData: string): Rule[] {
  const fences = (data ?? []).filter(({ kind }) => kind === 'int' || kind === 'float').flatMap(({ name, values }) => {
    const numbers = values as ArrayLike<number>, finite = Float64Array.from(numbers, v => v ?? NaN).filter(Number.isFinite).sort();
    if (finite.length < 4) return [];
    const q1 = observedQuantile(finite, 0.25), q3 = observedQuantile(finite, 0.75), reach = FENCE * (q3 - q1);
    return q3 > q1 ? [{ name, numbers, low: q1 - reach, high: q3 + reach }] : [];
  });
  const beyond = (row: number): string[] => fences.flatMap(({ name, numbers, low, high }) => {
    const value = numbers[row] ?? NaN;
    return value < low || value > high ? [`${name} is ${general(value)}`] : [];
  });
  const lacking = (row: number): string[] => (data ?? []).filter(({ missing }) => missing[row]).map(({ name }) => name);
  const some = (names: readonly string[], most: number): string => names.slice(0, most).join(', ') + (names.length > most ? ' and more' : '');
  return [
    {
      name: 'missing input', text: `at least one feature is missing${noData}`, met: row => (data ?? []).some(({ missing }) => missing[row]),
      why: row => `${some(lacking(row), 5)} ${lacking(row).length === 1 ? 'is' : 'are'} missing`,
    },
    {
      name: 'unusual input', text: `a number lies more than ${general(FENCE)} interquartile ranges outside the quartiles${noData}`,
      met: row => beyond(row).length > 0, why: row => `${some(beyond(row), 3)}, far outside the other rows`,
    },
  ];
}

function example(s: Sample, row: number, reason: string): Example {
  const cell = (feature: Feature): Cell => {
    const value = feature.values[row]!;
    if (feature.missing[row]) return null;
    if (feature.kind === 'time') return shown(feature, row);
    return typeof value === 'number' && !Number.isFinite(value) ? general(value) : value;
  };
  const real = s.task === 'regression', named = (code: number): Class => (real ? code : s.classes[code]!);
  return {
    row: s.rows[row]!,
    label: named(s.labels[row]!),
    prediction: named(s.predictions[row]!),
    probability: s.probabilities ? s.probabilities[row * s.classes.length + s.predictions[row]!]! : null,
    reason,
    values: Object.fromEntries((s.data ?? []).slice(0, MAX_COLUMNS).map(feature => [feature.name, cell(feature)])),
  };
}
