// A class against the rest at any threshold, from the columns that a page holds: counts, shares, calibration, curves.
//
// A saved page may be a stranger's: `readOperating` is the one door, and throws the sentence to show.
import { Thresholds } from '../harness/curves.ts';
import { share } from '../harness/intervals.ts';
import { isObject } from './protocol.ts';
import type { Json, JsonObject } from './protocol.ts';
import { Unreadable, finite, own, words } from './safe.ts';

const MOST = 5000;
const MOST_BINS = 200;
const DAMAGED = 'The thresholds of this page are damaged; run the cell again.';

/** A share of rows, with its interval where rows stand for themselves. */
export interface Share {
  part: number;
  whole: number;
  value: number | null;
  low: number | null;
  high: number | null;
}

/** Rows that were said to be of a class, or not: their mean probability of it, and the share that is. */
export interface Group extends Share {
  mean: number | null;
}

export interface At {
  threshold: number;
  tp: number;
  fp: number;
  fn: number;
  tn: number;
  precision: Share;
  recall: Share;
  specificity: Share;
  accuracy: Share;
  f1: number | null;
  said: Group;
  rest: Group;
}

export interface Line {
  x: (number | null)[];
  y: (number | null)[];
}

export interface Band {
  x: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

export interface Bins {
  predicted: (number | null)[];
  observed: (number | null)[];
  n: (number | null)[];
  low: (number | null)[] | null;
  high: (number | null)[] | null;
}

/** A saved column of finite numbers, none below zero, that only rises (or falls). */
function column(value: unknown, falls = false): Float64Array {
  const numbers = Array.isArray(value) ? value.slice(0, MOST + 1).map(finite) : [];
  const sound = numbers.every((v, i) => v !== null && v >= 0 && (i === 0 || (falls ? v <= numbers[i - 1]! : v >= numbers[i - 1]!)));
  if (numbers.length === 0 || numbers.length > MOST || !sound) throw new Unreadable(DAMAGED);
  return Float64Array.from(numbers as number[]);
}

function numbers(value: unknown, length: number): (number | null)[] | null {
  return Array.isArray(value) && value.length === length ? value.map(finite) : null;
}

function readBand(value: unknown): Band | null {
  const x = own(value, 'x');
  if (!Array.isArray(x) || x.length > MOST) return null;
  const [low, high] = [numbers(own(value, 'low'), x.length), numbers(own(value, 'high'), x.length)];
  return low && high ? { x: x.map(finite), low, high } : null;
}

function readBins(value: unknown): Bins | null {
  const predicted = own(value, 'predicted');
  if (!Array.isArray(predicted) || predicted.length === 0 || predicted.length > MOST_BINS) return null;
  const of = (name: string): (number | null)[] | null => numbers(own(value, name), predicted.length);
  const observed = of('observed');
  return observed && { predicted: predicted.map(finite), observed, n: of('n') ?? predicted.map(() => null), low: of('low'), high: of('high') };
}

export class Operating {
  readonly name: string;
  /** The threshold of the evaluation. */
  readonly chosen: number;
  readonly n: number;
  readonly bands: { roc: Band | null; pr: Band | null };
  readonly bins: Bins | null;
  /** Thresholds from low to high, one for each way to part the rows, as round as that way allows. */
  readonly stops: Float64Array;
  readonly #thresholds: Thresholds;
  readonly #sum: Float64Array;
  readonly #tp: Float64Array;
  readonly #fp: Float64Array;
  readonly #level: number;
  readonly #counted: boolean;

  constructor(value: JsonObject, level: number, counted: boolean) {
    const scores = column(value.score, true), [tp, fp, sum] = [column(value.tp), column(value.fp), column(value.sum)];
    const size = scores.length;
    if (tp.length !== size || fp.length !== size || sum.length !== size || !(tp[size - 1]! + fp[size - 1]! > 0)) throw new Unreadable(DAMAGED);
    this.name = words(value.name) || 'positive';
    this.chosen = Math.min(1, Math.max(0, finite(value.chosen) ?? 0.5));
    this.n = tp[size - 1]! + fp[size - 1]!;
    this.bands = { roc: readBand(own(value.bands, 'roc')), pr: readBand(own(value.bands, 'pr')) };
    this.bins = readBins(value.calibration);
    this.stops = stops(scores, this.chosen);
    this.#thresholds = new Thresholds(scores, { tp, fp, size });
    [this.#sum, this.#tp, this.#fp, this.#level, this.#counted] = [sum, tp, fp, level, counted];
  }

  #share(part: number, whole: number): Share {
    const ends = this.#counted && whole > 0 ? share(part, whole, this.#level) : null;
    return { part, whole, value: whole > 0 ? part / whole : null, low: ends?.low ?? null, high: ends?.high ?? null };
  }

  at(threshold: number): At {
    const { tp, fp, fn, tn, metrics } = this.#thresholds.at(threshold), said = this.#thresholds.chosen(threshold);
    const total = this.#sum.at(-1)!, near = said > 0 ? this.#sum[said - 1]! : 0;
    const group = (part: number, whole: number, probability: number): Group => ({ ...this.#share(part, whole), mean: whole > 0 ? probability / whole : null });
    return {
      threshold, tp, fp, fn, tn,
      precision: this.#share(tp, tp + fp),
      recall: this.#share(tp, tp + fn),
      specificity: this.#share(tn, tn + fp),
      accuracy: this.#share(tp + tn, this.n),
      f1: metrics.f1 ?? null,
      said: group(tp, tp + fp, near),
      rest: group(fn, fn + tn, total - near),
    };
  }

  /** The stop of least cost, for what a false positive and a miss cost; the highest of equals. */
  cheapest(falsePositive: number, miss: number): number {
    let best = { threshold: this.chosen, cost: Infinity };
    for (const threshold of this.stops.slice().reverse()) {
      const { fp, fn } = this.#thresholds.counts(threshold), cost = fp * falsePositive + fn * miss;
      if (cost < best.cost) best = { threshold, cost };
    }
    return best.threshold;
  }

  /** False positive rates and true positive rates, one for each way to part the rows. */
  roc(): Line {
    const up = this.#tp.at(-1)!, down = this.#fp.at(-1)!;
    return { x: [0, ...Array.from(this.#fp, v => (down > 0 ? v / down : null))], y: [0, ...Array.from(this.#tp, v => (up > 0 ? v / up : null))] };
  }

  /** Recall and precision from the first row of the class on, whose precision holds from no recall at all. */
  pr(): Line {
    const up = this.#tp.at(-1)!, first = Math.max(0, this.#tp.findIndex(v => v > 0));
    const tp = Array.from(this.#tp.subarray(first)), fp = this.#fp.subarray(first);
    const y = tp.map((v, i) => (v + fp[i]! > 0 ? v / (v + fp[i]!) : null));
    return { x: [0, ...tp.map(v => (up > 0 ? v / up : null))], y: [y[0]!, ...y] };
  }
}

/** For each way in which the scores can be parted: the evaluation's threshold, else a hundredth, else the score. */
export function stops(scores: Float64Array, chosen: number): Float64Array {
  const found: number[] = [];
  const add = (above: number, upTo: number, otherwise: number): void => {
    if (above >= upTo) return;
    const hundredth = Math.floor(above * 100 + 1 + 1e-9) / 100;
    found.push(chosen > above && chosen <= upTo ? chosen : hundredth <= upTo ? hundredth : otherwise);
  };
  for (let i = scores.length - 1; i >= 0; i--) add(i + 1 < scores.length ? scores[i + 1]! : -0.01, scores[i]!, scores[i]!);
  // Above every score nobody is said to be of the class.
  add(scores[0]!, Math.max(1, chosen), 1);
  return Float64Array.from(found);
}

/** Every class of a section; throws Unreadable where one is damaged. */
export function readOperating(section: JsonObject, most = 40): Operating[] {
  const level = Math.min(0.999, Math.max(0.5, finite(section.level) ?? 0.95)), counted = section.counted === true;
  const given: Json[] = Array.isArray(section.classes) ? section.classes.slice(0, most) : [];
  const found = given.filter(isObject).map(value => new Operating(value, level, counted));
  if (found.length === 0) throw new Unreadable(DAMAGED);
  return found;
}
