// Numbers, times and names as people read them. Everything returned is plain text, never markup.

/** What an unknown value looks like everywhere. */
export const MISSING = '–';

/** Four significant digits, short; large counts keep their digits. */
export function number(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return MISSING;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString('en-US');
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** A probability under the null hypothesis: never zero, which no finite test shows. */
export function pValue(value: number | null): string {
  if (value === null || !(value >= 0 && value <= 1)) return number(value);
  return value < 0.001 ? '< 0.001' : String(Number(value.toPrecision(3)));
}

/** Both ends with the same number of decimals as the digits of the width ask for. */
export function interval(low: number, high: number): string {
  const width = Math.abs(high - low);
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (width === 0 || size >= 1e6 || size < 1e-4) return `[${number(low)}, ${number(high)}]`;
  const decimals = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(width))));
  return `[${low.toFixed(decimals)}, ${high.toFixed(decimals)}]`;
}

export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return MISSING;
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [days, hours, minutes, rest] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return `${minutes} min ${rest} s`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** Local date and time to the minute, written so that it also sorts as text. */
export function time(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return MISSING;
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}`;
}

/** Local time of the day, with the date where it is another day. */
export function clock(ms: number, now = Date.now()): string {
  const full = time(ms);
  return full.slice(0, 10) === time(now).slice(0, 10) ? full.slice(11) : full;
}

/** Date and time of the data, which know no zone but UTC; the date alone at midnight. */
export function utc(ms: number | null): string {
  if (ms === null || !(Math.abs(ms) <= 8.64e15)) return MISSING;
  const text = new Date(ms).toISOString().replace('T', ' ');
  return text.endsWith(' 00:00:00.000Z') ? text.slice(0, -14) : text.slice(0, -8);
}

/** How long ago, in words. */
export function ago(ms: number, now: number): string {
  const s = Math.max(0, (now - ms) / 1000);
  const say = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'} ago`;
  if (s < 60) return 'just now';
  if (s < 3600) return say(Math.floor(s / 60), 'minute');
  if (s < 86400) return say(Math.floor(s / 3600), 'hour');
  if (s < 86400 * 60) return say(Math.floor(s / 86400), 'day');
  return time(ms).slice(0, 10);
}

/** A part of a whole in percent: what is there is never said to be 0 %, what lacks never 100 %. */
export function share(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return MISSING;
  if (value <= 0 || value >= 1) return `${value * 100} %`;
  if (value < 0.001) return '< 0.1 %';
  return value > 0.999 ? '> 99.9 %' : `${(value * 100).toFixed(1)} %`;
}

/** A number of bytes. */
export function bytes(size: number | null): string {
  if (size === null || !Number.isFinite(size)) return MISSING;
  if (size < 1000) return `${size} B`;
  let [value, unit] = [size, 'B'];
  for (unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1000;
    if (value < 999.5) break;
  }
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** A value of the data as it stands there: no commas in years, seven digits at most. */
export function value(given: number | null, digits = 7): string {
  if (given === null || !Number.isFinite(given)) return MISSING;
  return Number.isSafeInteger(given) ? String(given) : String(Number(given.toPrecision(digits)));
}

export function count(n: number, word: string): string {
  return `${n.toLocaleString('en-US')} ${word}${n === 1 ? '' : 's'}`;
}

/** What steers, or turns the direction of letters around beyond the text that holds it. */
const STEERS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u2028-\u202e\u2066\u2067\ufeff\u{e0000}-\u{e007f}]/gu;
const ISOLATES = /[\u2066-\u2069]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A letter by its number, as Python writes it in code. */
export function escaped(letter: string): string {
  const code = letter.codePointAt(0)!;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** Shortened on the screen, never in the data; what steers is seen as an escape. Stands by itself, or in an element that isolates it. */
export function clip(text: string, length: number): string {
  return cut(text, length).replace(STEERS, escaped);
}

/** A name as a part of a sentence: as `clip`, and without an effect on the letters around it (isolates of Unicode's Annex 9). */
export function named(text: string, length: number): string {
  const shown = clip(text, length).replace(ISOLATES, escaped);
  return RIGHT_TO_LEFT.test(shown) ? `\u2068${shown}\u2069` : shown;
}

/** A text as Python code writes it: nothing of it is cut, and signs that are not seen are named. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped);
}

/** Plotly reads a little HTML in every text it draws; this makes a name mean itself. */
export function plotlyText(text: string, length = 60): string {
  return clip(text.replace(/\s+/g, ' '), length).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
