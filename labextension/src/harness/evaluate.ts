// Composition: checked input in; metrics, intervals and curves out, as plain data that a worker can post.
import { EPSILON, Prepared, Weighing } from './batch.ts';
import { N_BINS, againstPerfect } from './calibration.ts';
import type { CalibrationTest } from './calibration.ts';
import { predictionIntervals, residualTests } from './diagnostics.ts';
import type { PredictionInterval, ResidualTest } from './diagnostics.ts';
import { ofLabels, ofRows } from './digests.ts';
import { findFailures } from './failures.ts';
import type { Failures } from './failures.ts';
import { read } from './inputs.ts';
import type { Input } from './inputs.ts';
import { forMetric, replicate } from './intervals.ts';
import type { Replicates } from './intervals.ts';
import { METRICS, defined, wanted, whyUndefined } from './metrics.ts';
import { units } from './resample.ts';
import type { Plan } from './resample.ts';
import { InputError, noInterval, readConfig } from './schemas.ts';
import type { Class, Config, Interval, Sample } from './schemas.ts';
import { findSlices } from './slices.ts';
import type { Slices } from './slices.ts';
import { runStress } from './stress.ts';
import type { Answer, Stress } from './stress.ts';
import { claims } from './takeaway.ts';
import type { Claim } from './takeaway.ts';
import { general } from './wording.ts';

export interface Options extends Input {
  readonly config?: Partial<Config>;
  /** Equal input and seed give equal reports, here and in Python; beyond 2^53 it must be a bigint. */
  readonly seed?: number | bigint;
  /** What the model answered on changed rows; needed for stress tests. */
  readonly stress?: readonly Answer[] | null;
}

/** What one evaluation found. */
export interface Report {
  readonly sample: Sample;
  readonly config: Config;
  readonly seed: number | bigint;
  readonly positive: Class | null;
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Why a metric is null. */
  readonly undefined: Readonly<Record<string, string>>;
  readonly intervals: Readonly<Record<string, Interval>>;
  /** Actual class by predicted class, row by row; null for regression. */
  readonly confusion: Float64Array | null;
  readonly notes: readonly string[];
  readonly tests: Readonly<Record<string, CalibrationTest | ResidualTest>>;
  readonly prediction_intervals: readonly PredictionInterval[];
  readonly replicates: Replicates | null;
  readonly slices: Slices;
  readonly failures: Failures;
  readonly stress: Stress;
  /** The five sentences of the takeaway. */
  readonly claims: readonly Claim[];
  readonly labels_digest: string;
  readonly rows_digest: string | null;
}

/** Judge predictions: every metric with its interval, or the reason why there is none. Nothing given is changed. */
export function evaluate(options: Options): Report {
  const config = readConfig(options.config), seed = options.seed ?? 0;
  if (!(typeof seed === 'bigint' || Number.isSafeInteger(seed)) || seed < 0 || seed >= 2n ** 63n) {
    throw new InputError(`seed is ${String(seed)}; give a whole number from 0 to 2**63 - 1, as a bigint beyond 2**53.`);
  }
  const sample = read(options), level = config.confidence_level;
  const metrics: Record<string, number | null> = {}, reasons: Record<string, string> = {};
  const weighing = new Weighing(new Prepared(sample));
  for (const spec of wanted(sample)) {
    metrics[spec.name] = defined(spec.compute(weighing));
    if (metrics[spec.name] === null) reasons[spec.name] = whyUndefined(spec, sample);
  }
  const plan: Plan = { n: sample.n, n_resamples: config.n_resamples, seed, groups: sample.groups, strata: sample.strata };
  const replicates = config.compute_cis ? replicate(sample, plan) : null;
  const intervals: Record<string, Interval> = {};
  for (const [name, estimate] of Object.entries(metrics)) {
    intervals[name] =
      estimate === null ? noInterval(level, `the metric is undefined: ${reasons[name]}`)
      : !config.compute_cis ? noInterval(level, 'compute_cis was off')
      : forMetric(name, estimate, sample, replicates, level, seed);
  }
  const calibrated = sample.probabilities ? againstPerfect(sample) : null;
  const slices = findSlices(sample, config), failures = findFailures(sample, config);
  return {
    sample,
    config,
    seed,
    positive: sample.positive === null ? null : sample.classes[sample.positive]!,
    metrics,
    undefined: reasons,
    intervals,
    confusion: sample.task === 'regression' ? null : weighing.confusion.slice(),
    notes: [...sample.notes, ...conventions(sample)],
    tests: {
      ...(calibrated ? { perfect_calibration: calibrated } : {}),
      ...(sample.task === 'regression' ? residualTests(sample, level) : {}),
    },
    prediction_intervals: sample.task === 'regression' ? predictionIntervals(sample, seed, level) : [],
    replicates,
    slices,
    failures,
    stress: runStress(sample, config, options.stress ?? null, seed),
    claims: claims(sample, level, metrics, intervals, calibrated, slices, failures),
    labels_digest: ofLabels(sample),
    rows_digest: ofRows(sample),
  };
}

/** Which direction is better, for each metric of a report. */
export function directions(report: Report): Record<string, boolean | null> {
  return Object.fromEntries(Object.keys(report.metrics).map(name => [name, METRICS.get(name)!.greater_is_better]));
}

/** What a reader must know about how numbers of this sample were reached. */
function conventions(s: Sample): string[] {
  const notes: string[] = [];
  if (s.data) notes.push('Rows of labels, predictions and data are matched by position.');
  if (s.weights) notes.push('Metrics are weighted by sample_weight (only ratios matter); counts and support are of rows.');
  if (s.groups) {
    notes.push(`Whole groups are resampled: ${units({ n: s.n, n_resamples: 0, seed: 0, groups: s.groups, strata: null })} of them.`);
  }
  if (s.strata) notes.push(`Resamples keep the size of each of ${new Set(s.strata).size} strata.`);
  if (s.task === 'multiclass') notes.push('Precision, recall and F1 of a class are taken as 0 where they would be 0/0.');
  if (s.probabilities) {
    const one = s.task === 'binary', k = s.classes.length;
    notes.push(`The Brier score runs from 0 to ${one ? '1 (positive class only).' : '2 (sum over classes).'}`);
    notes.push(`Calibration is judged on the probability of ${one ? 'the positive class' : 'the most probable class'}, over ${N_BINS} bins.`);
    let never = 0;
    for (let i = 0; i < s.n; i++) if (s.probabilities[i * k + s.labels[i]!]! < EPSILON) never++;
    if (never > 0) {
      notes.push(
        `Log loss takes ${general(EPSILON, 3)} for the probability of what happened where it was smaller, in ${never} row` +
          `${never === 1 ? '' : 's'}.`,
      );
    }
  }
  return notes;
}
