// Two models on the same rows: paired differences with intervals and tests, chosen by the rules of the Python package.
import { gathered } from './cells.ts';
import type { Report } from './evaluate.ts';
import { LEAST, RARE, fromReplicates, replicate, together, tooFew, withheld } from './intervals.ts';
import type { Replicates } from './intervals.ts';
import { METRICS } from './metrics.ts';
import { adjusted, delong, jackknife, percentileP, shares } from './paired.ts';
import { units } from './resample.ts';
import { InputError, isPlain } from './schemas.ts';
import type { Class, Sample } from './schemas.ts';
import { normalQuantile } from './special.ts';
import { general, grouped, literal } from './wording.ts';

/** Metrics that mean the same for two classes and for more, and whichever class is positive. */
const WHATEVER_CLASSES = ['accuracy', 'balanced_accuracy', 'matthews_corrcoef', 'cohen_kappa', 'log_loss'];

/** One metric of two models; `difference` is the first estimate minus the other. */
export interface Compared {
  readonly metric: string;
  readonly estimate: number | null;
  readonly other: number | null;
  readonly difference: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly p_value: number | null;
  readonly q_value: number | null;
  readonly confidence_level: number;
  readonly n: number;
  readonly method: string;
  readonly reason: string | null;
}

export interface Comparison {
  readonly rows: readonly Compared[];
  readonly n: number;
  readonly confidence_level: number;
  readonly notes: readonly string[];
}

type Draft = Omit<Compared, 'q_value' | 'confidence_level' | 'n'>;

/** Why two reports may not be compared, in one sentence; null when they may. */
export function comparable(one: Report, other: Report): string | null {
  const task = ({ sample }: Report): string => (sample.task === 'regression' ? 'regression' : 'classification');
  const rows = 'evaluate both models on the same rows in the same order.', columns = ({ sample }: Report): string => JSON.stringify(sample.data?.map(c => c.name));
  if (task(one) !== task(other)) return `the other report is about ${task(other)}, this one about ${task(one)}; compare reports of one task.`;
  if (one.sample.n !== other.sample.n) {
    return `the other report has ${grouped(other.sample.n)} rows, this one ${grouped(one.sample.n)}; evaluate both models on the same rows.`;
  }
  if (one.labels_digest !== other.labels_digest) return `the two reports have different labels, weights, groups or strata (their digests differ); ${rows}`;
  if (one.rows_digest && other.rows_digest && one.rows_digest !== other.rows_digest && columns(one) === columns(other)) {
    return `the two reports have the same columns with different data (their digests differ); ${rows}`;
  }
  return null;
}

/** Compare two reports metric by metric: this one minus the other, on shared resamples. */
export function compare(report: Report, other: Report): Comparison {
  const refused = comparable(report, other);
  if (refused !== null) throw new InputError(refused);
  const level = report.config.confidence_level, one = report.sample, two = other.sample, both = resamples(report, other);
  const theirs = both && (alike(one, two) ? both[0] : both[1]), mine = both && both[0];
  const [names, notes] = shared(report, other);
  const drafts = names.map(name => {
    return difference(name, report.metrics[name]!, other.metrics[name]!, [one, two], [mine, theirs], level);
  });
  const tested = drafts.flatMap(draft => (draft.p_value === null ? [] : [draft.p_value])), q = adjusted(tested);
  let at = 0;
  const rows = drafts.map(({ method, reason, ...draft }) => ({
    ...draft, q_value: draft.p_value === null ? null : q[at++]!, confidence_level: level, n: one.n, method, reason,
  }));
  const least = mine ? 2 / (mine.plan.n_resamples + 1) : 0;
  const short = rows.filter(row => row.p_value === least && row.q_value !== null && row.q_value > 1 - level).map(row => row.metric);
  if (short.length > 0) {
    notes.push(`Resamples give no p-value below ${general(least, 3)}, too large for ${tested.length} tests together; raise n_resamples to judge ${short.join(', ')}.`);
  }
  return { rows, n: one.n, confidence_level: level, notes };
}

/** What a comparison shows about one metric, in words, for the first report against the other. */
export function evidence({ rows, confidence_level }: Comparison, metric: string): string {
  const row = rows.find(r => r.metric === metric), better = METRICS.get(metric)?.greater_is_better;
  if (!row) throw new InputError(`the comparison has no metric ${literal(metric)}; give one of ${rows.map(r => r.metric).join(', ')}.`);
  if (row.q_value === null || !row.difference || row.q_value > 1 - confidence_level + 1e-12) return 'no evidence of a difference';
  if (better === null || better === undefined) return 'different';
  return row.difference > 0 === better ? 'better' : 'worse';
}

/** The metrics of both reports on the same resamples; null where intervals were off. */
function resamples(report: Report, other: Report): readonly [Replicates, Replicates] | null {
  if (!report.replicates) return null;
  const { plan } = report.replicates;
  if (gathered(report.sample, plan) || gathered(other.sample, plan)) return together(report.sample, other.sample, plan);
  // groups and strata are part of the digest of the labels, and so are the same
  const same = other.replicates && other.replicates.plan.n_resamples === plan.n_resamples && BigInt(other.seed) === BigInt(report.seed);
  return [report.replicates, same ? other.replicates : replicate(other.sample, plan)];
}

function equal(a: ArrayLike<unknown> | null, b: ArrayLike<unknown> | null): boolean {
  return a === b || (a !== null && b !== null && a.length === b.length && Array.from(a).every((v, i) => v === b[i]));
}

/** Whether two models of one set of classes answer every row alike. */
function alike(one: Sample, other: Sample): boolean {
  const kind = equal(one.classes, other.classes) && one.positive === other.positive;
  return kind && equal(one.probabilities, other.probabilities) && equal(one.predictions, other.predictions);
}

/** The metrics that mean one thing in both reports, and notes on those left out. */
function shared(report: Report, other: Report): [string[], string[]] {
  const [mine, theirs] = [Object.keys(report.metrics), Object.keys(other.metrics)], both = mine.filter(name => theirs.includes(name));
  const only = [...mine, ...theirs].filter(name => !both.includes(name)).sort();
  const notes = only.length > 0 ? [`Only one of the two reports has ${only.join(', ')}.`] : [];
  const one = report.sample, two = other.sample, classes = new Set(one.classes);
  const alike = classes.size === two.classes.length && two.classes.every(c => classes.has(c)) && report.positive === other.positive;
  if (alike || (one.task === 'multiclass' && two.task === 'multiclass')) return [both, notes];
  const kept = both.filter(name => WHATEVER_CLASSES.includes(name));
  const said = ({ sample, positive }: Report): string => `${tuple(sample.classes)}, ${positive === null ? 'None' : literal(positive)}`;
  const left = both.filter(name => !kept.includes(name)).sort().join(', ');
  notes.push(`The reports differ in classes or positive class (${said(report)} against ${said(other)}), so ${left} mean different things and are left out.`);
  return [kept, notes];
}

function tuple(values: readonly Class[]): string {
  return `(${values.map(literal).join(', ')}${values.length === 1 ? ',' : ''})`;
}

/** Judge one metric of two samples of the same rows, from both estimates and the same resamples of both. */
export function difference(
  metric: string, estimate: number | null, other: number | null,
  samples: readonly [Sample, Sample], drawn: readonly [Replicates | null, Replicates | null], level: number,
): Draft {
  const draft = resampledDifference(metric, estimate, other, samples, drawn, level);
  return drawn[0] ? sharpened(draft, ...samples, level) : draft;
}

function resampledDifference(
  metric: string, estimate: number | null, other: number | null,
  samples: readonly [Sample, Sample], [mine, theirs]: readonly [Replicates | null, Replicates | null], level: number,
): Draft {
  const draft: Draft = { metric, estimate, other, difference: null, low: null, high: null, p_value: null, method: 'none', reason: null };
  if (estimate === null || other === null) {
    return { ...draft, reason: `the metric is undefined for ${estimate === other ? 'both' : 'one of the two'}` };
  }
  const gap = estimate - other, without = (reason: string | null): Draft => ({ ...draft, difference: gap, reason });
  if (!mine || !theirs) return without('compute_cis was off, so nothing was resampled');
  const few = withheld(metric, samples[0]) ?? withheld(metric, samples[1]);
  if (few !== null) return without(few);
  const own = mine.resampled.get(metric), against = theirs.resampled.get(metric);
  if (metric === 'roc_auc_ovo' && !(own && against)) return without('it is not resampled for so many classes');
  if (!own || !against) {
    return without(
      METRICS.get(metric)!.no_interval ??
        'calibration errors are biased by an amount that differs between models, so their difference has no interval',
    );
  }
  const values = own.map((v, i) => v - against[i]!), known = values.filter(v => !Number.isNaN(v));
  if (known.length > 0 && known.every(v => v === 0)) return { ...without(null), low: 0, high: 0, p_value: 1, method: 'identical on every resample' };
  if (units(mine.plan) < LEAST) return without(tooFew(mine.plan));
  const found = fromReplicates(gap, values, null, level);
  if (found.low === null) return without(found.reason);
  const leftOut = mine.left_out.get(metric), theirLeftOut = theirs.left_out.get(metric);
  if (leftOut && theirLeftOut && metric !== 'median_absolute_error') {
    const test = jackknife(gap, leftOut.map((v, i) => v - theirLeftOut[i]!), level);
    if (test) return { ...without(null), ...test, method: 'paired jackknife t' };
  }
  return { ...without(null), low: found.low, high: found.high, p_value: percentileP(known), method: 'paired percentile' };
}

/** Replace resampling by what is made for the metric: McNemar for shares of rows, DeLong for ROC AUC. */
function sharpened(draft: Draft, one: Sample, two: Sample, level: number): Draft {
  const { metric } = draft;
  if (draft.difference === null || !isPlain(one)) return draft;
  if (metric === 'accuracy' || metric === 'recall' || metric === 'specificity') {
    let ours = 0, others = 0, asked = 0;
    for (let i = 0; i < one.n; i++) {
      if (metric !== 'accuracy' && (one.labels[i] === one.positive) !== (metric === 'recall')) continue;
      const right = one.labels[i] === one.predictions[i], other = two.labels[i] === two.predictions[i];
      asked++;
      if (right && !other) ours++;
      if (other && !right) others++;
    }
    if (ours + others === 0 || (metric !== 'accuracy' && asked >= RARE)) return draft;
    const { low, high, p_value, exact } = shares(ours, others, asked, level);
    return { ...draft, low, high, p_value, method: exact ? 'exact McNemar' : 'McNemar', reason: null };
  }
  const found = metric === 'roc_auc' && draft.p_value !== null ? delong(one, two) : null;
  if (!found) return draft;
  const half = normalQuantile((1 + level) / 2) * found.error;
  return { ...draft, low: Math.max(-1, draft.difference - half), high: Math.min(1, draft.difference + half), p_value: found.p_value, method: 'DeLong' };
}
