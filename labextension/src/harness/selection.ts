// What a number is worth that is reported only because it stood out: estimates and intervals after selection, one number at a
// time. The reasoning and its sources are in the Python package's module of the same name.
import { binomialCdf, binomialTail, normalCdf, normalQuantile } from './special.ts';

const STEPS = 50;

/** Where a mean had to lie to be reported: from low to low_end, or from high to high_end. */
export interface Pieces {
  readonly low: number;
  readonly low_end: number;
  readonly high: number;
  readonly high_end: number;
}

/** A median-unbiased estimate with its interval. */
export interface Corrected {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** The values that a mean could have had and still pass all its tests; a rest of NaN is no test. */
export function passing(mean: number, rests: readonly number[], pValues: readonly number[], cut: number): Pieces {
  let lower = Infinity, upper = -Infinity, floor = -Infinity, roof = Infinity;
  rests.forEach((rest, t) => {
    if (Number.isNaN(rest)) return;
    const apart = mean - rest, share = normalQuantile(cut / 2) / normalQuantile(pValues[t]! / 2);
    const need = Math.abs(apart) * Math.min(1, Math.max(0, Number.isNaN(share) ? 1 : share));
    lower = Math.min(lower, rest - need);
    upper = Math.max(upper, rest + need);
    if (apart >= 0) floor = Math.max(floor, rest + need);
    else roof = Math.min(roof, rest - need);
  });
  if (mean > lower && mean < upper) return { low: floor, low_end: roof, high: Infinity, high_end: Infinity };
  return { low: -Infinity, low_end: lower, high: upper, high_end: Infinity };
}

/** Correct a mean that is about normal with a known standard error. */
export function ofMean(mean: number, error: number, pieces: Pieces, level: number): Corrected {
  const mass = (low: number, high: number, centre: number): number => {
    const a = (low - centre) / error, b = (high - centre) / error;
    return Math.max(0, a > 0 ? normalCdf(-a) - normalCdf(-b) : normalCdf(b) - normalCdf(a));
  };
  const beyond = (centre: number): number => {
    const whole = mass(pieces.low, pieces.low_end, centre) + mass(pieces.high, pieces.high_end, centre);
    const lower = mean > pieces.low_end ? 0 : mass(Math.min(pieces.low_end, Math.max(pieces.low, mean)), pieces.low_end, centre);
    const upper = lower + mass(Math.max(mean, pieces.high), pieces.high_end, centre);
    return whole > 1e-290 ? upper / whole : centre > mean ? 1 : 0;
  };
  return solved(beyond, mean - 12 * error, mean + 12 * error, level);
}

/** Correct a share of counts that is binomial; a tail counts half of what was seen (mid-p). */
export function ofCount(count: number, trials: number, pieces: Pieces, level: number): Corrected {
  const slack = 1e-9, low = Math.max(Math.ceil(pieces.low * trials - slack), 0);
  const lowEnd = Math.min(Math.floor(pieces.low_end * trials + slack), trials);
  const high = Math.max(Math.ceil(Math.min(pieces.high, 2) * trials - slack), lowEnd + 1);
  const mass = (from: number, to: number, share: number): number => {
    const first = Math.min(trials + 1, Math.max(0, from)), last = Math.min(trials, Math.max(-1, to));
    if (first > last) return 0;
    const upper = first > share * trials;
    const of = (k: number): number => (upper ? binomialTail(k, trials, share) : binomialCdf(k, trials, share));
    const before = first >= 1 ? of(first - 1) : upper ? 1 : 0, upto = last >= 0 ? of(last) : upper ? 1 : 0;
    return Math.max(0, upper ? before - upto : upto - before);
  };
  const beyond = (share: number): number => {
    const whole = mass(low, lowEnd, share) + mass(high, trials, share);
    const more = mass(Math.max(low, count + 1), lowEnd, share) + mass(Math.max(high, count + 1), trials, share);
    return whole > 1e-290 ? (more + mass(count, count, share) / 2) / whole : share > count / trials ? 1 : 0;
  };
  const found = solved(beyond, 1e-12, 1 - 1e-12, level);
  return {
    estimate: count === 0 && found.estimate < 1e-9 ? 0 : found.estimate,
    low: count === 0 ? 0 : found.low,
    high: count === trials ? 1 : found.high,
  };
}

/** The centres under which what was seen has the upper tail 1/2, and the two of the interval. */
function solved(beyond: (centre: number) => number, low: number, high: number, level: number): Corrected {
  const [estimate, from, to] = [0.5, (1 - level) / 2, (1 + level) / 2].map(share => {
    let a = low, b = high;
    for (let turn = 0; turn < STEPS; turn++) {
      const middle = (a + b) / 2;
      if (beyond(middle) < share) a = middle;
      else b = middle;
    }
    return (a + b) / 2;
  }) as [number, number, number];
  return { estimate, low: from, high: to };
}

/** A third of what was seen and two thirds of its correction, which never turns an effect round. */
export function mixed(middle: number, mean: number, rests: readonly number[]): number {
  let near = NaN, apart = Infinity;
  for (const rest of rests) if (Math.abs(rest - mean) < apart) [near, apart] = [rest, Math.abs(rest - mean)];
  return mean / 3 + (2 * Math.min(Math.max(mean, near), Math.max(Math.min(mean, near), middle))) / 3;
}

/** Pull estimates that were all selected towards their mean, as far as chance alone spreads them (DerSimonian & Laird 1986). */
export function settled(estimate: readonly number[], mean: readonly number[], error: readonly number[]): number[] {
  if (mean.length < 2) return [...estimate];
  const total = (value: (i: number) => number): number => mean.reduce((sum, _, i) => sum + value(i), 0);
  const w = error.map(e => 1 / e ** 2), all = total(i => w[i]!), centre = total(i => w[i]! * mean[i]!) / all;
  const excess = total(i => w[i]! * (mean[i]! - centre) ** 2) - (mean.length - 1), room = all - total(i => w[i]! ** 2) / all;
  const between = room > 0 ? Math.max(0, excess / room) : 0, v = error.map(e => 1 / (e ** 2 + between));
  const middle = total(i => v[i]! * estimate[i]!) / total(i => v[i]!);
  return estimate.map((value, i) => middle + ((value - middle) * between) / (between + error[i]! ** 2));
}
