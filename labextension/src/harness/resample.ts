// One resampling of rows, shared by every metric: how often each unit (a row, or a group of rows) was drawn.
import { RESAMPLES, integer, subkey, words } from './random.ts';
import type { Key } from './random.ts';

export interface Plan {
  readonly n: number;
  readonly n_resamples: number;
  readonly seed: number | bigint;
  /** With groups whole groups are drawn. */
  readonly groups: Int32Array | null;
  /** With strata each resample has as many rows (or groups) of each stratum as the sample; groups lie within strata. */
  readonly strata: Int32Array | null;
}

/** Number of things drawn: rows, or groups. */
export function units(plan: Plan): number {
  return plan.groups ? plan.groups.reduce((a, b) => Math.max(a, b), 0) + 1 : plan.n;
}

/** Bound on the sum of the weights of one resample. */
export function largestTotal(plan: Plan): number {
  if (!plan.groups) return plan.n;
  const size = new Int32Array(units(plan));
  for (const group of plan.groups) size[group]!++;
  return size.length * size.reduce((a, b) => Math.max(a, b), 0);
}

/** Draws the resamples of one plan, in any order. */
export class Draws {
  readonly counts: Int32Array;
  readonly #key: Key;
  readonly #raw: Uint32Array;
  readonly #strata: Strata | null;

  constructor(plan: Plan) {
    const size = units(plan);
    this.counts = new Int32Array(size);
    this.#key = subkey(plan.seed, RESAMPLES);
    this.#raw = new Uint32Array(size);
    this.#strata = plan.strata && places(plan.strata, plan.groups, size);
  }

  /** Count how often resample `row` draws each unit; the array is overwritten by the next call. */
  draw(row: number): Int32Array {
    const counts = this.counts, raw = this.#raw, size = counts.length;
    counts.fill(0);
    words(this.#key, row, raw);
    if (this.#strata) {
      const { first, width, member } = this.#strata;
      for (let i = 0; i < size; i++) counts[member[first[i]! + integer(raw[i]!, width[i]!)]!]!++;
    } else if (size <= 0x200000) {
      const scale = size / 0x100000000; // exact, and so is the product of a word with so few units
      for (let i = 0; i < size; i++) counts[(raw[i]! * scale) | 0]!++;
    } else {
      for (let i = 0; i < size; i++) counts[integer(raw[i]!, size)]!++;
    }
    return counts;
  }
}

/** First place and size of the stratum of each draw, and the unit at each place. */
interface Strata {
  readonly first: Int32Array;
  readonly width: Int32Array;
  readonly member: Int32Array;
}

function places(strata: Int32Array, groups: Int32Array | null, size: number): Strata {
  const stratum = new Int32Array(size);
  strata.forEach((s, row) => { stratum[groups ? groups[row]! : row] = s; });
  const member = Int32Array.from(stratum, (_, unit) => unit).sort((a, b) => stratum[a]! - stratum[b]! || a - b);
  const first = new Int32Array(size), width = new Int32Array(size);
  for (let start = 0, end = 0; start < size; start = end) {
    while (end < size && stratum[member[end]!] === stratum[member[start]!]) end++;
    first.fill(start, start, end);
    width.fill(end - start, start, end);
  }
  return { first, width, member };
}
