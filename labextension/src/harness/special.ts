// Functions of the normal and the chi-squared distribution, to full double accuracy.

function horner(x: number, coefficients: readonly number[]): number {
  let value = 0;
  for (const c of coefficients) value = value * x + c;
  return value;
}

// Coefficients from the highest power down.
const CENTRE = [
  [2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608],
  [5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1],
] as const;
const NEAR = [
  [7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734],
  [1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1],
] as const;
const FAR = [
  [2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772],
  [2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1],
] as const;

/** Quantile of the standard normal distribution (Wichura 1988, algorithm AS 241, PPND16, Applied Statistics 37(3)). */
export function normalQuantile(share: number): number {
  if (!(share > 0 && share < 1)) return share === 0 ? -Infinity : share === 1 ? Infinity : NaN;
  const q = share - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * horner(r, CENTRE[0])) / horner(r, CENTRE[1]);
  }
  const r = Math.sqrt(-Math.log(q <= 0 ? share : 1 - share));
  const x = r <= 5 ? horner(r - 1.6, NEAR[0]) / horner(r - 1.6, NEAR[1]) : horner(r - 5, FAR[0]) / horner(r - 5, FAR[1]);
  return q < 0 ? -x : x;
}

const ERF = [
  [1.85777706184603153e-1, 3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3],
  [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
] as const;
const ERFC = [
  [2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2, 8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3],
  [1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3],
] as const;
const TAIL = [
  [1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4],
  [1, 2.56852019228982242, 1.87295284992346047, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3],
] as const;

/** Complementary error function (Cody 1969, "Rational Chebyshev approximations for the error function", Math. Comp. 23). */
export function erfc(x: number): number {
  const y = Math.abs(x);
  if (y > 28) return x < 0 ? 2 : 0; // below the smallest number
  if (y <= 0.46875) return 1 - (x * horner(y * y, ERF[0])) / horner(y * y, ERF[1]);
  // exp(-y * y) with the rounding of y * y taken out: y is split so that the square of its head is exact
  const head = Math.trunc(y * 16) / 16;
  const scale = Math.exp(-head * head) * Math.exp(-(y - head) * (y + head));
  let tail: number;
  if (y <= 4) tail = (scale * horner(y, ERFC[0])) / horner(y, ERFC[1]);
  else {
    const z = 1 / (y * y);
    tail = (scale * (0.56418958354775628695 - (z * horner(z, TAIL[0])) / horner(z, TAIL[1]))) / y;
  }
  return x < 0 ? 2 - tail : tail;
}

/** Distribution function of the standard normal distribution. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2);
}

/**
 * Upper tail of the chi-squared distribution with a whole number of degrees of freedom, as the finite sum of Abramowitz
 * & Stegun 1964, 26.4.4 and 26.4.5.
 */
export function chiSquaredTail(freedom: number, x: number): number {
  if (!(x > 0)) return 1;
  const half = x / 2, odd = freedom % 2 === 1;
  let term = odd ? Math.exp(-half) * Math.sqrt(half / Math.PI) * 2 : Math.exp(-half);
  let sum = odd ? erfc(Math.sqrt(half)) : 0;
  for (let i = odd ? 1 : 0; 2 * i + (odd ? 1 : 2) <= freedom; i++) {
    sum += term;
    term *= half / (i + (odd ? 0.5 : 1));
  }
  return Math.min(1, sum);
}

// Beta, binomial, Student and Poisson distributions --------------------------------------------------

/** What Stirling's formula leaves of ln gamma(z + 1), z > 0 (Loader 2000, "Fast and accurate computation of binomial probabilities"). */
function stirlingError(z: number): number {
  if (z < 15) return stirlingError(z + 1) + (z + 0.5) * Math.log1p(1 / z) - 1;
  const s = 1 / (z * z);
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - (691 / 360360) * s) * s) * s) * s) * s) / z;
}

/** x ln(x / m) + m - x, accurate where x is near m. */
function deviance(x: number, m: number): number {
  if (Math.abs(x - m) >= 0.1 * (x + m)) return x * Math.log(x / m) + m - x;
  const v = (x - m) / (x + m);
  let sum = (x - m) * v, term = 2 * x * v;
  for (let j = 1; ; j++) {
    term *= v * v;
    const next = sum + term / (2 * j + 1);
    if (next === sum) return sum;
    sum = next;
  }
}

/** x^a y^b / B(a, b), with y = 1 - x. */
export function betaDensity(a: number, b: number, x: number, y: number): number {
  const n = a + b, rest = stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x) - deviance(b, n * y);
  return Math.exp(rest) * Math.sqrt((a * b) / (2 * Math.PI * n));
}

/** Continued fraction of the incomplete beta function (Abramowitz & Stegun 1964, 26.5.8), by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  let c = 1, d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let value = d;
  for (let m = 1; m < 100_000; m++) {
    for (const term of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (Math.abs(d) < tiny ? tiny : d);
      if (Math.abs(c) < tiny) c = tiny;
      value *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return value;
}

/** Regularised incomplete beta function I_x(a, b), with y = 1 - x. */
export function betaTail(a: number, b: number, x: number, y = 1 - x): number {
  if (!(x > 0)) return 0;
  if (!(y > 0)) return 1;
  const density = betaDensity(a, b, x, y);
  return x < (a + 1) / (a + b + 2) ? (density * betaFraction(a, b, x)) / a : 1 - (density * betaFraction(b, a, y)) / b;
}

/** The x at which I_x(a, b) is `share`, by bisection. */
export function betaQuantile(a: number, b: number, share: number): number {
  let low = 0, high = 1;
  for (let turn = 0; turn < 1100; turn++) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (betaTail(a, b, middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Probability that Student's t is at most `t`. */
export function studentCdf(freedom: number, t: number): number {
  const square = t * t, tail = betaTail(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square)) / 2;
  return t > 0 ? 1 - tail : tail;
}

/** Quantile of Student's t, for a share above one half. */
export function studentQuantile(freedom: number, share: number): number {
  const target = 1 - share;
  let low = 0, high = 1;
  while (studentCdf(freedom, -high) > target) [low, high] = [high, 2 * high];
  let t = Math.min(high, Math.max(low, normalQuantile(share)));
  for (let turn = 0; turn < 200; turn++) {
    const tail = studentCdf(freedom, -t), square = t * t;
    if (tail > target) low = t;
    else high = t;
    // twice the density at t is t^-1 times that of the beta distribution
    const slope = betaDensity(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square)) / t;
    let next = t + (tail - target) / slope;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (Math.abs(next - t) <= 2e-16 * t) return next;
    t = next;
  }
  return t;
}

/** Quantile of the gamma distribution of a small whole shape. */
export function gammaQuantile(shape: number, share: number): number {
  const below = (x: number): number => {
    let term = Math.exp(-x), sum = 0;
    // the sum from the shape on is accurate where the share is small
    for (let i = 1; i <= shape; i++) term *= x / i;
    for (let i = shape; term > 1e-18 * sum || i < shape + x; i++) {
      sum += term;
      term *= x / (i + 1);
    }
    return sum;
  };
  let low = 0, high = 1;
  while (below(high) < share) high *= 2;
  for (let turn = 0; turn < 200 && high - low > 1e-16 * high; turn++) {
    const middle = (low + high) / 2;
    if (below(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Distribution function of Poisson numbers from `first` on: everything within ten standard deviations of the mean. */
export function poissonTable(mean: number): { first: number; below: Float64Array } {
  const reach = 10 * Math.sqrt(mean), first = Math.max(0, Math.trunc(mean - reach) - 10);
  const below = new Float64Array(Math.trunc(mean + reach) + 20 - first), mode = Math.floor(mean) - first;
  below[mode] = 1;
  for (let i = mode - 1; i >= 0; i--) below[i] = (below[i + 1]! * (first + i + 1)) / mean;
  for (let i = mode + 1; i < below.length; i++) below[i] = (below[i - 1]! * mean) / (first + i);
  let sum = 0;
  for (let i = 0; i < below.length; i++) below[i] = sum += below[i]!;
  for (let i = 0; i < below.length; i++) below[i]! /= sum;
  return { first, below };
}

/** Binomial probability of at most k, and of more than k, of n. */
export function binomialCdf(k: number, n: number, share: number): number {
  return k >= n ? 1 : betaTail(n - k, k + 1, 1 - share, share);
}

export function binomialTail(k: number, n: number, share: number): number {
  return k >= n ? 0 : betaTail(k + 1, n - k, share, 1 - share);
}

/** Regularised incomplete gamma functions P(a, x) and Q(a, x), each computed as such where it is the smaller. */
export function gammaTails(a: number, x: number): readonly [number, number] {
  if (!(x > 0)) return [0, 1];
  if (x === Infinity) return [1, 0];
  const density = Math.exp(-stirlingError(a) - deviance(a, x)) / Math.sqrt(2 * Math.PI * a); // x^a e^-x / gamma(a + 1)
  if (x < a + 1) {
    let term = 1, sum = 1;
    for (let i = 1; term > 1e-17 * sum; i++) sum += term *= x / (a + i);
    return [density * sum, 1 - density * sum];
  }
  // continued fraction (Abramowitz & Stegun 1964, 6.5.31), by Lentz's method
  let b = x + 1 - a, c = 1e300, d = 1 / b, value = d;
  for (let i = 1; i < 10_000_000; i++) {
    const top = -i * (i - a);
    b += 2;
    d = 1 / (top * d + b);
    c = b + top / c;
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return [1 - density * a * value, density * a * value];
}

/** ln of n over k. */
export function logChoose(n: number, k: number): number {
  if (k === 0 || k === n) return 0;
  const rest = stirlingError(n) - stirlingError(k) - stirlingError(n - k);
  return rest - k * Math.log(k / n) - (n - k) * Math.log1p(-k / n) + 0.5 * Math.log(n / (2 * Math.PI * k * (n - k)));
}
