// The digest that tells whether two evaluations saw the same labels: equal to the one of the Python package.
import { whole } from './columns.ts';
import { shown } from './conditions.ts';
import type { Class, Sample } from './schemas.ts';
import { real } from './wording.ts';

const ROUNDS = constants();

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of eight. */
function constants(): { cubes: Int32Array; squares: Int32Array } {
  const cubes = new Int32Array(64), squares = new Int32Array(8);
  for (let n = 2, found = 0; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    cubes[found] = fraction(BigInt(n), 3n);
    if (found < 8) squares[found] = fraction(BigInt(n), 2n);
    found++;
  }
  return { cubes, squares };
}

/** floor(2^32 * n^(1/root)) modulo 2^32, by bisection in whole numbers. */
function fraction(n: bigint, root: bigint): number {
  const target = n << (32n * root);
  let low = 0n, high = n << 32n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** root <= target) low = middle;
    else high = middle - 1n;
  }
  return Number(BigInt.asIntN(32, low));
}

/** SHA-256 (FIPS 180-4), in hexadecimal. It is here because the one of browsers answers later, and only on secure pages. */
export function sha256(bytes: Uint8Array): string {
  const { cubes, squares } = ROUNDS, state = squares.slice(), w = new Int32Array(64);
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6), view = new DataView(padded.buffer);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(padded.length - 4, (bytes.length * 8) >>> 0);
  const turn = (x: number, by: number): number => (x >>> by) | (x << (32 - by));
  for (let start = 0; start < padded.length; start += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(start + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!, y = w[i - 2]!;
      w[i] = w[i - 16]! + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7]! + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const t = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + cubes[i]! + w[i]!) | 0;
      const s = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t) | 0, c, b, a, (t + s) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i]! += value; });
  }
  return Array.from(state, value => (value >>> 0).toString(16).padStart(8, '0')).join('');
}

/** The digest of the labels in order, with weights, groups and strata where given; the order of the classes does not matter. */
export function ofLabels(s: Sample): string {
  const parts: Uint8Array[] = [text(`${s.task === 'regression' ? 'regression' : 'classification'} ${s.n}\n`)];
  if (s.task === 'regression') parts.push(doubles(s.labels));
  else {
    const names = s.classes.map(named), order = names.map((_, c) => c).sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
    const met = order.filter(c => s.labels.includes(c)), rank = new Map(met.map((c, i) => [c, i]));
    parts.push(text(met.map(c => names[c]).join('\n')), packed(s.n, 4, (view, i) => view.setInt32(4 * i, rank.get(s.labels[i]!)!, true)));
  }
  if (s.weights) parts.push(text('weights'), doubles(s.weights.map(w => whole(w * 1e9) / 1e9)));
  for (const [name, codes] of [['groups', s.groups], ['strata', s.strata]] as const) {
    if (codes) parts.push(text(name), packed(s.n, 8, (view, i) => view.setInt32(8 * i, codes[i]!, true)));
  }
  return joined(parts);
}

/** The digest of the features in order; null without data. */
export function ofRows(s: Sample): string | null {
  if (!s.data) return null;
  const parts: Uint8Array[] = [text(`${s.n}\n`)];
  for (const column of s.data) {
    parts.push(text(ascii(column.name)));
    const { kind, missing, values } = column;
    if (kind === 'int' || kind === 'float' || (kind === 'bool' && !missing.includes(1))) {
      parts.push(text('n'), packed(s.n, 8, (view, i) => view.setFloat64(8 * i, missing[i] ? NaN : Number(values[i]) + 0, true)));
    } else if (kind === 'time') {
      const none = -(2n ** 63n);
      parts.push(text('t'), packed(s.n, 8, (view, i) => view.setBigInt64(8 * i, missing[i] ? none : BigInt(values[i] as number), true)));
    } else {
      const codes = new Map<string, number>();
      const of = Array.from({ length: s.n }, (_, i) => {
        if (missing[i]) return -1;
        const word = shown(column, i);
        if (!codes.has(word)) codes.set(word, codes.size);
        return codes.get(word)!;
      });
      parts.push(text(`s[${[...codes.keys()].map(ascii).join(', ')}]`), packed(s.n, 8, (view, i) => view.setBigInt64(8 * i, BigInt(of[i]!), true)));
    }
  }
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): string {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return sha256(all);
}

/** Text as JSON in ASCII: by UTF-16 units, two for a character beyond the first 65,536. */
function ascii(value: string): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A class in ASCII: text as JSON, everything else as a real number. So text sorts here as it does in Python. */
function named(value: Class): string {
  return typeof value === 'string' ? ascii(value) : real(Number(value));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function packed(n: number, width: number, set: (view: DataView, i: number) => void): Uint8Array {
  const out = new Uint8Array(n * width), view = new DataView(out.buffer);
  for (let i = 0; i < n; i++) set(view, i);
  return out;
}

function doubles(values: Float64Array): Uint8Array {
  return packed(values.length, 8, (view, i) => view.setFloat64(8 * i, values[i]! + 0, true));
}
