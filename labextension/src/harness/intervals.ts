// Intervals from an estimate, its resamples and its jackknife; closed forms for proportions. Which one is used when is decided
// in `forMetric`, by the rules of the Python package, and said in `method`.
import { Prepared, Weighing } from './batch.ts';
import { debiasedInterval, intercept, recalibrationInterval, slope } from './calibration.ts';
import { MAX_RESAMPLED_PAIRS, SIZES, drawn as drawnCells, gathered } from './cells.ts';
import { accurate, quantile, searchsorted } from './columns.ts';
import { METRICS, wanted } from './metrics.ts';
import type { MetricSpec } from './metrics.ts';
import { Draws, largestTotal, units } from './resample.ts';
import type { Plan } from './resample.ts';
import { between, isPlain, noInterval } from './schemas.ts';
import type { Interval, Sample } from './schemas.ts';
import { gammaQuantile, normalCdf, normalQuantile, studentQuantile } from './special.ts';
import { grouped, literal } from './wording.ts';

/** Fewer rows (or groups) than this are too few to resample. */
export const LEAST = 10;
/** Fewer rows of a class than this cannot show how metrics that mix both classes vary. */
const FEW = 5;
const AREAS = ['roc_auc', 'roc_auc_ovr', 'roc_auc_ovr_weighted', 'roc_auc_ovo'];
/** Metrics in which each class of the labels counts alike, however rare. */
const RANKING = ['roc_auc', 'average_precision', 'roc_auc_ovr', 'roc_auc_ovo'];
/** With fewer rows of a class resamples of areas, and of average precision, repeat the few too often. */
export const RARE = 30, RARE_PRECISION = 20;
/** Up to this many successes or failures Wilson's interval is corrected. */
const EDGE = 3;
/** Metrics that are made of a mean of squared errors. */
const SQUARES = ['mean_squared_error', 'root_mean_squared_error', 'r2', 'explained_variance'];
/** With a larger share of undefined resamples the rest says nothing about the whole. */
const MAX_UNDEFINED = 0.05;

/** Values of each metric on each resample, and with each unit left out (small samples only). */
export interface Replicates {
  readonly plan: Plan;
  readonly resampled: ReadonlyMap<string, Float64Array>;
  readonly left_out: ReadonlyMap<string, Float64Array>;
}

function resampledSpecs(sample: Sample, only?: readonly string[]): MetricSpec[] {
  return wanted(sample).filter(
    spec => (spec.interval === 'bootstrap' || spec.interval === 'proportion') && (!only || only.includes(spec.name)) && !tooManyPairs(spec.name, sample),
  );
}

function byCells(samples: readonly Sample[], plan: Plan, only?: readonly string[]): Replicates[] {
  const specs = samples.map(sample => resampledSpecs(sample, only));
  const found = specs.map(each => new Map(each.map(spec => [spec.name, new Float64Array(plan.n_resamples)])));
  let r = 0;
  for (const parts of drawnCells(samples, plan)) {
    parts.forEach((part, i) => { for (const spec of specs[i]!) found[i]!.get(spec.name)![r] = spec.compute(part); });
    r++;
  }
  return found.map(resampled => ({ plan, resampled, left_out: new Map() }));
}

/** Compute the metrics of two samples of the same rows on the same resamples. */
export function together(one: Sample, other: Sample, plan: Plan): readonly [Replicates, Replicates] {
  if (gathered(one, plan) || gathered(other, plan)) return byCells([one, other], plan) as [Replicates, Replicates];
  return [replicate(one, plan), replicate(other, plan)];
}

/** Compute every bootstrapped metric, or only some, on every resample of one plan. */
export function replicate(sample: Sample, plan: Plan, only?: readonly string[]): Replicates {
  if (gathered(sample, plan)) return byCells([sample], plan, only)[0]!;
  const specs = resampledSpecs(sample, only);
  const weighing = new Weighing(new Prepared(sample, largestTotal(plan)), plan.groups);
  const made = (rows: number): Map<string, Float64Array> => new Map(specs.map(spec => [spec.name, new Float64Array(rows)]));
  const fill = (into: Map<string, Float64Array>, at: number, drawn: Int32Array): void => {
    weighing.weigh(drawn);
    for (const spec of specs) into.get(spec.name)![at] = spec.compute(weighing);
  };
  const resampled = made(plan.n_resamples), draws = new Draws(plan);
  for (let r = 0; r < plan.n_resamples; r++) fill(resampled, r, draws.draw(r));
  const size = units(plan);
  if (size < 3 || size > SIZES.SMALL || plan.strata) return { plan, resampled, left_out: new Map() };
  const left_out = made(size), drawn = new Int32Array(size).fill(1);
  for (let u = 0; u < size; u++) {
    drawn[u] = 0;
    fill(left_out, u, drawn);
    drawn[u] = 1;
  }
  return { plan, resampled, left_out };
}

function tooManyPairs(name: string, sample: Sample): boolean {
  return name === 'roc_auc_ovo' && sample.classes.length > MAX_RESAMPLED_PAIRS;
}

// Closed forms --------------------------------------------------------------------------------------

/** Score interval for a proportion (Wilson 1927, JASA 22(158); Newcombe 1998, Stat. Med. 17(8)). */
export function wilson(successes: number, trials: number, level: number): [number, number] {
  const z = normalQuantile((1 + level) / 2), share = successes / trials, z2 = z * z;
  const middle = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = (z / (1 + z2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials ** 2));
  return [successes <= 0 ? 0 : middle - half, successes >= trials ? 1 : middle + half];
}

// Resampling ----------------------------------------------------------------------------------------

/** Percentile interval (Efron & Tibshirani 1993, chapter 13). */
export function percentile(values: Float64Array, level: number): [number, number] {
  const sorted = values.slice().sort();
  return [quantile(sorted, (1 - level) / 2), quantile(sorted, (1 + level) / 2)];
}

/** The constants of a BCa interval; null where they are undefined. */
function biasAndAcceleration(estimate: number, values: Float64Array, leftOut: Float64Array): [number, number] | null {
  const known = leftOut.filter(v => !Number.isNaN(v));
  if (known.length < Math.max(3, (1 - MAX_UNDEFINED) * leftOut.length)) return null;
  let lowest = Infinity, highest = -Infinity, below = 0;
  for (const v of values) [lowest, highest] = [Math.min(lowest, v), Math.max(highest, v)];
  const near = ALIKE * (highest - lowest);
  for (const v of values) below += Math.abs(v - estimate) <= near ? 0.5 : v < estimate ? 1 : 0;
  below /= values.length;
  if (!(below > 0 && below < 1)) return null;
  const mean = known.reduce((sum, v) => sum + v, 0) / known.length;
  const largest = known.reduce((most, v) => Math.max(most, Math.abs(mean - v)), 0) || 1;
  let squares = 0, cubes = 0;
  for (const v of known) {
    const pull = (mean - v) / largest;
    squares += pull ** 2;
    cubes += pull ** 3;
  }
  return [normalQuantile(below), squares > 0 ? cubes / (6 * squares ** 1.5) : 0];
}

/** Values this near, as a share of the spread of the resamples, differ by rounding only. */
const ALIKE = 1e-9;

/** BCa interval (Efron 1987, JASA 82(397)); null where its constants are undefined. */
export function bca(estimate: number, values: Float64Array, leftOut: Float64Array, level: number): [number, number] | null {
  const constants = biasAndAcceleration(estimate, values, leftOut);
  if (!constants) return null;
  const [bias, acceleration] = constants, ends: number[] = [];
  for (const share of [(1 - level) / 2, (1 + level) / 2]) {
    const z = bias + normalQuantile(share);
    if (1 - acceleration * z <= 0) return null;
    ends.push(normalCdf(bias + z / (1 - acceleration * z)));
  }
  const sorted = values.slice().sort();
  return [quantile(sorted, ends[0]!), quantile(sorted, ends[1]!)];
}

/** Choose the interval that the resamples of one number allow; none where its width is nothing beside `scale`. */
export function fromReplicates(estimate: number, values: Float64Array, leftOut: Float64Array | null, level: number, scale = 0): Interval {
  const known = values.filter(v => !Number.isNaN(v)), m = values.length, lost = m - known.length;
  if (lost > MAX_UNDEFINED * m) {
    return noInterval(level, `the metric is undefined on ${grouped(lost)} of ${grouped(m)} resamples, more than 5%`, m, lost);
  }
  let lowest = Infinity, highest = -Infinity;
  for (const v of known) [lowest, highest] = [Math.min(lowest, v), Math.max(highest, v)];
  const tiny = 1e-12 * Math.max(scale, Math.abs(lowest), Math.abs(highest)), alike = highest - lowest <= tiny;
  const corrected = !alike && leftOut ? bca(estimate, known, leftOut, level) : null, ends = corrected ?? percentile(known, level);
  if (alike || ends[1] - ends[0] <= tiny) {
    const why = `${alike ? 'all' : 'nearly all'} ${grouped(m)} resamples give the same value, so they cannot show how far off it may be`;
    return noInterval(level, why, m, lost);
  }
  return between(ends, level, corrected ? 'bca' : 'percentile', m, lost);
}

// Choice --------------------------------------------------------------------------------------------

/** Whether a metric is a share of rows like this one. */
function asked(name: string, s: Sample, row: number): boolean {
  return name === 'precision' ? s.predictions[row] === s.positive
    : name === 'recall' ? s.labels[row] === s.positive
    : name === 'specificity' ? s.labels[row] !== s.positive
    : true;
}

/** Successes and trials of a metric that is a share of counted rows. */
function counted(name: string, s: Sample): [number, number] {
  let successes = 0, trials = 0;
  for (let i = 0; i < s.n; i++) {
    if (!asked(name, s, i)) continue;
    trials++;
    if (s.labels[i] === s.predictions[i]) successes++;
  }
  return [successes, trials];
}

/**
 * The interval of one metric, chosen by the rules of the Python package's function of this name: score intervals for shares of
 * counted rows and for areas and average precision over few rows, else BCa intervals up to 2,000 units, percentiles above.
 */
export function forMetric(
  name: string, estimate: number, sample: Sample, replicates: Replicates | null, level: number, seed: number | bigint,
): Interval {
  const spec = METRICS.get(name)!, plain = isPlain(sample);
  if (spec.interval === 'none') return noInterval(level, spec.no_interval!);
  if (spec.interval === 'calibration') return debiasedInterval(sample, level, seed);
  if (spec.interval === 'recalibration') return recalibrationInterval((name === 'calibration_slope' ? slope : intercept)(sample), level);
  if (spec.interval === 'proportion' && plain) return share(...counted(name, sample), level);
  if (!replicates) return noInterval(level, 'resampling was not run');
  if (tooManyPairs(name, sample)) {
    return noInterval(level, `it is resampled for up to ${MAX_RESAMPLED_PAIRS} classes, and there are ${sample.classes.length}`);
  }
  const few = withheld(name, sample);
  if (few !== null) return noInterval(level, few);
  if (plain && AREAS.includes(name)) return ofArea(name, estimate, sample, replicates, level);
  if (plain && name === 'average_precision' && Math.min(...met(sample.labels, sample)) < RARE_PRECISION) {
    return precisionScore(estimate, met(sample.labels, sample)[sample.positive!]!, replicates.resampled.get(name)!, level);
  }
  if (plain && SQUARES.includes(name) && sample.n >= LEAST) {
    const found = squares(name, sample, level);
    if (found) return found;
  }
  return bootstrapped(name, estimate, sample, replicates, level);
}

/** The interval of a metric that is a mean of squared errors, by its skewness (Hall 1992, JRSS B 54(1)); null where all rows pull alike. */
export function squares(name: string, { labels, predictions, n }: Sample, level: number): Interval | null {
  const ratio = name === 'r2' || name === 'explained_variance', mean = (value: (i: number) => number): number => accurate(n, value) / n;
  const errors = Float64Array.from(labels, (y, i) => y - predictions[i]!), middle = mean(i => labels[i]!);
  let scale = 0;
  for (let i = 0; i < n; i++) scale = Math.max(scale, Math.abs(ratio ? labels[i]! - middle : errors[i]!));
  if (scale === 0) return null;
  const bias = name === 'explained_variance' ? mean(i => errors[i]!) : 0, pull = errors.map(e => ((e - bias) / scale) ** 2);
  let estimate = mean(i => pull[i]!);
  if (ratio) {
    const apart = Float64Array.from(labels, y => ((y - middle) / scale) ** 2), variance = mean(i => apart[i]!);
    estimate /= variance;
    for (let i = 0; i < n; i++) pull[i] = (pull[i]! - estimate * apart[i]!) / variance;
  }
  const centre = mean(i => pull[i]!), spread = Math.sqrt(mean(i => (pull[i]! - centre) ** 2));
  if (spread <= 1e-12 * estimate) return null;
  const skew = mean(i => ((pull[i]! - centre) / spread) ** 3) / Math.sqrt(n);
  const error = spread / Math.sqrt(n - 1), t = studentQuantile(n - 1, (1 + level) / 2);
  const end = (reached: number): number => {
    const student = Math.abs(skew) > 1e-9 ? (3 * (Math.cbrt(1 + skew * (reached - skew / 6)) - 1)) / skew : reached;
    return Math.max(0, estimate - error * student);
  };
  const [low, high] = [end(t), end(-t)];
  if (ratio) return between([1 - high, 1 - low], level, 'skewness');
  const roots: [number, number] = [scale * Math.sqrt(low), scale * Math.sqrt(high)];
  return between(name === 'root_mean_squared_error' ? roots : [roots[0] ** 2, roots[1] ** 2], level, 'skewness');
}

/** That there are fewer rows, or groups, than resampling needs. */
export function tooFew(plan: Plan): string {
  const size = units(plan), what = (plan.groups ? 'group' : 'row') + (size > 1 ? 's' : '');
  return `only ${size} ${what}; an interval by resampling needs ${LEAST}`;
}

function bootstrapped(name: string, estimate: number, sample: Sample, replicates: Replicates, level: number): Interval {
  const size = units(replicates.plan), { interval, unit } = METRICS.get(name)!;
  let found: Interval;
  if (size < LEAST) {
    found = noInterval(level, tooFew(replicates.plan));
  } else {
    const leftOut = name === 'median_absolute_error' ? null : (replicates.left_out.get(name) ?? null);
    const scale = unit === 'share' || unit === 'correlation' || unit === 'ratio' ? 1 : 0;
    found = fromReplicates(estimate, replicates.resampled.get(name)!, leftOut, level, scale);
  }
  if (found.low !== null || interval !== 'proportion' || found.undefined_resamples > MAX_UNDEFINED * found.n_resamples) return found;
  const worth = effective(name, sample);
  return between(wilson(estimate * worth, worth, level), level, 'wilson, effective rows');
}

/** Wilson's interval of a counted share, next to 0 and 1 with a Poisson bound (Brown, Cai & DasGupta 2001, section 4.1.1). */
export function share(successes: number, trials: number, level: number): Interval {
  let [low, high] = wilson(successes, trials, level);
  const failures = trials - successes, rare = successes > 0 && successes <= EDGE, common = failures > 0 && failures <= EDGE;
  if (!rare && !common) return between([low, high], level, 'wilson');
  if (rare) low = Math.min(low, gammaQuantile(successes, 1 - level) / trials);
  if (common) high = Math.max(high, 1 - gammaQuantile(failures, 1 - level) / trials);
  return between([low, high], level, 'wilson, edge');
}

// Areas and precisions over few rows of a class -----------------------------------------------------

function ofArea(name: string, estimate: number, sample: Sample, replicates: Replicates, level: number): Interval {
  const counts = met(sample.labels, sample), values = replicates.resampled.get(name)!, known = values.filter(v => !Number.isNaN(v));
  const delong = name === 'roc_auc' ? delongVariance(sample) : 0, lost = values.length - known.length;
  let found: Interval;
  if (Math.min(...counts) >= RARE || lost > MAX_UNDEFINED * values.length) found = bootstrapped(name, estimate, sample, replicates, level);
  else if (name === 'roc_auc') found = between(area(estimate, delong, compared(name, counts), level), level, 'score');
  else found = between(area(estimate, variance(known, 0), compared(name, counts), level), level, 'score', values.length, lost);
  if (!(delong > 0)) return found;
  const half = normalQuantile((1 + level) / 2) * Math.sqrt(delong);
  return { ...found, also: [{ low: Math.max(0, estimate - half), high: Math.min(1, estimate + half), method: 'delong' }] };
}

/** For each area that a metric is the mean of, its share and the rows on either side. */
function compared(name: string, counts: readonly number[]): [number, number, number][] {
  const k = counts.length, n = counts.reduce((a, b) => a + b, 0);
  if (name === 'roc_auc') return [[1, counts[0]!, counts[1]!]];
  if (name === 'roc_auc_ovo') {
    return counts.flatMap((up, i) => counts.slice(i + 1).map(down => [2 / (k * (k - 1)), up, down] as [number, number, number]));
  }
  return counts.map(count => [name === 'roc_auc_ovr' ? 1 / k : count / n, count, n - count]);
}

function variance(values: Float64Array, less: number): number {
  const n = values.length, mean = accurate(n, i => values[i]!) / n;
  return accurate(n, i => (values[i]! - mean) ** 2) / (n - less);
}

/** DeLong's variance of the area under the ROC curve (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3)). */
function delongVariance(s: Sample): number {
  const scores = (mine: boolean): Float64Array => {
    const found: number[] = [];
    s.labels.forEach((label, i) => { if ((label === s.positive) === mine) found.push(s.probabilities![2 * i + s.positive!]!); });
    return Float64Array.from(found).sort();
  };
  const x = scores(true), y = scores(false);
  const place = (of: Float64Array, v: number): number => (searchsorted(of, v) + searchsorted(of, v, true)) / (2 * of.length);
  return variance(x.map(v => place(y, v)), 1) / x.length + variance(y.map(v => 1 - place(x, v)), 1) / y.length;
}

/** Score interval for an area under the ROC curve (Newcombe 2006, method 5), no shorter than the given variance makes it. */
function area(estimate: number, given: number, areas: readonly [number, number, number][], level: number): [number, number] {
  const z2 = normalQuantile((1 + level) / 2) ** 2;
  let own = 0, pairs = 0;
  for (const [part, up, down] of areas) {
    const weight = part ** 2 / (up * down);
    own += weight;
    pairs += weight * ((up + down) / 2 - 1);
  }
  const known = given > 0 && estimate > 0 && estimate < 1 ? given / (estimate * (1 - estimate)) : 0;
  const held = (a: number): boolean => {
    const exponential = own + pairs * ((1 - a) / (2 - a) + a / (1 + a));
    return (estimate - a) ** 2 <= z2 * a * (1 - a) * Math.max(exponential, known);
  };
  return [0, 1].map(outer => {
    let inner = estimate, end = outer;
    for (let turn = 0; turn < 60; turn++) {
      const middle = (inner + end) / 2;
      if (held(middle)) inner = middle;
      else end = middle;
    }
    return inner;
  }) as [number, number];
}

/** Wilson's interval with positives as trials, or as many as resamples say the estimate is worth where those are fewer. */
function precisionScore(estimate: number, positives: number, values: Float64Array, level: number): Interval {
  const known = values.filter(v => !Number.isNaN(v)), spread = known.length > 0 ? variance(known, 0) : 0;
  const trials = Math.min(positives, spread > 0 ? (estimate * (1 - estimate)) / spread : Infinity);
  return between(wilson(estimate * trials, trials, level), level, 'score', values.length, values.length - known.length);
}

// Counts --------------------------------------------------------------------------------------------

/** Rows of each class, or groups that hold any. */
function met(codes: Float64Array, s: Sample): number[] {
  const counts = new Array<number>(s.classes.length).fill(0), seen = new Set<number>();
  codes.forEach((code, i) => {
    if (s.groups) {
      const pair = s.groups[i]! * s.classes.length + code;
      if (seen.has(pair)) return;
      seen.add(pair);
    }
    counts[code]!++;
  });
  return counts;
}

/** Say that one class is too rare for resamples to show how a metric varies; null where all are met enough. */
export function withheld(name: string, s: Sample): string | null {
  const spec = METRICS.get(name)!, sources: (readonly [Float64Array, string])[] = [];
  if (RANKING.includes(name)) sources.push([s.labels, 'labelled']);
  else if (spec.needs === 'labels' && spec.interval === 'bootstrap' && s.task === 'binary') {
    sources.push([s.labels, 'labelled'], [s.predictions, 'predicted as']);
  }
  for (const [codes, how] of sources) {
    const counts = met(codes, s), code = counts.findIndex(count => count > 0 && count < FEW);
    if (code < 0) continue;
    const one = counts[code] === 1;
    const which = s.groups ? (one ? 'group has rows ' : 'groups have rows ') : one ? 'row is ' : 'rows are ';
    return `only ${counts[code]} ${which}${how} ${literal(s.classes[code]!)}; an interval needs ${FEW}`;
  }
  return null;
}

/** Kish's effective number of the rows of a share (1965, section 11.7), at most that of their groups. */
function effective(name: string, s: Sample): number {
  let sum = 0, squares = 0;
  const clusters = new Set<number>();
  for (let i = 0; i < s.n; i++) {
    if (!asked(name, s, i)) continue;
    const w = s.weights ? s.weights[i]! : 1;
    [sum, squares] = [sum + w, squares + w * w];
    if (s.groups) clusters.add(s.groups[i]!);
  }
  const size = sum ** 2 / squares;
  return s.groups ? Math.min(size, clusters.size) : size;
}
