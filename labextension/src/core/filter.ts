// The filter box: a small language that becomes a function of a row.
//
//   accuracy >= 0.9 and not status = failed      params.depth is missing or tags = best      "two words"   name ~ rf
//
// Three-valued, as in SQL: comparing with a missing value is neither true nor false, so such a row is shown only
// by `is missing`. Words beside each other mean AND. A word alone is looked for in every text of the run.
import { compareTexts, written } from './order.ts';
import type { Column, Table } from './table.ts';

export type Truth = boolean | null;
export type Test = (row: number) => Truth;

export class FilterError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

interface Token {
  kind: 'word' | 'quoted' | 'op' | 'open' | 'close' | 'end';
  text: string;
  at: number;
}

const TOKEN = /\s*(?:(\()|(\))|(<=|>=|!=|!~|==|=|<|>|~|≠|≤|≥)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`|([^\s()<>=!~≠≤≥"'`]+|!))/suy;

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (!m) {
      if (text.slice(from).trim() === '') break;
      const at = from + (text.slice(from).length - text.slice(from).trimStart().length);
      throw new FilterError(`the quote at position ${at + 1} is not closed`, at);
    }
    const at = from + (m[0].length - m[0].trimStart().length);
    if (m[1]) found.push({ kind: 'open', text: '(', at });
    else if (m[2]) found.push({ kind: 'close', text: ')', at });
    else if (m[3]) found.push({ kind: 'op', text: ({ '==': '=', '≠': '!=', '≤': '<=', '≥': '>=' } as Record<string, string>)[m[3]] ?? m[3], at });
    else if (m[7] !== undefined) found.push({ kind: 'word', text: m[7], at });
    else found.push({ kind: 'quoted', text: (m[4] ?? m[5] ?? m[6] ?? '').replace(/\\(.)/gsu, '$1'), at });
  }
  found.push({ kind: 'end', text: '', at: text.length });
  return found;
}

const UNITS = new Map(Object.entries({ us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, min: 60, m: 60, h: 3600, d: 86400 }));

function seconds(text: string): number {
  const m = /^([-+]?[\d.]+(?:e[-+]?\d+)?)\s*([a-zµ]*)$/iu.exec(text);
  const unit = m && m[2] ? UNITS.get(m[2].toLowerCase()) : 1;
  return m && unit !== undefined ? Number(m[1]) * unit : NaN;
}

/** Milliseconds of the start of a day, minute or instant; a date without a zone is local, as the table shows it. */
function instant(text: string): number {
  return Date.parse(/^\d{4}-\d{2}-\d{2}$/u.test(text) ? `${text}T00:00` : text.replace(' ', 'T'));
}

const ALIASES = new Map(Object.entries({ started: 'started_at', tag: 'tags', id: 'run_id' }));

class Parser {
  #all: Token[];
  #i = 0;
  #table: Table;

  constructor(text: string, table: Table) {
    this.#all = tokens(text);
    this.#table = table;
  }

  parse(): Test {
    const test = this.#or();
    const rest = this.#peek();
    if (rest.kind !== 'end') throw new FilterError(`"${rest.text}" at position ${rest.at + 1} is not expected here`, rest.at);
    return test;
  }

  #peek(ahead = 0): Token {
    return this.#all[Math.min(this.#i + ahead, this.#all.length - 1)]!;
  }

  #isWord(word: string, ahead = 0): boolean {
    const t = this.#peek(ahead);
    return t.kind === 'word' && t.text.toLowerCase() === word;
  }

  #or(): Test {
    const parts = [this.#and()];
    while (this.#isWord('or')) {
      this.#i++;
      parts.push(this.#and());
    }
    if (parts.length === 1) return parts[0]!;
    return row => {
      let truth: Truth = false;
      for (const part of parts) {
        const t = part(row);
        if (t === true) return true;
        if (t === null) truth = null;
      }
      return truth;
    };
  }

  #and(): Test {
    const parts = [this.#not()];
    for (;;) {
      if (this.#isWord('and')) this.#i++;
      else if (['end', 'close'].includes(this.#peek().kind) || this.#isWord('or')) break;
      parts.push(this.#not());
    }
    if (parts.length === 1) return parts[0]!;
    return row => {
      let truth: Truth = true;
      for (const part of parts) {
        const t = part(row);
        if (t === false) return false;
        if (t === null) truth = null;
      }
      return truth;
    };
  }

  #not(): Test {
    if (!this.#isWord('not')) return this.#atom();
    this.#i++;
    const inner = this.#not();
    return row => {
      const t = inner(row);
      return t === null ? null : !t;
    };
  }

  #atom(): Test {
    const token = this.#peek();
    if (token.kind === 'open') {
      this.#i++;
      const inner = this.#or();
      if (this.#peek().kind !== 'close') throw new FilterError(`the parenthesis at position ${token.at + 1} is not closed`, token.at);
      this.#i++;
      return inner;
    }
    if (token.kind === 'end') throw new FilterError('something is missing at the end', token.at);
    if (token.kind === 'op' || token.kind === 'close') {
      throw new FilterError(`"${token.text}" at position ${token.at + 1} needs a column before it`, token.at);
    }
    this.#i++;
    const op = this.#peek();
    if (op.kind === 'op') {
      this.#i++;
      const value = this.#peek();
      if (value.kind !== 'word' && value.kind !== 'quoted') {
        throw new FilterError(`"${op.text}" at position ${op.at + 1} needs a value after it`, op.at);
      }
      this.#i++;
      return compare(this.#column(token), op.text, value);
    }
    if (this.#isWord('is')) {
      const negated = this.#isWord('not', 1);
      const word = this.#peek(negated ? 2 : 1);
      if (!['missing', 'null', 'none', 'empty'].includes(word.text.toLowerCase())) {
        throw new FilterError(`after "is" comes "missing" or "not missing", found "${word.text}"`, word.at);
      }
      this.#i += negated ? 3 : 2;
      const column = this.#column(token);
      return row => isMissing(column, row) !== negated;
    }
    return freeText(this.#table, token.text);
  }

  #column(token: Token): Column {
    const table = this.#table;
    const wanted = token.text;
    const names = [wanted, ALIASES.get(wanted) ?? '', `metrics.${wanted}`, `params.${wanted}`];
    for (const name of names) {
      const column = table.column(name);
      if (column) return column;
    }
    const lower = names.filter(Boolean).map(n => n.toLowerCase());
    for (const [name, column] of table.columns) if (lower.includes(name.toLowerCase())) return column;
    const near = nearest(wanted, table);
    throw new FilterError(`no column is named "${wanted}"${near ? `; did you mean "${near}"?` : ''}`, token.at);
  }
}

function isMissing(column: Column, row: number): boolean {
  const value = column.get(row);
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

function compare(column: Column, op: string, token: Token): Test {
  const text = token.text;
  const negated = op.startsWith('!');
  if (op === '~' || op === '!~') {
    const needle = text.toLowerCase();
    return row => {
      const value = column.get(row);
      return value === null ? null : String(value).toLowerCase().includes(needle) !== negated;
    };
  }
  if (column.kind === 'list' || column.kind === 'bool') {
    if (op !== '=' && op !== '!=') throw new FilterError(`"${column.name}" can only be compared with = or !=`, token.at);
    const wanted = text.toLowerCase();
    return row => {
      const value = column.get(row);
      if (value === null) return null;
      const same = Array.isArray(value) ? value.some(v => v.toLowerCase() === wanted) : ['true', 'yes', '1'].includes(wanted) === value;
      return same !== negated;
    };
  }
  if (column.kind === 'number' || column.kind === 'time') {
    const target = column.kind === 'time' ? instant(text) : column.name === 'duration' ? seconds(text) : written(text);
    if (target === null || Number.isNaN(target)) {
      throw new FilterError(`"${column.name}" is a ${column.kind}, and "${text}" is not`, token.at);
    }
    // A date stands for the whole day when asked for equality.
    const span = column.kind === 'time' && /^\d{4}-\d{2}-\d{2}$/u.test(text) ? 86_400_000 : 0;
    return row => {
      const value = column.get(row);
      return typeof value !== 'number' ? null : holds(op, value, target, span);
    };
  }
  const wanted = text.toLowerCase();
  const number = written(text);
  return row => {
    const value = column.get(row);
    if (value === null || value === '') return null;
    const said = String(value);
    // What is compared with a number is one, or it is neither below nor above it.
    const own = number === null ? null : written(said);
    if (op === '=' || op === '!=') return ((own !== null && own === number) || said.toLowerCase() === wanted) !== negated;
    if (number !== null) return own === null ? null : holds(op, own, number, 0);
    return holds(op, compareTexts(said, text), 0, 0);
  };
}

function holds(op: string, value: number, target: number, span: number): boolean {
  switch (op) {
    case '=':
      return span ? value >= target && value < target + span : value === target;
    case '!=':
      return span ? value < target || value >= target + span : value !== target;
    case '<':
      return value < target;
    case '<=':
      return span ? value < target + span : value <= target;
    case '>':
      return span ? value >= target + span : value > target;
    default:
      return value >= target;
  }
}

function freeText(table: Table, word: string): Test {
  const needle = word.toLowerCase();
  const columns = [...table.columns.values()].filter(c => c.kind === 'text' || c.kind === 'list');
  const baseline = needle === 'baseline' ? table.column('baseline') : undefined;
  return row =>
    baseline?.get(row) === true || columns.some(c => c.get(row) !== null && String(c.get(row)).toLowerCase().includes(needle));
}

/** The column whose name needs the fewest edits, if that is few. */
function nearest(wanted: string, table: Table): string | null {
  let best: string | null = null;
  let fewest = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of table.columns.keys()) {
    for (const candidate of [name, name.replace(/^(params|metrics)\./u, '')]) {
      if (Math.abs(candidate.length - wanted.length) >= fewest) continue;
      const d = edits(wanted.toLowerCase(), candidate.toLowerCase());
      if (d < fewest) [best, fewest] = [candidate, d];
    }
  }
  return best;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A test of rows; nothing written lets everything pass. Throws FilterError with the place of the slip. */
export function parseFilter(text: string, table: Table): Test {
  return text.trim() === '' ? () => true : new Parser(text, table).parse();
}

/** A filter while it is being typed: a text that cannot be read leaves the last one that could, also for a newer table. */
export class Typed {
  #last = '';

  /** The rows to show, and what is wrong with the text; null where nothing is. */
  rows(table: Table, text: string): { rows: Int32Array; slip: string | null } {
    try {
      const rows = filterRows(table, parseFilter(text, table));
      this.#last = text;
      return { rows, slip: null };
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      // The last one may name a column that is not there any more.
      return { rows: this.#last === text ? filterRows(table, () => true) : this.rows(table, this.#last).rows, slip: error.message };
    }
  }
}

/** The rows for which the test is true. */
export function filterRows(table: Table, test: Test): Int32Array {
  const kept = new Int32Array(table.rows);
  let n = 0;
  for (let row = 0; row < table.rows; row++) if (test(row) === true) kept[n++] = row;
  return kept.slice(0, n);
}
