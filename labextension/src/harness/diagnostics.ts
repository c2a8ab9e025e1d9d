// What residuals say about a regression: three tests, and prediction intervals by split conformal prediction. Formulas and
// their sources are those of the Python package's module of the same name.
import { accurate } from './columns.ts';
import { wilson } from './intervals.ts';
import { SPLIT, subkey, uniforms } from './random.ts';
import type { Sample } from './schemas.ts';
import { chiSquaredTail } from './special.ts';
import { fixed, general } from './wording.ts';

const LEVELS = [0.8, 0.9];
/** Rows from which the chi-squared distribution holds: of K squared, and of the two other tests. */
const FEWEST_NORMAL = 20, FEWEST_ROWS = 10;

/** A test of one property that residuals have when nothing is left to learn from them. */
export interface ResidualTest {
  readonly method: string;
  readonly statistic: number | null;
  readonly p_value: number | null;
  readonly degrees: number | null;
  readonly n: number;
  readonly details: Readonly<Record<string, number>>;
  readonly sentence: string;
  readonly reason: string | null;
}

function none(method: string, n: number, reason: string): ResidualTest {
  return { method, statistic: null, p_value: null, degrees: null, n, details: {}, sentence: `There is no test: ${reason}.`, reason };
}

function tooFew(n: number, needed: number): string | null {
  return n >= needed ? null : `${n} ${n === 1 ? 'row is' : 'rows are'} too few; the test needs ${needed}`;
}

function judged(pValue: number, level: number, found: string, absent: string): string {
  const p = pValue < 0.001 ? 'p < 0.001' : `p = ${fixed(pValue, 3)}`;
  return pValue <= 1 - level ? `${found} (${p}).` : `There is no evidence that ${absent} (${p}).`;
}

function mean(n: number, value: (i: number) => number): number {
  return accurate(n, value) / n;
}

function range(values: Float64Array): number {
  return values.reduce((m, v) => Math.max(m, v), -Infinity) - values.reduce((m, v) => Math.min(m, v), Infinity);
}

function largest(values: Float64Array): number {
  return values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
}

/** Tests of normality, autocorrelation and heteroscedasticity of prediction minus label. */
export function residualTests(s: Sample, level: number): Record<string, ResidualTest> {
  const raw = s.predictions.map((v, i) => v - s.labels[i]!), n = s.n;
  const refused =
    s.weights || s.groups ? `the test needs independent rows of one weight, and ${s.weights ? 'weights' : 'groups'} were given`
    : !(range(raw) > 1e-14 * largest(s.labels)) ? 'all residuals are equal'
    : null;
  const [size, guessSize] = [largest(raw) || 1, largest(s.predictions) || 1];
  const error = raw.map(v => v / size), guess = s.predictions.map(v => v / guessSize);
  const middle = mean(n, i => error[i]!), centred = error.map(v => v - middle);
  return {
    residual_normality: normality(centred, level, refused),
    residual_autocorrelation: autocorrelation(centred, level, refused),
    residual_heteroscedasticity: heteroscedasticity(centred, guess, level, refused),
  };
}

/** Skewness and kurtosis as normal scores (D'Agostino, Belanger & D'Agostino 1990). */
export function normalScores(skewness: number, kurtosis: number, n: number): [number, number] {
  const y = skewness * Math.sqrt(((n + 1) * (n + 3)) / (6 * (n - 2)));
  const beta = (3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3)) / ((n - 2) * (n + 5) * (n + 7) * (n + 9));
  const w2 = Math.sqrt(2 * (beta - 1)) - 1;
  const first = Math.asinh(y / Math.sqrt(2 / (w2 - 1))) / Math.sqrt(Math.log(w2) / 2);
  const variance = (24 * n * (n - 2) * (n - 3)) / ((n + 1) ** 2 * (n + 3) * (n + 5));
  const x = (kurtosis - (3 * (n - 1)) / (n + 1)) / Math.sqrt(variance);
  const third = ((6 * (n * n - 5 * n + 2)) / ((n + 7) * (n + 9))) * Math.sqrt((6 * (n + 3) * (n + 5)) / (n * (n - 2) * (n - 3)));
  const a = 6 + (8 / third) * (2 / third + Math.sqrt(1 + 4 / third ** 2));
  const cube = (1 - 2 / a) / (1 + x * Math.sqrt(2 / (a - 4)));
  return [first, (1 - 2 / (9 * a) - Math.cbrt(cube)) / Math.sqrt(2 / (9 * a))];
}

function normality(centred: Float64Array, level: number, refused: string | null): ResidualTest {
  const method = "D'Agostino-Pearson K squared", n = centred.length, why = tooFew(n, FEWEST_NORMAL) ?? refused;
  if (why !== null) return none(method, n, why);
  const spread = Math.sqrt(mean(n, i => centred[i]! ** 2)), t = centred.map(v => v / spread);
  const skewness = mean(n, i => t[i]! ** 3), kurtosis = mean(n, i => t[i]! ** 4);
  const [z_skewness, z_kurtosis] = normalScores(skewness, kurtosis, n);
  const statistic = z_skewness ** 2 + z_kurtosis ** 2, p_value = chiSquaredTail(2, statistic);
  const sentence = judged(
    p_value, level,
    `The residuals are not normal, with skewness ${general(skewness, 3)} and kurtosis ${general(kurtosis, 3)} instead of 0 and 3`,
    'the residuals are not normal',
  );
  return { method, statistic, p_value, degrees: 2, n, details: { skewness, kurtosis, z_skewness, z_kurtosis }, sentence, reason: null };
}

function autocorrelation(t: Float64Array, level: number, refused: string | null): ResidualTest {
  const method = 'Ljung-Box', n = t.length, why = tooFew(n, FEWEST_ROWS) ?? refused;
  if (why !== null) return none(method, n, why);
  const total = accurate(n, i => t[i]! ** 2), lags = Math.min(10, Math.floor(n / 5));
  const r = Array.from({ length: lags }, (_, k) => accurate(n - k - 1, i => t[i + k + 1]! * t[i]!) / total);
  const statistic = n * (n + 2) * r.reduce((sum, value, k) => sum + (value * value) / (n - k - 1), 0);
  const p_value = chiSquaredTail(lags, statistic), durbin_watson = accurate(n - 1, i => (t[i + 1]! - t[i]!) ** 2) / total;
  const sentence = judged(
    p_value, level,
    `Residuals of rows that follow each other are related: the lag-1 correlation is ${general(r[0]!, 3)}`,
    'residuals depend on those of the rows before',
  );
  return { method, statistic, p_value, degrees: lags, n, details: { durbin_watson, lag_1_correlation: r[0]!, lags }, sentence, reason: null };
}

function heteroscedasticity(centred: Float64Array, guess: Float64Array, level: number, refused: string | null): ResidualTest {
  const method = 'Breusch-Pagan, studentised (Koenker)', n = centred.length;
  let why = tooFew(n, FEWEST_ROWS) ?? refused;
  if (why === null && !(range(guess) > 1e-12 * largest(guess))) why = 'all predictions are equal';
  if (why !== null) return none(method, n, why);
  const middle = mean(n, i => guess[i]!), x = guess.map(v => v - middle);
  const level2 = mean(n, i => centred[i]! ** 2), square = centred.map(v => v * v - level2);
  const top = accurate(n, i => square[i]! * x[i]!), bottom = accurate(n, i => square[i]! ** 2) * accurate(n, i => x[i]! ** 2);
  if (!(bottom > 0)) return none(method, n, 'all residuals are equally large');
  const statistic = (n * top * top) / bottom, p_value = chiSquaredTail(1, statistic);
  const sentence = judged(
    p_value, level,
    `The residuals spread ${top > 0 ? 'more' : 'less'} where predictions are higher`,
    'the spread of the residuals depends on the prediction',
  );
  return { method, statistic, p_value, degrees: 1, n, details: { correlation: top / Math.sqrt(bottom) }, sentence, reason: null };
}

/** prediction - half_width to prediction + half_width for the label of a new row. */
export interface PredictionInterval {
  readonly level: number;
  readonly half_width: number | null;
  /** Share of the rows kept out of the calibration whose label lies inside, with Wilson's interval. */
  readonly coverage: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly calibration_rows: number;
  readonly test_rows: number;
  readonly reason: string | null;
}

/** The absolute error that a new one stays below with probability `level` or more; null where no error suffices. */
export function halfWidth(size: Float64Array, level: number, groups: Int32Array | null = null): number | null {
  if (!groups) {
    const rank = Math.ceil(Number(((size.length + 1) * level).toFixed(9)));
    return rank <= size.length ? size.slice().sort()[rank - 1]! : null;
  }
  const counts = new Map<number, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  const order = Int32Array.from(size, (_, i) => i).sort((a, b) => size[a]! - size[b]! || a - b);
  const target = (counts.size + 1) * level - 1e-9;
  let reached = 0;
  for (const row of order) if ((reached += 1 / counts.get(groups[row]!)!) >= target) return size[row]!;
  return null;
}

/** Split conformal prediction intervals at 80 %, 90 % and the confidence level, and how they fare. */
export function predictionIntervals(s: Sample, seed: number | bigint, confidence: number): PredictionInterval[] {
  const levels = [...new Set([...LEVELS, confidence])].sort((a, b) => a - b);
  const row = (level: number, reason: string | null, more: Partial<PredictionInterval> = {}): PredictionInterval => ({
    level, half_width: null, coverage: null, low: null, high: null, calibration_rows: 0, test_rows: 0, ...more, reason,
  });
  if (s.weights) return levels.map(level => row(level, 'prediction intervals need rows of one weight, and weights were given'));
  const unit = (i: number): number => (s.groups ? s.groups[i]! : i);
  const units = s.groups ? s.groups.reduce((a, b) => Math.max(a, b), 0) + 1 : s.n, u = uniforms(subkey(seed, SPLIT), units);
  const order = Int32Array.from(u, (_, i) => i).sort((a, b) => u[a]! - u[b]! || a - b), chosen = new Uint8Array(units);
  for (const first of order.subarray(0, (units + 1) >> 1)) chosen[first] = 1;
  const first: number[] = [], rest: number[] = [];
  for (let i = 0; i < s.n; i++) (chosen[unit(i)] ? first : rest).push(i);
  const size = (i: number): number => Math.abs(s.predictions[i]! - s.labels[i]!);
  const groups = s.groups && Int32Array.from(first, i => s.groups![i]!), split = { calibration_rows: first.length, test_rows: rest.length };
  return levels.map(level => {
    const width = halfWidth(Float64Array.from(first, size), level, groups);
    if (width === null) {
      const m = groups ? new Set(groups).size : first.length, needed = Math.ceil(Number((level / (1 - level)).toFixed(9)));
      const which = `${m} ${groups ? 'group' : 'row'}${m === 1 ? ' is' : 's are'}`;
      return row(level, `${which} too few for ${general(100 * level)} %; the width needs ${needed}`, split);
    }
    if (rest.length < 1) return row(level, 'no row is left to judge the width', { ...split, half_width: width });
    const inside = rest.filter(i => size(i) <= width).length, found = { ...split, half_width: width, coverage: inside / rest.length };
    if (groups) return row(level, 'the interval of the coverage needs independent rows, and groups were given', found);
    const [low, high] = wilson(inside, rest.length, confidence);
    return row(level, null, { ...found, low, high });
  });
}
