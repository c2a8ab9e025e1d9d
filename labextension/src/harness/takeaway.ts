// Five sentences, each a function of tables; words that judge are used only where a test passed. Every number a sentence prints
// is kept with it, as printed.
import type { CalibrationTest } from './calibration.ts';
import { accurate } from './columns.ts';
import { LARGE } from './failures.ts';
import type { Failures } from './failures.ts';
import { METRICS } from './metrics.ts';
import { mcnemar } from './paired.ts';
import type { Interval, Sample } from './schemas.ts';
import type { Slice, Slices } from './slices.ts';
import { studentCdf } from './special.ts';
import { ascending, literal, real, scientific, fixed } from './wording.ts';

/** Probabilities are called well calibrated when the whole interval of their error is below this. */
const GOOD_CALIBRATION = 0.05;

/** One sentence, with the numbers it prints (as printed) and the names it quotes. */
export interface Claim {
  readonly about: string;
  readonly sentence: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly names: Readonly<Record<string, string>>;
}

type Metrics = Readonly<Record<string, number | null>>;
type Intervals = Readonly<Record<string, Interval>>;

/** Collects the numbers and names of one sentence while it is written. */
class Words {
  readonly numbers: Record<string, number> = {};
  readonly names: Record<string, string> = {};
  readonly level: number;

  constructor(level: number) {
    this.level = level;
  }

  number(name: string, value: number): string {
    const printed = (this.numbers[name] = rounded(value));
    return Number.isInteger(printed) ? String(printed) : real(printed);
  }

  count(name: string, value: number): string {
    this.numbers[name] = value;
    return String(value);
  }

  name(key: string, text: string): string {
    return (this.names[key] = text.split(/[\s\u001c-\u001f\u0085]+/u).filter(Boolean).join(' '));
  }

  interval({ low, high }: Interval, key = ''): string {
    if (low === null || high === null) return 'no interval';
    return `${this.number('confidence_percent', 100 * this.level)} % interval ${this.number(`${key}low`, low)} to ${this.number(`${key}high`, high)}`;
  }

  p(value: number): string {
    if (value >= 0.001) return `p = ${this.number('p_value', value)}`;
    this.numbers.p_value_below = 0.001;
    return 'p < 0.001';
  }

  claim(about: string, sentence: string): Claim {
    return { about, sentence, numbers: this.numbers, names: this.names };
  }
}

/** Round for reading: three decimals from 0.1 up, four digits for large numbers, three for small; what is just below 1 stays there. */
export function rounded(value: number): number {
  const size = Math.abs(value);
  if (size >= 0.9995 && size < 1 - 5e-7) return Number(fixed(value, 1 - Math.floor(Math.log10(1 - size))));
  if (size >= 1000) return Number(scientific(value, 4).join('e'));
  if (size >= 0.1 || size === 0) return Number(fixed(value, 3)) + 0;
  return Number(fixed(value, 2 - Math.floor(Math.log10(size))));
}

/** The five claims: headline, baseline, calibration or bias, slices, failures. */
export function claims(
  s: Sample, level: number, metrics: Metrics, intervals: Intervals, test: CalibrationTest | null, slices: Slices, failures: Failures,
): Claim[] {
  const rest = [ofSlices(slices, s, metrics, level), ofFailures(failures, s.task === 'regression', level)];
  if (s.task === 'regression') {
    return [headline('root_mean_squared_error', s, metrics, intervals, level), meanBaseline(s, metrics, intervals, level), bias(s, metrics, intervals, level), ...rest];
  }
  const [beats, baseline] = majority(s, metrics, intervals, level);
  const name = beats ? 'accuracy' : (metrics.roc_auc ?? null) !== null ? 'roc_auc' : 'balanced_accuracy';
  return [headline(name, s, metrics, intervals, level), baseline, calibration(s, metrics, intervals, test, level), ...rest];
}

function contains({ low, high }: Interval, value: number): boolean {
  return low !== null && high !== null && low <= value && value <= high;
}

function headline(name: string, s: Sample, metrics: Metrics, intervals: Intervals, level: number): Claim {
  const words = new Words(level), value = metrics[name]!, { title } = METRICS.get(name)!;
  const rows = `on ${words.count('n', s.n)} row${s.n === 1 ? '' : 's'}`;
  if (value === null) return words.claim('headline', `${title} is not defined ${rows}.`);
  return words.claim('headline', `${title} is ${words.number(name, value)} (${words.interval(intervals[name]!)}) ${rows}.`);
}

/** Judge accuracy against always answering the most frequent class of these very labels. */
function majority(s: Sample, metrics: Metrics, intervals: Intervals, level: number): [boolean, Claim] {
  const words = new Words(level), mass = new Float64Array(s.classes.length), w = (i: number): number => (s.weights ? s.weights[i]! : 1);
  s.labels.forEach((label, i) => { mass[label]! += w(i); });
  const top = mass.reduce((best, m, c) => (m > mass[best]! ? c : best), 0), share = mass[top]! / mass.reduce((a, b) => a + b, 0);
  const accuracy = metrics.accuracy!, interval = intervals.accuracy!;
  const answer = words.name('majority_class', literal(s.classes[top]!));
  const said = `always answering ${answer}, which is right in a share of ${words.number('majority_share', share)}`;
  const apart = s.labels.map((label, i) => (label === s.predictions[i] ? 1 : 0) - (label === top ? 1 : 0)), plain = !s.weights && !s.groups;
  const count = (side: number): number => apart.reduce((sum, v) => sum + (v === side ? 1 : 0), 0);
  const p = plain ? mcnemar(count(1), count(-1)) : pairedT(apart, s);
  const found = verdict(p, interval, share, accuracy - share, level);
  const number = words.number('accuracy', accuracy), set = (word: string): string => `accuracy, ${number}, ${word} ${said}`;
  if (found === 'none') return [false, words.claim('baseline', `There is no evidence that ${set('differs from')}.`)];
  const by = `${plain ? 'McNemar' : 'paired t test'} ${words.p(p)}`;
  if (found === 'split') {
    const place = `although that share lies ${contains(interval, share) ? 'in' : 'outside'} the interval of accuracy`;
    return [false, words.claim('baseline', `It is not decided whether ${set('differs from')}: ${by}, ${place}.`)];
  }
  const better = accuracy > share, judged = set(`is ${better ? 'better' : 'worse'} than`);
  return [better, words.claim('baseline', `A${judged.slice(1)} (${by}).`)];
}

/**
 * "shown" where test and interval leave `nought` out on the side seen, "none" where neither does, or "split". Where there is no
 * interval the test decides alone.
 */
function verdict(p: number, interval: Interval, nought: number, difference: number, level: number): 'shown' | 'none' | 'split' {
  const { low, high } = interval, rejected = p <= 1 - level;
  if (low === null || high === null) return rejected ? 'shown' : 'none';
  if (rejected && (difference > 0 ? low > nought : high < nought)) return 'shown';
  return !rejected && contains(interval, nought) ? 'none' : 'split';
}

/**
 * P-value of a weighted mean difference of 0, by Student's t over rows or groups (Binder 1983). Where all differences are one
 * number but 0, t has no value; then the share of all changes of signs that give as large a mean (Fisher 1935).
 */
function pairedT(difference: Float64Array, s: Sample): number {
  const d = scaled(difference);
  const w = (i: number): number => (s.weights ? s.weights[i]! : 1), all = accurate(s.n, w), mean = accurate(s.n, i => w(i) * d[i]!) / all;
  const size = s.groups ? s.groups.reduce((a, b) => Math.max(a, b), 0) + 1 : s.n, pull = new Float64Array(size), weight = new Float64Array(size);
  for (let i = 0; i < s.n; i++) {
    const at = s.groups ? s.groups[i]! : i;
    pull[at]! += (w(i) * (d[i]! - mean)) / all;
    weight[at]! += w(i);
  }
  const units = weight.filter(v => v !== 0).length;
  if (units < 2 || mean === 0) return 1;
  const error = Math.sqrt((accurate(size, u => pull[u]! ** 2) * units) / (units - 1));
  return error <= 1e-12 * Math.abs(mean) ? 2 ** (1 - units) : Math.min(1, 2 * studentCdf(units - 1, -Math.abs(mean) / error));
}

/** Values over the largest of them, so that products and squares stay within range. */
function scaled(values: Float64Array): Float64Array {
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return largest > 0 ? values.map(v => v / largest) : values;
}

/** Judge squared errors against those of always answering the mean of these very labels. */
function meanBaseline(s: Sample, metrics: Metrics, intervals: Intervals, level: number): Claim {
  const words = new Words(level), value = metrics.r2!, interval = intervals.r2!;
  if (value === null) return words.claim('baseline', 'R squared is not defined, so the predictions cannot be set against the mean of the labels.');
  const p = againstMean(s);
  const said = `R squared is ${words.number('r2', value)} (${words.interval(interval)}), paired t test ${words.p(p)}`;
  const found = verdict(p, interval, 0, value, level), than = 'always answering the mean of the labels';
  if (found === 'none') return words.claim('baseline', `There is no evidence of a difference from ${than}: ${said}.`);
  if (found === 'split') return words.claim('baseline', `It is not decided whether the predictions differ from ${than}: ${said}.`);
  return words.claim('baseline', `The predictions are ${value > 0 ? 'better' : 'worse'} than ${than}: ${said}.`);
}

/**
 * P-value of squared errors against those of the mean of the labels, with and without the row (or group) itself: the mean of all
 * labels has seen the label that it answers, so predictions differ where both tests say so, on the same side.
 */
function againstMean(s: Sample): number {
  const { n, labels: y, predictions: guess, groups } = s, w = (i: number): number => (s.weights ? s.weights[i]! : 1);
  const size = groups ? groups.reduce((a, b) => Math.max(a, b), 0) + 1 : n, own = new Float64Array(size), mass = new Float64Array(size);
  const at = (i: number): number => (groups ? groups[i]! : i), all = accurate(n, w), total = accurate(n, i => w(i) * y[i]!);
  for (let i = 0; i < n; i++) {
    own[at(i)]! += w(i) * y[i]!;
    mass[at(i)]! += w(i);
  }
  if (mass.some(m => all - m <= 1e-12 * all)) return 1;
  const tiny = 1e-12 * y.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const [first, second] = [(): number => total / all, (i: number): number => (total - own[at(i)]!) / (all - mass[at(i)]!)].map(answer => {
    const gap = scaled(Float64Array.from(guess, (v, i) => (Math.abs(answer(i) - v) <= tiny ? 0 : answer(i) - v)));
    // (prediction - label)^2 - (answer - label)^2, as a product: 0 where the answer is predicted
    const sum = scaled(Float64Array.from(guess, (v, i) => v + answer(i) - 2 * y[i]!)), lost = gap.map((v, i) => -v * sum[i]!);
    return { p: pairedT(lost, s), worse: accurate(n, i => w(i) * lost[i]!) > 0 };
  });
  return first!.worse === second!.worse ? Math.max(first!.p, second!.p) : 1;
}

function bias(s: Sample, metrics: Metrics, intervals: Intervals, level: number): Claim {
  const words = new Words(level), value = metrics.mean_bias_error!, interval = intervals.mean_bias_error!;
  const p = pairedT(Float64Array.from(s.predictions, (v, i) => v - s.labels[i]!), s);
  const said = `the mean bias is ${words.number('mean_bias_error', value)} (${words.interval(interval)}), paired t test ${words.p(p)}.`;
  const found = verdict(p, interval, 0, value, level);
  if (found === 'shown') return words.claim('bias', `Predictions are too ${value > 0 ? 'high' : 'low'} on average: ${said}`);
  return words.claim('bias', `${found === 'none' ? 'There is no evidence that' : 'It is not decided whether'} predictions are too high or too low on average: ${said}`);
}

function calibration(s: Sample, metrics: Metrics, intervals: Intervals, test: CalibrationTest | null, level: number): Claim {
  const words = new Words(level);
  if (!s.probabilities || !test) return words.claim('calibration', 'Calibration was not judged, because no probabilities were given.');
  const value = metrics.debiased_calibration_error!, interval = intervals.debiased_calibration_error!;
  const low = value === null ? null : interval.low, high = value === null ? null : interval.high;
  const error = value === null || low === null
    ? `their plug-in expected calibration error is ${words.number('expected_calibration_error', metrics.expected_calibration_error!)} (no interval)`
    : `their root mean square calibration error is ${words.number('debiased_calibration_error', value)} (${words.interval(interval)})`;
  const away = low !== null && low > 0, rejected = test.p_value !== null && test.p_value <= 1 - level;
  const slope = metrics.calibration_slope ?? null, line = intervals.calibration_slope;
  let bend = '', said: string;
  if (slope !== null && line && line.low !== null && !contains(line, 1) && !away && !rejected) {
    const number = words.number('calibration_slope', slope), bound = words.number('calibrated_slope', 1);
    bend = `the calibration slope, ${number} (${words.interval(line, 'slope_')}), leaves ${bound} out`;
  }
  const chi = test.p_value === null ? '' : words.p(test.p_value);
  if (away || rejected) {
    said = `The probabilities are not perfectly calibrated: ${error}`;
    if (rejected && !away && low !== null) {
      said += `; the chi-squared test rejects (${chi}), although the interval still reaches ${words.number('no_error', 0)}`;
    } else if (rejected) said += `, chi-squared ${chi}`;
    else if (chi) said += `, although the chi-squared test does not reject (${chi})`;
  } else if (!chi) said = `The calibration of the probabilities was not tested: ${error}${bend && `, and ${bend}`}`;
  else if (bend) said = `Judgements of the probabilities disagree: chi-squared does not reject (${chi}) and ${error}, but ${bend}`;
  else if (high !== null && high <= GOOD_CALIBRATION) {
    said = `The probabilities are well calibrated: ${error}, all of it below ${words.number('bound', GOOD_CALIBRATION)}, chi-squared ${chi}`;
  } else said = `There is no evidence that the probabilities are miscalibrated, but not enough to exclude it: ${error}, chi-squared ${chi}`;
  return words.claim('calibration', `${said}.`);
}

function ofSlices(slices: Slices, s: Sample, metrics: Metrics, level: number): Claim {
  const words = new Words(level);
  if (slices.reason !== null || slices.tested === 0) {
    return words.claim('slices', `No slices were tested, because ${s.data ? 'none has enough rows' : 'no data was given'}.`);
  }
  const metric = METRICS.get(s.task === 'regression' ? 'mean_absolute_error' : 'accuracy')!, overall = metrics[metric.name]!;
  const sign = metric.greater_is_better ? 1 : -1, worse = slices.rows.filter(row => row.significant && sign * (row.estimate - overall) < 0);
  const tested = words.count('tested', slices.tested), corrected = (row: Slice): number => row.adjusted_estimate ?? row.estimate;
  if (worse.length === 0) {
    return words.claim('slices', `None of the ${tested} slices tested does significantly worse than the other rows after correction for their number.`);
  }
  const row = worse.reduce((a, b) => {
    const short = (v: number): number => Number(v.toPrecision(9));
    const gap = sign * (short(corrected(b)) - short(corrected(a))) || short(b.p_value) - short(a.p_value) || ascending(b.slice, a.slice);
    return gap < 0 ? b : a;
  });
  let span = 'no interval';
  if (row.adjusted_low !== null && row.adjusted_high !== null) {
    const ends = [words.number('confidence_percent', 100 * level), words.number('low', row.adjusted_low), words.number('high', row.adjusted_high)];
    span = `${ends[0]} % interval ${ends[1]} to ${ends[2]}, corrected for the search`;
  }
  const where = words.name('slice', row.slice), many = words.count('worse', worse.length);
  return words.claim(
    'slices',
    `Of ${tested} slices tested, ${many} ${worse.length === 1 ? 'is' : 'are'} significantly worse than the other rows, most of all ${where}: ` +
      `${metric.title} ${words.number('estimate', corrected(row))} (${span}) on ${words.count('support', row.support)} rows, ` +
      `against ${words.number('overall', overall)} overall.`,
  );
}

function ofFailures({ errors, n, categories, rule }: Failures, real: boolean, level: number): Claim {
  const words = new Words(level), rows = words.count('n', n);
  if (real) words.number('error_above', LARGE);
  const means = real ? ` (an error is a row where ${rule})` : '';
  if (errors === 0) return words.claim('failures', `No row of ${rows} counts as an error${means}.`);
  const most = (some: Failures['categories']): Failures['categories'][number] => some.reduce((a, b) => (b.count > a.count ? b : a));
  const named = most(categories).category === 'other' && most(categories).count < errors;
  const kinds = named ? categories.filter(c => c.category !== 'other') : categories, which = named ? 'largest named' : 'largest';
  const top = most(kinds), tied = kinds.filter(c => c.count === top.count).length > 1;
  const share = words.number('share', top.share ?? 0);
  let span = '', more = '';
  if (top.low !== null && top.high !== null) {
    span = `, ${words.number('confidence_percent', 100 * level)} % interval ${words.number('low', top.low)} to ${words.number('high', top.high)}`;
  }
  if (top.lift !== null && top.lift_low !== null && top.lift_low > 1) more = `, ${words.number('lift', top.lift)} times as often as its share of all rows`;
  const all = words.count('errors', errors);
  return words.claim(
    'failures',
    `Of ${all} ${errors === 1 ? 'error' : 'errors'} in ${rows} rows${means}, ${tied ? `one of the ${which} kinds` : `the ${which} kind`} is ` +
      `${literal(top.category)} with ${words.count('count', top.count)} (share ${share}${span}${more}).`,
  );
}
