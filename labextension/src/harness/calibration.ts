// Agreement of predicted probabilities with frequencies: bins, calibration errors, interval and test.
import { accurate, median, searchsorted } from './columns.ts';
import { mostProbable } from './inputs.ts';
import { CALIBRATION, subkey, uniforms } from './random.ts';
import { between, noInterval } from './schemas.ts';
import type { Interval, Sample } from './schemas.ts';
import { chiSquaredTail, normalQuantile, studentQuantile } from './special.ts';
import { general, grouped } from './wording.ts';

export const N_BINS = 15;
/** Rows that a bin of an interval holds at least. */
const FEWEST = 5;
/** Rows, or groups, with which a robust standard error still gives intervals that cover. */
const FEWEST_UNITS = 10;
const DRAWS = 4000;

/** One entry for each non-empty bin of a probability; a bin holds left < p <= right, the first one its left end too. */
export interface Bins {
  readonly left: Float64Array;
  readonly right: Float64Array;
  /** Rows, and share of the total weight. */
  readonly count: Float64Array;
  readonly share: Float64Array;
  readonly predicted: Float64Array;
  readonly observed: Float64Array;
  /** Squared standard error of observed - predicted; NaN with fewer than two rows. */
  readonly noise: Float64Array;
}

/** The probability that is judged, and whether (1 or 0) its event happened. */
export interface Judged {
  readonly p: Float64Array;
  readonly happened: Float64Array;
}

/** Two classes: the probability of the positive class. More: that of the most probable class. */
export function event(s: Sample): Judged {
  const k = s.classes.length, p = new Float64Array(s.n), happened = new Float64Array(s.n);
  for (let i = 0; i < s.n; i++) {
    const c = s.positive ?? mostProbable(s.probabilities!, k, i);
    p[i] = s.probabilities![i * k + c]!;
    happened[i] = s.labels[i] === c ? 1 : 0;
  }
  return { p, happened };
}

/** Cut [0, 1] into bins of one width: ((b - 1)/B, b/B], 0 in the first. */
export function equalWidth(judged: Judged, weights: Float64Array | null, bins = N_BINS): Bins {
  const edges = Float64Array.from({ length: bins + 1 }, (_, b) => b / bins);
  const place = Int32Array.from(judged.p, p => Math.max(0, searchsorted(edges, p) - 1));
  return binned(judged, weights, place, edges.subarray(0, bins), edges.subarray(1));
}

/** Cut at quantiles so that bins hold about equally many rows, at least `least`, equal probabilities together. */
export function equalMass(judged: Judged, weights: Float64Array | null, bins = N_BINS, least = 2): Bins {
  const order = judged.p.slice().sort(), n = order.length;
  const wanted = Math.max(1, Math.min(bins, Math.floor(n / least)));
  const kept: number[] = [];
  let start = 0, last = -1;
  for (let b = 1; b < wanted; b++) {
    const cut = order[Math.ceil((n * b) / wanted) - 1]!;
    if (cut === last) continue;
    last = cut;
    const end = searchsorted(order, cut, true);
    if (end - start >= least && n - end >= least) {
      kept.push(cut);
      start = end;
    }
  }
  const place = Int32Array.from(judged.p, p => searchsorted(kept, p));
  return binned(judged, weights, place, Float64Array.from([order[0]!, ...kept]), Float64Array.from([...kept, order[n - 1]!]));
}

function binned({ p, happened }: Judged, weights: Float64Array | null, place: Int32Array, left: Float64Array, right: Float64Array): Bins {
  const size = left.length, make = (): Float64Array => new Float64Array(size);
  const [count, mass, predicted, observed, spread] = [make(), make(), make(), make(), make()];
  let all = 0;
  for (let i = 0; i < p.length; i++) {
    const b = place[i]!, w = weights ? weights[i]! : 1;
    count[b]! += 1;
    mass[b]! += w;
    predicted[b]! += w * p[i]!;
    observed[b]! += w * happened[i]!;
  }
  for (let b = 0; b < size; b++) {
    all += mass[b]!;
    if (mass[b]! > 0) {
      predicted[b]! /= mass[b]!;
      observed[b]! /= mass[b]!;
    }
  }
  // The variance of a weighted mean of independent events, from their spread about the bin's frequency
  for (let i = 0; i < p.length; i++) {
    const b = place[i]!;
    spread[b]! += ((weights ? weights[i]! : 1) * (happened[i]! - observed[b]!)) ** 2;
  }
  const noise = spread.map((s, b) => (count[b]! > 1 ? ((s / mass[b]! ** 2) * count[b]!) / (count[b]! - 1) : NaN));
  const held = (column: Float64Array): Float64Array => column.filter((_, b) => mass[b]! > 0);
  return {
    left: held(left), right: held(right), count: held(count), share: held(mass.map(m => m / all)),
    predicted: held(predicted), observed: held(observed), noise: held(noise),
  };
}

function plugIn(bins: Bins): number {
  return bins.share.reduce((sum, share, b) => sum + share * Math.abs(bins.observed[b]! - bins.predicted[b]!), 0);
}

/** The plug-in error over 15 equal-width bins. */
export function expected(s: Sample): number {
  return plugIn(equalWidth(event(s), s.weights));
}

/** The plug-in error over equal-mass bins. */
export function expectedEqualMass(s: Sample): number {
  return plugIn(equalMass(event(s), s.weights));
}

/** The mean over classes of the plug-in error of the class against the rest. */
export function classwise(s: Sample): number {
  const k = s.classes.length;
  let sum = 0;
  for (let c = 0; c < k; c++) {
    const judged = { p: s.labels.map((_, i) => s.probabilities![i * k + c]!), happened: s.labels.map(label => (label === c ? 1 : 0)) };
    sum += plugIn(equalWidth(judged, s.weights));
  }
  return sum / k;
}

/** The largest gap of the equal-width bins. */
export function maximum(s: Sample): number {
  const bins = equalWidth(event(s), s.weights);
  return bins.observed.reduce((most, o, b) => Math.max(most, Math.abs(o - bins.predicted[b]!)), 0);
}

/** The root of sum_b share_b (gap_b^2 - noise_b), at least 0, over equal-mass bins (Kumar, Liang & Ma 2019, section 5); NaN where undefined. */
export function debiased(s: Sample): number {
  const bins = equalMass(event(s), s.weights);
  let squared = 0;
  bins.share.forEach((share, b) => { squared += share * ((bins.observed[b]! - bins.predicted[b]!) ** 2 - bins.noise[b]!); });
  return Number.isNaN(squared) ? NaN : Math.sqrt(Math.max(0, squared));
}

// Recalibration -------------------------------------------------------------------------------------

/** One number of a recalibration line with its standard error; `reason` says why there is no value, or no error. */
export interface Fitted {
  readonly value: number | null;
  readonly error: number | null;
  readonly degrees: number;
  readonly reason: string | null;
}

function without(reason: string, value: number | null = null): Fitted {
  return { value, error: null, degrees: 0, reason };
}

/** A fit that is asked for again: for the estimate, its interval, and why there is none. */
function kept(fit: (s: Sample) => Fitted): (s: Sample) => Fitted {
  const known = new WeakMap<Sample, Fitted>();
  return s => {
    let found = known.get(s);
    if (!found) known.set(s, (found = fit(s)));
    return found;
  };
}

/** Logits, events, weights and groups of the rows that a line is fitted to. */
interface Logits {
  readonly x: Float64Array;
  readonly happened: Uint8Array;
  readonly w: Float64Array;
  readonly groups: Int32Array | null;
}

function logits(s: Sample): Logits | string {
  const { p, happened } = event(s), weight = (i: number): number => (s.weights ? s.weights[i]! : 1);
  let wrong = 0;
  const rows: number[] = [];
  p.forEach((v, i) => {
    if (!(weight(i) > 0)) return;
    if (v > 0 && v < 1) rows.push(i);
    else if ((happened[i] === 1) !== v >= 1) wrong++;
  });
  if (wrong > 0) {
    return `${grouped(wrong)} ${wrong === 1 ? 'row has' : 'rows have'} probability 0 or 1 and did not come true, which no slope or ` +
      'intercept mends; give probabilities strictly between';
  }
  if (rows.length === 0) return 'every probability is 0 or 1';
  const events = rows.reduce((sum, i) => sum + happened[i]!, 0);
  if (events === 0 || events === rows.length) {
    const which = rows.length === 1 ? 'the one row' : `each of ${grouped(rows.length)} rows`;
    return `${which} with a probability between 0 and 1 has ${events > 0 ? 'the event' : 'no event'}`;
  }
  return {
    x: Float64Array.from(rows, i => Math.log(p[i]!) - Math.log1p(-p[i]!)),
    happened: Uint8Array.from(rows, i => happened[i]!),
    w: Float64Array.from(rows, weight),
    groups: s.groups && Int32Array.from(rows, i => s.groups![i]!),
  };
}

/** Weighted event minus probability of row i, and the weighted variance of the event, at log odds eta. */
function score({ happened, w }: Logits, i: number, eta: number): [number, number] {
  const small = Math.exp(-Math.abs(eta)), near = 1 / (1 + small), far = small / (1 + small);
  const [p, q] = eta >= 0 ? [near, far] : [far, near];
  return [w[i]! * (happened[i] ? q : -p), w[i]! * p * q];
}

function likelihood({ happened, w }: Logits, eta: (i: number) => number): number {
  return -accurate(w.length, i => {
    const x = happened[i] ? -eta(i) : eta(i);
    return w[i]! * (Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x))));
  });
}

/** Slope of logit P(event) = a + b logit p, by maximum likelihood (Cox 1958, Biometrika 45(3/4)). */
export const slope = kept(s => {
  const read = logits(s);
  if (typeof read === 'string') return without(read);
  const { x, happened, w, groups } = read, n = x.length;
  const extremes = (wanted: number): [number, number] => {
    let low = Infinity, high = -Infinity;
    x.forEach((v, i) => { if (happened[i] === wanted) [low, high] = [Math.min(low, v), Math.max(high, v)]; });
    return [low, high];
  };
  const [up, down] = [extremes(1), extremes(0)];
  if (!(Math.max(up[1], down[1]) > Math.min(up[0], down[0]))) {
    return without(n === s.n ? 'all probabilities are equal' : 'all probabilities but 0 and 1 are equal');
  }
  if (up[0] >= down[1] || up[1] <= down[0]) {
    return without('the probabilities part the rows with and without the event, so the likelihood has no maximum');
  }
  const middle = accurate(n, i => x[i]!) / n, spread = Math.sqrt(accurate(n, i => (x[i]! - middle) ** 2) / n);
  const t = x.map(v => (v - middle) / spread), share = accurate(n, i => w[i]! * happened[i]!) / accurate(n, i => w[i]!);
  let a = Math.log(share / (1 - share)), b = 0, best = likelihood(read, i => a + b * t[i]!);
  const sums = (): { off: Float64Array; g0: number; g1: number; h0: number; h1: number; h2: number } => {
    const off = new Float64Array(n), v = new Float64Array(n);
    for (let i = 0; i < n; i++) [off[i], v[i]] = score(read, i, a + b * t[i]!) as [number, number];
    const sum = (value: (i: number) => number): number => accurate(n, value);
    return {
      off, g0: sum(i => off[i]!), g1: sum(i => off[i]! * t[i]!),
      h0: sum(i => v[i]!), h1: sum(i => v[i]! * t[i]!), h2: sum(i => v[i]! * t[i]! * t[i]!),
    };
  };
  for (let turn = 0; turn < 50; turn++) {
    const { g0, g1, h0, h1, h2 } = sums(), determinant = h0 * h2 - h1 * h1;
    if (!(determinant > 0)) return without('the probabilities nearly part the rows with and without the event');
    const da = (h2 * g0 - h1 * g1) / determinant, db = (h0 * g1 - h1 * g0) / determinant;
    let step = 1, found = 0;
    for (;; step /= 2) {
      const [nextA, nextB] = [a + step * da, b + step * db];
      found = likelihood(read, i => nextA + nextB * t[i]!);
      if (!(found < best - 1e-9 * Math.abs(best))) break;
    }
    [a, b, best] = [a + step * da, b + step * db, found];
    if (Math.abs(step * da) + Math.abs(step * db) <= 1e-14 * (Math.abs(a) + Math.abs(b))) break;
  }
  const { off, h0, h1, h2 } = sums(), determinant = h0 * h2 - h1 * h1;
  const pull = off.map((v, i) => (v * (h0 * t[i]! - h1)) / determinant / spread);
  return fitted(b / spread, pull, h0 / determinant / spread ** 2, groups, 2);
});

/** Intercept of logit P(event) = a + logit p, the calibration in the large. */
export const intercept = kept(s => {
  const read = logits(s);
  if (typeof read === 'string') return without(read);
  const { x, groups } = read, n = x.length, off = new Float64Array(n), v = new Float64Array(n);
  let a = 0, low = -x.reduce((m, y) => Math.max(m, y), -Infinity) - 40, high = -x.reduce((m, y) => Math.min(m, y), Infinity) + 40;
  const sums = (): [number, number] => {
    for (let i = 0; i < n; i++) [off[i], v[i]] = score(read, i, a + x[i]!) as [number, number];
    return [accurate(n, i => off[i]!), accurate(n, i => v[i]!)];
  };
  for (let turn = 0; turn < 200; turn++) {
    const [total, bottom] = sums();
    [low, high] = total > 0 ? [a, high] : [low, a];
    let next = bottom > 0 ? a + total / bottom : (low + high) / 2;
    if (!(next > low && next < high)) next = (low + high) / 2;
    const done = Math.abs(next - a) <= 1e-15 * Math.max(1, Math.abs(a));
    a = next;
    if (done) break;
  }
  const bottom = sums()[1];
  return fitted(a, off.map(value => value / bottom), 1 / bottom, groups, 1);
});

/** A fitted number with the larger of the standard error of a true model and of the sandwich (White 1980; Liang & Zeger 1986). */
function fitted(value: number, pull: Float64Array, variance: number, groups: Int32Array | null, numbers: number): Fitted {
  let units = pull, n = pull.length;
  if (groups) {
    units = new Float64Array(groups.reduce((a, b) => Math.max(a, b), 0) + 1);
    groups.forEach((group, i) => { units[group]! += pull[i]!; });
    n = new Set(groups).size;
  }
  if (n < FEWEST_UNITS) {
    return without(`${n} ${groups ? 'groups' : 'rows'} are too few for a standard error; it needs ${FEWEST_UNITS}`, value);
  }
  const degrees = groups ? n - 1 : n - numbers, sandwich = (accurate(units.length, i => units[i]! ** 2) * n) / degrees;
  return { value, error: Math.sqrt(Math.max(variance, sandwich)), degrees, reason: null };
}

/** Estimate plus and minus t standard errors; none where there is no line or too few rows or groups. */
export function recalibrationInterval({ value, error, degrees, reason }: Fitted, level: number): Interval {
  if (value === null || error === null) return noInterval(level, reason!);
  const half = studentQuantile(degrees, (1 + level) / 2) * error;
  return between([value - half, value + half], level, 'wald, robust');
}

// What is known about them --------------------------------------------------------------------------

/**
 * An interval for the root mean square calibration error by test inversion: it holds every true error under which the
 * observed sum_b share_b gap_b^2 lies between its (1 - level)/2 and (1 + level)/2 quantiles, found by simulation with the
 * directions of the observed gaps.
 */
export function debiasedInterval(s: Sample, level: number, seed: number | bigint): Interval {
  if (s.groups) return noInterval(level, 'the interval of the calibration error needs independent rows, and groups were given');
  if (s.n < 2 * FEWEST) {
    return noInterval(level, `${s.n} ${s.n === 1 ? 'row is' : 'rows are'} too few for two bins of ${FEWEST}`);
  }
  const bins = equalMass(event(s), s.weights, N_BINS, FEWEST), size = bins.count.length;
  const gap = bins.observed.map((o, b) => o - bins.predicted[b]!);
  let seen = 0;
  gap.forEach((g, b) => { seen += bins.share[b]! * g * g; });
  const noise = bins.count.map((n, b) => {
    // no less than that of true probabilities; the frequency is also drawn towards the probability by two rows of what was predicted
    const p = bins.predicted[b]!, drawn = (n * bins.observed[b]! + 2 * p) / (n + 2);
    return Math.sqrt(Math.max(Number.isNaN(bins.noise[b]!) ? 0 : bins.noise[b]!, Math.max(drawn * (1 - drawn), p * (1 - p)) / n));
  });
  const u = gap.map(g => (seen > 0 ? g / Math.sqrt(seen) : 1));
  const raw = uniforms(subkey(seed, CALIBRATION), DRAWS * size);
  const own = new Float64Array(DRAWS), cross = new Float64Array(DRAWS);
  for (let i = 0; i < raw.length; i++) {
    const b = i % size, at = (i - b) / size, z = normalQuantile(raw[i]!) * noise[b]!;
    own[at]! += z * z * bins.share[b]!;
    cross[at]! += z * bins.share[b]! * u[b]!;
  }
  const below = (error: number, target: number): number => {
    let count = 0;
    for (let i = 0; i < DRAWS; i++) if (own[i]! + 2 * error * cross[i]! + error * error <= target) count++;
    return count / DRAWS;
  };
  /** The error at which a share `tail` of simulated sums lies below the target, or 0. */
  const root = (tail: number, target: number): number => {
    if (below(0, target) <= tail) return 0;
    let low = 0, high = 1;
    for (let turn = 0; turn < 50; turn++) {
      const middle = (low + high) / 2;
      if (below(middle, target) > tail) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  // the upper end is never below that of a calibrated model whose sum is typical
  return between([root((1 + level) / 2, seen), root((1 - level) / 2, Math.max(seen, median(own)))], level, 'test inversion');
}

/** Test against perfect calibration; `reason` says why there is no p-value. */
export interface CalibrationTest {
  readonly p_value: number | null;
  readonly statistic: number | null;
  readonly bins: number;
  readonly reason: string | null;
}

/**
 * Test whether all probabilities are right: chi-squared over bins with the variances that they imply, sum_b (sum y - sum p)^2
 * / sum p (1 - p), one degree of freedom for each bin (Hosmer & Lemeshow 2000, section 5.2.2). Neighbouring bins are joined
 * until each expects a variance of 5.
 */
export function againstPerfect(s: Sample): CalibrationTest {
  const none = (reason: string): CalibrationTest => ({ p_value: null, statistic: null, bins: 0, reason });
  if (s.groups || s.weights) return none('the test needs independent rows of one weight');
  const { p, happened } = event(s), n = p.length;
  const order = Int32Array.from(p, (_, i) => i).sort((a, b) => p[a]! - p[b]! || a - b);
  let total = 0, variance = 0, excess = 0, v0 = 0, e0 = 0;
  for (const i of order) total += p[i]! * (1 - p[i]!);
  const least = Math.max(5, total / N_BINS), parts: { excess: number; variance: number }[] = [];
  order.forEach((row, i) => {
    variance += p[row]! * (1 - p[row]!);
    excess += happened[row]! - p[row]!;
    const tied = i + 1 < n && p[order[i + 1]!] === p[row];
    if (!tied && variance - v0 >= least * (1 - 1e-9)) {
      parts.push({ excess: excess - e0, variance: variance - v0 });
      [v0, e0] = [variance, excess];
    }
  });
  const last = parts[parts.length - 1];
  if (!last) return none(`the probabilities expect a variance of ${general(total, 3)} events; the test needs 5`);
  last.excess += excess - e0;
  last.variance += variance - v0;
  const statistic = parts.reduce((sum, part) => sum + (part.excess * part.excess) / part.variance, 0);
  return { p_value: chiSquaredTail(parts.length, statistic), statistic, bins: parts.length, reason: null };
}
