// How a model holds up when its rows change, from the answers it gave on changed rows: the part of the Python package's stress
// tests that needs no model.
import { Prepared, Weighing } from './batch.ts';
import { difference } from './compare.ts';
import { read } from './inputs.ts';
import type { Input } from './inputs.ts';
import { forMetric, replicate } from './intervals.ts';
import type { Replicates } from './intervals.ts';
import { METRICS, whyUndefined } from './metrics.ts';
import type { Plan } from './resample.ts';
import { InputError, noInterval } from './schemas.ts';
import type { Config, Interval, Sample } from './schemas.ts';

const MAX_RESAMPLES = 500;

/** What a model answered on rows changed in one way, as `predictions` are given, or what it raised; "none" is the unchanged rows. */
export type Answer = { readonly perturbation: string; readonly severity: number } & (
  | { readonly predictions: Input['predictions'] }
  | { readonly error: string }
);

/** One metric under one perturbation; `drop` is how much worse than on the clean rows it is. */
export interface StressRow {
  readonly perturbation: string;
  readonly severity: number;
  readonly metric: string;
  readonly estimate: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly drop: number | null;
  readonly drop_low: number | null;
  readonly drop_high: number | null;
  readonly n: number;
  readonly error: string | null;
  readonly reason: string | null;
}

export interface Stress {
  readonly rows: readonly StressRow[];
  readonly n: number;
  readonly notes: readonly string[];
  /** Why there are none. */
  readonly reason: string | null;
}

/** Judge answers that are already there. */
export function runStress(s: Sample, config: Config, answers: readonly Answer[] | null, seed: number | bigint): Stress {
  const none = (reason: string): Stress => ({ rows: [], n: 0, notes: [], reason });
  if (!config.run_stress_tests) return none('run_stress_tests was off');
  if (!answers) return none('predict= was not given, and stress tests need a model to call');
  const isClean = (answer: Answer): boolean => answer.perturbation === 'none' && answer.severity === 0;
  const given = answers.find(isClean), clean = given && 'predictions' in given ? answered(s, given.predictions) : s;
  return { rows: judged(clean, s, answers.filter(answer => !isClean(answer)), config, seed), n: s.n, notes: [], reason: null };
}

/** Read what a model answered as `predictions` were read. */
function answered(s: Sample, predictions: Input['predictions']): Sample {
  const regression = s.task === 'regression';
  try {
    return read({
      task_type: regression ? 'regression' : 'classification',
      predictions,
      labels: regression ? s.labels : Array.from(s.labels, code => s.classes[code]!),
      classes: s.classes.length > 1 ? s.classes : null,
      positive: s.positive === null ? null : s.classes[s.positive]!,
      threshold: s.threshold,
      sample_weight: s.weights,
      groups: s.groups,
      stratify: s.strata,
    });
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`what predict returned cannot be read: ${error.message}`);
    throw error;
  }
}

interface Measured {
  readonly estimate: number | null;
  readonly own: Interval;
  readonly values: Replicates | null;
}

function judged(clean: Sample, s: Sample, answers: readonly Answer[], config: Config, seed: number | bigint): StressRow[] {
  const metrics =
    clean.task === 'regression' ? ['root_mean_squared_error', 'mean_absolute_error']
    : !clean.probabilities ? ['accuracy', 'balanced_accuracy']
    : clean.task === 'binary' ? ['accuracy', 'roc_auc']
    : ['accuracy', 'log_loss'];
  const { n } = clean, level = config.confidence_level;
  const plan: Plan = { n, n_resamples: Math.min(config.n_resamples, MAX_RESAMPLES), seed, groups: clean.groups, strata: clean.strata };
  const base = measure(clean, metrics, plan, config);
  const rows = metrics.map((name, i) => row('none', 0, name, base[i]!, base[i]!, [clean, clean], level));
  for (const answer of answers) {
    const { perturbation, severity } = answer;
    let found: Sample | string;
    try {
      found = 'error' in answer ? answer.error : answered(s, answer.predictions);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      found = `InputError: ${error.message.split(/\s+/u).filter(Boolean).join(' ').slice(0, 200)}`;
    }
    if (typeof found === 'string') {
      const none = { estimate: null, low: null, high: null, drop: null, drop_low: null, drop_high: null };
      for (const metric of metrics) rows.push({ perturbation, severity, metric, ...none, n, error: found, reason: 'the model gave no answer that can be read' });
    } else {
      const changed = found, values = measure(changed, metrics, plan, config);
      metrics.forEach((name, i) => rows.push(row(perturbation, severity, name, base[i]!, values[i]!, [clean, changed], level)));
    }
  }
  return rows;
}

function measure(s: Sample, metrics: readonly string[], plan: Plan, config: Config): Measured[] {
  const weighing = new Weighing(new Prepared(s)), level = config.confidence_level;
  const there = metrics.filter(name => METRICS.get(name)!.needs !== 'probabilities' || s.probabilities);
  const values = config.compute_cis ? replicate(s, plan, there) : null;
  return metrics.map(name => {
    const none = (reason: string, estimate: number | null = null): Measured => ({ estimate, own: noInterval(level, reason), values: null });
    if (!there.includes(name)) return none('no probabilities were given');
    const spec = METRICS.get(name)!, estimate = spec.compute(weighing);
    if (!Number.isFinite(estimate)) return none(`the metric is undefined: ${whyUndefined(spec, s)}`);
    if (!values) return none('compute_cis was off', estimate);
    return { estimate, own: forMetric(name, estimate, s, values, level, plan.seed), values };
  });
}

function row(perturbation: string, severity: number, metric: string, clean: Measured, found: Measured, samples: readonly [Sample, Sample], level: number): StressRow {
  const { n } = samples[0], { estimate, own, values } = found, ends = { estimate, low: own.low, high: own.high };
  if (estimate === null || clean.estimate === null) {
    const reason = estimate === null ? own.reason : 'the metric is undefined on the clean rows';
    return { perturbation, severity, metric, ...ends, drop: null, drop_low: null, drop_high: null, n, error: null, reason };
  }
  const sign = METRICS.get(metric)!.greater_is_better ? 1 : -1;
  const paired = difference(metric, clean.estimate, estimate, samples, [clean.values, values], level);
  let { low, high } = paired;
  if (low !== null && high !== null && sign < 0) [low, high] = [0 - high, 0 - low];
  const drop = sign * (clean.estimate - estimate), reason = own.reason ?? paired.reason;
  return { perturbation, severity, metric, ...ends, drop, drop_low: low, drop_high: high, n, error: null, reason };
}
