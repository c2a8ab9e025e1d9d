// The runs table as columns: read from binary or JSON, sorted by index, never copied row by row.
import { inOrder } from './order.ts';
import { isObject } from './protocol.ts';
import type { Json, JsonObject } from './protocol.ts';
import { Unreadable, finite, words } from './safe.ts';

export type Kind = 'number' | 'time' | 'bool' | 'text' | 'list';
export type Value = number | string | boolean | string[] | null;

export class Column {
  readonly name: string;
  /** Whether it belongs to a metric, as far as who wrote the table knew; null leaves it to the name. */
  readonly part: boolean | null;
  readonly kind: Kind;
  readonly length: number;
  #read: (row: number) => Value;
  #ranks: Float64Array | null = null;
  #cache: Value[] = [];

  constructor(name: string, kind: Kind, length: number, read: (row: number) => Value, part: boolean | null = null) {
    this.name = name;
    this.part = part;
    this.kind = kind;
    this.length = length;
    this.#read = read;
  }

  /** The value in a row; null where it is missing. Times are milliseconds since 1970 UTC. */
  get(row: number): Value {
    if (this.kind !== 'text' && this.kind !== 'list') return this.#read(row);
    const known = this.#cache[row];
    return known !== undefined ? known : (this.#cache[row] = this.#read(row));
  }

  number(row: number): number | null {
    const value = this.get(row);
    return typeof value === 'number' ? value : null;
  }

  /** Sort keys: numbers as they are, texts by their place in the order of texts; NaN where missing. */
  ranks(): Float64Array {
    if (this.#ranks) return this.#ranks;
    const ranks = new Float64Array(this.length).fill(NaN);
    if (this.kind === 'text' || this.kind === 'list') {
      const texts = Array.from({ length: this.length }, (_, i) => {
        const v = this.get(i);
        return v === null ? null : Array.isArray(v) ? v.join(', ') : String(v);
      });
      const order = inOrder(new Set(texts.filter((t): t is string => t !== null && t !== '')));
      const place = new Map<string | null, number>(order.map((t, i) => [t, i]));
      texts.forEach((t, i) => (ranks[i] = place.get(t) ?? NaN));
    } else {
      for (let i = 0; i < this.length; i++) {
        const v = this.#read(i);
        ranks[i] = v === null ? NaN : Number(v);
      }
    }
    return (this.#ranks = ranks);
  }

  /** The row with the smallest or largest number, the first of equals; null where there is none. */
  extreme(largest: boolean, rows?: Iterable<number>): number | null {
    let best: number | null = null;
    let bestValue = 0;
    for (const row of rows ?? this.ranks().keys()) {
      const value = this.number(row);
      if (value === null) continue;
      if (best === null || (largest ? value > bestValue : value < bestValue)) [best, bestValue] = [row, value];
    }
    return best;
  }

  distinct(limit: number): number {
    const seen = new Set<string>();
    for (let i = 0; i < this.length && seen.size < limit; i++) {
      const value = this.get(i);
      if (value !== null) seen.add(String(value));
    }
    return seen.size;
  }
}

export class Table {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, Column>;
  readonly greaterIsBetter: ReadonlyMap<string, boolean>;

  constructor(rows: number, columns: Column[], greaterIsBetter: ReadonlyMap<string, boolean> = new Map()) {
    this.rows = rows;
    this.columns = new Map(columns.map(c => [c.name, c]));
    this.greaterIsBetter = greaterIsBetter;
  }

  static readonly empty = new Table(0, []);

  column(name: string): Column | undefined {
    return this.columns.get(name);
  }

  text(name: string, row: number): string {
    const value = this.columns.get(name)?.get(row);
    return value === null || value === undefined ? '' : String(value);
  }

  /** Names under a prefix ("params.", "metrics."); ends of intervals and supports belong to their metric. */
  keys(prefix: 'params.' | 'metrics.'): string[] {
    const names = [...this.columns.keys()].filter(n => n.startsWith(prefix));
    return prefix === 'params.' ? names : names.filter(n => !this.isPartOfMetric(n));
  }

  /** By the mark that Python set where it knew, else by the name. */
  isPartOfMetric(name: string): boolean {
    const match = /^(metrics\..+)\.(low|high|n)$/su.exec(name);
    if (!match || !this.columns.has(match[1]!)) return false;
    const known = this.columns.get(name)?.part ?? null;
    if (known !== null) return known;
    return match[2] === 'n' || (this.columns.has(`${match[1]}.low`) && this.columns.has(`${match[1]}.high`));
  }

  #part(metric: string, part: 'low' | 'high' | 'n', row: number): number | null {
    const name = `${metric}.${part}`;
    return this.isPartOfMetric(name) ? (this.columns.get(name)?.number(row) ?? null) : null;
  }

  /** Interval of a metric in a row; null where none is known. */
  interval(metric: string, row: number): [number, number] | null {
    const [low, high] = [this.#part(metric, 'low', row), this.#part(metric, 'high', row)];
    return low === null || high === null ? null : [low, high];
  }

  support(metric: string, row: number): number | null {
    return this.#part(metric, 'n', row);
  }

  /** Row indices in order: missing last whatever the direction, equal ones as they were. */
  sorted(rows: Int32Array, by: string, descending: boolean): Int32Array {
    const ranks = this.columns.get(by)?.ranks();
    if (!ranks) return rows;
    const sign = descending ? -1 : 1;
    return Int32Array.from(rows).sort((a, b) => {
      const [x, y] = [ranks[a]!, ranks[b]!];
      if (x !== x || y !== y) return x !== x && y !== y ? a - b : x !== x ? 1 : -1;
      return x === y ? a - b : sign * (x - y);
    });
  }
}

const decoder = new TextDecoder();
const KINDS: readonly unknown[] = ['number', 'time', 'bool', 'text', 'list'];

interface Spec {
  name: string;
  kind: Kind;
  part: boolean | null;
}

/** A list of texts from the JSON that it was sent as. */
function textList(json: string): string[] {
  const found: unknown = JSON.parse(json);
  return Array.isArray(found) ? found.map(words) : [];
}

function binary({ name, kind, part }: Spec, at: number[], rows: number, bytes: ArrayBuffer): Column {
  const make = (read: (row: number) => Value): Column => new Column(name, kind, rows, read, part);
  if (kind === 'number' || kind === 'time') {
    const values = new Float64Array(bytes, at[0]!, rows);
    return make(i => finite(values[i]));
  }
  if (kind === 'bool') {
    const values = new Uint8Array(bytes, at[0]!, rows);
    return make(i => (values[i] === 2 ? null : values[i] === 1));
  }
  const ends = new Int32Array(bytes, at[0]!, rows + 1);
  const text = new Uint8Array(bytes, at[1]!, ends[rows]);
  const known = new Uint8Array(bytes, at[2]!, rows);
  const read = (i: number): string => decoder.decode(text.subarray(ends[i], ends[i + 1]));
  if (kind === 'list') return make(i => (known[i] ? textList(read(i)) : null));
  return make(i => (known[i] ? read(i) : null));
}

/** What a JSON value is in a column of a kind; null where it is of another. */
function ofKind(kind: Kind, value: Json | undefined): Value {
  if (value === null || value === undefined) return null;
  if (kind === 'number') return finite(value);
  if (kind === 'time') return typeof value === 'string' ? finite(Date.parse(value.slice(0, 40))) : null;
  if (kind === 'bool') return typeof value === 'boolean' ? value : null;
  if (kind === 'list') return Array.isArray(value) ? value.map(words) : null;
  return typeof value === 'object' ? null : words(value);
}

function saved(spec: JsonObject, { name, kind, part }: Spec, rows: number): Column {
  // Repeated texts are saved once, as levels with a code for each row.
  const levels = Array.isArray(spec.levels) && Array.isArray(spec.codes) ? spec.levels : null;
  const given = levels ? spec.codes : spec.values;
  const stored = Array.isArray(given) ? given : [];
  if (stored.length !== rows) {
    throw new Unreadable(`This saved table is damaged: ${stored.length.toLocaleString('en-US')} values for ${rows.toLocaleString('en-US')} rows; run the cell again.`);
  }
  const kept = levels?.map(v => ofKind(kind, v));
  const values = kept ? stored.map(code => (typeof code === 'number' ? (kept[code] ?? null) : null)) : stored.map(v => ofKind(kind, v));
  return new Column(name, kind, rows, i => values[i] ?? null, part);
}

/**
 * Read the payload of a table: columns lie in the one buffer, or as JSON values in what was saved.
 * Throws Unreadable, with the sentence to show, where rows and columns do not agree.
 */
export function readTable(payload: JsonObject, buffers: DataView[] = []): Table {
  const rows = payload.rows;
  const specs = Array.isArray(payload.columns) ? payload.columns.filter(isObject) : [];
  if (typeof rows !== 'number' || !Number.isInteger(rows) || rows < 0 || rows > 2 ** 31 - 2 || (rows > 0 && specs.length === 0)) {
    throw new Unreadable('This table is damaged: its number of rows is not that of its columns; run the cell again.');
  }
  const view = buffers[0];
  // Copied once: typed arrays want aligned memory, and the message may be dropped.
  const bytes = view ? (view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer) : null;
  const columns = specs.map(spec => {
    if (typeof spec.name !== 'string' || !KINDS.includes(spec.kind)) throw new Unreadable('This table is damaged: a column has no name or no known kind; run the cell again.');
    const known: Spec = { name: spec.name, kind: spec.kind as Kind, part: typeof spec.part === 'boolean' ? spec.part : null };
    if (!bytes || !Array.isArray(spec.at)) return saved(spec, known, rows);
    try {
      return binary(known, spec.at.map(Number), rows, bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Unreadable('This table is damaged: its columns are longer than what was sent; run the cell again.');
    }
  });
  const greater = isObject(payload.greater_is_better) ? payload.greater_is_better : {};
  const known = Object.entries(greater).filter((e: [string, Json]): e is [string, boolean] => typeof e[1] === 'boolean');
  return new Table(rows, columns, new Map(known));
}
