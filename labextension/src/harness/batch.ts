// Rows turned into what metrics are computed from, for one weighting of the rows after the other.
//
// `Prepared` does once what does not depend on weights: losses of each row, sorting by score. Rows are laid out in the
// order of their scores (or of their absolute errors), so that a resample reads memory from one end to the other. `Weighing`
// holds one weighting; the estimate, every resample and every jackknife value go through this one path. As in the Python
// package sums over resamples are of whole numbers: each row's value is rounded to a grid so fine that no partial sum
// leaves the whole numbers below 2^53. So they are equal in both languages, whatever the order of summation.
import { accurate, descending, median, whole } from './columns.ts';
import type { Sample } from './schemas.ts';

/** Probabilities are kept this far from 0 and 1 in logarithms. */
export const EPSILON = 2 ** -52;

/** Positives and negatives of one score from high to low, as places of the layout. */
interface Order {
  readonly positives: Int32Array;
  readonly negatives: Int32Array;
  /** Negatives that score more than, and at least as much as, the positives of each slot (of one score). */
  readonly above: Int32Array;
  readonly upto: Int32Array;
  /** Where each slot begins among the positives, and their number at the end; null where no two positives tie. */
  readonly slots: Int32Array | null;
}

/** Area under the ROC curve and average precision; NaN where undefined. */
export interface Ranked {
  readonly auc: number;
  readonly average_precision: number;
}

/** What metrics read of one weighting of the rows. */
export interface Statistics {
  readonly sample: Sample;
  readonly k: number;
  /** False for the estimate, true for resamples. */
  readonly exact: boolean;
  /** The confusion matrix, row by row: actual class by predicted class. */
  readonly confusion: Float64Array;
  /** Weighted mean of a column. */
  mean(name: string): number;
  ranked(scored: number, against?: number): Ranked;
  oneAgainstRest(how: 'macro' | 'weighted'): number;
  oneAgainstOne(): number;
  medianSize(): number;
  largestSize(): number;
}

/** Less than this is what rounding leaves of 0 in a difference of shares. */
const ROUNDING = 1e-14;

export class Prepared {
  readonly sample: Sample;
  readonly k: number;
  /** The row at each place of the layout. */
  readonly layout: Int32Array;
  /** Cell of the confusion matrix, actual * k + predicted, at each place. */
  readonly cells: Uint32Array;
  /** Sample weight at each place. */
  readonly own: Float64Array | null;
  /** Value of each row under each name, in order of rows. */
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly #bound: number;
  readonly #place: Int32Array;
  readonly #orders = new Map<number, Order>();
  #grid: Grid | null = null;

  constructor(sample: Sample, largest_total = sample.n) {
    this.sample = sample;
    this.k = sample.classes.length;
    this.#bound = largest_total;
    this.columns = columns(sample);
    this.layout = layout(sample, this.columns);
    this.#place = new Int32Array(sample.n);
    this.layout.forEach((row, at) => { this.#place[row] = at; });
    this.cells = Uint32Array.from(this.layout, row => sample.labels[row]! * this.k + sample.predictions[row]!);
    this.own = sample.weights && Float64Array.from(this.layout, row => sample.weights![row]!);
  }

  /**
   * Columns times sample weights as whole numbers, laid out, the weights themselves first; and what turns sums back. Where
   * one row is far larger than most, `rests` holds what rounding takes from the others.
   */
  get grid(): Grid {
    if (this.#grid) return this.#grid;
    const { n, weights } = this.sample;
    const table: Float64Array[] = [], scale: (readonly [number, number])[] = [], rests: Grid['rests'] = [];
    const bits = 52 - Math.max(1, ceilLog2(this.#bound));
    for (const column of [new Float64Array(n).fill(1), ...this.columns.values()]) {
      const values = Float64Array.from(this.layout, row => column[row]! * (weights ? weights[row]! : 1));
      const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const exponent = bits - (largest > 0 ? exponentOf(largest) : 0);
      const up = halves(exponent);
      if (uneven(values)) {
        const rest = values.map(v => whole((v * up[0] * up[1] - whole(v * up[0] * up[1])) * 2 ** bits));
        rests.push({ column: table.length, rest, scale: halves(-exponent - bits) });
      }
      for (let i = 0; i < n; i++) values[i] = whole(values[i]! * up[0] * up[1]);
      table.push(values);
      scale.push(halves(-exponent));
    }
    return (this.#grid = { table, scale, rests });
  }

  /** Sort the rows of class `scored`, and all others or those of `against`, by its probability. */
  order(scored: number, against = -1): Order {
    const key = scored * (this.k + 1) + against + 1;
    let found = this.#orders.get(key);
    if (!found) this.#orders.set(key, (found = this.#sorted(scored, against)));
    return found;
  }

  #sorted(scored: number, against: number): Order {
    const { labels, probabilities } = this.sample, { k } = this;
    const score = (row: number): number => probabilities![row * k + scored]!;
    const ranked = (wanted: (label: number) => boolean): Int32Array => {
      const rows = Int32Array.from({ length: labels.length }, (_, row) => row).filter(row => wanted(labels[row]!));
      return descending(rows, score);
    };
    const up = ranked(label => label === scored), down = ranked(label => (against < 0 ? label !== scored : label === against));
    const slots: number[] = [], above: number[] = [], upto: number[] = [];
    let a = 0, b = 0;
    up.forEach((row, i) => {
      const value = score(row);
      if (i > 0 && score(up[i - 1]!) === value) return;
      while (a < down.length && score(down[a]!) > value) a++;
      b = Math.max(a, b);
      while (b < down.length && score(down[b]!) >= value) b++;
      slots.push(i);
      above.push(a);
      upto.push(b);
    });
    const tied = slots.length < up.length;
    slots.push(up.length);
    return {
      positives: up.map(row => this.#place[row]!),
      negatives: down.map(row => this.#place[row]!),
      above: Int32Array.from(above),
      upto: Int32Array.from(upto),
      slots: tied ? Int32Array.from(slots) : null,
    };
  }
}

/** The values of the rows that enter metrics through weighted sums. */
function columns(s: Sample): Map<string, Float64Array> {
  const found = new Map<string, Float64Array>();
  const each = (value: (i: number) => number): Float64Array => Float64Array.from({ length: s.n }, (_, i) => value(i));
  if (s.task === 'regression') {
    const y = s.labels, middle = median(y); // it cancels in every metric, and keeps sums of squares accurate
    const label = y.map(v => v - middle), error = s.predictions.map((v, i) => v - y[i]!);
    found.set('label', label).set('error', error);
    found.set('squared_label', label.map(v => v * v)).set('squared_error', error.map(v => v * v));
    found.set('absolute_error', error.map(Math.abs)).set('absolute_label', y.map(Math.abs));
    if (!y.includes(0)) found.set('percentage_error', each(i => Math.abs(error[i]!) / Math.abs(y[i]!)));
  } else if (s.probabilities) {
    const p = s.probabilities, k = s.classes.length;
    const own = (i: number): number => p[i * k + s.labels[i]!]!;
    found.set('log_loss', each(i => -Math.log(Math.min(1 - EPSILON, Math.max(EPSILON, own(i))))));
    if (s.positive !== null) found.set('brier', each(i => (p[i * k + s.positive!]! - (s.labels[i] === s.positive ? 1 : 0)) ** 2));
    else {
      found.set('brier', each(i => {
        let sum = 0;
        for (let c = 0; c < k; c++) sum += p[i * k + c]! ** 2;
        return sum - own(i) ** 2 + (1 - own(i)) ** 2;
      }));
    }
  }
  return found;
}

/** Where each row is kept: in the order in which resamples read it most. */
function layout(s: Sample, named: ReadonlyMap<string, Float64Array>): Int32Array {
  const all = Int32Array.from({ length: s.n }, (_, row) => row);
  if (s.task === 'regression') {
    const size = named.get('absolute_error')!;
    return descending(all, row => -size[row]!);
  }
  if (!s.probabilities) return all;
  const k = s.classes.length, c = s.positive ?? 0, p = s.probabilities;
  const score = (row: number): number => p[row * k + c]!;
  const up = descending(all.filter(row => s.labels[row] === c), score);
  const down = descending(all.filter(row => s.labels[row] !== c), score);
  all.set(down);
  all.set(up, down.length);
  return all;
}

export function ceilLog2(value: number): number {
  let bits = 0;
  while (2 ** bits < value) bits++;
  return bits;
}

/** The e of value = m * 2^e with 0.5 <= m < 1. */
/** A column whose largest value is this many times its median needs a second grid for the small ones. */
const UNEVEN = 2 ** 20;

interface Grid {
  readonly table: Float64Array[];
  readonly scale: (readonly [number, number])[];
  readonly rests: { readonly column: number; readonly rest: Float64Array; readonly scale: readonly [number, number] }[];
}

/** Whether the largest size is so far above the median of those that are not 0 that small values need a grid of their own. */
export function uneven(values: Float64Array): boolean {
  const sizes = values.map(Math.abs).filter(v => v > 0).sort(), m = sizes.length;
  return m > 0 && sizes[m - 1]! > (UNEVEN * (sizes[(m - 1) >> 1]! + sizes[m >> 1]!)) / 2;
}

function exponentOf(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = (view.getUint32(0) >>> 20) & 0x7ff;
  return bits > 0 ? bits - 1022 : exponentOf(value * 2 ** 54) - 54;
}

/** Two factors whose product is 2^exponent, which may itself be beyond the largest number. */
function halves(exponent: number): readonly [number, number] {
  const first = exponent >> 1;
  return [2 ** first, 2 ** (exponent - first)];
}

/** Statistics of one weighting of the rows; `weigh` sets the next. */
export class Weighing implements Statistics {
  readonly prepared: Prepared;
  readonly sample: Sample;
  readonly k: number;
  /** How often each row counts, and that times its sample weight, laid out. */
  readonly counts: Float64Array;
  readonly weights: Float64Array;
  /** Whether sums are of whole numbers; estimates use the unrounded values. */
  exact = false;
  readonly #unit: Int32Array;
  readonly #below: Float64Array;
  readonly #confusion: Float64Array;
  readonly #ranked = new Map<number, Ranked>();
  readonly #sums: Float64Array;
  #summed = false;
  #counted = false;

  constructor(prepared: Prepared, groups: Int32Array | null = null) {
    const { sample, k, layout: rows } = prepared;
    this.prepared = prepared;
    this.sample = sample;
    this.k = k;
    this.counts = new Float64Array(sample.n).fill(1);
    this.weights = prepared.own ? prepared.own.slice() : this.counts;
    this.#unit = groups ? rows.map(row => groups[row]!) : rows;
    this.#below = new Float64Array(sample.n + 1);
    this.#confusion = new Float64Array(k * k);
    this.#sums = new Float64Array(prepared.columns.size + 1);
  }

  /** Take the weighting in which each unit came as often as `drawn` says. */
  weigh(drawn: Int32Array): this {
    const { counts, weights } = this, { own } = this.prepared, unit = this.#unit;
    for (let i = 0; i < counts.length; i++) counts[i] = drawn[unit[i]!]!;
    if (own) for (let i = 0; i < counts.length; i++) weights[i] = counts[i]! * own[i]!;
    this.exact = true;
    this.#ranked.clear();
    this.#summed = this.#counted = false;
    return this;
  }

  /** Weighted mean of a column. */
  mean(name: string): number {
    this.#sum();
    let at = 1;
    for (const known of this.prepared.columns.keys()) {
      if (known === name) return this.#sums[at]! / this.#sums[0]!;
      at++;
    }
    return NaN;
  }

  #sum(): void {
    if (this.#summed) return;
    this.#summed = true;
    const { counts } = this, sums = this.#sums, n = counts.length;
    if (this.exact) {
      const { table, scale, rests } = this.prepared.grid;
      for (let j = 0; j < table.length; j++) sums[j] = dot(counts, table[j]!) * scale[j]![0] * scale[j]![1];
      for (const { column, rest, scale: down } of rests) sums[column]! += dot(counts, rest) * down[0] * down[1];
      return;
    }
    const own = this.sample.weights, weight = (i: number): number => (own ? own[i]! : 1);
    sums[0] = accurate(n, weight);
    let j = 1;
    for (const column of this.prepared.columns.values()) sums[j++] = accurate(n, i => column[i]! * weight(i));
  }

  /** The confusion matrix, row by row: actual class by predicted class. */
  get confusion(): Float64Array {
    const out = this.#confusion;
    if (!this.#counted) {
      this.#counted = true;
      const { weights } = this, { cells } = this.prepared;
      out.fill(0);
      for (let i = 0; i < weights.length; i++) out[cells[i]!]! += weights[i]!;
    }
    return out;
  }

  /**
   * Ranking statistics of the probability of one class. AUC counts pairs, ties as one half (Hanley & McNeil 1982). Average
   * precision is the step sum over distinct scores, without interpolation.
   */
  ranked(scored: number, against = -1): Ranked {
    const key = scored * (this.k + 1) + against + 1;
    let found = this.#ranked.get(key);
    if (!found) this.#ranked.set(key, (found = this.#rank(this.prepared.order(scored, against))));
    return found;
  }

  #rank({ positives, negatives, above, upto, slots }: Order): Ranked {
    const { weights } = this, below = this.#below, size = negatives.length;
    let down = 0;
    for (let j = 0; j < size; j++) below[j + 1] = down += weights[negatives[j]!]!;
    let hits = 0, lost = 0, precision = 0;
    for (let s = 0; s < above.length; s++) {
      let up = 0;
      if (slots === null) up = weights[positives[s]!]!;
      else for (let i = slots[s]!; i < slots[s + 1]!; i++) up += weights[positives[i]!]!;
      const reached = below[upto[s]!]!;
      lost += up * (below[above[s]!]! + reached);
      hits += up;
      if (up > 0) precision += (up * hits) / (hits + reached);
    }
    const won = 1 - lost / 2 / (hits * down);
    const auc = hits > 0 && down > 0 ? (won < ROUNDING ? 0 : won) : NaN;
    return { auc, average_precision: hits > 0 ? precision / hits : NaN };
  }

  /** Mean over classes, or by support, of the area of each class against the rest. */
  oneAgainstRest(how: 'macro' | 'weighted'): number {
    let sum = 0, all = 0;
    for (let c = 0; c < this.k; c++) {
      let weight = how === 'macro' ? 1 : 0;
      if (how === 'weighted') for (let b = 0; b < this.k; b++) weight += this.confusion[c * this.k + b]!;
      sum += this.ranked(c).auc * weight;
      all += weight;
    }
    return sum / all;
  }

  /** Mean over pairs of classes of the area of either against the other. */
  oneAgainstOne(): number {
    const { k } = this;
    let sum = 0;
    for (let i = 0; i < k; i++) for (let j = i + 1; j < k; j++) sum += (this.ranked(i, j).auc + this.ranked(j, i).auc) / 2;
    return sum / ((k * (k - 1)) / 2);
  }

  /** Weighted median of the absolute errors; the middle of two where weight splits evenly. */
  medianSize(): number {
    const { weights } = this, n = weights.length, size = this.prepared.columns.get('absolute_error')!, rows = this.prepared.layout;
    let total = 0;
    for (let i = 0; i < n; i++) total += weights[i]!;
    const half = total / 2, tolerance = this.prepared.own ? 1e-12 * total : 0;
    let below = 0, i = 0;
    while ((below += weights[i]!) < half - tolerance) i++;
    const lower = size[rows[i]!]!;
    while (below <= half + tolerance) below += weights[++i]!;
    return (lower + size[rows[i]!]!) / 2;
  }

  /** The largest absolute error among rows with weight. */
  largestSize(): number {
    for (let i = this.weights.length - 1; i >= 0; i--) {
      if (this.weights[i]! > 0) return this.prepared.columns.get('absolute_error')![this.prepared.layout[i]!]!;
    }
    return 0;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
