// Where a model does better or worse than on the other rows, without findings of noise: tests, error rate and estimates after
// selection are those of the Python package's module of the same name.
import { accurate } from './columns.ts';
import { confidence, ofModel, ofTable } from './conditions.ts';
import type { Condition, Skipped } from './conditions.ts';
import { wilson } from './intervals.ts';
import { adjusted } from './paired.ts';
import type { Config, Sample } from './schemas.ts';
import { mixed, ofCount, ofMean, passing, settled } from './selection.ts';
import { gammaTails, logChoose, normalCdf, normalQuantile, studentCdf, studentQuantile } from './special.ts';
import { ascending, grouped } from './wording.ts';

const MAX_PAIRS_SHOWN = 100, MAX_CROSSED = 5000, MAX_CROSSED_ROWS = 250_000_000;
/** Groups (or rows, with weights) are joined into at most this many units. */
const UNITS = 500;
/** Counts are tested exactly where the smallest expected one is below this. */
const EXACT_BELOW = 25;

/** One slice: what selects it, its support, its metric with interval, and the test against the rest. */
export interface Slice {
  readonly slice: string;
  readonly feature: string;
  readonly condition: string;
  readonly support: number;
  readonly metric: string;
  readonly estimate: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly p_value: number;
  readonly q_value: number;
  readonly significant: boolean;
  /** Of significant slices: the metric and its interval after selection. */
  readonly adjusted_estimate: number | null;
  readonly adjusted_low: number | null;
  readonly adjusted_high: number | null;
}

export interface Slices {
  readonly rows: readonly Slice[];
  readonly tested: number;
  readonly min_support: number;
  readonly skipped: readonly Skipped[];
  readonly notes: readonly string[];
  /** Why there are no slices at all. */
  readonly reason: string | null;
}

/** A tested slice: its conditions (-1: none), mean loss, and up to three tests with what each compares the mean with. */
interface Tested {
  readonly features: readonly [number, number];
  readonly codes: readonly [number, number];
  readonly support: number;
  readonly mean: number;
  readonly rests: readonly number[];
  readonly tails: readonly number[];
  error: number;
  readonly units: number;
}

interface Judge {
  readonly plain: boolean;
  readonly counted: boolean;
  readonly mean: number;
  readonly loss: Float64Array;
  test(features: readonly Condition[], crossed: readonly (readonly [number, number])[]): Tested[];
}

/** Each row's loss: 1 for a wrong class, or the absolute error. */
function rowLosses(s: Sample): Float64Array {
  return s.labels.map((y, i) => (s.task === 'regression' ? Math.abs(s.predictions[i]! - y) : s.predictions[i] === y ? 0 : 1));
}

/** Test the slices of a sample. */
export function findSlices(s: Sample, config: Config): Slices {
  const none = (reason: string, min_support = 0): Slices => ({ rows: [], tested: 0, min_support, skipped: [], notes: [], reason });
  if (!s.data) return none('no data was given, so there are no features to slice by');
  if (config.max_slice_features === 0) return none('max_slice_features is 0');
  const least = config.min_support ?? Math.max(30, Math.ceil(s.n / 100));
  if (s.n < 2 * least) return none(`${grouped(s.n)} rows are too few for two parts of ${grouped(least)} (min_support)`, least);
  const skipped: Skipped[] = [], notes: string[] = [], model = ofModel(s);
  const features = [...(model ? [model] : []), ...ofTable(s.data, skipped)], plain = !s.weights && !s.groups;
  const judge = plain ? new Plain(s, least) : new Linearised(s, least);
  const tested = judge.test(features, crossings(features, s.n, config, notes, plain));
  return { rows: listed(judge, tested, features, config, notes), tested: tested.length, min_support: least, skipped, notes, reason: null };
}

function crossings(features: readonly Condition[], n: number, config: Config, notes: string[], plain: boolean): [number, number][] {
  if (config.max_slice_features < 2) return [];
  const most = Math.min(plain ? MAX_CROSSED : Math.floor(MAX_CROSSED / 4), Math.floor(MAX_CROSSED_ROWS / n));
  const first = Math.min(features.length, Math.trunc((1 + Math.sqrt(1 + 8 * most)) / 2));
  if (first < features.length) {
    notes.push(`Two-feature slices are of the first ${grouped(first)} of ${grouped(features.length)} features, to bound the time.`);
  }
  const found: [number, number][] = [];
  for (let i = 0; i < first; i++) for (let j = i + 1; j < first; j++) if (features[i]!.source !== features[j]!.source) found.push([i, j]);
  return found;
}

/** The sample with predictions moved along the straight line that fits the labels best. */
function straightened(s: Sample): Sample {
  const w = (i: number): number => (s.weights ? s.weights[i]! : 1), sum = (value: (i: number) => number): number => accurate(s.n, value);
  const all = sum(w), scale = s.predictions.reduce((m, p) => Math.max(m, Math.abs(p)), 0) || 1;
  const middle = sum(i => w(i) * (s.predictions[i]! / scale)) / all, y = sum(i => w(i) * s.labels[i]!) / all;
  const p = s.predictions.map(v => v / scale - middle);
  const slope = sum(i => w(i) * p[i]! * (s.labels[i]! - y)) / sum(i => w(i) * p[i]! ** 2);
  return { ...s, predictions: p.map(v => y + slope * v) };
}

// Independent rows ----------------------------------------------------------------------------------

/** Rows, total, variance and skewness of the loss of some rows. */
type Law = readonly [number, number, number, number];

/** Rows that count alike and are independent. */
class Plain implements Judge {
  readonly plain = true;
  readonly counted: boolean;
  readonly loss: Float64Array;
  readonly mean: number;
  readonly #sample: Sample;
  readonly #least: number;
  readonly #z: Float64Array;
  readonly #scale: number;

  constructor(s: Sample, least: number) {
    this.#sample = s;
    this.#least = least;
    this.counted = s.task !== 'regression';
    this.loss = rowLosses(s);
    this.mean = accurate(s.n, i => this.loss[i]!) / s.n;
    this.#scale = Math.sqrt(accurate(s.n, i => (this.loss[i]! - this.mean) ** 2) / s.n) || 1;
    this.#z = this.loss.map(v => (v - this.mean) / this.#scale);
  }

  #sums(codes: ArrayLike<number>, size: number): Law[] {
    const { loss } = this, sums = [0, 1, 2, 3, 4].map(() => new Float64Array(size)) as Float64Array[], lost = new Float64Array(size);
    const [count, total, one, two, three] = sums as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
    for (let i = 0; i < loss.length; i++) {
      const c = codes[i]!;
      if (c >= size) continue;
      count[c]!++;
      const x = loss[i]!, before = total[c]!, next = before + x; // Neumaier's sum
      lost[c]! += Math.abs(before) >= x ? before - next + x : x - next + before;
      total[c] = next;
      if (this.counted) continue;
      const z = this.#z[i]!;
      one[c]! += z;
      two[c]! += z * z;
      three[c]! += z * z * z;
    }
    return Array.from(count, (m, c) => {
      const x = total[c]! + lost[c]!, safe = Math.max(m, 1);
      if (this.counted) {
        const share = x / safe, variance = share * (1 - share);
        return [m, x, variance, variance > 0 ? (1 - 2 * share) / Math.sqrt(variance) : 0] as const;
      }
      const [a, b, d] = [one[c]! / safe, two[c]! / safe, three[c]! / safe], variance = Math.max(b - a ** 2, 0);
      const skew = variance > 1e-12 * (b + 1e-300) ? (d - 3 * a * b + 2 * a ** 3) / variance ** 1.5 : 0;
      return [m, x, (variance > 1e-12 * b ? variance : 0) * this.#scale ** 2, skew] as const;
    });
  }

  test(features: readonly Condition[], crossed: readonly (readonly [number, number])[]): Tested[] {
    const n = this.#sample.n, least = this.#least, found: Tested[] = [], parents: Law[][] = [];
    const everyone = this.#sums(new Uint8Array(n), 1)[0]!;
    features.forEach((feature, i) => {
      const laws = this.#sums(feature.codes, feature.texts.length);
      parents.push(laws);
      const kept = laws.map((_, c) => c).filter(c => laws[c]![0] >= least && n - laws[c]![0] >= least);
      let promise: (c: number) => readonly [number, number] = () => [NaN, NaN];
      if (feature.source < 0 && this.counted) promise = this.#promised(feature, laws);
      else if (feature.source < 0) {
        const line = new Plain(straightened(this.#sample), least).test([{ ...feature, source: 0 }], []);
        promise = c => [NaN, line.find(row => row.codes[0] === c)!.tails[0]!];
      }
      for (const c of kept) {
        const [m, x, variance] = laws[c]!, [rest, p] = promise(c);
        found.push({
          features: [i, -1], codes: [c, -1], support: m, mean: x / m, error: Math.sqrt(variance / Math.max(m - 1, 1)), units: m,
          rests: [left(everyone, m, x), rest, NaN], tails: [this.#tail(everyone, m, x, true), p, NaN],
        });
      }
    });
    const codes = new Uint16Array(n);
    for (const [i, j] of crossed) {
      const one = features[i]!, other = features[j]!, k = other.texts.length + 1, size = (one.texts.length + 1) * k;
      for (let row = 0; row < n; row++) codes[row] = one.codes[row]! * k + other.codes[row]!;
      this.#sums(codes, size).forEach(([m, x], at) => {
        const a = Math.floor(at / k), b = at % k;
        if (a >= one.texts.length || b >= other.texts.length || m < least) return;
        const laws = [everyone, parents[i]![a]!, parents[j]![b]!];
        // a pair must leave something of each parent, or it is the parent
        if (laws[1]![0] - m < least / 2 || laws[2]![0] - m < least / 2) return;
        found.push({
          features: [i, j], codes: [a, b], support: m, mean: x / m, error: NaN, units: m,
          rests: laws.map(law => left(law, m, x)), tails: laws.map(law => this.#tail(law, m, x, false)),
        });
      });
    }
    return found;
  }

  /** The share of errors that the model's confidence promises for each decile, and its p-value. */
  #promised(feature: Condition, laws: readonly Law[]): (c: number) => readonly [number, number] {
    const size = laws.length, expected = new Float64Array(size), variance = new Float64Array(size), third = new Float64Array(size);
    confidence(this.#sample).forEach((p, i) => {
      const c = feature.codes[i]!, chance = 1 - p;
      if (c >= size) return;
      expected[c]! += chance;
      variance[c]! += chance * (1 - chance);
      third[c]! += chance * (1 - chance) * (1 - 2 * chance);
    });
    return c => {
      const [m, x] = laws[c]!, apart = x - expected[c]!, spread = Math.sqrt(variance[c]!);
      const p = variance[c]! > 1e-9 ? twoSided(apart, spread, third[c]! / spread ** 3, 0.5) : Math.abs(apart) < 0.5 ? 1 : 0;
      return [expected[c]! / Math.max(m, 1), p];
    };
  }

  /** Two-sided p-value of a sum x over m rows drawn at random from those of a law. */
  #tail([n, total, variance, skew]: Law, m: number, x: number, exact: boolean): number {
    if (!(n > 2 && m < n && variance > 0)) return 1;
    const spread = Math.sqrt((variance * m * (n - m)) / (n - 1)), bend = ((skew * (n - 2 * m)) / (n - 2)) * Math.sqrt((n - 1) / (m * (n - m)));
    const p = twoSided(x - (m * total) / n, spread, bend, this.counted ? 0.5 : 0);
    if (!this.counted) return p;
    const fewest = Math.min(m * total, m * (n - total), (n - m) * total, (n - m) * (n - total)) / n;
    return fewest < EXACT_BELOW && (exact || p < 0.2) ? hypergeometric(x, n, total, m) : p;
  }
}

function left([n, total]: Law, m: number, x: number): number {
  return (total - x) / Math.max(n - m, 1);
}

/** P-value of a difference of known standard deviation and skewness (Pearson type III), `step` for continuity. */
function twoSided(apart: number, spread: number, skew: number, step: number): number {
  const beyond = (z: number, side: number): number => {
    if (Math.abs(skew) < 1e-4) return normalCdf(-side * z);
    const shape = 4 / skew ** 2, [below, above] = gammaTails(shape, Math.max(shape + (2 * z) / skew, 0));
    return side * skew > 0 ? above : below;
  };
  return Math.min(1, 2 * Math.min(beyond((apart - step) / spread, 1), beyond((apart + step) / spread, -1)));
}

/** Two-sided p-value (twice the smaller tail) of x marked among m drawn from n of which `total` are marked. */
export function hypergeometric(x: number, n: number, total: number, m: number): number {
  const here = Math.exp(logChoose(total, x) + logChoose(n - total, m - x) - logChoose(n, m));
  const tails = [1, -1].map(side => {
    let k = x, term = here, tail = here;
    do {
      term *= side > 0 ? ((total - k) * (m - k)) / ((k + 1) * (n - total - m + k + 1)) : (k * (n - total - m + k)) / ((total - k + 1) * (m - k + 1));
      tail += term;
      k += side;
    } while (term > 1e-17 * tail && term > 0);
    return tail;
  });
  return Math.min(1, 2 * Math.min(...tails));
}

// Weights and groups --------------------------------------------------------------------------------

/** Sums of the rows in some cells: rows and squared weights; loss and weight of each unit, unit by unit. */
interface Cells {
  readonly size: number;
  readonly rows: Float64Array;
  readonly squares: Float64Array;
  readonly loss: Float64Array;
  readonly weight: Float64Array;
}

/** Rows with weights, or rows that come in groups. */
class Linearised implements Judge {
  readonly plain = false;
  readonly counted: boolean;
  readonly loss: Float64Array;
  readonly mean: number;
  readonly #sample: Sample;
  readonly #least: number;
  readonly #weight: Float64Array;
  readonly #unit: Int32Array;
  readonly #units: number;
  readonly #scale: number;
  readonly #pull: Float64Array;

  constructor(s: Sample, least: number) {
    this.#sample = s;
    this.#least = least;
    this.counted = s.task !== 'regression';
    this.loss = rowLosses(s);
    this.#weight = s.weights ?? new Float64Array(s.n).fill(1);
    this.#unit = Int32Array.from({ length: s.n }, (_, i) => (s.groups ? s.groups[i]! : i) % UNITS);
    this.#units = this.#unit.reduce((a, b) => Math.max(a, b), 0) + 1;
    this.mean = accurate(s.n, i => this.#weight[i]! * this.loss[i]!) / accurate(s.n, i => this.#weight[i]!);
    this.#scale = this.loss.reduce((m, v) => Math.max(m, v), 0) || 1;
    this.#pull = this.loss.map((v, i) => this.#weight[i]! * (v - this.mean));
  }

  #cells(codes: ArrayLike<number>, size: number): Cells {
    const w = this.#weight, rows = new Float64Array(size), squares = new Float64Array(size);
    const loss = new Float64Array(this.#units * size), weight = new Float64Array(this.#units * size);
    for (let i = 0; i < w.length; i++) {
      const c = codes[i]!, at = this.#unit[i]! * size + c;
      rows[c]!++;
      squares[c]! += w[i]! ** 2;
      loss[at]! += this.#pull[i]!;
      weight[at]! += w[i]!;
    }
    return { size, rows, squares, loss, weight };
  }

  #column(cells: Cells, c: number): { loss: Float64Array; weight: Float64Array; x: number; w: number } {
    const pick = (from: Float64Array): Float64Array => Float64Array.from({ length: this.#units }, (_, u) => from[u * cells.size + c]!);
    const loss = pick(cells.loss), weight = pick(cells.weight), sum = (of: Float64Array): number => accurate(of.length, u => of[u]!);
    return { loss, weight, x: sum(loss), w: sum(weight) };
  }

  test(features: readonly Condition[], crossed: readonly (readonly [number, number])[]): Tested[] {
    const n = this.#sample.n, least = this.#least, found: Tested[] = [], spreads: Float64Array[] = [];
    const second = this.#pull.map((pull, i) => pull * (this.loss[i]! - this.mean)), weight = this.#weight;
    const whole = { cells: this.#cells(new Uint8Array(n), 1), c: 0, spread: accurate(n, i => second[i]!) / accurate(n, i => weight[i]!) };
    features.forEach((feature, i) => {
      const size = feature.texts.length, cells = this.#cells(feature.codes, size + 1), squares = new Float64Array(size + 1);
      second.forEach((v, row) => { squares[feature.codes[row]!]! += v; });
      spreads.push(squares.map((v, c) => {
        const { x, w } = this.#column(cells, c), spread = v / w - (x / w) ** 2;
        return Number.isNaN(spread) ? 0 : Math.max(spread, 0);
      }));
      let promise: ((c: number) => readonly [number, number]) | null = null;
      if (feature.source < 0 && this.counted) promise = this.#promised(feature);
      else if (feature.source < 0) {
        const line = new Linearised(straightened(this.#sample), least).test([{ ...feature, source: 0 }], []);
        promise = c => [NaN, line.find(row => row.codes[0] === c)?.tails[0] ?? 1];
      }
      for (let c = 0; c < size; c++) {
        if (cells.rows[c]! < least || n - cells.rows[c]! < least) continue;
        const tests = [this.#against(cells, c, whole.cells, 0, whole.spread)];
        if (promise) tests.push(promise(c));
        this.#add(found, [i, -1], [c, -1], cells, c, tests);
      }
    });
    const codes = new Uint16Array(n);
    for (const [i, j] of crossed) {
      const one = features[i]!, other = features[j]!, p = one.texts.length + 1, q = other.texts.length + 1;
      for (let row = 0; row < n; row++) codes[row] = one.codes[row]! * q + other.codes[row]!;
      const cells = this.#cells(codes, p * q), first = this.#cells(one.codes, p), next = this.#cells(other.codes, q);
      for (let at = 0; at < p * q; at++) {
        const a = Math.floor(at / q), b = at % q, rows = cells.rows[at]!;
        if (a >= p - 1 || b >= q - 1 || rows < least || Math.min(first.rows[a]!, next.rows[b]!) - rows < least / 2) continue;
        this.#add(found, [i, j], [a, b], cells, at, [
          this.#against(cells, at, whole.cells, 0, whole.spread),
          this.#against(cells, at, first, a, spreads[i]![a]!),
          this.#against(cells, at, next, b, spreads[j]![b]!),
        ]);
      }
    }
    return found;
  }

  /** Add what has weight, and something with weight to be set against. */
  #add(found: Tested[], features: [number, number], codes: [number, number], cells: Cells, c: number, tests: (readonly [number, number])[]): void {
    const mine = this.#column(cells, c), safe = Math.max(mine.w, 1e-100), centre = mine.x / safe;
    let [variance, units] = this.#variance(mine.loss.map((x, u) => (x - centre * mine.weight[u]!) / safe));
    if (this.counted) { // shares near 0 and 1 are not as certain as their few errors look
      const size = Math.max(safe ** 2 / Math.max(cells.squares[c]!, 1e-300), 1), share = ((centre + this.mean) * size + 1) / (size + 2);
      variance = Math.max(variance, (share * (1 - share)) / size);
    }
    const at = (t: number, which: 0 | 1): number => tests[t]?.[which] ?? NaN;
    const rests = [0, 1, 2].map(t => at(t, 0) + this.mean), tails = [0, 1, 2].map(t => at(t, 1));
    if (!Number.isFinite(rests[0]!) || !(mine.w > 0)) return;
    found.push({ features, codes, support: cells.rows[c]!, mean: centre + this.mean, rests, tails, error: Math.sqrt(variance), units });
  }

  /** The variance of sums over independent units, and how many units take part. */
  #variance(pull: Float64Array): [number, number] {
    let squares = 0, units = 0;
    for (const v of pull) {
      if (!(Math.abs(v) > 1e-13 * this.#scale)) continue; // what should be 0 is left as dust
      squares += v * v;
      units++;
    }
    return [units > 1 ? (squares * units) / (units - 1) : 0, units];
  }

  /** Test a cell against the rest of its parent: the mean of the rest, less the overall mean, and the p-value. */
  #against(cells: Cells, c: number, parent: Cells, pc: number, spread: number): readonly [number, number] {
    const mine = this.#column(cells, c), above = this.#column(parent, pc);
    const weight = above.weight.map((v, u) => {
      const rest = v - mine.weight[u]!;
      return Math.abs(rest) < 1e-9 * Math.max(Math.abs(v), 1e-300) ? 0 : rest; // differences of sums leave dust where nothing is left
    });
    const loss = above.loss.map((v, u) => (weight[u] === 0 ? 0 : v - mine.loss[u]!));
    const out = accurate(weight.length, u => weight[u]!), mean = mine.x / mine.w, rest = accurate(loss.length, u => loss[u]!) / out;
    const [between] = this.#variance(loss.map((v, u) => (mine.loss[u]! - mean * mine.weight[u]!) / mine.w - (v - rest * weight[u]!) / out));
    const alike = spread * (cells.squares[c]! / mine.w ** 2 + Math.max(parent.squares[pc]! - cells.squares[c]!, 0) / out ** 2);
    const filled = (of: Float64Array): number => of.reduce((sum, v) => sum + (v === 0 ? 0 : 1), 0);
    return [rest, student(mean - rest, Math.max(between, alike), Math.min(filled(mine.weight), filled(weight)) - 1)];
  }

  /** Test deciles of confidence against the share of errors that it promises. */
  #promised(feature: Condition): (c: number) => readonly [number, number] {
    const size = feature.texts.length, units = this.#units, made = (): Float64Array => new Float64Array(units * size);
    const [gap, promised, weight, doubt] = [made(), made(), made(), made()] as [Float64Array, Float64Array, Float64Array, Float64Array];
    confidence(this.#sample).forEach((p, i) => {
      const at = this.#unit[i]! * size + feature.codes[i]!, w = this.#weight[i]!, chance = 1 - p;
      gap[at]! += w * (this.loss[i]! - chance);
      promised[at]! += w * chance;
      weight[at]! += w;
      doubt[at]! += w ** 2 * chance * (1 - chance);
    });
    return c => {
      const sum = (of: Float64Array): number => accurate(units, u => of[u * size + c]!);
      const total = Math.max(sum(weight), 1e-100), mean = sum(gap) / total;
      const pull = Float64Array.from({ length: units }, (_, u) => (gap[u * size + c]! - mean * weight[u * size + c]!) / total);
      const [between, met] = this.#variance(pull), variance = Math.max(between, sum(doubt) / total ** 2);
      const p = variance === 0 && Math.abs(mean) > 1e-12 ? 0 : student(mean, variance, met - 1);
      return [sum(promised) / total - this.mean, p];
    };
  }
}

/** Two-sided p-value of Student's t; 1 where nothing varies. */
function student(apart: number, variance: number, freedom: number): number {
  if (!(variance > 0 && freedom > 0 && Number.isFinite(apart))) return 1;
  return Math.min(1, 2 * studentCdf(freedom, -Math.abs(apart) / Math.sqrt(variance)));
}

// Rows ----------------------------------------------------------------------------------------------

function listed(judge: Judge, tested: readonly Tested[], features: readonly Condition[], config: Config, notes: string[]): Slice[] {
  const level = config.confidence_level, p = tested.map(t => t.tails.reduce((m, v) => (v > m || Number.isNaN(m) ? v : m), NaN));
  const single = tested.map(t => t.features[1] < 0), singles = single.filter(Boolean).length, both = singles > 0 && singles < p.length;
  // the few of one feature and the many of two share the error rate evenly
  const share = single.map(one => ((one ? singles : p.length - singles) * (both ? 2 : 1)) / Math.max(p.length, 1));
  const q = adjusted(p.map((v, i) => v * share[i]!)), alpha = 1 - level, significant = q.map(v => v <= alpha + 1e-12);
  const pairs = tested.map((_, s) => s).filter(s => significant[s] && !single[s]).sort((a, b) => p[a]! - p[b]! || a - b);
  if (pairs.length > MAX_PAIRS_SHOWN) notes.push(`Of ${grouped(pairs.length)} significant pairs the first ${MAX_PAIRS_SHOWN} by p-value are listed.`);
  const shown = [...tested.map((_, s) => s).filter(s => single[s]), ...pairs.slice(0, MAX_PAIRS_SHOWN)];
  for (const s of shown) if (Number.isNaN(tested[s]!.error)) tested[s]!.error = spread(judge.loss, tested[s]!, features);
  const found = significant.filter(Boolean).length, cut = share.map(v => (alpha * found) / (p.length * Math.max(v, 1e-300)));
  const anew = again(judge, tested, shown.filter(s => significant[s]), cut, level);
  const known = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const rows = shown.map(s => {
    const t = tested[s]!, [low, high] = own(judge, t, level), again = anew.get(s) ?? [NaN, NaN, NaN];
    const parts = ([0, 1] as const).filter(side => t.features[side] >= 0).map(side => {
      const feature = features[t.features[side]]!;
      return [feature.name, feature.texts[t.codes[side]]!] as const;
    });
    const [estimate, from, to] = judge.counted ? [1 - t.mean, 1 - high, 1 - low] : [t.mean, low, high];
    const corrected = judge.counted ? [1 - again[0]!, 1 - again[2]!, 1 - again[1]!] : again;
    return {
      slice: parts.map(part => part.join(' ')).join(' & '),
      feature: parts.map(part => part[0]).join(' & '),
      condition: parts.map(part => part[1]).join(' & '),
      support: t.support,
      metric: judge.counted ? 'accuracy' : 'mean_absolute_error',
      estimate,
      low: known(from),
      high: known(to),
      p_value: p[s]!,
      q_value: q[s]!,
      significant: significant[s]!,
      adjusted_estimate: known(corrected[0]!),
      adjusted_low: known(corrected[1]!),
      adjusted_high: known(corrected[2]!),
    };
  });
  // p-values that differ by rounding only are equal
  const place = rows.map(row => Number(row.p_value.toPrecision(9)));
  const order = rows.map((_, i) => i).sort((a, b) => place[a]! - place[b]! || ascending(rows[a]!.slice, rows[b]!.slice));
  return order.map(i => rows[i]!);
}

function spread(loss: Float64Array, t: Tested, features: readonly Condition[]): number {
  const mine = loss.filter((_, row) => [0, 1].every(side => features[t.features[side]!]!.codes[row] === t.codes[side]));
  const mean = accurate(mine.length, i => mine[i]!) / mine.length;
  return Math.sqrt(accurate(mine.length, i => (mine[i]! - mean) ** 2) / (mine.length - 1) / mine.length);
}

/** The interval of a mean loss by itself. */
function own(judge: Judge, { support, mean, error, units }: Tested, level: number): [number, number] {
  if (judge.counted && judge.plain) return wilson(Math.round(support * mean), support, level);
  if (!(error > 0)) return judge.plain ? [mean, mean] : [NaN, NaN];
  const half = studentQuantile(Math.max(units - 1, 1), (1 + level) / 2) * error;
  return [Math.max(0, mean - half), judge.counted ? Math.min(1, mean + half) : mean + half];
}

/** Corrected mean loss with its interval for each significant slice that is listed. */
function again(judge: Judge, tested: readonly Tested[], chosen: readonly number[], cut: readonly number[], level: number): Map<number, number[]> {
  const each = 1 - (1 - level) / chosen.length, high = (1 + each) / 2;
  const found = chosen.map(s => {
    const { mean, support: m, rests, tails, units, error } = tested[s]!, pieces = passing(mean, rests, tails, cut[s]!);
    if (judge.counted && judge.plain) {
      const share = (mean * m + 1) / (m + 2);
      return { ...ofCount(Math.round(mean * m), m, pieces, each), mean, rests, spread: Math.sqrt((share * (1 - share)) / m) };
    }
    const sure = error > 0 ? (error * studentQuantile(Math.max(units - 1, 1), high)) / normalQuantile(high) : 1;
    return { ...ofMean(mean, sure, pieces, each), mean, rests, spread: error };
  });
  const estimate = found.map(f => mixed(f.estimate, f.mean, f.rests));
  for (const side of [1, -1]) {
    const some = found.map((_, i) => i).filter(i => side * (found[i]!.mean - judge.mean) > 0 && found[i]!.spread > 0);
    const pulled = settled(some.map(i => estimate[i]!), some.map(i => found[i]!.mean), some.map(i => found[i]!.spread));
    some.forEach((i, at) => { estimate[i] = pulled[at]!; });
  }
  return new Map(found.map((f, i) => {
    const low = Math.max(f.low, 0), end = judge.counted ? Math.min(f.high, 1) : f.high;
    return [chosen[i]!, f.spread > 0 ? [Math.min(end, Math.max(low, estimate[i]!)), low, end] : [NaN, NaN, NaN]];
  }));
}
