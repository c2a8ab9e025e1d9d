// The values that pass between the parts of the harness. Public names are those of the Python package.

export type Task = 'binary' | 'multiclass' | 'regression';
export type Class = string | number | boolean;

/** Input that cannot be evaluated: one sentence with the argument, what was found and what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** What is known about the uncertainty of one number; both ends are null where there is no honest interval. */
export interface Interval {
  readonly low: number | null;
  readonly high: number | null;
  readonly confidence_level: number;
  readonly method: string;
  /** Resamples behind the interval; 0 where the method needs none. */
  readonly n_resamples: number;
  /** Resamples on which the metric was undefined and which were left out. */
  readonly undefined_resamples: number;
  /** Why there is no interval. */
  readonly reason: string | null;
}

export function noInterval(level: number, reason: string, resamples = 0, lost = 0): Interval {
  return { low: null, high: null, confidence_level: level, method: 'none', n_resamples: resamples, undefined_resamples: lost, reason };
}

export function between(ends: readonly [number, number], level: number, method: string, resamples = 0, lost = 0): Interval {
  return { low: ends[0], high: ends[1], confidence_level: level, method, n_resamples: resamples, undefined_resamples: lost, reason: null };
}

/** The checked input of one evaluation; every array has one entry for each kept row. */
export interface Sample {
  readonly task: Task;
  readonly n: number;
  /** Class codes (positions in `classes`) or real values. */
  readonly labels: Float64Array;
  readonly predictions: Float64Array;
  /** Probabilities of shape (n, k), row by row, in the order of `classes`. */
  readonly probabilities: Float64Array | null;
  /** The classes as given; empty for regression. */
  readonly classes: readonly Class[];
  /** Position of the positive one of two classes. */
  readonly positive: number | null;
  /** A row is predicted positive where its probability is at least this. */
  readonly threshold: number;
  /** Sample weights scaled to mean 1. */
  readonly weights: Float64Array | null;
  /** Cluster of each row, numbered in order of first appearance. */
  readonly groups: Int32Array | null;
  /** Position of each kept row in what was given. */
  readonly rows: Int32Array;
  /** Conventions and readings of the input that a reader must know. */
  readonly notes: readonly string[];
}

export interface Config {
  readonly compute_cis: boolean;
  readonly n_resamples: number;
  readonly confidence_level: number;
}

const DEFAULTS: Config = { compute_cis: true, n_resamples: 1000, confidence_level: 0.95 };

/** Check settings and fill in the defaults. */
export function readConfig(given: Partial<Config> = {}): Config {
  const known = Object.keys(DEFAULTS);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw new InputError(`config has the unknown key '${key}'; give one of ${known.join(', ')}.`);
  }
  const config = { ...DEFAULTS, ...given };
  const { compute_cis, n_resamples, confidence_level } = config;
  if (typeof compute_cis !== 'boolean') throw new InputError(`config['compute_cis'] is ${String(compute_cis)}; give true or false.`);
  if (!Number.isInteger(n_resamples) || n_resamples < 100 || n_resamples > 1_000_000) {
    throw new InputError(`config['n_resamples'] is ${n_resamples}; give a whole number from 100 to 1000000.`);
  }
  if (!(confidence_level >= 0.5 && confidence_level < 1)) {
    const hint = confidence_level >= 50 && confidence_level < 100 ? `give ${confidence_level / 100}.` : 'give a number such as 0.95.';
    throw new InputError(`config['confidence_level'] is ${confidence_level}, outside [0.5, 1); ${hint}`);
  }
  return config;
}
