// Large samples: rows are gathered into cells, and cells are resampled in their place; the how and why are those of the Python
// package's module of the same name. Draws are the same bit for bit, values to rounding.
import { ceilLog2, Prepared, uneven, Weighing } from './batch.ts';
import type { Ranked, Statistics } from './batch.ts';
import { accurate, descending, searchsorted } from './columns.ts';
import { DRAWS_OF_CELLS, NOISE, subkey, uniform, words } from './random.ts';
import type { Plan } from './resample.ts';
import type { Sample } from './schemas.ts';
import { normalQuantile, poissonTable } from './special.ts';

/** When cells are used, and how fine they are; the tests of both languages turn these down. */
export const SIZES = { LARGE: 50_000, SMALL: 2000, TOP: 128, RANGES: 512, RARE: 100, LINEAR: 4000 };

/** Places within a range at which precision is taken. */
const NODES = 4;
/** One-against-one areas are resampled up to this many classes. */
export const MAX_RESAMPLED_PAIRS = 50;
/** Shares of variance below this are what rounding leaves of 0. */
const ROUNDING = 1e-12;

/** Whether a sample is so large that cells are resampled in place of rows. */
export function gathered(sample: Sample, plan: Plan): boolean {
  const k = sample.classes.length, passes = k <= 2 || !sample.probabilities ? 1 : 3 * Math.min(k, MAX_RESAMPLED_PAIRS);
  const plain = !sample.weights && !plan.groups && !plan.strata;
  return plain && sample.n > SIZES.SMALL && sample.n * passes > SIZES.LARGE;
}

/** Rows sorted by a score, cut into ranges; range 0 has the highest scores. */
interface Ranges {
  readonly place: Int32Array;
  readonly size: number;
  /** Share of (positive, negative) pairs of the range in which the negative scores higher, ties one half. */
  readonly lost: Float64Array;
  /** For each node and range: share of the range's positives; mean share of positives and of negatives that score as high. */
  readonly share: Float64Array;
  readonly hits: Float64Array;
  readonly misses: Float64Array;
}

function unique(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function ranges(score: (row: number) => number, positive: (row: number) => boolean, n: number, wanted: number, top: number): Ranges {
  const order = descending(Int32Array.from({ length: n }, (_, row) => row), score);
  const up = new Int32Array(n + 1), ups: number[] = [], downs: number[] = [];
  order.forEach((row, i) => {
    up[i + 1] = up[i]! + (positive(row) ? 1 : 0);
    (positive(row) ? ups : downs).push(i);
  });
  const first = new Int32Array(n), last = new Int32Array(n);
  let ends: number[] = [];
  for (let start = 0, end = 0; start < n; start = end) {
    while (end < n && score(order[end]!) === score(order[start]!)) end++;
    first.fill(start, start, end);
    last.fill(end - 1, start, end);
    ends.push(end - 1);
  }
  if (ends.length > 2 * wanted) {
    const spots = ups.slice(0, top);
    for (const [rows, many] of [[ups, wanted], [downs, wanted >> 1]] as const) {
      for (let i = 1; i < many && rows.length > 0; i++) spots.push(rows[Math.floor((i * rows.length) / many)]!);
    }
    ends = unique([...spots.map(spot => ends[searchsorted(ends, spot)]!), n - 1]);
  }
  const size = ends.length, place = new Int32Array(n), lost = new Float64Array(size);
  const parts = (): Float64Array => new Float64Array(size * NODES);
  const [share, hits, misses] = [parts(), parts(), parts()];
  for (let s = 0, start = 0; s < size; start = ends[s]! + 1, s++) {
    const end = ends[s]!, upBefore = up[start]!, downBefore = start - upBefore;
    const mine = up[end + 1]! - upBefore, theirs = end + 1 - start - mine;
    for (let i = start; i <= end; i++) {
      place[order[i]!] = s;
      if (up[i + 1] === up[i]) continue;
      const above = first[i]! - up[first[i]!]! - downBefore, upto = last[i]! + 1 - up[last[i]! + 1]! - downBefore;
      lost[s]! += (above + upto) / 2;
      const at = Math.floor(((up[i]! - upBefore) * NODES) / mine) * size + s;
      share[at]! += 1;
      hits[at]! += up[last[i]! + 1]! - upBefore;
      misses[at]! += upto;
    }
    lost[s]! /= Math.max(mine * theirs, 1);
    for (let at = s; at < size * NODES; at += size) {
      hits[at]! /= Math.max(share[at]!, 1) * Math.max(mine, 1);
      misses[at]! /= Math.max(share[at]!, 1) * Math.max(theirs, 1);
      share[at]! /= Math.max(mine, 1);
    }
  }
  return { place, size, lost, share, hits, misses };
}

/** Areas of many classes as sums of columns. */
interface Areas {
  readonly each: Float64Array;
  readonly pairs: number;
  readonly columns: Map<string, Float64Array>;
}

function areas(sample: Sample): Areas {
  const k = sample.classes.length, { n } = sample, p = sample.probabilities!;
  const rows = Array.from({ length: k }, (_, c) => {
    const mine: number[] = [];
    sample.labels.forEach((label, i) => { if (label === c) mine.push(i); });
    return mine;
  });
  const each = new Float64Array(k).fill(NaN), columns = new Map<string, Float64Array>();
  if (rows.some(mine => mine.length === 0)) return { each, pairs: NaN, columns };
  /** For rows `mine` the share of `theirs` they outrank, for `theirs` that of `mine` outranking them. */
  const placements = (c: number, mine: number[], theirs: number[]): [Float64Array, Float64Array] => {
    const scores = (held: number[]): Float64Array => Float64Array.from(held, row => p[row * k + c]!);
    const x = scores(mine), y = scores(theirs), a = x.slice().sort(), b = y.slice().sort();
    const share = (sorted: Float64Array, v: number): number => (searchsorted(sorted, v) + searchsorted(sorted, v, true)) / (2 * Math.max(sorted.length, 1));
    return [x.map(v => share(b, v)), y.map(v => 1 - share(a, v))];
  };
  const mean = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;
  for (const name of ['macro_own', 'macro_other', 'weighted_own', 'weighted_other']) columns.set(name, new Float64Array(n));
  for (let c = 0; c < k; c++) {
    const mine = rows[c]!, rest: number[] = [];
    sample.labels.forEach((label, i) => { if (label !== c) rest.push(i); });
    const [up, down] = placements(c, mine, rest);
    each[c] = mean(up);
    for (const [name, weight] of [['macro', 1 / k], ['weighted', mine.length / n]] as const) {
      const own = columns.get(`${name}_own`)!, other = columns.get(`${name}_other`)!;
      mine.forEach((row, i) => { own[row]! += (weight * (up[i]! - each[c]!)) / mine.length; });
      rest.forEach((row, i) => { other[row]! += (weight * (down[i]! - each[c]!)) / rest.length; });
    }
  }
  if (k < 2 || k > MAX_RESAMPLED_PAIRS) return { each, pairs: NaN, columns };
  const own = new Float64Array(n), many = k * (k - 1);
  let pairs = 0;
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      if (i === j) continue;
      const [up, down] = placements(i, rows[i]!, rows[j]!), area = mean(up);
      pairs += area / many;
      rows[i]!.forEach((row, at) => { own[row]! += (up[at]! - area) / (rows[i]!.length * many); });
      rows[j]!.forEach((row, at) => { own[row]! += (down[at]! - area) / (rows[j]!.length * many); });
    }
  }
  columns.set('pairs_own', own);
  return { each, pairs, columns };
}

/** The derivatives of area and average precision by the weight of each row; none with few positives. */
function influence(prepared: Prepared): Map<string, Float64Array> {
  const { sample: { n }, layout } = prepared, { positives, negatives, above, upto, slots } = prepared.order(prepared.sample.positive!);
  const many = positives.length, others = negatives.length, count = upto.length;
  if (many < SIZES.LINEAR || others === 0) return new Map();
  const ends = Array.from({ length: count + 1 }, (_, s) => (slots ? slots[s]! : s));
  const up = new Float64Array(count), each = new Float64Array(count), won = new Float64Array(others), lowered = new Float64Array(count + 1);
  for (let s = 0; s < count; s++) up[s] = 1 - (above[s]! + upto[s]!) / (2 * others);
  let raised = 0, precision = 0;
  for (let s = count - 1; s >= 0; s--) {
    const size = ends[s + 1]! - ends[s]!, hits = ends[s + 1]!, said = hits + upto[s]!;
    // one more positive adds its own precision and raises, one more negative lowers that of its slot and all below
    raised += (size * upto[s]!) / said ** 2;
    lowered[s] = lowered[s + 1]! + (size * hits) / said ** 2;
    each[s] = hits / said + raised;
    precision += (size * hits) / said / many;
  }
  // what negatives win: positives of slots above those that score as high, ties one half
  for (let j = 0, s = 0, t = 0; j < others; j++) {
    while (s < count && upto[s]! <= j) s++;
    while (t < count && above[t]! <= j) t++;
    won[j] = (ends[s]! + ends[t]!) / (2 * many);
  }
  const area = new Float64Array(n), steps = new Float64Array(n);
  const slot = (i: number): number => (slots ? searchsorted(slots, i, true) - 1 : i);
  const mean = accurate(many, i => up[slot(i)]!) / many, other = accurate(others, j => won[j]!) / others;
  positives.forEach((place, i) => {
    area[layout[place]!] = (up[slot(i)]! - mean) / many;
    steps[layout[place]!] = (each[slot(i)]! - precision) / many;
  });
  let s = 0;
  negatives.forEach((place, j) => {
    while (s < count && upto[s]! <= j) s++;
    area[layout[place]!] = (won[j]! - other) / others;
    steps[layout[place]!] = -lowered[s]! / many;
  });
  return new Map([['area', area], ['precision', steps]]);
}

/** One sample gathered into cells. */
class Condensed {
  readonly sample: Sample;
  readonly k: number;
  readonly prepared: Prepared;
  readonly columns: Map<string, Float64Array>;
  readonly ranges: Ranges | null = null;
  readonly areas: Areas | null = null;
  /** Rows in order of absolute error (sizes ascending), and where its ranges begin and end. */
  readonly sizes: Float64Array | null = null;
  readonly cuts: readonly number[] = [];
  readonly place: Int32Array;
  readonly heavy: Uint8Array;
  /** For each cell: rows, range, confusion cell, whether its rows are positive; and its mean of each column on a grid. */
  size: Int32Array = new Int32Array(0);
  at: Int32Array = new Int32Array(0);
  matrix: Int32Array = new Int32Array(0);
  positive: Uint8Array = new Uint8Array(0);
  means = new Map<string, { whole: Float64Array; scale: number }>();
  shift = 0;
  /** Area and average precision of the sample itself. */
  exact: Ranked | null = null;

  constructor(sample: Sample, wanted: number, top: number, paired: boolean) {
    const { n } = sample, k = sample.classes.length;
    this.sample = sample;
    this.k = k;
    this.prepared = new Prepared(sample);
    this.columns = new Map(this.prepared.columns);
    this.place = new Int32Array(n);
    if (sample.task === 'regression') {
      const error = this.columns.get('absolute_error')!;
      const order = descending(Int32Array.from({ length: n }, (_, row) => row), row => -error[row]!);
      const sorted = Float64Array.from(order, row => error[row]!), cuts = [0, n];
      for (let i = 1; i < wanted; i++) cuts.push(searchsorted(sorted, sorted[Math.floor((i * n) / wanted)]!));
      this.sizes = sorted;
      this.cuts = unique(cuts);
      for (let b = 0; b + 1 < this.cuts.length; b++) for (let i = this.cuts[b]!; i < this.cuts[b + 1]!; i++) this.place[order[i]!] = b;
    } else if (sample.positive !== null && sample.probabilities) {
      const c = sample.positive, p = sample.probabilities;
      this.ranges = ranges(row => p[row * k + c]!, row => sample.labels[row] === c, n, wanted, top);
      this.place = this.ranges.place;
      if (paired) for (const [name, column] of influence(this.prepared)) this.columns.set(name, column);
    } else if (sample.probabilities) {
      this.areas = areas(sample);
      for (const [name, column] of this.areas.columns) this.columns.set(name, column);
    }
    this.heavy = this.#heavy();
  }

  /** Rows that are kept apart: the largest values of each column (the first of equal ones), and all rows of rare classes. */
  #heavy(): Uint8Array {
    const { n, labels } = this.sample, heavy = new Uint8Array(n), many = Math.min(SIZES.TOP, n - 1);
    for (const column of this.columns.values()) {
      const size = column.map(Math.abs), cut = size.slice().sort()[n - many]!;
      let room = many;
      for (let i = 0; i < n; i++) if (size[i]! > cut) [heavy[i], room] = [1, room - 1];
      for (let i = 0; i < n && room > 0; i++) if (size[i] === cut) [heavy[i], room] = [1, room - 1];
    }
    if (this.k > 0) {
      const counts = new Int32Array(this.k);
      for (const label of labels) counts[label]!++;
      if (counts.filter(count => count <= SIZES.RARE).length * SIZES.RARE <= 4096) {
        for (let i = 0; i < n; i++) if (counts[labels[i]!]! <= SIZES.RARE) heavy[i] = 1;
      }
    }
    return heavy;
  }

  /** What rows of a cell share, as one number for each row. */
  key(row: number): number {
    const { labels, predictions, task } = this.sample, { k } = this;
    return task === 'regression' ? this.place[row]! : this.place[row]! * k * k + labels[row]! * k + predictions[row]!;
  }

  settle(cell: Int32Array, first: Int32Array, size: Int32Array): void {
    const { sample, k } = this;
    this.size = size;
    this.at = first.map(row => this.place[row]!);
    this.matrix = first.map(row => sample.labels[row]! * k + sample.predictions[row]!);
    this.positive = Uint8Array.from(first, row => (sample.labels[row] === sample.positive ? 1 : 0));
    let bits = 51;
    for (let reach = 1; reach < 2 * sample.n; reach *= 2) bits--;
    for (const [name, column] of this.columns) {
      const whole = new Float64Array(size.length);
      cell.forEach((c, row) => { whole[c]! += column[row]!; });
      let largest = 0;
      whole.forEach((sum, c) => { largest = Math.max(largest, Math.abs((whole[c] = sum / size[c]!))); });
      this.means.set(name, { whole, scale: bits - (largest > 0 ? Math.floor(Math.log2(largest)) + 1 : 0) });
    }
    if (this.ranges) {
      this.exact = new Weighing(this.prepared).ranked(sample.positive!);
      this.shift = this.exact.average_precision - new CellWeighing(this).draw(Int32Array.from(size), new Map()).stepSum();
    }
  }
}

/** Statistics of one drawing of the cells of a sample. */
class CellWeighing implements Statistics {
  readonly sample: Sample;
  readonly k: number;
  readonly exact = true;
  readonly #condensed: Condensed;
  readonly #confusion: Float64Array;
  readonly #grid = new Map<string, { table: Float64Array; rest: Float64Array | null; back: number }>();
  readonly #bits: number;
  #counts: Int32Array = new Int32Array(0);
  #noise: ReadonlyMap<string, number> = new Map();
  #total = 0;
  #counted = false;
  #ranked: Ranked | null = null;

  constructor(condensed: Condensed) {
    this.#condensed = condensed;
    this.sample = condensed.sample;
    this.k = condensed.k;
    this.#confusion = new Float64Array(this.k * this.k);
    this.#bits = 51 - ceilLog2(Math.max(2 * this.sample.n, 2));
    const shift = 6755399441055744; // rounds to whole numbers, halves to the even one
    for (const [name, { whole, scale }] of condensed.means) {
      const half = scale >> 1, up = 2 ** half, more = 2 ** (scale - half);
      const table = whole.map(v => v * up * more + shift - shift);
      const rest = uneven(whole) ? whole.map((v, i) => (v * up * more - table[i]!) * 2 ** this.#bits + shift - shift) : null;
      this.#grid.set(name, { table, rest, back: scale });
    }
  }

  draw(counts: Int32Array, noise: ReadonlyMap<string, number>): this {
    this.#counts = counts;
    this.#noise = noise;
    this.#total = counts.reduce((a, b) => a + b, 0);
    this.#counted = false;
    this.#ranked = null;
    return this;
  }

  #sum(name: string): number {
    const { table, rest, back } = this.#grid.get(name)!, counts = this.#counts, half = back >> 1;
    let sum = 0, more = 0;
    for (let i = 0; i < counts.length; i++) {
      sum += counts[i]! * table[i]!;
      if (rest) more += counts[i]! * rest[i]!;
    }
    const down = 2 ** -half, on = 2 ** -(back - half);
    return sum * down * on + more * 2 ** -this.#bits * down * on + (this.#noise.get(name) ?? 0);
  }

  mean(name: string): number {
    return this.#grid.has(name) ? this.#sum(name) / this.#total : NaN;
  }

  get confusion(): Float64Array {
    const out = this.#confusion;
    if (!this.#counted) {
      this.#counted = true;
      const counts = this.#counts, { matrix } = this.#condensed;
      out.fill(0);
      for (let i = 0; i < counts.length; i++) out[matrix[i]!]! += counts[i]!;
    }
    return out;
  }

  #sides(): { up: Float64Array; down: Float64Array } {
    const { ranges: found, at, positive } = this.#condensed, counts = this.#counts;
    const up = new Float64Array(found!.size), down = new Float64Array(found!.size);
    for (let i = 0; i < counts.length; i++) {
      if (positive[i]) up[at[i]!]! += counts[i]!;
      else down[at[i]!]! += counts[i]!;
    }
    return { up, down };
  }

  ranked(): Ranked {
    if (this.#ranked) return this.#ranked;
    if (this.#grid.has('precision')) {
      const { auc, average_precision } = this.#condensed.exact!, share = (v: number): number => Math.min(1, Math.max(0, v));
      return (this.#ranked = { auc: share(auc + this.#sum('area')), average_precision: share(average_precision + this.#sum('precision')) });
    }
    const { up, down } = this.#sides(), { lost } = this.#condensed.ranges!;
    let ups = 0, downs = 0, missed = 0;
    for (let s = 0; s < up.length; s++) {
      missed += up[s]! * (downs + down[s]! * lost[s]!);
      ups += up[s]!;
      downs += down[s]!;
    }
    const precision = Math.min(1, Math.max(0, this.stepSum() + this.#condensed.shift));
    return (this.#ranked = { auc: ups * downs > 0 ? 1 - missed / (ups * downs) : NaN, average_precision: precision });
  }

  /** The average precision from ranges. */
  stepSum(): number {
    const { up, down } = this.#sides(), { share, hits, misses, size } = this.#condensed.ranges!;
    let total = 0, right = 0, wrong = 0;
    for (let s = 0; s < size; s++) {
      for (let at = s; at < NODES * size; at += size) {
        const hit = right + up[s]! * hits[at]!, said = hit + wrong + down[s]! * misses[at]!;
        if (said > 0) total += (up[s]! * share[at]! * hit) / said;
      }
      right += up[s]!;
      wrong += down[s]!;
    }
    return total / right;
  }

  /** How often each class was drawn. */
  #drawn(): Float64Array {
    const out = new Float64Array(this.k);
    this.confusion.forEach((count, cell) => { out[Math.floor(cell / this.k)]! += count; });
    return out;
  }

  /** The influence of rows through their own class, each class divided by how often it was drawn. */
  #own(name: string, drawn: Float64Array): number {
    const { table, back } = this.#grid.get(`${name}_own`)!, counts = this.#counts, { matrix } = this.#condensed, half = back >> 1;
    const mine = new Float64Array(this.k), members = new Float64Array(this.k);
    for (let i = 0; i < counts.length; i++) mine[Math.floor(matrix[i]! / this.k)]! += counts[i]! * table[i]!;
    for (const label of this.sample.labels) members[label]!++;
    let sum = 0;
    for (let c = 0; c < this.k; c++) sum += drawn[c]! > 0 ? (mine[c]! * 2 ** -half * 2 ** -(back - half) * members[c]!) / drawn[c]! : NaN;
    return sum + (this.#noise.get(`${name}_own`) ?? 0);
  }

  oneAgainstRest(how: 'macro' | 'weighted'): number {
    const { each, columns } = this.#condensed.areas!;
    if (columns.size === 0) return NaN;
    const drawn = this.#drawn();
    let middle = 0;
    for (let c = 0; c < this.k; c++) middle += (how === 'macro' ? 1 / this.k : drawn[c]! / this.#total) * each[c]!;
    return Math.min(1, Math.max(0, middle + this.#own(how, drawn) + this.#sum(`${how}_other`)));
  }

  oneAgainstOne(): number {
    const { pairs, columns } = this.#condensed.areas!;
    return columns.has('pairs_own') ? Math.min(1, Math.max(0, pairs + this.#own('pairs', this.#drawn()))) : NaN;
  }

  /** The median of the absolute errors: the rank within a range is taken over to the sample's rows. */
  medianSize(): number {
    const { sizes, cuts, at } = this.#condensed, counts = this.#counts, drawn = new Float64Array(cuts.length - 1);
    for (let i = 0; i < counts.length; i++) drawn[at[i]!]! += counts[i]!;
    let sum = 0;
    for (const rank of [Math.floor((this.#total - 1) / 2), Math.floor(this.#total / 2)]) {
      let b = 0, before = 0;
      while (b < drawn.length - 1 && before + drawn[b]! <= rank) before += drawn[b++]!;
      const width = cuts[b + 1]! - cuts[b]!, inside = (rank - before + 0.5) / Math.max(drawn[b]!, 1);
      sum += sizes![cuts[b]! + Math.min(Math.trunc(inside * width), width - 1)]!;
    }
    return sum / 2;
  }

  largestSize(): number {
    return NaN; // a largest error has no resamples
  }
}

/** Number the different values of a column in their order. */
function condense(values: Float64Array): { code: Int32Array; count: number } {
  const sorted = Float64Array.from(new Set(values)).sort(), rank = new Map<number, number>();
  sorted.forEach((value, i) => rank.set(value, i));
  return { code: Int32Array.from(values, value => rank.get(value)!), count: sorted.length };
}

/** Draw the cells of one or two samples of the same rows together, resample by resample, in order. */
export function* drawn(samples: readonly Sample[], plan: Plan): Generator<readonly Statistics[]> {
  const alone = samples.length === 1, { n } = plan;
  const parts = samples.map(s => new Condensed(s, alone ? SIZES.RANGES : SIZES.RANGES >> 3, alone ? SIZES.TOP : SIZES.TOP >> 1, !alone));
  let key = new Float64Array(n);
  for (const part of parts) {
    const before = condense(key).code, own = condense(Float64Array.from(key, (_, row) => part.key(row)));
    key = Float64Array.from(before, (code, row) => code * own.count + own.code[row]!);
  }
  let apart = 0;
  for (let row = 0; row < n; row++) if (parts.some(part => part.heavy[row])) key[row] = -1 - apart++;
  const { code: cell, count } = condense(key), first = new Int32Array(count).fill(-1), size = new Int32Array(count);
  cell.forEach((c, row) => {
    if (first[c]! < 0) first[c] = row;
    size[c]!++;
  });
  for (const part of parts) part.settle(cell, first, size);
  const names = parts.map(part => [...part.columns.keys()]), root = factor(parts, cell), p = root.length;
  const tables = new Map([...new Set(size)].map(mean => [mean, poissonTable(mean)] as const)), of = Array.from(size, mean => tables.get(mean)!);
  const weighings = parts.map(part => new CellWeighing(part));
  const cellKey = subkey(plan.seed, DRAWS_OF_CELLS), noiseKey = subkey(plan.seed, NOISE);
  const raw = new Uint32Array(count), pairs = new Uint32Array(2 * p), counts = new Int32Array(count);
  for (let r = 0; r < plan.n_resamples; r++) {
    words(cellKey, r, raw);
    for (let c = 0; c < count; c++) {
      const u = (raw[c]! + 0.5) / 0x100000000, { first: lowest, below } = of[c]!;
      if (below.length > 64) counts[c] = lowest + searchsorted(below, u);
      else {
        let at = 0;
        while (at < below.length && below[at]! < u) at++;
        counts[c] = lowest + at;
      }
    }
    words(noiseKey, r, pairs);
    const z = Float64Array.from(root, (_, i) => normalQuantile(uniform(pairs[2 * i]!, pairs[2 * i + 1]!)));
    let row = 0;
    weighings.forEach((weighing, i) => {
      weighing.draw(counts, new Map(names[i]!.map(name => [name, root[row++]!.reduce((sum, v, j) => sum + v * z[j]!, 0)])));
    });
    yield weighings;
  }
}

/** Cholesky's root of the covariance of all columns about their cells' means; a column that others determine adds nothing. */
function factor(parts: readonly Condensed[], cell: Int32Array): Float64Array[] {
  const powers: number[] = [], rest = parts.flatMap(part => [...part.columns].map(([name, column]) => {
    const { whole } = part.means.get(name)!, largest = column.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const power = largest > 0 ? Math.floor(Math.log2(largest)) + 1 : 0, half = power >> 1;
    powers.push(power);
    return column.map((v, row) => (v - whole[cell[row]!]!) * 2 ** -half * 2 ** (half - power));
  }));
  const n = cell.length, covariance = rest.map((a, i) => rest.slice(0, i + 1).map(b => accurate(n, row => a[row]! * b[row]!)));
  const scale = covariance.map((row, i) => Math.sqrt(row[i]!)), root = rest.map(() => new Float64Array(rest.length));
  for (let j = 0; j < rest.length; j++) {
    for (let i = j; i < rest.length; i++) {
      const both = scale[i]! * scale[j]!;
      let left = both > 0 ? covariance[i]![j]! / both : 0;
      for (let m = 0; m < j; m++) left -= root[i]![m]! * root[j]![m]!;
      if (i === j && left <= ROUNDING) break;
      root[i]![j] = i === j ? Math.sqrt(left) : left / root[j]![j]!;
    }
  }
  return root.map((row, i) => row.map(v => v * scale[i]! * 2 ** (powers[i]! >> 1) * 2 ** (powers[i]! - (powers[i]! >> 1))));
}
