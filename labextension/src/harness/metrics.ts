// The table of metrics: what each is called and needs, and how it is computed from one weighting of the rows. Formulas and
// their sources are those of the Python package's table of the same names.
import type { Statistics } from './batch.ts';
import { classwise, debiased, expected, expectedEqualMass, intercept, maximum, slope } from './calibration.ts';
import type { Sample, Task } from './schemas.ts';
import { general, grouped, literal } from './wording.ts';

/** One-against-one areas are counted up to this many classes; their number grows with the square. */
const MAX_PAIRED_CLASSES = 100;

export interface MetricSpec {
  readonly name: string;
  readonly title: string;
  /** null where neither direction is better as such. */
  readonly greater_is_better: boolean | null;
  readonly unit: 'share' | 'correlation' | 'nats' | 'log odds' | 'target' | 'squared target' | 'ratio';
  readonly tasks: readonly Task[];
  readonly needs: 'labels' | 'probabilities' | 'values';
  readonly interval: 'bootstrap' | 'proportion' | 'calibration' | 'recalibration' | 'none';
  /** What it means when there is no value. */
  readonly undefined: string;
  /** Why there is no interval where `interval` is none. */
  readonly no_interval: string | null;
  /** The value under one weighting; NaN where it is undefined. */
  readonly compute: (w: Statistics) => number;
}

// Classification ------------------------------------------------------------------------------------

function ratio(top: number, bottom: number): number {
  return bottom > 0 ? top / bottom : NaN;
}

/** True positives, false positives, false negatives and true negatives of the positive class. */
export interface Sides {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

function sides(w: Statistics): Sides {
  const p = w.sample.positive!, c = w.confusion, at = (a: number, b: number): number => c[2 * a + b]!;
  return { tp: at(p, p), fp: at(1 - p, p), fn: at(p, 1 - p), tn: at(1 - p, 1 - p) };
}

interface Margins {
  readonly n: number;
  readonly hits: number;
  readonly hit: Float64Array;
  readonly actual: Float64Array;
  readonly predicted: Float64Array;
}

/** Sums of a confusion matrix by row and column, and its diagonal. */
function margins(confusion: Float64Array, k: number): Margins {
  const hit = new Float64Array(k), actual = new Float64Array(k), predicted = new Float64Array(k);
  let n = 0, hits = 0;
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) {
      const count = confusion[a * k + b]!;
      actual[a]! += count;
      predicted[b]! += count;
    }
    hit[a] = confusion[a * k + a]!;
    hits += hit[a]!;
    n += actual[a]!;
  }
  return { n, hits, hit, actual, predicted };
}

function products(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Metrics of a confusion matrix alone. */
export const OF_CONFUSION = {
  accuracy: (m: Margins): number => ratio(m.hits, m.n),
  balanced_accuracy: (m: Margins): number => {
    let recalls = 0, met = 0;
    m.actual.forEach((support, c) => {
      if (support > 0) {
        recalls += m.hit[c]! / support;
        met++;
      }
    });
    return ratio(recalls, met);
  },
  matthews_corrcoef: (m: Margins): number => {
    const n2 = m.n ** 2;
    // rounding of weighted counts must not make a constant column look spread
    const spread = (of: Float64Array): number => {
      const s = n2 - products(of, of);
      return s > 1e-12 * n2 ? s : 0;
    };
    const bottom = Math.sqrt(spread(m.actual)) * Math.sqrt(spread(m.predicted));
    return Math.min(1, Math.max(-1, ratio(m.hits * m.n - products(m.actual, m.predicted), bottom)));
  },
  cohen_kappa: (m: Margins): number => {
    const chance = products(m.actual, m.predicted), rest = m.n ** 2 - chance;
    return ratio(m.hits * m.n - chance, rest > 1e-12 * m.n ** 2 ? rest : 0);
  },
} as const;

/** Metrics of the four counts of two classes. */
export const OF_SIDES = {
  precision: (s: Sides): number => ratio(s.tp, s.tp + s.fp),
  recall: (s: Sides): number => ratio(s.tp, s.tp + s.fn),
  specificity: (s: Sides): number => ratio(s.tn, s.tn + s.fp),
  f1: (s: Sides): number => ratio(2 * s.tp, 2 * s.tp + s.fp + s.fn),
} as const;

function matrix(name: keyof typeof OF_CONFUSION): (w: Statistics) => number {
  return w => OF_CONFUSION[name](margins(w.confusion, w.k));
}

function side(name: keyof typeof OF_SIDES): (w: Statistics) => number {
  return w => OF_SIDES[name](sides(w));
}

/** Every metric of two classes that four counts determine, null where undefined. */
export function ofCounts(s: Sides): Record<string, number | null> {
  const m = margins(Float64Array.of(s.tn, s.fp, s.fn, s.tp), 2);
  const found: Record<string, number | null> = {};
  for (const [name, of] of Object.entries(OF_CONFUSION)) found[name] = defined(of(m));
  for (const [name, of] of Object.entries(OF_SIDES)) found[name] = defined(of(s));
  return found;
}

export function defined(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Average a score of each class met in labels or predictions; 0/0 counts as 0. */
function averaged(kind: string, how: string): (w: Statistics) => number {
  return w => {
    const { hit, actual, predicted } = margins(w.confusion, w.k);
    let sum = 0, all = 0;
    for (let c = 0; c < w.k; c++) {
      const [a, p] = [actual[c]!, predicted[c]!];
      const bottom = kind === 'precision' ? p : kind === 'recall' ? a : (a + p) / 2;
      const weight = how === 'macro' ? (a + p > 0 ? 1 : 0) : a;
      sum += (bottom > 0 ? hit[c]! / bottom : 0) * weight;
      all += weight;
    }
    return ratio(sum, all);
  };
}

/** Compute on the sample as it is; there are no values on resamples. */
function ofSample(measure: (sample: Sample) => number | null): (w: Statistics) => number {
  return w => (w.exact ? NaN : (measure(w.sample) ?? NaN));
}

// Regression ----------------------------------------------------------------------------------------

function labelVariance(w: Statistics): number {
  const squared = w.mean('squared_label'), spread = squared - w.mean('label') ** 2;
  return spread > 1e-12 * squared ? spread : 0;
}

// The table -----------------------------------------------------------------------------------------

const BOTH = ['binary', 'multiclass'] as const, TWO = ['binary'] as const, MANY = ['multiclass'] as const, REAL = ['regression'] as const;
const PLUG_IN =
  'the plug-in calibration error is biased upwards, so a resampling interval would miss the true value almost always for a ' +
  'calibrated model; see debiased_calibration_error for an interval and the test against perfect calibration';
const LINE = 'the line is not fitted again on resamples, so its numbers have no paired interval';
const ONE_CLASS = 'labels hold one class only', ABSENT = 'a class has no row in labels', EQUAL = 'all labels are equal';

type Row = Omit<MetricSpec, 'interval' | 'undefined' | 'no_interval'> & Partial<MetricSpec>;

function row(
  name: string, title: string, greater_is_better: boolean | null, unit: MetricSpec['unit'], tasks: readonly Task[],
  needs: MetricSpec['needs'], compute: (w: Statistics) => number, more: Partial<MetricSpec> = {},
): MetricSpec {
  const base: Row = { name, title, greater_is_better, unit, tasks, needs, compute };
  return { interval: 'bootstrap', undefined: 'it is not defined for these rows', no_interval: null, ...base, ...more };
}

const share = (why?: string): Partial<MetricSpec> => ({ interval: 'proportion', ...(why ? { undefined: why } : {}) });
const why = (reason: string): Partial<MetricSpec> => ({ undefined: reason });
const without = (reason: string): Partial<MetricSpec> => ({ interval: 'none', no_interval: reason });

/** Every metric, in the order of reports. */
export const TABLE: readonly MetricSpec[] = [
  row('accuracy', 'Accuracy', true, 'share', BOTH, 'labels', matrix('accuracy'), share()),
  row('balanced_accuracy', 'Balanced accuracy', true, 'share', BOTH, 'labels', matrix('balanced_accuracy')),
  row('precision', 'Precision', true, 'share', TWO, 'labels', side('precision'), share('no row is predicted positive')),
  row('recall', 'Recall', true, 'share', TWO, 'labels', side('recall'), share('no row is positive')),
  row('specificity', 'Specificity', true, 'share', TWO, 'labels', side('specificity'), share('no row is negative')),
  row('f1', 'F1', true, 'share', TWO, 'labels', side('f1'), why('no row is positive or predicted positive')),
  ...(['precision', 'recall', 'f1'] as const).flatMap(kind =>
    (['macro', 'weighted'] as const).map(how => {
      const title = `${kind[0]!.toUpperCase()}${kind.slice(1)}, ${how}`;
      return row(`${kind}_${how}`, title, true, 'share', MANY, 'labels', averaged(kind, how));
    })),
  row('matthews_corrcoef', 'Matthews correlation', true, 'correlation', BOTH, 'labels', matrix('matthews_corrcoef'),
    why('all labels, or all predictions, are one class')),
  row('cohen_kappa', "Cohen's kappa", true, 'correlation', BOTH, 'labels', matrix('cohen_kappa'),
    why('labels and predictions are all one class')),
  row('roc_auc', 'ROC AUC', true, 'share', TWO, 'probabilities', w => w.ranked(w.sample.positive!).auc, why(ONE_CLASS)),
  row('average_precision', 'Average precision', true, 'share', TWO, 'probabilities', w => w.ranked(w.sample.positive!).average_precision,
    why('no row is positive')),
  row('roc_auc_ovr', 'ROC AUC, one against rest, macro', true, 'share', MANY, 'probabilities', w => w.oneAgainstRest('macro'), why(ABSENT)),
  row('roc_auc_ovr_weighted', 'ROC AUC, one against rest, weighted', true, 'share', MANY, 'probabilities', w => w.oneAgainstRest('weighted'),
    why(ABSENT)),
  row('roc_auc_ovo', 'ROC AUC, one against one (Hand-Till M)', true, 'share', MANY, 'probabilities',
    w => (w.k > MAX_PAIRED_CLASSES ? NaN : w.oneAgainstOne()), why(ABSENT)),
  row('log_loss', 'Log loss', false, 'nats', BOTH, 'probabilities', w => w.mean('log_loss')),
  row('brier_score', 'Brier score', false, 'ratio', BOTH, 'probabilities', w => w.mean('brier')),
  row('expected_calibration_error', 'Expected calibration error', false, 'share', BOTH, 'probabilities', ofSample(expected), without(PLUG_IN)),
  row('expected_calibration_error_equal_mass', 'Expected calibration error, equal-mass bins', false, 'share', BOTH, 'probabilities',
    ofSample(expectedEqualMass), without(PLUG_IN)),
  row('expected_calibration_error_classwise', 'Expected calibration error, class-wise', false, 'share', MANY, 'probabilities',
    ofSample(classwise), without(PLUG_IN)),
  row('maximum_calibration_error', 'Maximum calibration error', false, 'share', BOTH, 'probabilities', ofSample(maximum),
    without('the largest of several noisy gaps is biased upwards, so a resampling interval would miss the true value; ' +
      'see debiased_calibration_error')),
  row('debiased_calibration_error', 'Calibration error, debiased root mean square', false, 'share', BOTH, 'probabilities',
    ofSample(debiased), { interval: 'calibration', undefined: 'there is one row only, and the noise of a bin needs two' }),
  row('calibration_slope', 'Calibration slope', null, 'ratio', TWO, 'probabilities', ofSample(s => slope(s).value),
    { interval: 'recalibration', no_interval: LINE }),
  row('calibration_intercept', 'Calibration intercept (in the large)', null, 'log odds', TWO, 'probabilities',
    ofSample(s => intercept(s).value), { interval: 'recalibration', no_interval: LINE }),
  row('root_mean_squared_error', 'RMSE', false, 'target', REAL, 'values', w => Math.sqrt(w.mean('squared_error'))),
  row('mean_squared_error', 'MSE', false, 'squared target', REAL, 'values', w => w.mean('squared_error')),
  row('mean_absolute_error', 'MAE', false, 'target', REAL, 'values', w => w.mean('absolute_error')),
  row('median_absolute_error', 'Median absolute error', false, 'target', REAL, 'values', w => w.medianSize()),
  row('r2', 'R squared', true, 'ratio', REAL, 'values', w => 1 - ratio(w.mean('squared_error'), labelVariance(w)), why(EQUAL)),
  row('explained_variance', 'Explained variance', true, 'ratio', REAL, 'values',
    w => 1 - ratio(w.mean('squared_error') - w.mean('error') ** 2, labelVariance(w)), why(EQUAL)),
  row('mean_absolute_percentage_error', 'MAPE', false, 'ratio', REAL, 'values', w => w.mean('percentage_error'), why('a label is zero')),
  row('weighted_absolute_percentage_error', 'WAPE', false, 'ratio', REAL, 'values',
    w => ratio(w.mean('absolute_error'), w.mean('absolute_label')), why('all labels are zero')),
  row('max_error', 'Largest absolute error', false, 'target', REAL, 'values', w => w.largestSize(),
    without('resampling cannot show errors larger than the largest seen, so it gives no interval for a maximum (Bickel & Freedman 1981)')),
  row('mean_bias_error', 'Mean bias', null, 'target', REAL, 'values', w => w.mean('error')),
];

/** Every metric by name. */
export const METRICS: ReadonlyMap<string, MetricSpec> = new Map(TABLE.map(spec => [spec.name, spec]));

/** The metrics that fit a sample, in the order of the table. */
export function wanted(sample: Sample): readonly MetricSpec[] {
  return TABLE.filter(spec => spec.tasks.includes(sample.task) && (spec.needs !== 'probabilities' || sample.probabilities !== null));
}

/** Say why a metric has no value on a sample, with the classes or counts that cause it. */
export function whyUndefined(spec: MetricSpec, sample: Sample): string {
  if (spec.interval === 'recalibration') return (spec.name === 'calibration_slope' ? slope : intercept)(sample).reason ?? spec.undefined;
  if (sample.task === 'regression') {
    if (spec.name === 'mean_absolute_percentage_error') {
      const zeros = sample.labels.reduce((sum, y) => sum + (y === 0 ? 1 : 0), 0);
      return `${grouped(zeros)} of ${grouped(sample.n)} labels ${zeros === 1 ? 'is' : 'are'} zero, where a percentage error has no value`;
    }
    return spec.undefined === EQUAL ? `${EQUAL} (${general(sample.labels[0]!)})` : spec.undefined;
  }
  const { classes } = sample;
  if (spec.name === 'roc_auc_ovo' && classes.length > MAX_PAIRED_CLASSES) {
    return `it is counted for up to ${MAX_PAIRED_CLASSES} classes, and there are ${classes.length}`;
  }
  const absent = classes.filter((_, c) => !sample.labels.includes(c)).map(literal);
  if (absent.length > 0 && (spec.undefined === ABSENT || spec.undefined === ONE_CLASS)) {
    const shown = absent.slice(0, 5).join(', ') + (absent.length > 5 ? ` and ${absent.length - 5} more` : '');
    return `${spec.undefined}: none of ${grouped(sample.n)} rows is ${shown}`;
  }
  return spec.undefined;
}
