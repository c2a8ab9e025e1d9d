// Agreement of predicted probabilities with frequencies: bins, calibration errors, interval and test.
import { median, searchsorted } from './columns.ts';
import { mostProbable } from './inputs.ts';
import { CALIBRATION, subkey, uniforms } from './random.ts';
import { between, noInterval } from './schemas.ts';
import type { Interval, Sample } from './schemas.ts';
import { chiSquaredTail, normalQuantile } from './special.ts';
import { general } from './wording.ts';

export const N_BINS = 15;
/** Rows that a bin of an interval holds at least. */
const FEWEST = 5;
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

/** Expected, maximum and debiased calibration error; NaN where undefined. */
export interface Summary {
  readonly expected: number;
  readonly maximum: number;
  readonly debiased: number;
}

/**
 * The plug-in errors use 15 equal-width bins. The debiased one is the root of sum_b share_b (gap_b^2 - noise_b), at least 0,
 * over equal-mass bins (Kumar, Liang & Ma 2019, section 5).
 */
export function summary(s: Sample): Summary {
  const judged = event(s), wide = equalWidth(judged, s.weights), even = equalMass(judged, s.weights);
  let expected = 0, maximum = 0, squared = 0;
  wide.share.forEach((share, b) => {
    const gap = Math.abs(wide.observed[b]! - wide.predicted[b]!);
    expected += share * gap;
    maximum = Math.max(maximum, gap);
  });
  even.share.forEach((share, b) => { squared += share * ((even.observed[b]! - even.predicted[b]!) ** 2 - even.noise[b]!); });
  return { expected, maximum, debiased: Number.isNaN(squared) ? NaN : Math.sqrt(Math.max(0, squared)) };
}

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
    // where nothing (or everything) happened the frequency is not certain: two rows of what was predicted are added
    const drawn = (n * bins.observed[b]! + 2 * bins.predicted[b]!) / (n + 2);
    return Math.sqrt(Math.max(Number.isNaN(bins.noise[b]!) ? 0 : bins.noise[b]!, (drawn * (1 - drawn)) / n));
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
