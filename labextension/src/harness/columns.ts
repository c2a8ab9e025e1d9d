// Sums, orders and quantiles of columns of numbers.

/** A sum whose rounding does not grow with its length (Neumaier 1974, ZAMM 54). */
export function accurate(count: number, value: (i: number) => number): number {
  let sum = 0, lost = 0;
  for (let i = 0; i < count; i++) {
    const x = value(i), next = sum + x;
    lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: Float64Array): number {
  const sorted = values.slice().sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Rows from the highest score to the lowest, equal ones in their old order. */
export function descending(rows: Int32Array, score: (row: number) => number): Int32Array {
  const n = rows.length, values = new Float64Array(n), at = new Int32Array(n);
  for (let i = 0; i < n; i++) [values[i], at[i]] = [score(rows[i]!), i];
  at.sort((a, b) => values[b]! - values[a]! || a - b);
  return at.map(i => rows[i]!);
}

/** How many of some ascending values are below `value`, or at most `value`. */
export function searchsorted(sorted: ArrayLike<number>, value: number, orEqual = false): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1, found = sorted[middle]!;
    if (found < value || (orEqual && found === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Quantile of ascending values by linear interpolation (Hyndman & Fan 1996, definition 7). */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1), low = Math.min(sorted.length - 1, Math.max(0, Math.floor(at)));
  const a = sorted[low]!, b = sorted[Math.min(sorted.length - 1, low + 1)]!, t = at - low;
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

/** The nearest whole number, halves to the even one. */
export function whole(value: number): number {
  const shift = 6755399441055744; // 1.5 * 2^52, beyond which there are no fractions
  return value + shift - shift;
}
