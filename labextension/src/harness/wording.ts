// How values are written in sentences: as the Python package writes them, so that reasons and notes are the same text.
import type { Class } from './schemas.ts';

/** 1234567 -> 1,234,567. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/gu, ',');
}

export function rows(count: number): string {
  return count === 1 ? '1 row' : `${grouped(count)} rows`;
}

/** Whether a number lies halfway between two of `decimals` decimals (below 0: of so many digits before the point). */
function halfway(value: number, decimals: number): boolean {
  if (decimals >= 0) return Math.abs(value * 2 ** (decimals + 1)) % 2 === 1;
  return Number.isInteger(value) && (BigInt(value) * 2n) % 10n ** BigInt(-decimals) === 0n && BigInt(value) % 10n ** BigInt(-decimals) !== 0n;
}

/** A number with so many decimals; from halfway to the even neighbour, as in Python. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return halfway(value, decimals) && Number(text.at(-1)) % 2 === 1 ? (value * (1 - 2 ** -50)).toFixed(decimals) : text;
}

/** Mantissa of so many digits and exponent; from halfway to the even neighbour. */
export function scientific(value: number, digits: number): [string, number] {
  const [mantissa, power] = value.toExponential(digits - 1).split('e') as [string, string];
  const low = (value * (1 - 2 ** -50)).toExponential(digits - 1).split('e') as [string, string];
  const even = Number(mantissa.at(-1)) % 2 === 0 || !halfway(value, digits - 1 - Number(low[1]));
  return even ? [mantissa, Number(power)] : [low[0], Number(low[1])];
}

/** Six significant digits at most, with an exponent from 1e6 on and below 1e-4. */
export function general(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa, exponent] = scientific(value, digits);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/u, '') : text);
  if (exponent >= -4 && exponent < digits) return trim(fixed(value, Math.max(0, digits - 1 - exponent)));
  return `${trim(mantissa)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A real number as Python writes it: 1.0, 1e-05, 1e+16. */
export function real(value: number): string {
  if (!Number.isFinite(value)) return general(value);
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e16) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  return `${mantissa}e${power[0]}${power.slice(1).padStart(2, '0')}`;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A class as a literal: quoted text, a number, True or False. */
export function literal(value: Class): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return Number.isInteger(value) ? String(BigInt(value)) : String(value);
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  let text = '';
  for (const c of value) {
    const code = c.codePointAt(0)!;
    if (c === quote) text += `\\${c}`;
    else if (c in ESCAPES) text += ESCAPES[c];
    else if (/[\p{C}\p{Zl}\p{Zp}]/u.test(c) || (/\p{Zs}/u.test(c) && c !== ' ')) {
      text += code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
    } else text += c;
  }
  return quote + text + quote;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0');
}

export function listing(classes: readonly Class[]): string {
  const shown = classes.slice(0, 6).map(literal).join(', ');
  return classes.length <= 6 ? shown : `${shown}, ... ${classes.length} in all`;
}

/** Say which known name is nearest to a wrong one, or list them all. */
export function nearest(name: string, known: readonly string[]): string {
  let best = '', share = 0;
  for (const other of known) {
    const found = (2 * matched([...name], [...other])) / ([...name].length + [...other].length);
    if (found > share || (found === share && other > best)) [best, share] = [other, found];
  }
  return share >= 0.5 ? `did you mean ${literal(best)}?` : `give one of ${known.join(', ')}.`;
}

/** Characters in common: the longest common run, the earliest of equals, and those to either side (Ratcliff & Obershelp 1988). */
function matched(b: readonly string[], a: readonly string[]): number {
  let size = 0, atA = 0, atB = 0, before = new Int32Array(b.length + 1);
  a.forEach((c, i) => {
    const now = new Int32Array(b.length + 1);
    b.forEach((d, j) => {
      if (c !== d) return;
      now[j + 1] = before[j]! + 1;
      if (now[j + 1]! > size) [size, atA, atB] = [now[j + 1]!, i - now[j + 1]! + 1, j - now[j + 1]! + 1];
    });
    before = now;
  });
  if (size === 0) return 0;
  return size + matched(b.slice(0, atB), a.slice(0, atA)) + matched(b.slice(atB + size), a.slice(atA + size));
}

/** Text by code points, as Python orders it; numbers by size. */
export function ascending(a: Class, b: Class): number {
  if (typeof a !== 'string' || typeof b !== 'string') return Number(a) - Number(b);
  const left = [...a], right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const gap = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (gap !== 0) return gap;
  }
  return left.length - right.length;
}
