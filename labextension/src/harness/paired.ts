// Tests for two models on the same rows: closed forms and the jackknife. Their sources are in the Python package's module of the
// same name.
import { accurate, searchsorted } from './columns.ts';
import { betaDensity, betaQuantile, betaTail, binomialCdf, binomialTail, chiSquaredTail, normalCdf, normalQuantile, studentCdf, studentQuantile } from './special.ts';
import type { Sample } from './schemas.ts';

/** With fewer discordant rows McNemar's test is exact. */
const EXACT_BELOW = 25;
const NODES = 200;
/** Differences this small, as a share of their spread, are what rounding leaves of 0. */
const ALIKE = 1e-9;

/** Ends of an interval for a difference, and the p-value of no difference. */
export interface Paired {
  readonly low: number;
  readonly high: number;
  readonly p_value: number;
  readonly exact?: boolean;
}

/** Benjamini-Hochberg q-values. */
export function adjusted(p: readonly number[]): number[] {
  const m = p.length, order = p.map((_, i) => i).sort((a, b) => p[a]! - p[b]! || a - b), q = new Array<number>(m);
  let least = 1;
  for (let i = m - 1; i >= 0; i--) q[order[i]!] = least = Math.min(least, (p[order[i]!]! * m) / (i + 1));
  return q;
}

/** P-value that two models are right equally often, from the rows that only one gets right (McNemar 1947, Psychometrika 12(2)). */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const total = onlyFirst + onlySecond;
  if (total === 0) return 1;
  if (total < EXACT_BELOW) return Math.min(1, 2 * binomialCdf(Math.min(onlyFirst, onlySecond), total, 0.5));
  return chiSquaredTail(1, (onlyFirst - onlySecond) ** 2 / total);
}

/** Compare how often two models are right on n rows: McNemar's test, and the interval that goes with it. */
export function shares(onlyFirst: number, onlySecond: number, n: number, level: number): Paired {
  const p_value = mcnemar(onlyFirst, onlySecond);
  if (onlyFirst + onlySecond >= EXACT_BELOW) return { ...score(onlyFirst, onlySecond, n, level), p_value, exact: false };
  return { low: meldedLow(onlyFirst, onlySecond, n, level), high: -meldedLow(onlySecond, onlyFirst, n, level), p_value, exact: true };
}

/** The differences that McNemar's score test lets stand (Tango 1998, Stat. Med. 17(8)). */
function score(b: number, c: number, n: number, level: number): { low: number; high: number } {
  const z2 = normalQuantile((1 + level) / 2) ** 2;
  const rejected = (delta: number): boolean => {
    const linear = (2 * n - b + c) * delta - b - c;
    const likeliest = (Math.sqrt(linear ** 2 + 8 * n * c * delta * (1 - delta)) - linear) / (4 * n);
    return (b - c - n * delta) ** 2 > z2 * n * (2 * likeliest + delta * (1 - delta));
  };
  const [low, high] = [-1, 1].map(end => {
    let inner = (b - c) / n, outer = end;
    for (let turn = 0; turn < 60; turn++) {
      const middle = (inner + outer) / 2;
      if (rejected(middle)) outer = middle;
      else inner = middle;
    }
    return inner;
  }) as [number, number];
  return { low, high };
}

/** Lower end of the exact interval that goes with McNemar's exact test (Fay & Lumbard 2021, Stat. Med. 40(5)). */
function meldedLow(x: number, other: number, n: number, level: number): number {
  const m = x + other, tail = (1 - level) / 2;
  if (x === 0) return m === n ? -1 : -betaQuantile(m + 1, n - m, level + tail);
  const positive = binomialTail(x - 1, m, 0.5) <= tail, [a, b] = positive ? [m, n - m + 1] : [m + 1, n - m];
  const below = (delta: number): number => {
    const size = Math.abs(delta);
    if (b === 0) return betaTail(x, other + 1, (1 + delta) / 2);
    if (size === 0) return betaTail(x, other + 1, 0.5);
    const start = Math.max(lowest, size), width = (b < 2 ? 1 : highest) - start, apart = delta > 0 ? betaTail(a, b, size) : 0;
    if (width <= 0) return apart;
    let sum = 0;
    nodes().forEach(([node, weight]) => {
      const t = start + (width * (node + 1)) / 2;
      sum += weight * (betaDensity(a, b, t, 1 - t) / (t * (1 - t))) * betaTail(x, other + 1, 0.5 + delta / (2 * t));
    });
    return apart + (width / 2) * sum;
  };
  const lowest = b > 0 ? betaQuantile(a, b, 1e-15) : 0, highest = b > 0 ? betaQuantile(a, b, 1 - 1e-15) : 1;
  let [low, high] = positive ? [0, 1] : [-1, 0];
  for (let turn = 0; turn < 50; turn++) {
    const middle = (low + high) / 2;
    if (below(middle) <= tail) low = middle;
    else high = middle;
  }
  return positive ? high : low;
}

let GAUSS: (readonly [number, number])[] | null = null;

/** Nodes and weights of Gauss and Legendre, by Newton's method on the polynomial. */
function nodes(): (readonly [number, number])[] {
  return (GAUSS ??= Array.from({ length: NODES }, (_, i) => {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (NODES + 0.5)), slope = 0;
    for (let turn = 0; turn < 10; turn++) {
      let before = 1, value = x;
      for (let k = 2; k <= NODES; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
      slope = (NODES * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    return [x, 2 / ((1 - x * x) * slope ** 2)] as const;
  }));
}

/** Standard error and p-value of the difference of two areas on the same rows (DeLong et al. 1988, Biometrics 44(3)); null where it has none. */
export function delong(one: Sample, other: Sample): { readonly error: number; readonly p_value: number } | null {
  const held = [one, other].map(s => {
    const sides: [number[], number[]] = [[], []];
    s.labels.forEach((_, i) => sides[one.labels[i] === one.positive ? 0 : 1].push(s.probabilities![2 * i + s.positive!]!));
    const [x, y] = sides, sortedX = Float64Array.from(x).sort(), sortedY = Float64Array.from(y).sort();
    const place = (of: Float64Array, v: number): number => (searchsorted(of, v) + searchsorted(of, v, true)) / (2 * of.length);
    const up = x.map(v => place(sortedY, v));
    return { up, down: y.map(v => 1 - place(sortedX, v)), area: accurate(up.length, i => up[i]!) / up.length };
  }) as [Placed, Placed];
  const [a, b] = held, m = a.up.length, n = a.down.length;
  if (m < 2 || n < 2) return null;
  const variance = spread(a.up.map((v, i) => v - b.up[i]!)) / m + spread(a.down.map((v, i) => v - b.down[i]!)) / n;
  if (variance <= 1e-24) return null;
  const error = Math.sqrt(variance);
  return { error, p_value: 2 * normalCdf(-Math.abs(a.area - b.area) / error) };
}

interface Placed {
  readonly up: number[];
  readonly down: number[];
  readonly area: number;
}

function spread(values: readonly number[]): number {
  const n = values.length, mean = accurate(n, i => values[i]!) / n;
  return accurate(n, i => (values[i]! - mean) ** 2) / (n - 1);
}

/** Judge a difference of two estimates by its values with each row, or group, left out (Tukey 1958, Ann. Math. Stat. 29). */
export function jackknife(difference: number, leftOut: Float64Array, level: number): Paired | null {
  const known = leftOut.filter(v => !Number.isNaN(v)), g = known.length;
  if (g < 3 || g < 0.95 * leftOut.length) return null;
  const mean = accurate(g, i => known[i]!) / g, largest = known.reduce((most, v) => Math.max(most, Math.abs(v - mean)), 0) || 1;
  const error = largest * Math.sqrt(((g - 1) / g) * accurate(g, i => ((known[i]! - mean) / largest) ** 2));
  if (error <= 1e-12 * Math.abs(difference) || error === 0) return null;
  const half = studentQuantile(g - 1, (1 + level) / 2) * error;
  return { low: difference - half, high: difference + half, p_value: 2 * studentCdf(g - 1, -Math.abs(difference) / error) };
}

/** One minus the level at which the percentile interval of resampled differences just touches 0 (Davison & Hinkley 1997, section 4.2.3). */
export function percentileP(values: Float64Array): number {
  const m = values.length, size = values.reduce((a, v) => Math.max(a, v), -Infinity) - values.reduce((a, v) => Math.min(a, v), Infinity);
  const settled = values.map(v => (Math.abs(v) <= ALIKE * size ? 0 : v));
  const share = (ordered: Float64Array): number => {
    const below = searchsorted(ordered, 0, true);
    if (below === 0 || below === m) return below === m ? 1 : 0;
    const last = ordered[below - 1]!, next = ordered[below]!;
    return (below - 1 - last / (next - last)) / (m - 1);
  };
  return Math.min(1, Math.max(2 * Math.min(share(settled.slice().sort()), share(settled.map(v => -v).sort())), 2 / (m + 1)));
}
