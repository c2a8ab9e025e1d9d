// The values that pass between the parts of the harness. Public names are those of the Python package.

import { literal, nearest } from './wording.ts';

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
  /** Intervals by other methods for the same number. */
  readonly also: readonly { readonly low: number; readonly high: number; readonly method: string }[];
}

export function noInterval(level: number, reason: string, resamples = 0, lost = 0): Interval {
  return { low: null, high: null, confidence_level: level, method: 'none', n_resamples: resamples, undefined_resamples: lost, reason, also: [] };
}

export function between(ends: readonly [number, number], level: number, method: string, resamples = 0, lost = 0): Interval {
  return { low: ends[0], high: ends[1], confidence_level: level, method, n_resamples: resamples, undefined_resamples: lost, reason: null, also: [] };
}

/** One feature: whole or real numbers, truths, text, points in time (microseconds from 1970 on, UTC), or a mixture. */
export interface Feature {
  readonly name: string;
  readonly kind: 'int' | 'float' | 'bool' | 'str' | 'time' | 'mixed';
  readonly values: ArrayLike<number | string | boolean | null>;
  readonly missing: Uint8Array;
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
  /** Sample weights above 0, scaled to mean 1. */
  readonly weights: Float64Array | null;
  /** Cluster of each row, numbered in order of first appearance. */
  readonly groups: Int32Array | null;
  /** Stratum of each row; clusters lie within strata. */
  readonly strata: Int32Array | null;
  /** Position of each kept row in what was given. */
  readonly rows: Int32Array;
  /** The features of the kept rows. */
  readonly data: readonly Feature[] | null;
  /** Conventions and readings of the input that a reader must know. */
  readonly notes: readonly string[];
}

/** Whether rows count alike and were drawn one by one. */
export function isPlain({ weights, groups, strata }: Sample): boolean {
  return !weights && !groups && !strata;
}

/** Settings of one evaluation, in the order in which they are written. */
export interface Config {
  readonly compute_cis: boolean;
  readonly run_stress_tests: boolean;
  readonly n_failures_per_type: number;
  readonly n_resamples: number;
  readonly confidence_level: number;
  readonly plots: boolean;
  readonly min_support: number | null;
  readonly max_slice_features: number;
}

const DEFAULTS: Config = {
  compute_cis: true,
  run_stress_tests: false,
  n_failures_per_type: 10,
  n_resamples: 1000,
  confidence_level: 0.95,
  plots: true,
  min_support: null,
  max_slice_features: 2,
};

const WHOLE: Record<string, readonly [number, number]> = {
  n_failures_per_type: [0, 1_000_000],
  n_resamples: [100, 1_000_000],
  min_support: [2, 1e12],
  max_slice_features: [0, 2],
};

/** Check settings and fill in the defaults. */
export function readConfig(given: Partial<Config> = {}): Config {
  const known = Object.keys(DEFAULTS);
  for (const [key, value] of Object.entries(given)) {
    if (!known.includes(key)) throw new InputError(`config has the unknown key ${literal(key)}; ${nearest(key, known)}`);
    const range = WHOLE[key];
    if (key === 'min_support' && value === null) continue;
    if (range) {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < range[0] || value > range[1]) {
        throw new InputError(`config['${key}'] is ${String(value)}; give a whole number from ${range[0]} to ${range[1]}.`);
      }
    } else if (key !== 'confidence_level') {
      if (typeof value !== 'boolean') throw new InputError(`config['${key}'] is ${String(value)}; give true or false.`);
    } else if (typeof value !== 'number' || !(value >= 0.5 && value < 1)) {
      const percent = typeof value === 'number' && value >= 50 && value < 100;
      const hint = percent ? `give ${value / 100}.` : 'give a number such as 0.95.';
      throw new InputError(`config['confidence_level'] is ${String(value)}, outside [0.5, 1); ${hint}`);
    }
  }
  return { ...DEFAULTS, ...given };
}
