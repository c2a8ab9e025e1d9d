// Curves as columns, and metrics at every threshold: one sort, then any threshold costs a binary search.
import { equalMass, event } from './calibration.ts';
import { descending, quantile, searchsorted } from './columns.ts';
import { wilson } from './intervals.ts';
import { ofCounts } from './metrics.ts';
import type { Sides } from './metrics.ts';
import { Draws } from './resample.ts';
import { isPlain } from './schemas.ts';
import type { Config, Sample } from './schemas.ts';

const BAND_RESAMPLES = 200;
/** Above, a pointwise band is narrower than the line. */
const BAND_ROWS = 200_000;
const GRIDS = {
  roc: Float64Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * (1 / 100))),
  pr: Float64Array.from({ length: 200 }, (_, i) => (i === 199 ? 1 : i * (0.995 / 199) + 0.005)),
};

export type Columns = Record<string, Float64Array>;

/** Weighted true and false positives at each distinct score from high to low; the last ones are the totals. */
export interface Counted {
  readonly tp: Float64Array;
  readonly fp: Float64Array;
  readonly size: number;
}

/** Rows of one score from high to low, ready to be counted under any weights. */
class Sorted {
  readonly rows: Int32Array;
  readonly positive: Uint8Array;
  /** The distinct scores from high to low. */
  readonly scores: Float64Array;
  readonly #ends: Int32Array;

  constructor(sample: Sample, c: number) {
    const k = sample.classes.length, score = (row: number): number => sample.probabilities![row * k + c]!;
    this.rows = descending(Int32Array.from({ length: sample.n }, (_, row) => row), score);
    this.positive = Uint8Array.from(this.rows, row => (sample.labels[row] === c ? 1 : 0));
    this.#ends = Int32Array.from(this.rows, (_, i) => i).filter(i => i + 1 === sample.n || score(this.rows[i]!) !== score(this.rows[i + 1]!));
    this.scores = Float64Array.from(this.#ends, i => score(this.rows[i]!));
  }

  count(weight: (row: number) => number): Counted {
    const size = this.#ends.length, tp = new Float64Array(size), fp = new Float64Array(size);
    let up = 0, down = 0;
    for (let i = 0, s = 0; i < this.rows.length; i++) {
      if (this.positive[i]) up += weight(this.rows[i]!);
      else down += weight(this.rows[i]!);
      if (i === this.#ends[s]) {
        tp[s] = up;
        fp[s++] = down;
      }
    }
    return { tp, fp, size };
  }
}

/** True positive rates at false positive rates, linear between the points of the curve. */
function rocAt({ tp, fp, size }: Counted, grid: Float64Array): Float64Array {
  const up = tp[size - 1]!, down = fp[size - 1]!;
  const x = (i: number): number => (i === 0 ? 0 : fp[i - 1]! / down), y = (i: number): number => (i === 0 ? 0 : tp[i - 1]! / up);
  let at = 0;
  return grid.map(g => {
    while (at < size && x(at + 1) <= g) at++; // the last point at most g
    if (at === size) return y(size);
    return ((y(at + 1) - y(at)) / (x(at + 1) - x(at))) * (g - x(at)) + y(at);
  });
}

/** The precision at which each recall is first reached. */
function precisionAt({ tp, fp, size }: Counted, grid: Float64Array): Float64Array {
  const up = tp[size - 1]!;
  let at = 0;
  return grid.map(g => {
    while (at < size - 1 && tp[at]! / up < g - 1e-12) at++;
    const said = tp[at]! + fp[at]!;
    return said > 0 ? tp[at]! / said : NaN;
  });
}

const READ = { roc: rocAt, pr: precisionAt };

/**
 * The curves `roc` (fpr, tpr), `pr` (recall, precision; both of two classes, on a fixed grid, with low and high of a pointwise
 * band where there is one) and `calibration` (predicted, observed, n, low, high over equal-mass bins), those that can be had.
 */
export function tables(sample: Sample, config: Config, seed: number | bigint): Record<string, Columns> {
  const found: Record<string, Columns> = {};
  if (!sample.probabilities) return found;
  const c = sample.positive;
  const met = new Set(sample.labels);
  if (c !== null && met.size === 2) {
    const sorted = new Sorted(sample, c), { weights } = sample;
    const curve = sorted.count(row => (weights ? weights[row]! : 1));
    const bands = config.compute_cis && sample.n <= BAND_ROWS ? resampled(sample, sorted, seed) : null;
    for (const [name, x, y] of [['roc', 'fpr', 'tpr'], ['pr', 'recall', 'precision']] as const) {
      found[name] = { [x]: GRIDS[name], [y]: READ[name](curve, GRIDS[name]) };
      if (bands) Object.assign(found[name], band(bands[name], config.confidence_level));
    }
  }
  found.calibration = reliability(sample, config.confidence_level);
  return found;
}

/** Both curves on resamples in which both classes occur; null where too few have them. */
function resampled(sample: Sample, sorted: Sorted, seed: number | bigint): Record<'roc' | 'pr', Float64Array[]> | null {
  const draws = new Draws({ n: sample.n, n_resamples: BAND_RESAMPLES, seed, groups: sample.groups, strata: sample.strata });
  const { weights, groups } = sample, roc: Float64Array[] = [], pr: Float64Array[] = [];
  for (let r = 0; r < BAND_RESAMPLES; r++) {
    const drawn = draws.draw(r);
    const curve = sorted.count(row => drawn[groups ? groups[row]! : row]! * (weights ? weights[row]! : 1));
    if (!(curve.tp[curve.size - 1]! > 0 && curve.fp[curve.size - 1]! > 0)) continue;
    roc.push(rocAt(curve, GRIDS.roc));
    pr.push(precisionAt(curve, GRIDS.pr));
  }
  return roc.length < 0.95 * BAND_RESAMPLES ? null : { roc, pr };
}

function band(curves: readonly Float64Array[], level: number): Columns {
  const size = curves[0]!.length, low = new Float64Array(size), high = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const values = Float64Array.from(curves, curve => curve[i]!).filter(v => !Number.isNaN(v)).sort();
    low[i] = values.length > 0 ? quantile(values, (1 - level) / 2) : NaN;
    high[i] = values.length > 0 ? quantile(values, (1 + level) / 2) : NaN;
  }
  return { low, high };
}

/** Equal-mass bins with Wilson's interval, NaN where rows have weights, groups or strata: it takes them as alike and independent. */
export function reliability(sample: Sample, level: number): Columns {
  const { predicted, observed, count } = equalMass(event(sample), sample.weights);
  const ends = Array.from(count, (n, b) => (isPlain(sample) ? wilson(observed[b]! * n, n, level) : [NaN, NaN]) as [number, number]);
  return { predicted, observed, n: count, low: Float64Array.from(ends, e => e[0]), high: Float64Array.from(ends, e => e[1]) };
}

/** What one threshold gives: counts (weighted where rows are), and every metric that they determine. */
export interface AtThreshold extends Sides {
  readonly metrics: Record<string, number | null>;
}

/** Metrics of two classes at any threshold: sorted once, then found by binary search. */
export class Thresholds {
  /** The distinct scores from high to low: as many thresholds make a difference. */
  readonly scores: Float64Array;
  readonly #ascending: Float64Array;
  readonly #counted: Counted;

  constructor(scores: Float64Array, counted: Counted) {
    this.scores = scores;
    this.#ascending = scores.slice().reverse();
    this.#counted = counted;
  }

  static of(sample: Sample): Thresholds {
    const sorted = new Sorted(sample, sample.positive!), { weights } = sample;
    return new Thresholds(sorted.scores, sorted.count(row => (weights ? weights[row]! : 1)));
  }

  /** How many of the distinct scores are at least `threshold`. */
  chosen(threshold: number): number {
    return this.scores.length - searchsorted(this.#ascending, threshold);
  }

  /** Counts where a row is predicted positive if its probability is at least `threshold`. */
  counts(threshold: number): Sides {
    const { tp, fp, size } = this.#counted, chosen = this.chosen(threshold);
    const up = chosen > 0 ? tp[chosen - 1]! : 0, down = chosen > 0 ? fp[chosen - 1]! : 0;
    return { tp: up, fp: down, fn: tp[size - 1]! - up, tn: fp[size - 1]! - down };
  }

  at(threshold: number): AtThreshold {
    const sides = this.counts(threshold);
    return { ...sides, metrics: ofCounts(sides) };
  }

  /** The threshold of least cost, for what a false positive and a false negative cost; the highest of equals. */
  cheapest(falsePositive: number, falseNegative: number): { threshold: number; cost: number } {
    const { tp, fp, size } = this.#counted, all = tp[size - 1]!;
    let best = { threshold: 1, cost: Infinity };
    const nobody = all * falseNegative; // above every score nobody is predicted positive
    if (this.scores[0]! < 1) best = { threshold: 1, cost: nobody };
    for (let s = 0; s < size; s++) {
      const cost = fp[s]! * falsePositive + (all - tp[s]!) * falseNegative;
      if (cost < best.cost) best = { threshold: this.scores[s]!, cost };
    }
    return best;
  }
}
